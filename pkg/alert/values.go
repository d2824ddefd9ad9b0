package alert

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// This file formats and parses the values of annotations. A Parse function rejects
// any other text, because another system may use the name of the annotation for
// something else.

// FormatCount formats a count in decimal.
func FormatCount(n int64) string { return strconv.FormatInt(n, 10) }

// ParseCount parses a count, which is never negative.
func ParseCount(text string) (n int64, ok bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

// FormatNumber formats a number in decimal, without an exponent.
func FormatNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// ParseNumber parses a number.
func ParseNumber(text string) (v float64, ok bool) {
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}

// maxSeconds is the longest time that ParseSeconds accepts: a longer one is a
// fault of the sender, and would overflow a time.Duration.
const maxSeconds = 100 * 365 * 24 * 60 * 60

// FormatSeconds formats d in whole seconds, rounded down.
func FormatSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// ParseSeconds parses a positive time of up to a hundred years.
func ParseSeconds(text string) (d time.Duration, ok bool) {
	n, ok := ParseCount(text)
	if !ok || n == 0 || n > maxSeconds {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// FormatRate formats a number of messages per second, with one decimal below 100. It
// returns "" for NaN, an unknown rate.
func FormatRate(perSecond float64) string {
	if math.IsNaN(perSecond) {
		return ""
	}
	decimals := 1.0
	if math.Abs(perSecond) < 100 {
		decimals = 10
	}
	return FormatNumber(math.Round(perSecond*decimals) / decimals)
}

// Never is the drain time of a lag that does not shrink.
const Never time.Duration = math.MaxInt64

const never = "never"

// FormatDrain formats the time until a group has caught up: to the second below an
// hour ("4m30s"), to the minute above ("2h12m"), as "never" for Never, and as "" for
// a negative time, which is unknown.
func FormatDrain(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d == Never:
		return never
	case d < time.Hour:
		return model.Duration(d.Truncate(time.Second)).String()
	default:
		return model.Duration(d.Truncate(time.Minute)).String()
	}
}

// ParseDrain parses the time until a group has caught up, which is positive, or
// Never.
func ParseDrain(text string) (d time.Duration, ok bool) {
	if text == never {
		return Never, true
	}
	v, err := model.ParseDuration(text)
	return time.Duration(v), err == nil && v > 0
}

// PartitionLag is the lag of one partition, in messages.
type PartitionLag struct {
	ID  int32
	Lag int64
}

// FormatPartitions formats partitions in the order given as ID:LAG pairs, such as
// "3:5000,7:4100".
func FormatPartitions(partitions []PartitionLag) string {
	var text []byte
	for i, p := range partitions {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(p.ID), 10)
		text = append(text, ':')
		text = strconv.AppendInt(text, p.Lag, 10)
	}
	return string(text)
}

// ParsePartitions parses the text of FormatPartitions. Spaces after commas are
// allowed.
func ParsePartitions(text string) ([]PartitionLag, error) {
	if text == "" {
		return nil, nil
	}
	var out []PartitionLag
	for pair := range strings.SplitSeq(text, ",") {
		idText, lagText, found := strings.Cut(strings.TrimSpace(pair), ":")
		id, err := strconv.ParseInt(idText, 10, 32)
		lag, ok := ParseCount(lagText)
		if !found || err != nil || id < 0 || !ok {
			return nil, fmt.Errorf("%.20q is not a partition and its lag, such as 3:5000", pair)
		}
		out = append(out, PartitionLag{int32(id), lag})
	}
	return out, nil
}
