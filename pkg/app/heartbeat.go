package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	heartbeatInterval = time.Minute
	heartbeatTimeout  = 5 * time.Second
)

// heartbeat requests a URL of a monitoring service after successful ticks, so
// that the service raises an alarm when they stop. A failed request is logged and
// not retried: the next one follows within a minute.
type heartbeat struct {
	url  string // "" for none
	http *http.Client
	log  *slog.Logger

	mu   sync.Mutex
	last time.Time
}

func (h *heartbeat) send(ctx context.Context, now time.Time) {
	h.mu.Lock()
	due := h.url != "" && now.Sub(h.last) >= heartbeatInterval
	if due {
		h.last = now
	}
	h.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	defer cancel()
	// The URL is a secret, and the errors of net/http quote it.
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url, nil)
	if err != nil {
		h.log.Warn("heartbeat failed: dispatch.heartbeat_url is not a URL")
		return
	}
	resp, err := h.http.Do(r)
	if err != nil {
		if e := new(url.Error); errors.As(err, &e) {
			err = e.Err
		}
		h.log.Warn("heartbeat failed", "host", r.URL.Host, "err", err)
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is reused
	if resp.StatusCode/100 != 2 {
		h.log.Warn("heartbeat failed", "host", r.URL.Host, "status", resp.StatusCode)
	}
}
