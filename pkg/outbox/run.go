package outbox

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Run is a delivery that ends when nothing is due: that of a tick.
type Run struct {
	workers *Workers
	ctx     context.Context
	wake    chan struct{} // receives when something may have become due
	last    chan struct{} // closed when nothing becomes due any more but by the run itself
	loop    sync.WaitGroup
	begin   sync.Once
	err     error // of the loop, after its end
}

// NewRun returns a run whose clock begins at now.
func (o *Outbox) NewRun(ctx context.Context, b *Budget, now time.Time) *Run {
	r := &Run{ctx: ctx, wake: make(chan struct{}, 1), last: make(chan struct{})}
	began := time.Now()
	// Results are due at exact times after now, unless the run takes seconds.
	clock := func() time.Time { return now.Add(time.Since(began).Truncate(time.Second)) }
	r.workers = o.NewWorkers(ctx, b, clock, r.notify)
	return r
}

func (r *Run) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Start delivers due entries in the background. Calls after the first one make known
// that there are more.
func (r *Run) Start() {
	begun := true
	r.begin.Do(func() {
		begun = false
		r.loop.Go(func() { r.err = r.deliver() })
	})
	if begun {
		r.notify()
	}
}

// deliver assigns due entries until there are none and no more come, the budget is spent,
// or the store fails.
func (r *Run) deliver() error {
	for {
		var ending bool
		select {
		case <-r.last:
			ending = true
		default:
		}
		idle := !r.workers.anyBusy()
		if r.workers.budget.Spent() || r.workers.failed() {
			return nil
		}
		a, err := r.workers.Assign(r.ctx)
		if err != nil || ending && idle && a.Started == 0 {
			return err
		}
		<-r.wake
	}
}

// Finish delivers due entries until there are none or the budget is spent, waits for the
// deliveries under way, and gives back the rest. It returns the number of messages
// that channels accepted. Errors are the store's; failures of channels are recorded.
func (r *Run) Finish() (sent int, err error) {
	close(r.last)
	r.Start()
	r.loop.Wait()
	waitErr := r.workers.Wait()
	sent, workErr := r.workers.Result()
	return sent, errors.Join(r.err, workErr, waitErr)
}
