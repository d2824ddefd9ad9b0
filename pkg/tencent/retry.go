package tencent

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	tries     = 3
	backoff   = 200 * time.Millisecond
	rateDelay = time.Second // the vendor counts requests by the second
)

// Retry calls read until it succeeds, up to three times, and returns its last
// error. It tries again only after a temporary Error: 200 to 400 milliseconds
// after the first, twice as long after the second, and a second more when there
// were too many requests. It does not begin a wait that ctx's deadline would
// end. It is for reads: what must not happen twice is not tried twice.
func Retry(ctx context.Context, read func(context.Context) error) error {
	for try := 1; ; try++ {
		err := read(ctx)
		e, ok := errors.AsType[*Error](err)
		if err == nil || !ok || !e.Temporary || try == tries {
			return err
		}
		wait := backoff << (try - 1)
		wait += rand.N(wait)
		if e.Kind == Rate {
			wait += rateDelay
		}
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

// sleep waits, or returns an error at once if ctx ends before.
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
