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

// LagFunction builds the timer function that polls lag and delivers due notifications.
// config.Find finds its configuration.
func LagFunction(ctx context.Context) (faas.TimerHandler, error) {
	a, err := newFunction(ctx, nil)
	if err != nil {
		return nil, err
	}
	return a.timerHandler(a.Lag), nil
}

// HostsFunction builds the timer function that checks hosts and delivers due
// notifications.
func HostsFunction(ctx context.Context) (faas.TimerHandler, error) {
	a, err := newFunction(ctx, nil)
	if err != nil {
		return nil, err
	}
	if a.config.Store.URL == "" {
		return nil, errors.New("store.url is missing: the webhook function stores the reports of hosts, and this one reads them (docs/store.md)")
	}
	return a.timerHandler(a.Hosts), nil
}

// DispatchFunction builds the timer function that delivers due notifications: alerts that
// other functions received, repetitions, pending notifications. With
// `dispatch.linger` one call goes on for that long and ticks every second, so that
// a short group_wait is kept although the timer is slow.
func DispatchFunction(ctx context.Context) (faas.TimerHandler, error) {
	a, err := newFunction(ctx, nil)
	if err != nil {
		return nil, err
	}
	return a.timerHandler(func(ctx context.Context, _ time.Time) (Result, error) {
		return a.pollUntilDeadline(ctx, time.Now)
	}), nil
}

// timerHandler returns the handler that calls run with the current time: the scheduled one
// is not in every platform's event.
func (a *App) timerHandler(run func(context.Context, time.Time) (Result, error)) faas.TimerHandler {
	return func(ctx context.Context, _ faas.TimerEvent) (any, error) {
		defer a.beforeFreeze()
		return run(ctx, time.Now())
	}
}

// beforeFreeze closes idle connections at the end of an invocation. The platform may freeze
// the instance now, and does not notice when the other end gives them up: a message sent on
// one would be lost, or at best late, and it would not be known which.
func (a *App) beforeFreeze() { a.http.CloseIdleConnections() }

func newFunction(ctx context.Context, m *metrics.Registry) (*App, error) {
	path, err := config.Find(os.LookupEnv)
	if err != nil {
		return nil, err
	}
	// Not config.Check, which also builds every channel and executes every template on
	// samples: 2.4 ms became 14 ms for examples/full.yaml (on one core; a function with
	// 128 MB has a tenth of it), and a cold start must not pay for what a deployment has
	// checked.
	cfg, warnings, err := config.Load(path, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	log := slog.Default()
	for _, w := range warnings {
		log.WarnContext(ctx, "configuration warning", "warning", w.String())
	}
	if cfg.Store.URL == "" {
		log.WarnContext(ctx, "no store is configured: state is lost with this instance, and notifications may be repeated")
	}
	return New(ctx, cfg, Options{Lookup: os.LookupEnv, Now: time.Now, Log: log, Store: "memory:", Metrics: m})
}
