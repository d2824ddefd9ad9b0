package app

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"tocsin/pkg/notify"
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
	resp, err := notify.Get(ctx, h.http, h.url) // its errors do not contain the URL, which is a secret
	if err == nil {
		if e := resp.StatusError(); e != nil {
			err = e
		}
	}
	if err != nil {
		h.log.Warn("heartbeat failed: check dispatch.heartbeat_url", "err", err)
	}
}
