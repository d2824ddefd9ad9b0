package alert

import (
	"fmt"
	"strconv"
	"strings"
)

// PartitionLag is the lag of one partition, in messages.
type PartitionLag struct {
	ID  int32
	Lag int64
}

// FormatPartitions formats partitions as ID:LAG in the order given, such as
// "3:5000,7:4100"; "" for none.
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
