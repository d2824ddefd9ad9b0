package api

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"tocsin/pkg/metrics"
	"tocsin/pkg/silence"
)

// counters are the counters of the API, with Alertmanager's names.
type counters struct {
	received *metrics.Counter // by status and version of the API
	invalid  *metrics.Counter // by version of the API
}

func newCounters(m *metrics.Registry) counters {
	c := counters{
		received: m.Counter("alertmanager_alerts_received_total", "The total number of received alerts.", "status", "version"),
		invalid:  m.Counter("alertmanager_alerts_invalid_total", "The total number of received alerts that were invalid.", "version"),
	}
	// Initialize the series, so that the first event is an increase.
	c.received.Add(0, "firing", "v2")
	c.received.Add(0, "resolved", "v2")
	c.invalid.Add(0, "v2")
	return c
}

// RecordReload records in m whether loading the configuration at now succeeded, with
// Alertmanager's metric names.
func RecordReload(m *metrics.Registry, now time.Time, ok bool) {
	last := m.Gauge("alertmanager_config_last_reload_successful", "Whether the last configuration reload attempt was successful.")
	if !ok {
		last.Set(0)
		return
	}
	last.Set(1)
	m.Gauge("alertmanager_config_last_reload_success_timestamp_seconds", "Timestamp of the last successful configuration reload.").Set(float64(now.UnixMilli()) / 1000)
}

// storeMetrics returns the metrics of the state in the store. It reads all alerts and
// silences. Without the store these metrics are missing, not zero.
func (a *api) storeMetrics(ctx context.Context) *metrics.Registry {
	var m metrics.Registry
	m.Gauge("alertmanager_build_info", "A constant 1, labelled with what was built: version is the version of Alertmanager whose API this is, revision is Tocsin's own.",
		"branch", "goarch", "goos", "goversion", "revision", "version").
		Set(1, a.Version.Branch, runtime.GOARCH, runtime.GOOS, runtime.Version(), a.Version.Revision, AlertmanagerVersion)
	m.Gauge("alertmanager_receivers", "Number of configured receivers.").Set(float64(len(a.Receivers)))

	up := m.Gauge("tocsin_store_up", "Whether the store could be read.")
	if err := a.addStoreMetrics(ctx, &m); err != nil {
		a.Log.ErrorContext(ctx, "metrics: the store cannot be read", "err", err)
		up.Set(0)
		return &m
	}
	up.Set(1)
	return &m
}

// addStoreMetrics adds the numbers of alerts, silences and dead letters.
func (a *api) addStoreMetrics(ctx context.Context, m *metrics.Registry) error {
	now := a.Now()
	alerts, err := a.Engine.Alerts(ctx, now)
	if err != nil {
		return err
	}
	silences, err := a.Engine.Silences().List(ctx)
	if err != nil {
		return err
	}
	dead, err := a.Engine.Outbox().DeadLetters(ctx)
	if err != nil {
		return err
	}
	suppressed := 0
	for i := range alerts {
		if alerts[i].Muted() {
			suppressed++
		}
	}
	byState := m.Gauge("alertmanager_alerts", "How many alerts by state.", "state")
	byState.Set(float64(len(alerts)-suppressed), stateActive)
	byState.Set(float64(suppressed), stateSuppressed)
	byState.Set(0, "unprocessed")

	count := map[silence.State]int{silence.Active: 0, silence.Pending: 0, silence.Expired: 0}
	for _, s := range silences {
		count[s.State(now)]++
	}
	bySilence := m.Gauge("alertmanager_silences", "How many silences by state.", "state")
	for state, n := range count {
		bySilence.Set(float64(n), string(state))
	}
	m.Gauge("tocsin_dead_letters", "Number of notifications that no receiver accepted; they are kept for 30 days.").Set(float64(len(dead)))
	return nil
}

// metrics writes the metrics of this process and those of the store, which are the same
// for all instances on it.
func (a *api) metrics(w http.ResponseWriter, r *http.Request) {
	text := append(a.Metrics.Text(), a.storeMetrics(r.Context()).Text()...)
	w.Header().Set("Content-Type", metrics.ContentType)
	_, _ = w.Write(text)
}
