package dispatch

import (
	"context"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/route"
	"tocsin/pkg/silence"
	"tocsin/pkg/store"
)

// MuteStatus lists the reasons why an alert is muted. It is not muted if all are
// empty.
type MuteStatus struct {
	SilencedBy  []string // ids of silences
	InhibitedBy []string // fingerprints of alerts
	MutedBy     []string // names of time intervals

	inactive bool // MutedBy are active intervals, none of which contains the time
}

// Muted reports whether there is any reason.
func (s MuteStatus) Muted() bool {
	return len(s.SilencedBy)+len(s.InhibitedBy)+len(s.MutedBy) > 0
}

// reason returns the first stage of Alertmanager's pipeline that would have dropped
// the alert, as its metrics name it.
func (s MuteStatus) reason() string {
	switch {
	case len(s.InhibitedBy) > 0:
		return "inhibition"
	case s.inactive:
		return "active_time_interval"
	case len(s.MutedBy) > 0:
		return "mute_time_interval"
	default:
		return "silence"
	}
}

// mutes computes mute statuses for one point in time. What it reads from the store
// it reads once. It is safe for concurrent use.
type mutes struct {
	now        time.Time
	intervals  route.Intervals
	inhibition *inhibit.Snapshot
	silences   *silence.Muter
	leases     leases
}

func (e *Engine) mutesAt(ctx context.Context, now time.Time) (*mutes, error) {
	leases, err := e.intake.leasesAt(ctx, now)
	if err != nil {
		return nil, err
	}
	decode := func(it store.Item) (*alert.Alert, error) {
		a, err := decodeAlert(it)
		if err != nil {
			return nil, err
		}
		return leases.apply(a), nil
	}
	if err := e.inhibitor.Sync(ctx, now, decode); err != nil {
		return nil, err
	}
	silences, err := e.silences.ActiveAt(ctx, now)
	if err != nil {
		return nil, err
	}
	return &mutes{now, e.intervals, e.inhibitor.At(now, leases.end), silences, leases}, nil
}

func decodeAlert(it store.Item) (*alert.Alert, error) {
	var rec alertRecord
	_, err := store.Decode(it, &rec)
	return rec.Alert, err
}

// status returns the reasons why an alert with these labels is muted on a route. A
// nil route has no time intervals.
func (m *mutes) status(ctx context.Context, l alert.Labels, r *route.Route) (s MuteStatus, err error) {
	if r != nil {
		s.MutedBy, s.inactive = m.intervals.Muting(r, m.now)
	}
	s.SilencedBy = m.silences.MutedBy(l)
	source, err := m.inhibition.InhibitedBy(ctx, l)
	if source != "" {
		s.InhibitedBy = []string{source}
	}
	return s, err
}
