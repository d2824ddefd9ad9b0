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
// error. It retries only a temporary Error: after 200 to 400 milliseconds the
// first time, twice that the second, and a second more when there were too many
// requests. It does not begin a wait that ctx's deadline would end. It is for
// reads: a request with an effect must not be repeated blindly.
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

// sleep waits for d. It returns an error at once if ctx's deadline comes sooner.
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

// Limiter spreads requests over time. It is safe for concurrent use.
type Limiter struct {
	interval time.Duration
	ahead    time.Duration // how far a burst may run ahead of the schedule

	mu   sync.Mutex
	next time.Time // when the next request would be due without bursts
}

// NewLimiter returns a Limiter that admits perSecond requests each second, and
// after a pause up to burst at once: never more than the sum of both within one
// second.
func NewLimiter(perSecond, burst int) *Limiter {
	interval := time.Second / time.Duration(perSecond)
	return &Limiter{interval: interval, ahead: time.Duration(burst-1) * interval}
}

// Wait waits until a request is admitted. When ctx's deadline comes before that,
// it returns an error at once and the request does not count.
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
