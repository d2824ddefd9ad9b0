package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"tocsin/pkg/config"
	"tocsin/pkg/faas"
	"tocsin/pkg/metrics"
)

// LagFunction builds the function that a platform's timer calls to poll lag and
// to say what is due. Its configuration is where config.Find finds it.
func LagFunction(ctx context.Context) (faas.TimerHandler, error) {
	a, err := forFunction(ctx, nil)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _ faas.TimerEvent) (any, error) {
		// When the platform meant to call is not known everywhere; when it called is.
		return a.Lag(ctx, time.Now())
	}, nil
}

// HostsFunction builds the function that a platform's timer calls to look for
// silent hosts and to say what is due.
func HostsFunction(ctx context.Context) (faas.TimerHandler, error) {
	a, err := forFunction(ctx, nil)
	if err != nil {
		return nil, err
	}
	if a.config.Store.URL == "" {
		return nil, errors.New("store.url is missing: the webhook function writes there when hosts reported, and this one reads it (docs/store.md)")
	}
	return func(ctx context.Context, _ faas.TimerEvent) (any, error) {
		return a.Hosts(ctx, time.Now())
	}, nil
}

// DispatchFunction builds the function that a platform's timer calls to say what
// is due: what other functions took in, what is repeated, what is owed. With
// `dispatch.linger` one call goes on for a while and ticks as often as something
// may be due, so that a short group_wait is kept although the timer is slow.
func DispatchFunction(ctx context.Context) (faas.TimerHandler, error) {
	a, err := forFunction(ctx, nil)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _ faas.TimerEvent) (any, error) {
		return a.linger(ctx, time.Now)
	}, nil
}

func forFunction(ctx context.Context, m *metrics.Notifications) (*App, error) {
	path, err := config.Find(os.LookupEnv)
	if err != nil {
		return nil, err
	}
	cfg, warnings, err := config.Load(path, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	log := slog.Default()
	for _, w := range warnings {
		log.WarnContext(ctx, "configuration", "warning", w.String())
	}
	if cfg.Store.URL == "" {
		log.WarnContext(ctx, "no store is configured: what was said is forgotten with this instance, and may be said again")
	}
	return New(ctx, cfg, Options{Lookup: os.LookupEnv, Now: time.Now, Log: log, Store: "memory:", Metrics: m})
}
