package app

import (
	"context"
	"sync"
	"time"
)

const (
	// workTime bounds one round of polling and delivering, as a function's time
	// limit does.
	workTime = time.Minute
	// shortest is the least time between two rounds, so that work that is due but
	// cannot be done does not keep a processor busy.
	shortest = 20 * time.Millisecond
	// retryAfter is when a round is tried again that the store did not let pass.
	retryAfter = time.Second
	// patience is how long the next round waits for the one before it. One that
	// takes longer waits for a slow channel, or polls: it goes on beside the next.
	patience = time.Second
	// maxRounds bounds the rounds that are under way.
	maxRounds = 8
)

// watch is what is looked at from time to time.
type watch struct {
	every func(*App) time.Duration
	do    func(*App, context.Context, time.Time) (Answer, error)
	next  time.Time
	busy  sync.Mutex // held while it is looked at
}

// due returns what to do when the watch is due and nobody is at it, and plans the
// next time: counted from when this one was due, past those missed.
func (w *watch) due(a *App, at time.Time) func(context.Context, time.Time) (Answer, error) {
	if at.Before(w.next) {
		return nil
	}
	every := w.every(a)
	w.next = w.next.Add((at.Sub(w.next)/every + 1) * every)
	if !w.busy.TryLock() {
		return nil
	}
	return func(ctx context.Context, at time.Time) (Answer, error) {
		defer w.busy.Unlock()
		return w.do(a, ctx, at)
	}
}

// Loop does in one process what the timers of a platform do: it polls lag and
// looks for silent hosts at their intervals, and says what is due when it is due,
// or when it is woken. It ends when ctx is done and the rounds that were under way
// have ended. Trouble with the store is logged and tried again.
func (s *Server) Loop(ctx context.Context) {
	now := s.options.Now
	begin := now().Add(s.options.StartDelay)
	watches := []*watch{
		{next: begin, every: func(a *App) time.Duration { return a.config.Lag.PollInterval() }, do: (*App).Lag},
		{next: begin, every: func(a *App) time.Duration { return a.config.Hosts.CheckInterval() }, do: (*App).Hosts},
	}
	timer := time.NewTimer(s.options.StartDelay)
	defer timer.Stop()
	living := time.NewTicker(peerEvery)
	defer living.Stop()
	wake := s.wake
	if s.options.StartDelay > 0 {
		wake = nil // nothing is said before
	}
	var rounds sync.WaitGroup
	defer rounds.Wait()
	room := make(chan struct{}, maxRounds)
	for {
		select {
		case <-ctx.Done():
			return
		case <-living.C:
			if err := s.announce(ctx, now()); err != nil && ctx.Err() == nil {
				s.options.Log.Warn("cannot tell the other instances that this one lives", "err", err)
			}
			continue
		case <-wake:
		case <-timer.C:
			wake = s.wake
		}
		at := now()
		a := s.current.Load().app
		var work []func(context.Context, time.Time) (Answer, error)
		for _, w := range watches {
			if do := w.due(a, at); do != nil {
				work = append(work, do)
			}
		}
		if len(work) == 0 {
			work = append(work, a.Dispatch)
		}
		ended := make(chan error, len(work))
		for _, do := range work {
			room <- struct{}{} // a round ends in time
			rounds.Go(func() {
				defer func() { <-room }()
				ended <- a.round(ctx, at, do)
			})
		}
		next := a.after(ctx, at, ended, len(work))
		for _, w := range watches {
			if next.IsZero() || next.After(w.next) {
				next = w.next
			}
		}
		timer.Reset(max(next.Sub(now()), shortest))
	}
}

// round works once.
func (a *App) round(ctx context.Context, at time.Time, do func(context.Context, time.Time) (Answer, error)) error {
	// A round that began is finished: ctx's end does not cut a message in two.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), workTime)
	defer cancel()
	answer, err := do(ctx, at)
	if err != nil {
		a.log.Error("round failed; tried again", "err", err)
		return err
	}
	a.log.Debug("round", "polled", answer.Polled, "alerts", answer.Alerts, "sent", answer.Sent, "owed", answer.Pending)
	return nil
}

// after waits for the end of rounds that began at a time, as long as it has
// patience, and returns when something is due next, zero for never.
func (a *App) after(ctx context.Context, at time.Time, ended <-chan error, rounds int) time.Time {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	for waiting := true; waiting && rounds > 0; rounds-- {
		select {
		case err := <-ended:
			if err != nil {
				return at.Add(retryAfter)
			}
		case <-wait.C:
			waiting = false
		case <-ctx.Done():
			return time.Time{}
		}
	}
	next, err := a.engine.NextDue(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Error("cannot see what is due; tried again", "err", err)
		return at.Add(retryAfter)
	}
	return next
}
