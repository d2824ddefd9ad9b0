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
	"tocsin/pkg/render"
	"tocsin/pkg/store"
	"tocsin/pkg/store/backend"
)

// Options are what a process decides about its App.
type Options struct {
	Outside
	// Lookup reads the environment: os.LookupEnv.
	Lookup func(string) (string, bool)
	// Now is the clock for what leaves with a message, such as a signature.
	Now func() time.Time
	Log *slog.Logger
	// Store is the store's URL where the configuration names none.
	Store string
	// Shared is a store that is open already and stays so; nil opens one.
	Shared store.Store
	// Retention is how long a silence can be seen after its end; default 120h.
	Retention time.Duration
	// Metrics counts what is said; nil counts nothing.
	Metrics *metrics.Notifications
}

// App is Tocsin, built and ready. It is safe for concurrent use, and holds
// nothing but connections: state is in the store.
type App struct {
	config *config.Config
	http   *http.Client
	store  store.Store
	engine *dispatch.Engine
	lag    *lag.Watcher
	hosts  *host.Watcher
	heart  *heart
	log    *slog.Logger
}

// New builds the parts. An error says which of them cannot be built and why.
func New(ctx context.Context, cfg *config.Config, o Options) (a *App, err error) {
	a = &App{config: cfg, http: o.client(), store: o.Shared, log: o.Log}
	a.heart = &heart{url: string(cfg.Dispatch.HeartbeatURL), http: a.http, log: o.Log}
	templates, err := render.ParseTemplates(cfg.Templates...)
	if err != nil {
		return nil, err
	}
	readers, err := buildReaders(cfg, a.http, o)
	if err != nil {
		return nil, err
	}
	if a.store == nil {
		if a.store, err = backend.Open(ctx, cmp.Or(string(cfg.Store.URL), o.Store)); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				a.store.Close()
			}
		}()
	}
	receivers, err := buildReceivers(cfg, environment(cfg, a.http, a.store, o), o.Metrics, templates)
	if err != nil {
		return nil, err
	}
	if a.engine, err = dispatch.New(a.store, dispatch.Config{
		Route: cfg.Route, Receivers: receivers, InhibitRules: cfg.InhibitRules, TimeIntervals: cfg.Intervals(),
		Templates: templates, ExternalURL: cfg.Global.ExternalURL, Metrics: o.Metrics, Retention: o.Retention,
	}, o.Log); err != nil {
		return nil, err
	}
	a.lag = &lag.Watcher{
		Config: &cfg.Lag, Readers: readers, Store: a.store, Ingest: a.engine.Ingest,
		Language: cfg.Global.Language, Log: o.Log,
	}
	a.hosts = &host.Watcher{
		Store: a.store, Inventory: host.NewInventory(&cfg.Hosts), InTimeInterval: a.engine.InTimeInterval, Ingest: a.engine.Ingest,
		Language: cfg.Global.Language, Log: o.Log,
	}
	return a, nil
}

// DeadLetters returns what nobody could take.
func (a *App) DeadLetters(ctx context.Context) ([]dispatch.DeadLetter, error) {
	return a.engine.DeadLetters(ctx)
}

// Resend owes a dead letter again from now on.
func (a *App) Resend(ctx context.Context, now time.Time, id string) error {
	return a.engine.Resend(ctx, now, id)
}

// Close releases the store and the connections.
func (a *App) Close() error {
	a.disconnect()
	return a.store.Close()
}

// disconnect closes the connections that are kept from one call to the next.
func (a *App) disconnect() {
	a.http.CloseIdleConnections()
	for _, r := range a.lag.Readers {
		if c, ok := r.(interface{ Close() }); ok {
			c.Close()
		}
	}
}

// Answer is what a timer function answers.
type Answer struct {
	Polled  int `json:"polled"`  // groups or hosts read
	Alerts  int `json:"alerts"`  // alerts firing now
	Sent    int `json:"sent"`    // messages that channels accepted in this run
	Pending int `json:"pending"` // outbox entries still waiting
}

// Lag polls consumer lag, takes what it finds in, and says what is due: the
// whole of the lag function's invocation. A cluster that cannot be read is an
// alert; an error means that the store failed, and that the platform should
// call again.
func (a *App) Lag(ctx context.Context, now time.Time) (Answer, error) {
	polled, pollErr := a.lag.Poll(ctx, now)
	answer, err := a.Dispatch(ctx, now)
	answer.Polled, answer.Alerts = polled.Polled, polled.Firing
	return answer, errors.Join(pollErr, err)
}

// Hosts looks for hosts that fell silent, and says what is due: the whole of the
// hosts function's invocation. Errors are those of Lag.
func (a *App) Hosts(ctx context.Context, now time.Time) (Answer, error) {
	checked, checkErr := a.hosts.Check(ctx, now)
	answer, err := a.Dispatch(ctx, now)
	answer.Polled, answer.Alerts = checked.Polled, checked.Firing
	return answer, errors.Join(checkErr, err)
}

// Dispatch says what is due, and tries again what is owed.
func (a *App) Dispatch(ctx context.Context, now time.Time) (Answer, error) {
	var late error
	if limit := a.config.Dispatch.LateLimit(); limit > 0 {
		late = a.engine.WatchTicks(ctx, now, limit)
	}
	said, err := a.engine.Tick(ctx, now)
	if err == nil {
		a.heart.beat(ctx, now)
	}
	return Answer{Sent: said.Sent, Pending: said.Pending}, errors.Join(late, err)
}
