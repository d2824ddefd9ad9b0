package agent

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	// What failed is tried again after about firstWait, twice as long each time,
	// up to longestWait: a server that comes back hears from every host within
	// half a minute, before it takes them for silent.
	firstWait, longestWait = time.Second, 30 * time.Second
	// refusedWait is for what only a person can mend.
	refusedWait = time.Minute
	// patience is the longest wait that a server can ask for.
	patience = time.Hour
)

// backoff is how long to wait after failures in a row. The zero value has seen
// none.
type backoff struct{ last time.Duration }

// next returns the wait after one more failure, which is least or a little more
// if the server asked for a least wait. No two hosts wait equally long, so that
// they do not come back together.
func (b *backoff) next(least time.Duration) time.Duration {
	b.last = min(max(2*b.last, firstWait), longestWait)
	if least > 0 {
		least = min(least, patience)
		return least + rand.N(least/10+1)
	}
	return b.last/2 + rand.N(b.last/2)
}

// sleep waits, and tells whether ctx is still alive.
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

// lingering returns a context that ends d after ctx, so that what has begun can
// end well.
func lingering(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	long, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		sleep(long, d)
		cancel()
	})
	return long, func() { stop(); cancel() }
}

// trouble logs what goes wrong once, not each time that it is tried again.
type trouble struct {
	log  *slog.Logger
	kind string
}

// is logs err unless its kind went wrong before. Refusals are of a kind when they
// say the same, whatever the network says of each.
func (t *trouble) is(message string, err error) {
	kind := err.Error()
	var r *refusal
	if errors.As(err, &r) {
		kind = r.message
	}
	if kind != t.kind {
		t.kind = kind
		t.log.Warn(message, "err", err)
	}
}

// over logs that all is well again, if it was not.
func (t *trouble) over(message string) {
	if t.kind != "" {
		t.kind = ""
		t.log.Info(message)
	}
}
