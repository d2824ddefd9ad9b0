package tencent

import (
	"context"
	"sync"
	"time"
)

// Limiter spreads requests over time. It is safe for concurrent use.
type Limiter struct {
	interval time.Duration
	ahead    time.Duration // how far a burst may run ahead of the interval

	mu   sync.Mutex
	next time.Time // when the next request would be due without bursts
}

// NewLimiter returns a Limiter that lets perSecond requests through each second,
// and after a pause up to burst at once: never more than their sum within one
// second.
func NewLimiter(perSecond, burst int) *Limiter {
	interval := time.Second / time.Duration(perSecond)
	return &Limiter{interval: interval, ahead: time.Duration(burst-1) * interval}
}

// Wait waits for a request's turn. It returns an error at once, and takes no
// turn, when ctx's deadline comes before it.
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
