package outbox

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// maxStartReserve and maxSendReserve bound what a Budget keeps of a long time.
	maxStartReserve = 10 * time.Second
	maxSendReserve  = time.Second
	// startRoundTrips and sendRoundTrips are the commands of the store, one after
	// another, for which a Budget keeps time. A flush has seven at most. After an
	// attempt follow its result, the return of the other leases, and the count of pending entries.
	startRoundTrips = 12
	sendRoundTrips  = 5
)

// Budget divides the time until a deadline. New work is started until the last
// quarter of it, 10 s at most, and attempts end before the last tenth, 1 s at most.
// The rest is for committing results, and grows with the time that a command of the
// store takes. Without a deadline there is no limit.
type Budget struct {
	start, send context.Context // done when no work may start, and when attempts must end
	deadline    time.Time       // zero for none
	total       time.Duration
	roundTrip   atomic.Int64 // of a command of the store, as a duration
}

// NewBudget returns the budget of ctx.
func NewBudget(ctx context.Context) *Budget {
	b := &Budget{start: ctx, send: ctx}
	if deadline, ok := ctx.Deadline(); ok {
		// The platform enforces the deadline in real time, whatever the tick's time is.
		b.deadline, b.total = deadline, time.Until(deadline)
	}
	return b
}

// NewServerBudget returns a budget without a deadline: new work is started until start
// is done, and attempts end when send is.
func NewServerBudget(start, send context.Context) *Budget { return &Budget{start: start, send: send} }

// Spent reports whether no new work may be started.
func (b *Budget) Spent() bool { return b.start.Err() != nil || b.left() <= 0 }

// left returns the time for which new work may be started.
func (b *Budget) left() time.Duration {
	if b.deadline.IsZero() {
		return time.Hour
	}
	return time.Until(b.deadline) - max(min(b.total/4, maxStartReserve), startRoundTrips*b.RoundTrip())
}

// attemptContext returns the context of an attempt that is started now.
func (b *Budget) attemptContext() (context.Context, context.CancelFunc) {
	timeout := attemptTimeout
	if !b.deadline.IsZero() {
		timeout = min(timeout, time.Until(b.deadline)-max(min(b.total/10, maxSendReserve), sendRoundTrips*b.RoundTrip()))
	}
	return context.WithTimeout(b.send, timeout)
}

// Observe records how long a command of the store took.
func (b *Budget) Observe(took time.Duration) {
	// A slow command counts at once, a fast one little by little.
	b.roundTrip.Store(int64(max(took, b.RoundTrip()*7/8)))
}

// RoundTrip returns the time that a command of the store takes.
func (b *Budget) RoundTrip() time.Duration { return time.Duration(b.roundTrip.Load()) }
