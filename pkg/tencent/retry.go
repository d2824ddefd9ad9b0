package tencent

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	maxAttempts = 3
	backoff     = 200 * time.Millisecond
	rateDelay   = time.Second // the vendor counts requests by the second
)

// Retry calls read until it succeeds, at most three times, and returns its last
// error. It retries only a temporary Error: the first time after 200 to 400
// milliseconds, the second time after twice that, and a second later if there were too
// many requests. It returns at once if ctx's deadline is within the wait. It is for reads
// only: a request with an effect must not be repeated without knowing its outcome.
func Retry(ctx context.Context, read func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		err := read(ctx)
		e, ok := errors.AsType[*Error](err)
		if err == nil || !ok || !e.Temporary || attempt == maxAttempts {
			return err
		}
		wait := backoff << (attempt - 1)
		wait += rand.N(wait)
		if e.Kind == Rate {
			wait += rateDelay
		}
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

// sleep waits for d. It returns an error at once if ctx's deadline is earlier.
func sleep(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Limiter limits the rate of requests. It is safe for concurrent use.
type Limiter struct {
	interval time.Duration
	ahead    time.Duration // how much earlier than due a request of a burst is admitted

	mu   sync.Mutex
	next time.Time // when the next request is due if there are no bursts
}

// NewLimiter returns a Limiter that admits perSecond requests each second, and up to
// burst at once after a pause. Within one second it admits at most the sum of both.
func NewLimiter(perSecond, burst int) *Limiter {
	interval := time.Second / time.Duration(perSecond)
	return &Limiter{interval: interval, ahead: time.Duration(burst-1) * interval}
}

// Wait waits until a request is admitted. If ctx's deadline is earlier it returns an
// error at once, and the request does not count.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	now := time.Now()
	due := l.next
	if due.Before(now) {
		due = now
	}
	wait := due.Sub(now) - l.ahead
	if deadline, ok := ctx.Deadline(); ok && wait > 0 && deadline.Before(now.Add(wait)) {
		l.mu.Unlock()
		return context.DeadlineExceeded
	}
	l.next = due.Add(l.interval)
	l.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	return sleep(ctx, wait)
}
