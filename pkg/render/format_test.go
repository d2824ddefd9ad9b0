package render

import (
	"testing"
	"time"
)

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
