package api

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Size is a number of bytes, written like 64KiB or 1MiB in a configuration.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}, {"", 1}}

// UnmarshalText parses digits and a unit: B, KiB, MiB or GiB; without one they
// are bytes.
func (s *Size) UnmarshalText(text []byte) error {
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(string(text), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err == nil && n >= 0 && n <= 1<<40/unit.bytes {
			*s = Size(n * unit.bytes)
			return nil
		}
	}
	return fmt.Errorf("%q is not a size: write it like 512KiB or 1MiB", text)
}

// MarshalText prints the size in the largest unit in which it is whole.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	for i := 2; i >= 0; i-- {
		if unit := sizeUnits[i]; s != 0 && int64(s)%unit.bytes == 0 {
			return strconv.FormatInt(int64(s)/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

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
