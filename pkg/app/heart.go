package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	heartbeatEvery = time.Minute
	heartbeatTime  = 5 * time.Second
)

// heart tells a watching service that ticks go well, so that somebody else
// raises the alarm when they stop. A beat that fails is logged and not repeated:
// the next one comes soon enough.
type heart struct {
	url  string // "" for none
	http *http.Client
	log  *slog.Logger

	mu   sync.Mutex
	last time.Time
}

func (h *heart) beat(ctx context.Context, now time.Time) {
	h.mu.Lock()
	due := h.url != "" && now.Sub(h.last) >= heartbeatEvery
	if due {
		h.last = now
	}
	h.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, heartbeatTime)
	defer cancel()
	// The address is a secret, and errors of net/http quote it.
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url, nil)
	if err != nil {
		h.log.Warn("no heartbeat: the address is not one")
		return
	}
	resp, err := h.http.Do(r)
	if err != nil {
		if e, ok := err.(*url.Error); ok {
			err = e.Err
		}
		h.log.Warn("no heartbeat", "host", r.URL.Host, "err", err)
		return
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode/100 != 2 {
		h.log.Warn("no heartbeat", "host", r.URL.Host, "status", resp.StatusCode)
	}
}
