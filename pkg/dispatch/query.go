package dispatch

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// AlertView is the state of an alert at a time.
type AlertView struct {
	*alert.Alert
	Fingerprint alert.Fingerprint
	// Receivers are those of the routes that match the alert, each once.
	Receivers []string
	// MuteStatus has no time intervals, since they belong to routes and several
	// may match: see GroupView.MutedBy.
	MuteStatus
}

// GroupView is the state of a group of alerts at a time.
type GroupView struct {
	Receiver    string
	Labels      alert.Labels
	RouteLabels alert.Labels
	// MutedBy are the time intervals that mute the group now.
	MutedBy []string
	Alerts  []AlertView

	route *route.Route
}

// Alerts returns the alerts that fire at now, in order of their fingerprints. Their
// mute status is that of now, not of the last flush.
func (e *Engine) Alerts(ctx context.Context, now time.Time) ([]AlertView, error) {
	mutes, err := e.mutesAt(ctx, now)
	if err != nil {
		return nil, err
	}
	var all []AlertView
	for page, err := range store.Pages(ctx, e.store, keyspace.Alert, pageSize) {
		if err != nil {
			return nil, err
		}
		for _, it := range page {
			a, err := decodeAlert(it)
			if err != nil {
				e.log.Error("cannot read an alert; it is not listed", "key", it.Key, "err", err)
				continue
			}
			if a = mutes.leases.apply(a); a.ResolvedAt(now) {
				continue
			}
			status, err := mutes.status(ctx, a.Labels, nil)
			if err != nil {
				return nil, err
			}
			all = append(all, AlertView{a, a.Fingerprint(), e.root.Receivers(a.Labels), status})
		}
	}
	return all, nil
}

// Groups returns the groups of the alerts that fire at now, in order of their
// labels and receivers. An alert is in one group for each route that matches it.
func (e *Engine) Groups(ctx context.Context, now time.Time) ([]GroupView, error) {
	alerts, err := e.Alerts(ctx, now)
	if err != nil {
		return nil, err
	}
	views := map[string]*GroupView{}
	for _, a := range alerts {
		for _, r := range e.root.Match(a.Labels) {
			group := r.GroupFor(a.Labels)
			v := views[group.ID]
			if v == nil {
				v = &GroupView{Receiver: r.Receiver, Labels: group.Labels, route: r}
				v.MutedBy, _ = e.intervals.Muting(r, now)
				views[group.ID] = v
			}
			v.Alerts = append(v.Alerts, a)
		}
	}
	var all []GroupView
	for _, v := range views {
		n := alert.Notification{At: now, GroupLabels: v.Labels}
		for _, a := range v.Alerts {
			n.Alerts = append(n.Alerts, a.Alert)
		}
		v.RouteLabels = v.route.RenderLabels(n, &e.style, e.log)
		all = append(all, *v)
	}
	slices.SortFunc(all, func(a, b GroupView) int {
		return cmp.Or(a.Labels.Compare(b.Labels), strings.Compare(a.Receiver, b.Receiver))
	})
	return all, nil
}

// Preview returns the first notification that the receiver would get of the alerts
// as one group: the group of the first alert on the first matching route to that
// receiver, or one without labels if there is no such route. It stores nothing.
func (e *Engine) Preview(now time.Time, receiver string, alerts []*alert.Alert) *alert.Notification {
	n := &alert.Notification{Receiver: receiver, Reason: alert.ReasonFirst, At: now, Alerts: alerts}
	for _, r := range e.root.Match(alerts[0].Labels) {
		if r.Receiver == receiver {
			group := r.GroupFor(alerts[0].Labels)
			n.GroupLabels, n.GroupKey = group.Labels, group.Key
			n.RouteLabels = r.RenderLabels(*n, &e.style, e.log)
			break
		}
	}
	return n
}

// ReceiversOf returns the receivers of the routes that match an alert with these
// labels, each once.
func (e *Engine) ReceiversOf(l alert.Labels) []string { return e.root.Receivers(l) }

// InTimeInterval reports whether the time interval with the name contains t; false
// if there is no such interval.
func (e *Engine) InTimeInterval(name string, t time.Time) bool { return e.intervals.Contains(name, t) }
