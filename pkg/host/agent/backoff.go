package agent

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	// A failed request is retried after about minBackoff, then after twice as
	// long each time, up to maxBackoff: a server that returns receives a report
	// of every host within half a minute, before it takes them for offline.
	minBackoff, maxBackoff = time.Second, 30 * time.Second
	// refusedBackoff is the delay after an error that a person has to correct.
	refusedBackoff = time.Minute
	// maxRetryAfter bounds the delay that a server can ask for.
	maxRetryAfter = time.Hour
)

// backoff computes the delay after consecutive failures. The zero value has seen
// none.
type backoff struct{ last time.Duration }

// next returns the delay after one more failure. If the server asked for a delay
// it is that one and up to a tenth more. Delays are random, so that hosts do not
// return all at once.
func (b *backoff) next(asked time.Duration) time.Duration {
	b.last = min(max(2*b.last, minBackoff), maxBackoff)
	if asked > 0 {
		asked = min(asked, maxRetryAfter)
		return asked + rand.N(asked/10+1)
	}
	return b.last/2 + rand.N(b.last/2)
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// withGracePeriod returns a context that ends d after ctx, so that a request in
// flight can complete.
func withGracePeriod(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	extended, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		sleep(extended, d)
		cancel()
	})
	return extended, func() { stop(); cancel() }
}

// failureLog logs the first of consecutive failures of one kind, not each retry.
type failureLog struct {
	log  *slog.Logger
	kind string // of the last failure, "" after success
}

// failed logs err unless the failure before was of the same kind. The kind of a
// requestError is its message without the network's details.
func (l *failureLog) failed(message string, err error) {
	kind := err.Error()
	var r *requestError
	if errors.As(err, &r) {
		kind = r.message
	}
	if kind != l.kind {
		l.kind = kind
		l.log.Warn(message, "err", err)
	}
}

// recovered logs the first success after failures.
func (l *failureLog) recovered(message string) {
	if l.kind != "" {
		l.kind = ""
		l.log.Info(message)
	}
}
