// Package api is the HTTP surface that other programs talk to: Alertmanager's
// API v2, so that Prometheus, amtool, karma and Grafana work as with
// Alertmanager itself; hooks, by which other systems' alerts come in; and what a
// process is looked after by: health, reload and metrics. With tokens in the
// configuration, all but health asks for one.
//
// The wire contract is that of Alertmanager 0.34.2 (its api/v2/openapi.yaml, and
// its answers to the same requests). It differs on purpose in this:
//   - A store out of reach is 503 with Retry-After, not 500.
//   - Bodies are bounded: 413. They must be UTF-8 and nothing may follow them: 400.
//   - Alerts and matchers that are null are 422; Alertmanager drops the connection.
//   - Times may be written in a few more ways.
//   - A receiver that an alert reaches by two routes is named once.
//   - What a client accepts is not asked.
package api

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"time"

	"tocsin/pkg/dispatch"
	"tocsin/pkg/host"
	"tocsin/pkg/metrics"
)

// Level is the version of Alertmanager whose API this is.
const AlertmanagerVersion = "0.34.2"

// Options are what the API stands on. What has no default must be given.
type Options struct {
	// Engine takes alerts in and knows how they stand.
	Engine *dispatch.Engine
	// Now is the clock.
	Now func() time.Time
	Log *slog.Logger
	// Metrics outlives the handler: one built after a reload counts on.
	Metrics *metrics.Registry
	// Flush is called when alerts have been taken in, before that is answered:
	// it says what is due, as a function must that stops with its answer, or makes
	// somebody else say it soon; default: nothing. The alerts are durable by then,
	// so that its error is logged and changes no answer; its context has a few
	// seconds.
	Flush func(context.Context) error
	// Reload reads the configuration anew and returns what is wrong with it.
	// Without it there is nothing to reload: 404.
	Reload func(context.Context) error

	// Receivers are the configured ones, in the configuration's order.
	Receivers []Receiver
	// ResolveTimeout ends an alert that came without an end and is not said
	// again; default 5m.
	ResolveTimeout time.Duration
	// Webhook is who may speak to the API, and its hooks.
	Webhook WebhookConfig
	// Hosts knows the hosts whose agents report; nil when there are none.
	Hosts *host.Registry
	// HTTP asks Amazon SNS for certificates. It follows no redirects; default
	// http.DefaultTransport behind a client of that kind.
	HTTP *http.Client
	// Zone is where the times of systems are from that write none; default UTC.
	Zone *time.Location
	// Config is the configuration as status shows it: YAML without secrets, and
	// only what Alertmanager's own parser accepts, for amtool.
	Config  string
	Version Version
	// Started is when the process started: status calls it uptime.
	Started time.Time
	// Name is this instance's in the cluster.
	Name string
	// Peers returns all live instances on the same store, this one among them.
	// Without it status says that there is no cluster.
	Peers func(context.Context) []Peer

	// Classic takes only label names and matchers of Prometheus before UTF-8
	// names: Alertmanager's --enable-feature=classic-mode.
	Classic bool
	// RoutePrefix is put before every path: --web.route-prefix.
	RoutePrefix string
	Limits      Limits
}

// Receiver is a configured receiver.
type Receiver struct {
	Name string
	// Labels are those that the configuration gives it; Alertmanager adds its name.
	Labels map[string]string
}

// Version is how Tocsin was built.
type Version struct {
	// Revision is Tocsin's own version.
	Revision string
	Branch   string
	User     string
	Date     string
}

// Peer is an instance on the same store.
type Peer struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// Limits bound what a request may bring. Zero is the default.
type Limits struct {
	// Body is the bytes of a body, 32 MiB.
	Body int64
	// Alerts is how many alerts a request may bring, 10,000.
	Alerts int
	// Labels is how many labels an alert may have, 100.
	Labels int
	// AlertSize is the bytes of an alert's labels, annotations and generatorURL,
	// 256 KiB; a store takes values of 1 MiB.
	AlertSize int
}

type api struct {
	Options
	counters       counters
	receiverLabels map[string]map[string]string // by the receiver's name
}

// newAPI fills in what has a default.
func newAPI(o Options) *api {
	if o.ResolveTimeout == 0 {
		o.ResolveTimeout = 5 * time.Minute
	}
	if o.Flush == nil {
		o.Flush = func(context.Context) error { return nil }
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	l := &o.Limits
	for limit, standard := range map[*int]int{&l.Alerts: 10_000, &l.Labels: 100, &l.AlertSize: 256 << 10} {
		if *limit == 0 {
			*limit = standard
		}
	}
	if l.Body == 0 {
		l.Body = 32 << 20
	}
	a := &api{Options: o, counters: newCounters(o.Metrics), receiverLabels: map[string]map[string]string{}}
	for _, r := range o.Receivers {
		l := map[string]string{"name": r.Name}
		maps.Copy(l, r.Labels)
		a.receiverLabels[r.Name] = l
	}
	return a
}

// New returns the handler of all paths under the route prefix. It belongs to one
// configuration; after a reload a new one takes its place.
func New(o Options) http.Handler {
	a := newAPI(o)
	mux := http.NewServeMux()
	mux.Handle("/api/v2/alerts", a.endpoint(methods{http.MethodGet: a.getAlerts, http.MethodPost: a.postAlerts}))
	mux.Handle("/api/v2/alerts/groups", a.endpoint(methods{http.MethodGet: a.getGroups}))
	mux.Handle("/api/v2/silences", a.endpoint(methods{http.MethodGet: a.getSilences, http.MethodPost: a.postSilence}))
	mux.Handle("/api/v2/silence/{id}", a.endpoint(methods{http.MethodGet: a.getSilence, http.MethodDelete: a.deleteSilence}))
	mux.Handle("/api/v2/receivers", a.endpoint(methods{http.MethodGet: a.getReceivers}))
	mux.Handle("/api/v2/status", a.endpoint(methods{http.MethodGet: a.getStatus}))
	mux.Handle("/api/v2/", a.endpoint(nil))
	mux.HandleFunc("/api/v1/", gone)
	mux.HandleFunc("GET /-/healthy", ok)
	mux.HandleFunc("GET /-/ready", ok)
	mux.HandleFunc("GET /metrics", a.metrics)
	a.hooks(mux)
	a.agents(mux)
	if a.Reload != nil {
		mux.HandleFunc("POST /-/reload", a.reload)
	}
	return a.guard(underPrefix(a.RoutePrefix, a.authenticate(mux)))
}

// underPrefix serves h below the prefix, and sends whoever asks for the root
// there, as Alertmanager does.
func underPrefix(prefix string, h http.Handler) http.Handler {
	prefix = strings.Trim(prefix, "/")
	if prefix == "" {
		return h
	}
	mux := http.NewServeMux()
	mux.Handle("/"+prefix+"/", http.StripPrefix("/"+prefix, h))
	mux.Handle("/{$}", http.RedirectHandler("/"+prefix+"/", http.StatusFound))
	return mux
}
