package intake

import (
	"strconv"
	"strings"
	"time"
)

// layouts are how senders write times. Those without a zone are from a zone that
// the decoder knows.
var layouts = [...]string{
	time.RFC3339,
	"2006-01-02 15:04:05",
	"2006-01-02T15:04:05Z0700", // CloudWatch, Cloud Monitor of Alibaba
	"20060102T150405.000Z0700", // Cloud Monitor of Alibaba
	"20060102T150405Z0700",
	"2006-01-02T15:04:05",
	"2006.01.02 15:04:05", // Zabbix
	"2006-01-02 15:04:05 -0700 MST",
}

// parseTime reads a time in one of the layouts, or in seconds or milliseconds
// since 1970.
func parseTime(s string, zone *time.Location) (time.Time, bool) {
	if zone == nil {
		zone = time.UTC
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch {
		case n <= 0:
			return time.Time{}, n == 0
		case n < 1e11: // in seconds, the year 5138
			return time.Unix(n, 0).UTC(), true
		case n < 1e14:
			return time.UnixMilli(n).UTC(), true
		}
		return time.Time{}, false
	}
	for _, layout := range layouts {
		t, err := time.ParseInLocation(layout, s, zone)
		if err == nil && writable(t) && writable(t.UTC()) {
			return t, true
		}
	}
	return time.Time{}, false
}

// writable tells whether a time can be written as RFC 3339: its year has four
// digits, and its zone is less than a day away.
func writable(t time.Time) bool {
	_, err := t.MarshalText()
	return err == nil
}

// time is a time in a message; the zero time when it is not there, or is 0, or
// is the first day of the year 1.
func (n node) time(zone *time.Location) time.Time {
	s := strings.TrimSpace(n.text())
	if s == "" {
		return time.Time{}
	}
	t, ok := parseTime(s, zone)
	if !ok {
		n.doc.fail(n.path(), "%q is not a time: write it like 2026-01-02T15:04:05Z", cut(s, maxQuote))
	}
	return t
}
