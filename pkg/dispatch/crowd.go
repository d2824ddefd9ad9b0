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
const maxIngestBatch = 1000

// Ingest takes alerts in as of now. When it returns nil they are durable and in
// their groups; nothing has been said yet. It returns an error that wraps
// store.ErrUnavailable when the store is out of reach: some of the alerts may be
// in, and giving all of them again does no harm.
//
// Calls that come while another is being served share the next commit: a store
// takes hundreds of alerts in little more time than one, and calls that bring
// members to the same groups do not get into each other's way.
func (e *Engine) Ingest(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	for part := range slices.Chunk(alerts, maxIngestBatch) {
		own := make([]*alert.Alert, len(part))
		for i, a := range part {
			in := *a
			in.UpdatedAt = now
			own[i] = &in
		}
		err := e.batcher.wait(ctx, now, own, e.ingestBatch)
		if err != nil {
			return fmt.Errorf("take in %d alerts: %w", len(own), err)
		}
	}
	return nil
}

func (e *Engine) ingestBatch(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	return retryOnConflict(ctx, func() error { return e.ingest(ctx, now, alerts) })
}

// crowd gathers the calls that wait for their turn.
type batcher struct {
	token chan struct{} // held by the call that is being served

	mu   sync.Mutex
	open *batch // what the next call takes along; nil when nobody waits
}

// carriage is what goes into the store together.
type batch struct {
	now    time.Time // of the call that came last
	calls  int
	alerts []*alert.Alert
	done   chan struct{}
	err    error // once done is closed
}

func newBatcher() *batcher { return &batcher{token: make(chan struct{}, 1)} }

// wait returns when the alerts were taken in, by this call or by one that came
// at the same time.
func (c *batcher) wait(ctx context.Context, now time.Time, alerts []*alert.Alert, takeIn func(context.Context, time.Time, []*alert.Alert) error) error {
	shared := c.join(now, alerts)
	select {
	case <-shared.done:
	case <-ctx.Done():
		return ctx.Err()
	case c.token <- struct{}{}:
		select {
		case <-shared.done:
		default:
			c.seal(shared)
			shared.err = takeIn(ctx, shared.now, shared.alerts)
			close(shared.done)
		}
		<-c.token
	}
	if shared.err == nil || shared.calls == 1 || ctx.Err() != nil || errors.Is(shared.err, store.ErrUnavailable) {
		return shared.err
	}
	// Another call's time was over, or one of its alerts is more than the store
	// takes: that is not this one's fault.
	return takeIn(ctx, now, alerts)
}

// board puts alerts into the carriage that goes next.
func (c *batcher) join(now time.Time, alerts []*alert.Alert) *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil || len(c.open.alerts)+len(alerts) > maxIngestBatch {
		c.open = &batch{done: make(chan struct{})}
	}
	c.open.calls++
	c.open.alerts = append(c.open.alerts, alerts...)
	if now.After(c.open.now) {
		c.open.now = now
	}
	return c.open
}

// depart lets nobody else in.
func (c *batcher) seal(shared *batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == shared {
		c.open = nil
	}
}
