package api

import (
	"sync"
	"time"
)

// bucket is a token bucket: it holds as much as flows in within a second, and
// begins full.
type bucket struct {
	mu    sync.Mutex
	rate  float64 // a second
	level float64
	at    time.Time
}

func newBucket(rate int) *bucket { return &bucket{rate: float64(rate), level: float64(rate)} }

// take takes one out, or tells when there will be one.
func (b *bucket) take(now time.Time) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if passed := now.Sub(b.at); passed > 0 {
		if !b.at.IsZero() {
			b.level = min(b.rate, b.level+b.rate*passed.Seconds())
		}
		b.at = now
	}
	if b.level < 1 {
		return time.Duration((1 - b.level) / b.rate * float64(time.Second)), false
	}
	b.level--
	return 0, true
}
