// Package api is the HTTP API: Alertmanager's API v2, with which Prometheus, amtool,
// karma and Grafana work; Tocsin's own API for programs, of which docs/openapi.yaml is the
// description; the hooks that receive other systems' alerts; the API of host agents; and
// health, reload and metrics. With tokens in the configuration, every path except health
// requires one. Pages of other origins can change nothing.
//
// API v2 behaves as in Alertmanager 0.34.2, by its api/v2/openapi.yaml and its
// responses to the same requests. It deviates deliberately in these points:
//   - An unavailable store is 503 with Retry-After, not 500.
//   - Bodies are limited (413), must be UTF-8 and must end after the JSON (400).
//   - Alerts and matchers that are null are 422; Alertmanager drops the connection.
//   - Times may have a few more formats.
//   - A receiver that an alert reaches by two routes is listed once.
//   - The header Accept is ignored.
//   - Requests that a browser sends for a page of another origin, and requests to a host
//     name that is not this server's, are 403.
package api

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"time"

	"tocsin/pkg/dispatch"
	"tocsin/pkg/host"
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/metrics"
)

// AlertmanagerVersion is the version of Alertmanager whose API v2 this package
// implements.
const AlertmanagerVersion = "0.34.2"

// Options configures the API. Options without a default are required.
type Options struct {
	// Engine stores the alerts and silences.
	Engine *dispatch.Engine
	// Now is the clock.
	Now func() time.Time
	Log *slog.Logger
	// Metrics outlives the handler, so that counters continue after a reload.
	Metrics *metrics.Registry
	// ProcessMetrics returns further metrics as text, those of the process; nil for
	// none.
	ProcessMetrics func() []byte
	// Flush is called after alerts were stored and before the response. It sends
	// the notifications that are due, or wakes up the process that does; a cloud
	// function must send them before it responds. Its context expires after a few
	// seconds. Its error is logged and does not change the response, because the
	// alerts are durable. The default does nothing.
	Flush func(context.Context) error
	// Reload reloads the configuration and returns its faults. If it is nil, the
	// path is 404.
	Reload func(context.Context) error

	// Lag reads the lag now, of one cluster or with "" of all, and LagHistory the stored
	// history of a topic's lag. Their error wraps ErrNotFound for an unknown cluster.
	Lag        func(ctx context.Context, cluster string) ([]lag.TableRow, error)
	LagHistory func(ctx context.Context, cluster, group, topic string) (trend.History, error)
	// SendTest sends a test notification through a receiver and calls each with every
	// message. Its error wraps ErrNotFound for an unknown receiver.
	SendTest func(ctx context.Context, receiver string, now time.Time, each func(TestMessage)) error

	// Receivers are the configured receivers, in their order.
	Receivers []Receiver
	// ResolveTimeout is how long an alert without an end lasts unless it is sent
	// again; default 5m.
	ResolveTimeout time.Duration
	// Webhook configures authentication and the hooks.
	Webhook WebhookConfig
	// Hosts has the hosts whose agents report; nil without hosts.
	Hosts *host.Registry
	// HTTP is the client for certificates and confirmations of Amazon SNS, which
	// must not follow redirects; default a client with http.DefaultTransport.
	HTTP *http.Client
	// Zone is the zone of times without one in hooks' messages; default UTC.
	Zone *time.Location
	// Config is the configuration in the status: YAML without secrets and without
	// keys that Alertmanager's own parser, and so amtool, rejects.
	Config  string
	Version Version
	// Started is when the process started. Status calls it uptime.
	Started time.Time
	// Name is the name of this instance in the cluster.
	Name string
	// Peers returns all live instances on the same store, including this one. If it
	// is nil, the status reports that the cluster is disabled.
	Peers func(context.Context) []Peer
	// Ready returns an error while the process cannot do its work, in words for anyone to
	// see, and otherwise a note, empty for none; nil is always ready.
	Ready func(context.Context) (note string, err error)

	// Address is the address that the server listens on.
	Address string
	// ExternalURL is the URL at which people and senders reach this server.
	ExternalURL string
	// CORSOrigin matches the origins whose pages may use API v2; nil for none.
	CORSOrigin *regexp.Regexp

	// Classic accepts only label names and matchers without UTF-8, as
	// Alertmanager's --enable-feature=classic-mode.
	Classic bool
	// RoutePrefix is the prefix of every path, as of --web.route-prefix.
	RoutePrefix string
	Limits      Limits
}

// Receiver is a configured receiver.
type Receiver struct {
	Name string
	// Labels are its configured labels, without the name that Alertmanager adds.
	Labels map[string]string
}

// Version describes the build.
type Version struct {
	// Revision is the version of Tocsin.
	Revision string
	Branch   string
	User     string
	Date     string
}

// Peer is a live instance on the same store.
type Peer struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// Limits are the limits on a request. Zero is the default.
type Limits struct {
	// Body is the size of a body in bytes; default 32 MiB.
	Body int64
	// Alerts is the number of alerts in a request; default 10,000.
	Alerts int
	// Labels is the number of labels of an alert; default 100.
	Labels int
	// AlertSize is the size of an alert's labels, annotations and generatorURL in
	// bytes; default 256 KiB, because a store accepts values of 1 MiB.
	AlertSize int
}

type api struct {
	Options
	counters       counters
	receiverLabels map[string]map[string]string // by the receiver's name
}

// newAPI returns the API with defaults set.
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
	for limit, defaultLimit := range map[*int]int{&l.Alerts: 10_000, &l.Labels: 100, &l.AlertSize: 256 << 10} {
		if *limit == 0 {
			*limit = defaultLimit
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

// New returns the handler of all paths under the route prefix. It is for one
// configuration; a reload replaces it by a new one.
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
	mux.HandleFunc("/api/v1/", apiV1Removed)
	mux.HandleFunc("GET /-/healthy", respondOK)
	mux.HandleFunc("GET /-/ready", a.ready)
	mux.HandleFunc("GET /metrics", a.metrics)
	a.registerPrograms(mux)
	a.registerHooks(mux)
	a.registerAgents(mux)
	if a.Reload != nil {
		mux.HandleFunc("POST /-/reload", a.reload)
	}
	return a.guard(a.checkHost(underPrefix(a.RoutePrefix, a.countHooks(a.checkOrigin(a.allowCORS(a.authenticate(mux)))))))
}

// underPrefix serves h below the prefix and redirects the root there, as Alertmanager
// does.
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
