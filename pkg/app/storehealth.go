package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tocsin/pkg/metrics"
	"tocsin/pkg/store"
	"tocsin/pkg/store/backend"
)

const (
	// maxUnreadable is how many items that cannot be read are remembered, so that each is
	// logged and counted once.
	maxUnreadable = 10_000
	// readyTimeout bounds the read of a check of readiness.
	readyTimeout = 3 * time.Second
)

// storeHealth records failures in the use of a store. It is safe for concurrent use.
type storeHealth struct {
	log             *slog.Logger
	unreadableItems *metrics.Counter
	writable        *metrics.Gauge

	mu         sync.Mutex
	unreadable map[string]uint64 // versions by key
	writeErr   error             // of the last write that would have been an alert's
	roundErr   error             // of the last tick
}

// newStoreHealth returns the health of a store that was just opened. m may be nil.
func newStoreHealth(log *slog.Logger, m *metrics.Registry) *storeHealth {
	if m == nil {
		m = new(metrics.Registry)
	}
	return &storeHealth{
		log: log, unreadable: map[string]uint64{},
		unreadableItems: m.Counter("tocsin_store_unreadable_items_total", "Number of stored items that could not be read and were set aside, by the kind of their keys. Each version of an item counts once.", "kind"),
		writable:        m.Gauge("tocsin_store_writable", "Whether the store takes alerts: 0 if it is out of reach, read-only or full."),
	}
}

// openStore opens the store at a URL. Items that cannot be read are logged and counted.
func openStore(ctx context.Context, url string, log *slog.Logger, m *metrics.Registry) (store.Store, *storeHealth, error) {
	st, err := backend.Open(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	h := newStoreHealth(log, m)
	return store.ReportUnreadable(st, h.reportUnreadable), h, nil
}

// reportUnreadable logs and counts each version of an item once.
func (h *storeHealth) reportUnreadable(it store.Item, err error) {
	h.mu.Lock()
	version, known := h.unreadable[it.Key]
	if known = known && version == it.Version; !known {
		if len(h.unreadable) >= maxUnreadable {
			clear(h.unreadable)
		}
		h.unreadable[it.Key] = it.Version
	}
	h.mu.Unlock()
	if !known {
		h.log.Error("a stored item cannot be read; it is set aside", "key", it.Key, "err", err)
		h.unreadableItems.Add(1, store.Kind(it.Key))
	}
}

// recordWrite records the result of a write that is refused whenever those of alerts are.
func (h *storeHealth) recordWrite(err error) {
	h.mu.Lock()
	h.writeErr = err
	h.mu.Unlock()
	if err != nil {
		h.writable.Set(0)
	} else {
		h.writable.Set(1)
	}
}

func (h *storeHealth) recordRound(err error) {
	h.mu.Lock()
	h.roundErr = err
	h.mu.Unlock()
}

// ready returns nil if the store can be read with read, takes alerts, and the last round
// succeeded, with how many items could not be read since the start. Its errors are for
// anyone to see; the causes are in the log.
func (h *storeHealth) ready(ctx context.Context, read func(context.Context) error) (unreadable int, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	readErr := read(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case readErr != nil:
		h.log.WarnContext(ctx, "not ready: the store cannot be read", "err", readErr)
		return 0, errors.New("the store cannot be read")
	case errors.Is(h.writeErr, store.ErrFull):
		return 0, errors.New("the store is full and takes no alerts")
	case h.writeErr != nil:
		return 0, errors.New("the store takes no alerts")
	case h.roundErr != nil:
		return 0, errors.New("the last round of notifications failed")
	}
	return len(h.unreadable), nil
}

// ready is api.Options.Ready.
func (a *App) ready(ctx context.Context) (note string, err error) {
	unreadable, err := a.health.ready(ctx, func(ctx context.Context) error { _, err := a.engine.NextDue(ctx); return err })
	if err == nil && unreadable > 0 {
		note = fmt.Sprintf("stored items that cannot be read and are set aside: %d", unreadable)
	}
	return note, err
}
