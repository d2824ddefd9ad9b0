package app

import (
	"context"
	"time"
)

const (
	// pollStep is the time between two ticks: other instances receive alerts.
	pollStep = time.Second
	// pollReserve is the part of the platform's time limit that is kept for the last
	// tick.
	pollReserve = 10 * time.Second
)

// pollUntilDeadline ticks every second for as long as dispatch.linger asks for and
// ctx's deadline allows.
func (a *App) pollUntilDeadline(ctx context.Context, now func() time.Time) (Result, error) {
	end := now().Add(a.config.Dispatch.Linger.Std())
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-pollReserve).Before(end) {
		end = deadline.Add(-pollReserve)
	}
	var total Result
	step := time.NewTicker(pollStep)
	defer step.Stop()
	for {
		result, err := a.Dispatch(ctx, now())
		total.Sent += result.Sent
		total.Pending = result.Pending
		if err != nil || !now().Add(pollStep).Before(end) {
			return total, err
		}
		select {
		case <-ctx.Done():
			return total, nil
		case <-step.C:
		}
	}
}
