package dispatch

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// AlertView is an alert as it stands at a time.
type AlertView struct {
	*alert.Alert
	Fingerprint alert.Fingerprint
	// Receivers are those of the routes that the alert takes, each once.
	Receivers []string
	// Quiet is why it is kept quiet now. The time intervals of its routes are
	// told of its groups only, since it may take several routes.
	MuteStatus
}

// GroupView is a group of alerts as it stands at a time.
type GroupView struct {
	Receiver    string
	Labels      alert.Labels
	RouteLabels alert.Labels
	// MutedBy are the time intervals that keep the group quiet now.
	MutedBy []string
	Alerts  []AlertView

	route *Route
}

// Alerts returns the alerts that fire at now, in order of their fingerprints.
// How they stand is judged by the silences and the other alerts of this moment,
// not of the last flush.
func (e *Engine) Alerts(ctx context.Context, now time.Time) ([]AlertView, error) {
	quiet, err := e.mutesAt(ctx, now)
	if err != nil {
		return nil, err
	}
	var all []AlertView
	for after := ""; ; {
		page, err := e.store.List(ctx, "alert/", after, pageSize)
		if err != nil {
			return nil, err
		}
		for _, it := range page {
			after = it.Key
			var rec alertRecord
			if _, err := read(it, &rec); err != nil {
				e.log.Error("cannot read an alert; it is not shown", "key", it.Key, "err", err)
				continue
			}
			if rec.ResolvedAt(now) {
				continue
			}
			v := AlertView{Alert: rec.Alert, Fingerprint: rec.Fingerprint(), Receivers: e.ReceiversOf(rec.Labels)}
			v.SilencedBy = quiet.silencedBy(rec.Labels)
			if v.InhibitedBy, err = quiet.inhibitedBy(ctx, rec.Labels); err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		if len(page) < pageSize {
			return all, nil
		}
	}
}

// Groups returns the groups of the alerts that fire at now, in order of their
// labels and receivers; an alert is in one group for each route it takes.
func (e *Engine) Groups(ctx context.Context, now time.Time) ([]GroupView, error) {
	alerts, err := e.Alerts(ctx, now)
	if err != nil {
		return nil, err
	}
	groups := map[string]*GroupView{}
	for _, a := range alerts {
		for _, r := range e.route.Match(a.Labels) {
			labels := r.groupLabels(a.Labels)
			id := groupID(r.ID, r.groupKey(labels))
			g := groups[id]
			if g == nil {
				g = &GroupView{Receiver: r.Receiver, Labels: labels, route: r}
				g.MutedBy, _ = e.intervals.mute(r, now)
				groups[id] = g
			}
			g.Alerts = append(g.Alerts, a)
		}
	}
	var all []GroupView
	for _, g := range groups {
		n := alert.Notification{At: now, GroupLabels: g.Labels}
		for _, a := range g.Alerts {
			n.Alerts = append(n.Alerts, a.Alert)
		}
		g.RouteLabels = e.routeLabels(g.route, n)
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b GroupView) int {
		return cmp.Or(a.Labels.Compare(b.Labels), strings.Compare(a.Receiver, b.Receiver))
	})
	return all, nil
}

// Group returns what alerts are to a receiver if they are one group: with the
// labels of the first route that takes the first alert there, or none when no
// route does. It is for a look ahead; nothing is stored.
func (e *Engine) Preview(now time.Time, receiver string, alerts []*alert.Alert) *alert.Notification {
	n := &alert.Notification{Receiver: receiver, Reason: "first notification", At: now, Alerts: alerts}
	for _, r := range e.route.Match(alerts[0].Labels) {
		if r.Receiver == receiver {
			n.GroupLabels = r.groupLabels(alerts[0].Labels)
			n.RouteLabels = e.routeLabels(r, *n)
			n.GroupKey = r.groupKey(n.GroupLabels)
			break
		}
	}
	return n
}

// ReceiversOf returns the receivers of the routes that an alert with these labels
// takes, each once.
func (e *Engine) ReceiversOf(l alert.Labels) []string {
	var names []string
	for _, r := range e.route.Match(l) {
		if !slices.Contains(names, r.Receiver) {
			names = append(names, r.Receiver)
		}
	}
	return names
}

// Receivers returns the names of all receivers, in order.
func (e *Engine) Receivers() []string {
	var names []string
	for name := range e.receivers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
