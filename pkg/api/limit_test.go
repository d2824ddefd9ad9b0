package api

import (
	"testing"
	"time"
)

// Ten at once, then ten a second; what was saved is no more than ten.
func TestBucket(t *testing.T) {
	now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	b := newRateLimiter(10)
	take := func(want int) {
		t.Helper()
		got := 0
		for range 100 {
			if _, ok := b.allow(now); ok {
				got++
			}
		}
		if got != want {
			t.Errorf("%d were let through, want %d", got, want)
		}
	}
	take(10)
	if wait, ok := b.allow(now); ok || wait != 100*time.Millisecond {
		t.Errorf("wait %v", wait)
	}
	now = now.Add(300 * time.Millisecond)
	take(3)
	now = now.Add(time.Hour)
	take(10)
	now = now.Add(-time.Minute) // a clock that is set back
	take(0)
}
