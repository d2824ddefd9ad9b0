package app

import (
	"context"
	"sync"
	"time"
)

const (
	// roundTimeout bounds one round of polling and delivery, as the platform's limit
	// bounds a function.
	roundTimeout = time.Minute
	// minRoundInterval keeps work that is due but fails from occupying a processor.
	minRoundInterval = 20 * time.Millisecond
	// retryDelay is the time before a round is repeated after the store failed.
	retryDelay = time.Second
	// roundWait is how long the next round waits for the previous one. A longer
	// round waits for a slow channel or polls, and runs alongside the next.
	roundWait = time.Second
	// maxRounds bounds the concurrent rounds.
	maxRounds = 8
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
func (w *periodic) due(a *App, at time.Time) func(context.Context, time.Time) (Result, error) {
	if at.Before(w.next) {
		return nil
	}
	every := w.interval(a)
	w.next = w.next.Add((at.Sub(w.next)/every + 1) * every)
	if !w.busy.TryLock() {
		return nil
	}
	return func(ctx context.Context, at time.Time) (Result, error) {
		defer w.busy.Unlock()
		return w.run(a, ctx, at)
	}
}

// Loop runs in one process what a platform's timers run: it polls lag and checks
// hosts at their intervals, and delivers when something is due or Wake was called.
// It returns when ctx is done and the rounds under way have ended. Failures of the
// store are logged and retried.
func (s *Server) Loop(ctx context.Context) {
	now := s.options.Now
	begin := now().Add(s.options.StartDelay)
	jobs := []*periodic{
		{next: begin, interval: func(a *App) time.Duration { return a.config.Lag.PollInterval() }, run: (*App).Lag},
		{next: begin, interval: func(a *App) time.Duration { return a.config.Hosts.CheckInterval() }, run: (*App).Hosts},
	}
	timer := time.NewTimer(s.options.StartDelay)
	defer timer.Stop()
	wake := s.wake
	if s.options.StartDelay > 0 {
		wake = nil // no notification before the delay has passed
	}
	var rounds sync.WaitGroup
	defer rounds.Wait()
	rounds.Go(func() { s.keepRegistered(ctx) })
	slots := make(chan struct{}, maxRounds)
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
			wake = s.wake
		}
		at := now()
		a := s.current.Load().app
		var work []func(context.Context, time.Time) (Result, error)
		for _, w := range jobs {
			if do := w.due(a, at); do != nil {
				work = append(work, do)
			}
		}
		if len(work) == 0 {
			work = append(work, a.Dispatch)
		}
		ended := make(chan error, len(work))
		for _, do := range work {
			slots <- struct{}{} // a round ends within roundTimeout
			rounds.Go(func() {
				defer func() { <-slots }()
				ended <- a.round(ctx, at, do)
			})
		}
		next := a.nextRound(ctx, at, ended, len(work))
		for _, w := range jobs {
			if next.IsZero() || next.After(w.next) {
				next = w.next
			}
		}
		timer.Reset(max(next.Sub(now()), minRoundInterval))
	}
}

// round runs work once, within roundTimeout.
func (a *App) round(ctx context.Context, at time.Time, do func(context.Context, time.Time) (Result, error)) error {
	// A round that has started is finished: the end of ctx does not interrupt a send.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), roundTimeout)
	defer cancel()
	result, err := do(ctx, at)
	if err != nil {
		a.log.Error("round failed; will retry", "err", err)
		return err
	}
	a.log.Debug("round", "polled", result.Polled, "alerts", result.Alerts, "sent", result.Sent, "pending", result.Pending)
	return nil
}

// nextRound waits up to roundWait for the end of rounds that started at a time, and
// returns the time at which the next one is due, zero for never.
func (a *App) nextRound(ctx context.Context, at time.Time, ended <-chan error, rounds int) time.Time {
	wait := time.NewTimer(roundWait)
	defer wait.Stop()
	for waiting := true; waiting && rounds > 0; rounds-- {
		select {
		case err := <-ended:
			if err != nil {
				return at.Add(retryDelay)
			}
		case <-wait.C:
			waiting = false
		case <-ctx.Done():
			return time.Time{}
		}
	}
	next, err := a.engine.NextDue(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Error("next due time not readable; will retry", "err", err)
		return at.Add(retryDelay)
	}
	return next
}
