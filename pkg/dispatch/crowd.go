package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

// ingestBatch bounds the alerts of one commit.
const ingestBatch = 1000

// Ingest takes alerts in as of now. When it returns nil they are durable and in
// their groups; nothing has been said yet. It returns an error that wraps
// store.ErrUnavailable when the store is out of reach: some of the alerts may be
// in, and giving all of them again does no harm.
//
// Calls that come while another is being served share the next commit: a store
// takes hundreds of alerts in little more time than one, and calls that bring
// members to the same groups do not get into each other's way.
func (e *Engine) Ingest(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	for part := range slices.Chunk(alerts, ingestBatch) {
		own := make([]*alert.Alert, len(part))
		for i, a := range part {
			in := *a
			in.UpdatedAt = now
			own[i] = &in
		}
		err := e.crowd.wait(ctx, now, own, e.takeIn)
		if err != nil {
			return fmt.Errorf("take in %d alerts: %w", len(own), err)
		}
	}
	return nil
}

func (e *Engine) takeIn(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	return settled(ctx, func() error { return e.ingest(ctx, now, alerts) })
}

// crowd gathers the calls that wait for their turn.
type crowd struct {
	turn chan struct{} // held by the call that is being served

	mu   sync.Mutex
	open *carriage // what the next call takes along; nil when nobody waits
}

// carriage is what goes into the store together.
type carriage struct {
	now    time.Time // of the call that came last
	calls  int
	alerts []*alert.Alert
	done   chan struct{}
	err    error // once done is closed
}

func newCrowd() *crowd { return &crowd{turn: make(chan struct{}, 1)} }

// wait returns when the alerts were taken in, by this call or by one that came
// at the same time.
func (c *crowd) wait(ctx context.Context, now time.Time, alerts []*alert.Alert, takeIn func(context.Context, time.Time, []*alert.Alert) error) error {
	shared := c.board(now, alerts)
	select {
	case <-shared.done:
	case <-ctx.Done():
		return ctx.Err()
	case c.turn <- struct{}{}:
		select {
		case <-shared.done:
		default:
			c.depart(shared)
			shared.err = takeIn(ctx, shared.now, shared.alerts)
			close(shared.done)
		}
		<-c.turn
	}
	if shared.err == nil || shared.calls == 1 || ctx.Err() != nil || errors.Is(shared.err, store.ErrUnavailable) {
		return shared.err
	}
	// Another call's time was over, or one of its alerts is more than the store
	// takes: that is not this one's fault.
	return takeIn(ctx, now, alerts)
}

// board puts alerts into the carriage that goes next.
func (c *crowd) board(now time.Time, alerts []*alert.Alert) *carriage {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil || len(c.open.alerts)+len(alerts) > ingestBatch {
		c.open = &carriage{done: make(chan struct{})}
	}
	c.open.calls++
	c.open.alerts = append(c.open.alerts, alerts...)
	if now.After(c.open.now) {
		c.open.now = now
	}
	return c.open
}

// depart lets nobody else in.
func (c *crowd) depart(shared *carriage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == shared {
		c.open = nil
	}
}
