package api

import (
	"testing"
	"time"
)

// TestRateLimiter checks that ten requests may come at once and ten per second after that,
// also after an idle hour.
func TestRateLimiter(t *testing.T) {
	now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	l := newRateLimiter(10)
	expect := func(want int) {
		t.Helper()
		got := 0
		for range 100 {
			if _, ok := l.allow(now); ok {
				got++
			}
		}
		if got != want {
			t.Errorf("allowed requests: got %d, want %d", got, want)
		}
	}
	expect(10)
	if wait, ok := l.allow(now); ok || wait != 100*time.Millisecond {
		t.Errorf("wait: got %v, %v, want 100ms", wait, ok)
	}
	now = now.Add(300 * time.Millisecond)
	expect(3)
	now = now.Add(time.Hour)
	expect(10)
	now = now.Add(-time.Minute) // the clock was set back
	expect(0)
}
