package app

import (
	"context"
	"errors"
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
)

// Loop does in one process what the timers of a platform do: it polls lag at its
// interval and says what is due when it is due, or when it is woken. It ends when
// ctx is done and the round that was under way has ended. Trouble with the store
// is logged and tried again.
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
		// A round that began is finished: ctx's end does not cut a message in two.
		work, cancel := context.WithTimeout(context.WithoutCancel(ctx), workTime)
		a := s.current.Load().app
		every := a.config.Lag.Every()
		at := now()
		var answer Answer
		var err error
		if !at.Before(poll) {
			answer, err = a.Lag(work, at)
			// The next poll is counted from when this one was due, past those missed.
			poll = poll.Add((at.Sub(poll)/every + 1) * every)
		} else {
			answer, err = a.Dispatch(work, at)
		}
		next, nextErr := a.engine.Next(work)
		cancel()
		if err := errors.Join(err, nextErr); err != nil {
			a.log.Error("round failed; tried again", "err", err)
			next = at.Add(retryAfter)
		} else {
			a.log.Debug("round", "polled", answer.Polled, "alerts", answer.Alerts, "sent", answer.Sent, "owed", answer.Owed)
		}
		if next.IsZero() || next.After(poll) {
			next = poll
		}
		timer.Reset(max(next.Sub(now()), shortest))
	}
}
