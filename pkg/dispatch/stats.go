package dispatch

import (
	"context"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// ConfigStats are the sizes of the configuration.
type ConfigStats struct {
	// Receivers and Integrations are those that are notified: by a route, or as the
	// fallback of one that is.
	Receivers, Integrations int
	InhibitRules            int
}

// ConfigStats returns the sizes of the engine's configuration.
func (e *Engine) ConfigStats() ConfigStats {
	s := ConfigStats{InhibitRules: e.inhibitRules}
	used := map[string]bool{}
	for r := range e.root.All() {
		for name := r.Receiver; name != "" && !used[name]; {
			used[name] = true
			receiver := e.outbox.Receiver(name)
			s.Receivers++
			s.Integrations += len(receiver.Integrations)
			name = receiver.Fallback
		}
	}
	return s
}

// AlertStats are numbers of alerts and groups.
type AlertStats struct {
	Active, Suppressed int // alerts that fire, not muted and muted
	Groups             int // that have alerts
}

// AlertStats counts the alerts that fire at now, and the groups. It reads all alerts.
func (e *Engine) AlertStats(ctx context.Context, now time.Time) (AlertStats, error) {
	var s AlertStats
	mutes, err := e.mutesAt(ctx, now)
	if err != nil {
		return s, err
	}
	groups := map[string]bool{}
	for page, err := range store.Pages(ctx, e.store, keyspace.Alert, pageSize) {
		if err != nil {
			return s, err
		}
		for _, it := range page {
			var rec alertRecord
			if _, err := store.Decode(it, &rec); err != nil {
				e.log.Error("cannot read an alert; it is not counted", "key", it.Key, "err", err)
				continue
			}
			for _, id := range rec.Groups {
				groups[id] = true
			}
			if mutes.leases.apply(rec.Alert).ResolvedAt(now) {
				continue
			}
			status, err := mutes.status(ctx, rec.Labels, nil)
			switch {
			case err != nil:
				return s, err
			case status.Muted():
				s.Suppressed++
			default:
				s.Active++
			}
		}
	}
	s.Groups = len(groups)
	return s, nil
}
