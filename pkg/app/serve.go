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

// Loop does in one process what the timers of a platform do: it polls lag at its
// interval and says what is due when it is due, or when it is woken. It ends when
// ctx is done and the rounds that were under way have ended. Trouble with the
// store is logged and tried again.
func (s *Server) Loop(ctx context.Context) {
	now := s.options.Now
	poll := now().Add(s.options.StartDelay)
	timer := time.NewTimer(s.options.StartDelay)
	defer timer.Stop()
	living := time.NewTicker(peerEvery)
	defer living.Stop()
	wake := s.wake
	if s.options.StartDelay > 0 {
		wake = nil // nothing is said before
	}
	var polling sync.Mutex // held by the round that polls
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
		select {
		case <-ctx.Done():
			return
		case room <- struct{}{}:
		}
		at := now()
		a := s.current.Load().app
		do := a.Dispatch
		if !at.Before(poll) {
			if polling.TryLock() {
				do = func(ctx context.Context, at time.Time) (Answer, error) {
					defer polling.Unlock()
					return a.Lag(ctx, at)
				}
			}
			// The next poll is counted from when this one was due, past those missed.
			every := a.config.Lag.Every()
			poll = poll.Add((at.Sub(poll)/every + 1) * every)
		}
		ended := make(chan error, 1)
		rounds.Go(func() {
			defer func() { <-room }()
			ended <- a.round(ctx, at, do)
		})
		next := a.after(ctx, at, ended)
		if next.IsZero() || next.After(poll) {
			next = poll
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
	a.log.Debug("round", "polled", answer.Polled, "alerts", answer.Alerts, "sent", answer.Sent, "owed", answer.Owed)
	return nil
}

// after waits for the end of a round that began at a time, as long as it has
// patience, and returns when something is due next, zero for never.
func (a *App) after(ctx context.Context, at time.Time, ended <-chan error) time.Time {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case err := <-ended:
		if err != nil {
			return at.Add(retryAfter)
		}
	case <-wait.C:
	case <-ctx.Done():
		return time.Time{}
	}
	next, err := a.engine.Next(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Error("cannot see what is due; tried again", "err", err)
		return at.Add(retryAfter)
	}
	return next
}
