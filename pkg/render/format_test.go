package render

import (
	"math"
	"testing"
	"time"
)

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 12345: "12,345", 123456: "123,456", 1234567: "1,234,567",
		-1: "-1", -1000: "-1,000", math.MaxInt64: "9,223,372,036,854,775,807", math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0:                                {"0 秒", "0s"},
		999 * time.Millisecond:           {"0 秒", "0s"},
		time.Second:                      {"1 秒", "1s"},
		59 * time.Second:                 {"59 秒", "59s"},
		time.Minute:                      {"1 分钟", "1m"},
		90*time.Second + time.Nanosecond: {"1 分钟 30 秒", "1m 30s"},
		59*time.Minute + 59*time.Second:  {"59 分钟 59 秒", "59m 59s"},
		time.Hour + 30*time.Second:       {"1 小时", "1h"},
		26*time.Hour + 59*time.Minute:    {"1 天 2 小时", "1d 2h"},
		400*24*time.Hour + time.Minute:   {"400 天", "400d"},
	} {
		for i, w := range []*words{chinese(), english()} {
			if got := w.duration(d); got != want[i] {
				t.Errorf("%v: %q, want %q", d, got, want[i])
			}
		}
	}
}

func TestMoment(t *testing.T) {
	utc := time.Date(2026, 12, 31, 16, 30, 0, 0, time.UTC) // 2027 in Shanghai
	tests := []struct {
		now  time.Time
		zone *time.Location
		want string
	}{
		{utc, time.UTC, "12-31 16:30:00"},
		{utc, zone, "01-01 00:30:00"},
		{utc.AddDate(1, 0, 0), time.UTC, "2026-12-31 16:30:00"},
		{utc.Add(-time.Hour), zone, "2027-01-01 00:30:00"},
	}
	for _, tt := range tests {
		if got := moment(utc, tt.now, tt.zone); got != tt.want {
			t.Errorf("at %v in %v: %q, want %q", tt.now, tt.zone, got, tt.want)
		}
	}
}
