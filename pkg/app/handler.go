package app

import (
	"context"
	"errors"
	"net/http"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/host"
	"tocsin/pkg/lag"
	"tocsin/pkg/metrics"
)

// handler returns the HTTP handler of the configuration. o has the options that
// depend on the process, the rest is filled in.
func (a *App) handler(o api.Options) (http.Handler, error) {
	cfg := a.config
	var err error
	if o.Config, err = cfg.AlertmanagerYAML(); err != nil {
		return nil, err
	}
	for _, r := range cfg.Receivers {
		o.Receivers = append(o.Receivers, api.Receiver{Name: r.Name})
	}
	o.Engine, o.Log, o.HTTP, o.Ready = a.engine, a.log, a.http, a.ready
	o.LagHistory, o.SendTest = a.lagHistory, a.sendTest
	now := o.Now
	o.Lag = func(ctx context.Context, cluster string) ([]lag.TableRow, error) { return a.lagRows(ctx, now, cluster) }
	if len(cfg.Hosts.Hosts) > 0 || cfg.Hosts.Register != nil {
		o.Hosts = &host.Registry{Store: a.store, Inventory: a.hosts.Inventory, Ingest: a.engine.Ingest, Language: cfg.Global.Language, Log: a.log}
	}
	o.ResolveTimeout, o.Webhook, o.Zone = cfg.Global.ResolveTimeout.Std(), cfg.Webhook, cfg.Global.Location()
	o.ExternalURL, o.Version.Revision = cfg.Global.ExternalURL, Version
	return api.New(o), nil
}

// WebhookFunction builds the HTTP function: hooks, API v2, health and metrics.
// Notifications that a request makes due are sent before it is answered. Since its
// address is public, the function does not start without webhook.auth.
func WebhookFunction(ctx context.Context) (http.Handler, error) {
	registry := new(metrics.Registry)
	a, err := newFunction(ctx, registry)
	if err != nil {
		return nil, err
	}
	if a.config.Store.URL == "" {
		return nil, errors.New("store.url is missing: alerts must outlive this function, and the dispatch function must find them (docs/store.md); memory: accepts that alerts are lost")
	}
	if a.config.Webhook.Auth.Open() {
		return nil, errors.New("webhook.auth is missing: everyone who finds the address could send and silence alerts; set tokens, or public: true if something in front of it authenticates (docs/webhook.md)")
	}
	recordReload(registry, time.Now(), a.config)
	h, err := a.handler(api.Options{
		Now: time.Now, Metrics: registry, Started: time.Now(),
		Flush: func(ctx context.Context) error {
			_, err := a.tick(ctx, time.Now())
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.beforeFreeze()
		h.ServeHTTP(w, r)
	}), nil
}
