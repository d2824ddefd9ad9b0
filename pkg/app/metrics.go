package app

import (
	"time"

	"tocsin/pkg/config"
	"tocsin/pkg/lag"
	"tocsin/pkg/metrics"
)

// recordReload records in m that loading the configuration at now succeeded, or, with
// nil, failed.
func recordReload(m *metrics.Registry, now time.Time, loaded *config.Config) {
	hash := m.Gauge("alertmanager_config_hash", "Hash of the currently loaded alertmanager configuration. Note that this is not a cryptographically strong hash.")
	successful := m.Gauge("alertmanager_config_last_reload_successful", "Whether the last configuration reload attempt was successful.")
	at := m.Gauge("alertmanager_config_last_reload_success_timestamp_seconds", "Timestamp of the last successful configuration reload.")
	if loaded == nil {
		successful.Set(0)
		return
	}
	hash.Set(loaded.Hash)
	successful.Set(1)
	at.Set(seconds(now))
}

// recordTick records in m that a tick at now succeeded.
func recordTick(m *metrics.Registry, now time.Time) {
	if m != nil {
		m.Gauge("tocsin_last_tick_timestamp_seconds", "Timestamp of the last tick of this process that read and wrote the store without an error.").Set(seconds(now))
	}
}

// newLagMetrics returns the metrics of polls in m, nil without m.
func newLagMetrics(m *metrics.Registry, now func() time.Time) *lag.Metrics {
	if m == nil {
		return nil
	}
	return lag.NewMetrics(m, now)
}

// newNotificationMetrics returns the metrics of notifications in m, nil without m.
func newNotificationMetrics(m *metrics.Registry, now func() time.Time) *metrics.Notifications {
	if m == nil {
		return nil
	}
	return metrics.NewNotifications(m, now)
}

// seconds returns a time as a metric, with milliseconds.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
