// Package app builds the parts of Tocsin from a configuration and puts them
// together. It is the only room that knows them all.
package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"tocsin/pkg/config"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/host"
	"tocsin/pkg/lag"
	"tocsin/pkg/metrics"
	"tocsin/pkg/outbox"
	"tocsin/pkg/render"
	"tocsin/pkg/store"
)

// Options configures an App by its process.
type Options struct {
	Transport
	// Lookup reads the environment: os.LookupEnv.
	Lookup func(string) (string, bool)
	// Now is the clock of signatures and Date headers.
	Now func() time.Time
	Log *slog.Logger
	// Store is the URL of the store, unless the configuration names one.
	Store string
	// Shared is an open store, which New does not close; nil opens one.
	Shared store.Store
	health *storeHealth // of Shared; nil for none
	// Retention is how long ended silences are kept; default 120h.
	Retention time.Duration
	// MaxSilences and MaxSilenceSizeBytes limit the number of silences, expired ones
	// included, and the size of each; 0 does not.
	MaxSilences, MaxSilenceSizeBytes int
	// Metrics are the metrics of the process; nil counts nothing.
	Metrics *metrics.Registry
}

// ErrStoreInUse is wrapped by the error of New when another process holds the store.
var ErrStoreInUse = store.ErrInUse

// App is Tocsin, built from a configuration. It is safe for concurrent use. It holds
// connections only: all state is in the store.
type App struct {
	config    *config.Config
	http      *http.Client
	store     store.Store
	health    *storeHealth
	engine    *dispatch.Engine
	lag       *lag.Watcher
	hosts     *host.Watcher
	heartbeat *heartbeat
	metrics   *metrics.Registry
	lagCache  lagCache
	log       *slog.Logger
}

// New builds the parts. An error names the part that cannot be built.
func New(ctx context.Context, cfg *config.Config, o Options) (a *App, err error) {
	a = &App{config: cfg, http: o.client(), store: o.Shared, health: cmp.Or(o.health, newStoreHealth(o.Log, nil)), metrics: o.Metrics, log: o.Log}
	a.heartbeat = &heartbeat{url: string(cfg.Dispatch.HeartbeatURL), http: a.http, log: o.Log}
	templates, err := render.ParseTemplates(cfg.Templates...)
	if err != nil {
		return nil, err
	}
	readers, err := buildReaders(cfg, a.http, o)
	if err != nil {
		return nil, err
	}
	if a.store == nil {
		if a.store, a.health, err = openStore(ctx, cmp.Or(string(cfg.Store.URL), o.Store), o.Log, o.Metrics); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				a.store.Close()
			}
		}()
	}
	notifications := newNotificationMetrics(o.Metrics, o.Now)
	receivers, err := buildReceivers(cfg, newEnv(cfg, a.http, a.store, o), notifications, templates)
	if err != nil {
		return nil, err
	}
	if a.engine, err = dispatch.New(a.store, dispatch.Config{
		Route: cfg.Route, Receivers: receivers, InhibitRules: cfg.InhibitRules, TimeIntervals: cfg.Intervals(),
		Templates: templates, ExternalURL: cfg.Global.ExternalURL, Metrics: notifications, Retention: o.Retention,
		MaxSilences: o.MaxSilences, MaxSilenceSizeBytes: o.MaxSilenceSizeBytes,
	}, o.Log); err != nil {
		return nil, err
	}
	a.lag = &lag.Watcher{
		Config: &cfg.Lag, Readers: readers, Store: a.store, Ingest: a.engine.Ingest,
		Language: cfg.Global.Language, Log: o.Log, Metrics: newLagMetrics(o.Metrics, o.Now),
	}
	a.hosts = &host.Watcher{
		Store: a.store, Inventory: host.NewInventory(&cfg.Hosts), InTimeInterval: a.engine.InTimeInterval, Ingest: a.engine.Ingest,
		Language: cfg.Global.Language, Log: o.Log,
	}
	return a, nil
}

// DeadLetters returns the notifications that no receiver accepted.
func (a *App) DeadLetters(ctx context.Context) ([]outbox.DeadLetter, error) {
	return a.engine.Outbox().DeadLetters(ctx)
}

// Resend puts a dead letter back into the outbox, due at now.
func (a *App) Resend(ctx context.Context, now time.Time, id string) error {
	return a.engine.Outbox().Resend(ctx, now, id)
}

// Close closes the store and the connections.
func (a *App) Close() error {
	a.disconnect()
	return a.store.Close()
}

// disconnect closes the connections that are kept between invocations.
func (a *App) disconnect() {
	a.http.CloseIdleConnections()
	for _, r := range a.lag.Readers {
		if c, ok := r.(interface{ Close() }); ok {
			c.Close()
		}
	}
}

// Result is the answer of a timer function.
type Result struct {
	Polled  int `json:"polled"`  // groups or hosts read
	Alerts  int `json:"alerts"`  // alerts firing now
	Sent    int `json:"sent"`    // messages that channels accepted in this run
	Pending int `json:"pending"` // outbox entries that wait to be delivered
}

// Lag polls consumer lag, ingests the alerts, and delivers due notifications. It is an
// invocation of the lag function. A cluster that cannot be read is an alert; an
// error means that the store failed and that the platform should repeat the call.
func (a *App) Lag(ctx context.Context, now time.Time) (Result, error) {
	return a.dispatchAfter(ctx, now, a.pollLag)
}

// pollLag polls consumer lag and ingests the alerts.
func (a *App) pollLag(ctx context.Context, now time.Time) (Result, error) {
	polled, err := a.lag.Poll(ctx, now)
	return Result{Polled: polled.Polled, Alerts: polled.Firing}, err
}

// Hosts checks for silent hosts and delivers due notifications. It is an invocation of the
// hosts function. Errors are those of Lag.
func (a *App) Hosts(ctx context.Context, now time.Time) (Result, error) {
	return a.dispatchAfter(ctx, now, a.checkHosts)
}

// checkHosts checks for silent hosts and ingests the alerts.
func (a *App) checkHosts(ctx context.Context, now time.Time) (Result, error) {
	checked, err := a.hosts.Check(ctx, now)
	return Result{Polled: checked.Polled, Alerts: checked.Firing}, err
}

// dispatchAfter polls and then dispatches, also after a failed poll.
func (a *App) dispatchAfter(ctx context.Context, now time.Time, poll func(context.Context, time.Time) (Result, error)) (Result, error) {
	polled, pollErr := poll(ctx, now)
	result, err := a.Dispatch(ctx, now)
	result.Polled, result.Alerts = polled.Polled, polled.Alerts
	return result, errors.Join(pollErr, err)
}

// Dispatch flushes the groups that are due and delivers pending notifications.
func (a *App) Dispatch(ctx context.Context, now time.Time) (Result, error) {
	late := a.engine.WatchTicks(ctx, now, a.config.Dispatch.LateLimit())
	summary, err := a.tick(ctx, now)
	if err == nil {
		a.heartbeat.send(ctx, now)
	}
	return Result{Sent: summary.Sent, Pending: summary.Pending}, errors.Join(late, err)
}

// tick flushes the groups and delivers the notifications that are due at now.
func (a *App) tick(ctx context.Context, now time.Time) (dispatch.Summary, error) {
	summary, err := a.engine.Tick(store.WithReserve(ctx), now)
	if err == nil {
		recordTick(a.metrics, now)
	}
	return summary, err
}
