package api

import (
	"cmp"
	"context"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/host"
	"tocsin/pkg/metrics"
)

// counters are the counters of the API, with Alertmanager's names.
type counters struct {
	received *metrics.Counter // by status and version of the API
	invalid  *metrics.Counter // by version of the API
	hooks    *metrics.Counter // by hook and status code
}

func newCounters(m *metrics.Registry) counters {
	c := counters{
		received: m.Counter("alertmanager_alerts_received_total", "The total number of received alerts.", "status", "version"),
		invalid:  m.Counter("alertmanager_alerts_invalid_total", "The total number of received alerts that were invalid.", "version"),
		hooks:    m.Counter("tocsin_hook_requests_total", "Number of requests to hooks by status code.", "hook", "code"),
	}
	// Initialize the series, so that the first event is an increase.
	c.received.Add(0, "firing", "v2")
	c.received.Add(0, "resolved", "v2")
	c.invalid.Add(0, "v2")
	return c
}

// stateMetrics returns the metrics of the configuration and of the state in the store.
// They are the same for all instances on it. It reads all alerts and hosts. Without the
// store the metrics of its content are missing, not zero.
func (a *api) stateMetrics(ctx context.Context) *metrics.Registry {
	var m metrics.Registry
	// The version is that of Alertmanager whose API this is, the revision is Tocsin's.
	m.Gauge("alertmanager_build_info", "A metric with a constant '1' value labeled by version, revision, branch, goversion from which alertmanager was built, and the goos and goarch for the build.",
		"branch", "goarch", "goos", "goversion", "revision", "tags", "version").
		Set(1, a.Version.Branch, runtime.GOARCH, runtime.GOOS, runtime.Version(), a.Version.Revision, "unknown", AlertmanagerVersion)
	sizes := a.Engine.ConfigStats()
	m.Gauge("alertmanager_receivers", "Number of configured receivers.").Set(float64(sizes.Receivers))
	m.Gauge("alertmanager_integrations", "Number of configured integrations.").Set(float64(sizes.Integrations))
	m.Gauge("alertmanager_inhibition_rules", "Number of configured inhibition rules.").Set(float64(sizes.InhibitRules))
	a.addClusterMetrics(ctx, &m)

	up := m.Gauge("tocsin_store_up", "Whether the store could be read.")
	if err := a.addStoreMetrics(ctx, &m); err != nil {
		a.Log.ErrorContext(ctx, "metrics: the store cannot be read", "err", err)
		up.Set(0)
		return &m
	}
	up.Set(1)
	return &m
}

// addClusterMetrics adds the live instances on the store. No peer is ever failed,
// because instances have no connections to each other that could fail.
func (a *api) addClusterMetrics(ctx context.Context, m *metrics.Registry) {
	enabled := m.Gauge("alertmanager_cluster_enabled", "Indicates whether the clustering is enabled or not.")
	if a.Peers == nil {
		enabled.Set(0)
		return
	}
	enabled.Set(1)
	m.Gauge("alertmanager_cluster_members", "Number indicating current number of members in cluster.").Set(float64(len(a.Peers(ctx))))
	m.Gauge("alertmanager_cluster_failed_peers", "Number indicating the current number of failed peers in the cluster.").Set(0)
	m.Gauge("alertmanager_cluster_peer_info", "A metric with a constant '1' value labeled by peer name.", "peer").Set(1, a.Name)
}

// addStoreMetrics adds the numbers of alerts, groups, silences, dead letters and hosts.
func (a *api) addStoreMetrics(ctx context.Context, m *metrics.Registry) error {
	now := a.Now()
	alerts, err := a.Engine.AlertStats(ctx, now)
	if err != nil {
		return err
	}
	silences, err := a.Engine.Silences().Count(ctx, now)
	if err != nil {
		return err
	}
	dead, err := a.Engine.Outbox().CountDeadLetters(ctx)
	if err != nil {
		return err
	}
	if err := a.addHostMetrics(ctx, m, now); err != nil {
		return err
	}
	byState := m.Gauge("alertmanager_alerts", "How many alerts by state.", "state")
	byState.Set(float64(alerts.Active), stateActive)
	byState.Set(float64(alerts.Suppressed), stateSuppressed)
	byState.Set(0, "unprocessed")
	m.Gauge("alertmanager_dispatcher_aggregation_groups", "Number of active aggregation groups").Set(float64(alerts.Groups))
	bySilence := m.Gauge("alertmanager_silences", "How many silences by state.", "state")
	for state, n := range silences {
		bySilence.Set(float64(n), string(state))
	}
	m.Gauge("tocsin_dead_letters", "Number of notifications that no receiver accepted; they are kept for 30 days.").Set(float64(dead))
	return nil
}

// addHostMetrics adds the numbers of hosts, if any are configured.
func (a *api) addHostMetrics(ctx context.Context, m *metrics.Registry, now time.Time) error {
	if a.Hosts == nil {
		return nil
	}
	hosts, err := a.Hosts.List(ctx, now, host.Sender{})
	if err != nil {
		return err
	}
	count := map[host.State]int{host.StateOnline: 0, host.StateOffline: 0, host.StateNever: 0, host.StateInactive: 0}
	for _, h := range hosts {
		count[h.State]++
	}
	byState := m.Gauge("tocsin_hosts", "Number of hosts by state.", "state")
	for state, n := range count {
		byState.Set(float64(n), string(state))
	}
	return nil
}

// metrics writes the metrics of this process and those of the state.
func (a *api) metrics(w http.ResponseWriter, r *http.Request) {
	text := slices.Concat(a.Metrics.Text(), a.stateMetrics(r.Context()).Text())
	if a.ProcessMetrics != nil {
		text = append(text, a.ProcessMetrics()...)
	}
	w.Header().Set("Content-Type", metrics.ContentType)
	_, _ = w.Write(text)
}

// countHooks counts the requests to hooks by the status of their response.
func (a *api) countHooks(h http.Handler) http.Handler {
	names := map[string]string{}
	for _, hook := range a.hooks() {
		name := strings.TrimPrefix(hook.name, "hooks/")
		names["/"+hook.name] = name
		a.counters.hooks.Add(0, name, strconv.Itoa(http.StatusOK))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := names[r.URL.Path]
		if !ok {
			h.ServeHTTP(w, r)
			return
		}
		defer func() {
			if rec, ok := w.(*responseRecorder); ok { // of guard, which responds after a panic
				a.counters.hooks.Add(1, name, strconv.Itoa(cmp.Or(rec.status, http.StatusInternalServerError)))
			}
		}()
		h.ServeHTTP(w, r)
	})
}
