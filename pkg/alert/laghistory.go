package alert

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Limits of a LagHistory. Steps longer than a day, and times after the year 9999, are
// mistakes of the sender.
const (
	// MaxLagHistory is the number of values that ParseLagHistory accepts: a day of
	// minutes.
	MaxLagHistory = 1440

	maxStep      = 24 * time.Hour
	maxUnix      = 253402300799 // 9999-12-31 23:59:59
	maxValueSize = 18           // characters of a value
)

// LagHistory is the lag of a topic over the last hours, from which a chart is
// drawn.
type LagHistory struct {
	// Last is the time of the last value, and Step the time between two values.
	Last time.Time
	Step time.Duration
	// Values are in messages, oldest first. NaN is an unknown value.
	Values []float64
}

// String formats the history as
//
//	<unix seconds of the last value>/<seconds of a step>:<value>,<value>,…
//
// An unknown value is empty. A history without a known value is "".
func (h LagHistory) String() string {
	known := false
	b := strconv.AppendInt(nil, h.Last.Unix(), 10)
	b = strconv.AppendInt(append(b, '/'), int64(h.Step/time.Second), 10)
	for i, v := range h.Values {
		b = append(b, ':')
		if i > 0 {
			b[len(b)-1] = ','
		}
		if v >= 0 {
			b = strconv.AppendFloat(b, v, 'f', -1, 64)
			known = true
		}
	}
	if !known {
		return ""
	}
	return string(b)
}

// ParseLagHistory parses the text of LagHistory.String. A value is a decimal
// number that is not negative.
func ParseLagHistory(text string) (LagHistory, error) {
	var h LagHistory
	head, list, found := strings.Cut(text, ":")
	last, step, timed := strings.Cut(head, "/")
	if !found || !timed {
		return h, errors.New("a lag history begins with the time of its last value and its step, such as 1763712000/60:0,12")
	}
	unix, err := parsePositive(last, maxUnix)
	if err != nil {
		return h, fmt.Errorf("the time of a lag history's last value: %w", err)
	}
	seconds, err := parsePositive(step, int64(maxStep/time.Second))
	if err != nil {
		return h, fmt.Errorf("the step of a lag history: %w", err)
	}
	count := strings.Count(list, ",") + 1
	if count > MaxLagHistory {
		return h, fmt.Errorf("a lag history of %d values: at most %d are allowed", count, MaxLagHistory)
	}
	h.Last, h.Step = time.Unix(unix, 0).UTC(), time.Duration(seconds)*time.Second
	h.Values = make([]float64, 0, count)
	for text := range strings.SplitSeq(list, ",") {
		v, err := parseHistoryValue(text)
		if err != nil {
			return h, fmt.Errorf("value %d of a lag history: %w", len(h.Values)+1, err)
		}
		h.Values = append(h.Values, v)
	}
	return h, nil
}

// parsePositive parses a number from 1 to most.
func parsePositive(text string, most int64) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n == 0 || int64(n) > most {
		return 0, fmt.Errorf("%.20q is not a number from 1 to %d", text, most)
	}
	return int64(n), nil
}

// parseHistoryValue parses one value. It rejects the other forms that strconv
// accepts, such as NaN, 1e9 and 0x10.
func parseHistoryValue(text string) (float64, error) {
	if text == "" {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || len(text) > maxValueSize || strings.Trim(text, "0123456789.") != "" {
		return 0, fmt.Errorf("%.20q is not a number", text)
	}
	return v, nil
}
