package app

import (
	"context"
	"time"
)

const (
	// lingerStep is how often a lingering function looks for what has become
	// due: other instances take alerts in.
	lingerStep = time.Second
	// lingerReserve is what is left of the platform's time limit for the last
	// round.
	lingerReserve = 10 * time.Second
)

// linger says what is due, and goes on doing so for as long as the configuration
// wants and ctx's deadline allows.
func (a *App) linger(ctx context.Context, now func() time.Time) (Answer, error) {
	end := now().Add(a.config.Dispatch.Linger.Std())
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-lingerReserve).Before(end) {
		end = deadline.Add(-lingerReserve)
	}
	var sum Answer
	step := time.NewTicker(lingerStep)
	defer step.Stop()
	for {
		answer, err := a.Dispatch(ctx, now())
		sum.Sent += answer.Sent
		sum.Pending = answer.Pending
		if err != nil || !now().Add(lingerStep).Before(end) {
			return sum, err
		}
		select {
		case <-ctx.Done():
			return sum, nil
		case <-step.C:
		}
	}
}
