package dispatch

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
)

// Quiet is why an alert is kept quiet; all empty means that it is not.
type MuteStatus struct {
	SilencedBy  []string // ids of silences
	InhibitedBy []string // fingerprints of alerts
	MutedBy     []string // names of time intervals

	inactive bool // MutedBy are active intervals, and this is none of their times
}

// Muted tells whether there is any reason.
func (q MuteStatus) Muted() bool {
	return len(q.SilencedBy)+len(q.InhibitedBy)+len(q.MutedBy) > 0
}

// muter answers, for one moment, why alerts are kept quiet. What it reads of the
// store it reads once.
type mutes struct {
	inhibitor
	intervals intervals
	silences  []activeSilence
}

type activeSilence struct {
	id       string
	matchers labels.Matchers
}

func (e *Engine) mutesAt(ctx context.Context, now time.Time) (*mutes, error) {
	if err := e.syncInhibitRules(ctx, now); err != nil {
		return nil, err
	}
	m := &mutes{inhibitor: inhibitor{rules: e.inhibition, store: e.store, now: now, log: e.log}, intervals: e.intervals}
	all, err := e.Silences(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.State(now) != SilenceActive {
			continue
		}
		matchers, err := s.validate()
		if err != nil {
			e.log.Error("a stored silence is not valid; it silences nothing", "id", s.ID, "err", err)
			continue
		}
		m.silences = append(m.silences, activeSilence{s.ID, matchers})
	}
	return m, nil
}

// why returns the reasons that hold for an alert with these labels on a route.
func (m *mutes) status(ctx context.Context, l alert.Labels, route *Route) (q MuteStatus, err error) {
	q.MutedBy, q.inactive = m.intervals.mute(route, m.now)
	q.SilencedBy = m.silencedBy(l)
	q.InhibitedBy, err = m.inhibitedBy(ctx, l)
	return q, err
}

func (m *mutes) silencedBy(l alert.Labels) (ids []string) {
	for _, s := range m.silences {
		if matches(s.matchers, l) {
			ids = append(ids, s.id)
		}
	}
	return ids
}

func (m *mutes) inhibitedBy(ctx context.Context, l alert.Labels) ([]string, error) {
	source, err := m.by(ctx, l)
	if source == "" {
		return nil, err
	}
	return []string{source}, err
}

// reason is the first stage of Alertmanager's pipeline at which the alert was
// held back, in the word of its metrics.
func (q MuteStatus) reason() string {
	switch {
	case len(q.InhibitedBy) > 0:
		return "inhibition"
	case q.inactive:
		return "active_time_interval"
	case len(q.MutedBy) > 0:
		return "mute_time_interval"
	default:
		return "silence"
	}
}

// mute returns the names of the time intervals that keep a route quiet at now:
// all of its active intervals when none of them contains now, which inactive
// tells, and otherwise those of its mute intervals that do.
func (in intervals) mute(r *Route, now time.Time) (names []string, inactive bool) {
	contains := func(name string) bool { return in.contains(name, now) }
	if len(r.activeIntervals) > 0 && !slices.ContainsFunc(r.activeIntervals, contains) {
		return r.activeIntervals, true
	}
	for _, name := range r.muteIntervals {
		if contains(name) {
			names = append(names, name)
		}
	}
	return names, false
}
