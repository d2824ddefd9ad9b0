package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

// ingestFunc stores alerts in one commit.
type ingestFunc func(ctx context.Context, now time.Time, alerts []*alert.Alert) error

// batcher merges concurrent calls of Ingest into commits: while one call commits,
// those that arrive join the next batch.
type batcher struct {
	ingest ingestFunc
	token  chan struct{} // held by the call that commits a batch

	mu   sync.Mutex
	open *batch // joined by the next call; nil if no call waits
}

// batch is the alerts of one commit.
type batch struct {
	now    time.Time // the latest of the calls'
	calls  int
	alerts []*alert.Alert
	done   chan struct{}
	err    error // valid once done is closed
}

func newBatcher(ingest ingestFunc) *batcher {
	return &batcher{ingest: ingest, token: make(chan struct{}, 1)}
}

// add returns when the alerts are stored, by this call or by a concurrent one.
func (b *batcher) add(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	shared := b.join(now, alerts)
	select {
	case <-shared.done:
	case <-ctx.Done():
		return ctx.Err()
	case b.token <- struct{}{}:
		select {
		case <-shared.done:
		default:
			b.seal(shared)
			shared.err = b.ingest(ctx, shared.now, shared.alerts)
			close(shared.done)
		}
		<-b.token
	}
	if shared.err == nil || shared.calls == 1 || ctx.Err() != nil || errors.Is(shared.err, store.ErrUnavailable) {
		return shared.err
	}
	// The cause may be another call: its context, or an alert that is too large for
	// the store.
	return b.ingest(ctx, now, alerts)
}

// join adds alerts to the open batch, or opens one.
func (b *batcher) join(now time.Time, alerts []*alert.Alert) *batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil || len(b.open.alerts)+len(alerts) > maxIngestBatch {
		b.open = &batch{done: make(chan struct{})}
	}
	b.open.calls++
	b.open.alerts = append(b.open.alerts, alerts...)
	if now.After(b.open.now) {
		b.open.now = now
	}
	return b.open
}

// seal closes a batch to further calls.
func (b *batcher) seal(sealed *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == sealed {
		b.open = nil
	}
}
