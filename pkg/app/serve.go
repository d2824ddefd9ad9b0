package app

import (
	"context"
	"errors"
	"time"
)

// workTime bounds one round of polling and delivering, as a function's time
// limit does.
const workTime = time.Minute

// shortest is the least time between two rounds, so that work that is due but
// cannot be done does not keep a processor busy.
const shortest = 20 * time.Millisecond

// Serve does in one process what the timers of a platform do: it polls lag at
// its interval and says what is due when it is due. It returns when ctx is done
// and the round that was under way has ended. Trouble with the store is logged
// and tried again.
func (a *App) Serve(ctx context.Context, now func() time.Time) error {
	every := a.config.Lag.Every()
	poll := now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		// A round that began is finished: ctx's end does not cut a message in two.
		work, cancel := context.WithTimeout(context.WithoutCancel(ctx), workTime)
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
			next = at.Add(time.Second)
		} else if answer.Polled+answer.Sent > 0 {
			a.log.Debug("round", "polled", answer.Polled, "alerts", answer.Alerts, "sent", answer.Sent, "owed", answer.Owed)
		}
		if next.IsZero() || next.After(poll) {
			next = poll
		}
		timer.Reset(max(next.Sub(now()), shortest))
	}
}
