package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"tocsin/pkg/outbox"
	"tocsin/pkg/store"
)

const (
	// roundTimeout bounds one round of flushing, and one of polling, as the platform's
	// limit bounds a function.
	roundTimeout = time.Minute
	// minRoundInterval keeps work that is due but fails from occupying a processor.
	minRoundInterval = 20 * time.Millisecond
	// busyInterval is the time between two rounds while notifications are due whose
	// integrations are busy, and busyShare the least ratio of it to a round's own time.
	busyInterval = 200 * time.Millisecond
	busyShare    = 20
	// sharedInterval is the time after which work is looked for on a store that other
	// processes use: one of them may have died with work that is due, or with leases.
	// Together with a lease it is less than 30 seconds.
	sharedInterval = 3 * time.Second
	// retryDelay is the time before a round is repeated after the store failed.
	retryDelay = time.Second
	// stopTimeout is how long the end of the process waits for sends and polls under
	// way before it cancels them, and then for results to be stored.
	stopTimeout = 3 * time.Second
	// pendingInterval is the time between two counts of pending notifications.
	pendingInterval = time.Second
)

// periodic is work that runs at an interval, never concurrently with itself.
type periodic struct {
	interval func(*App) time.Duration
	run      func(*App, context.Context, time.Time) (Result, error)
	next     time.Time
	busy     sync.Mutex // held while it runs
}

// due returns the work if it is due at a time and not running, else nil. The next
// time is scheduled from this one's schedule, past missed ones.
func (w *periodic) due(a *App, at time.Time) func(context.Context) (Result, error) {
	if at.Before(w.next) {
		return nil
	}
	every := w.interval(a)
	w.next = w.next.Add((at.Sub(w.next)/every + 1) * every)
	if !w.busy.TryLock() {
		return nil
	}
	return func(ctx context.Context) (Result, error) {
		defer w.busy.Unlock()
		return w.run(a, ctx, at)
	}
}

// Loop runs in one process what a platform's timers run: it polls lag and checks
// hosts at their intervals, and flushes and delivers when something is due or Wake was
// called. It waits for the store only: polls and deliveries run alongside. When ctx is
// done it gives back notifications that are not being sent, cancels the others after
// stopTimeout, waits for as long again for the results to be stored, and returns.
// Failures of the store are logged and retried.
func (s *Server) Loop(ctx context.Context) {
	now := s.options.Now
	begin := now().Add(s.options.StartDelay)
	jobs := []*periodic{
		{next: begin, interval: func(a *App) time.Duration { return a.config.Lag.PollInterval() }, run: (*App).pollLag},
		{next: begin, interval: func(a *App) time.Duration { return a.config.Hosts.CheckInterval() }, run: (*App).checkHosts},
	}
	timer := time.NewTimer(s.options.StartDelay)
	defer timer.Stop()
	wake := s.wake
	if s.options.StartDelay > 0 {
		wake = nil // no notification before the delay has passed
	}
	context.AfterFunc(ctx, func() {
		time.AfterFunc(stopTimeout, s.cancelSends)
		time.AfterFunc(2*stopTimeout, s.cancelStores)
	})
	var polls sync.WaitGroup
	polls.Go(func() { s.keepRegistered(ctx) })
	defer func() {
		s.retire(s.current.Load())
		s.retired.Wait()
		polls.Wait()
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
			wake = s.wake
		}
		at := now()
		c := s.current.Load()
		for _, w := range jobs {
			if do := w.due(c.app, at); do != nil {
				polls.Go(func() {
					c.app.poll(s.sends, do)
					s.Wake()
				})
			}
		}
		next, err := c.round(store.WithReserve(s.sends), at)
		s.options.health.recordRound(err)
		if err != nil && ctx.Err() == nil {
			s.options.Log.Error("delivery round failed; will retry", "err", err)
			next = at.Add(retryDelay)
		} else {
			recordTick(c.app.metrics, at)
			polls.Go(func() { c.app.heartbeat.send(s.sends, at) })
		}
		for _, w := range jobs {
			if next.IsZero() || next.After(w.next) {
				next = w.next
			}
		}
		if latest := at.Add(sharedInterval); !s.alone && next.After(latest) {
			next = latest
		}
		timer.Reset(max(next.Sub(now()), minRoundInterval))
	}
}

// poll runs a poll once, within roundTimeout.
func (a *App) poll(ctx context.Context, do func(context.Context) (Result, error)) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	result, err := do(ctx)
	if err != nil {
		a.log.Error("poll failed; will retry", "err", err)
		return
	}
	a.log.Debug("poll", "polled", result.Polled, "alerts", result.Alerts)
}

// round flushes the groups that are due at a time, starts the deliveries that are, and
// returns when the next round is due, zero for never. Calls are made one at a time.
func (c *configured) round(ctx context.Context, at time.Time) (next time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	began := time.Now()
	engine := c.app.engine
	late := engine.WatchTicks(ctx, at, c.app.config.Dispatch.LateLimit())
	// A pause ends the round: the other groups are due next.
	err = engine.FlushDue(ctx, outbox.NewBudget(ctx), at, func() bool { return false })
	if err != nil {
		return next, errors.Join(late, err)
	}
	assigned, err := c.workers.Assign(ctx)
	if err != nil {
		return next, errors.Join(late, err)
	}
	sent, err := c.workers.Result()
	if err = errors.Join(late, err); err != nil {
		return next, err
	}
	if sent > 0 {
		c.app.log.Debug("delivered", "sent", sent)
	}
	if at.Sub(c.counted) >= pendingInterval {
		c.counted = at
		if _, err := engine.Outbox().Pending(ctx); err != nil {
			return next, err
		}
	}
	if !assigned.Waiting {
		return engine.NextDue(ctx)
	}
	// The due notifications of busy integrations conceal the next ones. The end of
	// a worker wakes the loop.
	next, err = engine.NextFlush(ctx)
	if wait := at.Add(max(busyInterval, busyShare*time.Since(began))); next.IsZero() || next.After(wait) {
		next = wait
	}
	return next, err
}

// retire ends the deliveries of a configuration: those under way end, and all others
// are given back.
func (s *Server) retire(c *configured) {
	c.spend()
	s.retired.Go(func() {
		if err := c.workers.Wait(); err != nil {
			s.options.Log.Error("cannot give back notifications; they are sent when their leases have expired", "err", err)
		}
	})
}
