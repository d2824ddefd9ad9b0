package api

import (
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"1MiB": 1 << 20, "512KiB": 512 << 10, "2 GiB": 2 << 30, "100": 100, "100B": 100, "0": 0,
		"": -1, "MiB": -1, "-1": -1, "1MB": -1, "1.5MiB": -1, "99999999999999GiB": -1, "9223372036854775807": -1,
	} {
		got := Size(-1)
		if err := got.UnmarshalText([]byte(text)); got != want || (err == nil) != (want >= 0) {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for size, want := range map[Size]string{1 << 20: "1MiB", 1536: "1536B", 512 << 10: "512KiB", 3 << 30: "3GiB", 0: "0B"} {
		if got := size.String(); got != want {
			t.Errorf("%d: %s, want %s", int64(size), got, want)
		}
	}
}

// Ten at once, then ten a second; what was saved is no more than ten.
func TestBucket(t *testing.T) {
	now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	b := newBucket(10)
	take := func(want int) {
		t.Helper()
		got := 0
		for range 100 {
			if _, ok := b.take(now); ok {
				got++
			}
		}
		if got != want {
			t.Errorf("%d were let through, want %d", got, want)
		}
	}
	take(10)
	if wait, ok := b.take(now); ok || wait != 100*time.Millisecond {
		t.Errorf("wait %v", wait)
	}
	now = now.Add(300 * time.Millisecond)
	take(3)
	now = now.Add(time.Hour)
	take(10)
	now = now.Add(-time.Minute) // a clock that is set back
	take(0)
}
