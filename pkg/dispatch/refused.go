package dispatch

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
)

// refusals keeps the notifications that receivers refused, and the record of them, up to
// date.
type refusals struct {
	store   store.Store
	root    *route.Route
	logs    *notificationLogs
	mutesAt func(context.Context, time.Time) (*mutes, error)
	log     *slog.Logger
}

// current replaces the alerts of refused notifications by those to notify of
// at now, and returns for each notification those that are muted now: see
// outbox.Config.
func (f *refusals) current(ctx context.Context, now time.Time, refused []*alert.Notification) (muted [][]*alert.Alert, err error) {
	mutes, err := f.mutesAt(ctx, now)
	if err != nil {
		return nil, err
	}
	muted = make([][]*alert.Alert, len(refused))
	for i, n := range refused {
		latest, err := f.latest(ctx, mutes.leases, n.Alerts)
		if err != nil {
			return nil, err
		}
		n.Alerts = nil
		for _, a := range latest {
			r := f.routeTo(n, a.Labels)
			if r == nil && n.FallbackFor == "" && !a.ResolvedAt(now) {
				continue // the configuration routes it to other receivers now
			}
			status, err := mutes.status(ctx, a.Labels, r)
			switch {
			case err != nil:
				return nil, err
			case status.Muted():
				muted[i] = append(muted[i], a)
			default:
				n.Alerts = append(n.Alerts, a)
			}
		}
		alert.Sort(n.Alerts)
	}
	return muted, nil
}

// latest returns the stored state of alerts, with their leases extended. Those
// that are no longer stored are left out unless they have resolved.
func (f *refusals) latest(ctx context.Context, leases leases, alerts []*alert.Alert) ([]*alert.Alert, error) {
	keys := make([]string, len(alerts))
	for i, a := range alerts {
		keys[i] = alertKey(a.Fingerprint())
	}
	items, err := f.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	var latest []*alert.Alert
	for i, a := range alerts {
		var rec alertRecord
		found, err := store.Decode(items[i], &rec)
		switch {
		case err != nil:
			f.log.Error("cannot read an alert; it is notified as it was before", "key", keys[i], "err", err)
			latest = append(latest, leases.apply(a))
		case found:
			latest = append(latest, leases.apply(rec.Alert))
		case leases.apply(a).ResolvedAt(leases.now):
			latest = append(latest, a)
		}
	}
	return latest, nil
}

// routeTo returns the route by which an alert with these labels is in the
// notification, or another route to the same receiver; nil if there is none now.
func (f *refusals) routeTo(n *alert.Notification, l alert.Labels) (to *route.Route) {
	for _, r := range f.root.Match(l) {
		if r.Receiver == n.Receiver && (to == nil || r.GroupFor(l).Key == n.GroupKey) {
			to = r
		}
	}
	return to
}

// recordAccepted sets the time of the integration's last notification to that of the
// flush at which it was accepted, so that repetitions count from then. The muted
// alerts do not count as notified then: see outbox.Config. Their end is to be notified
// nevertheless if the integration may have been notified of them before the refusal: it
// was of some alert, unless this is the first notification. Without SendResolved the
// notification left out the alerts that had resolved: they are new when they fire again.
func (f *refusals) recordAccepted(ctx context.Context, now time.Time, id string, in outbox.Integration, n alert.Notification, muted []*alert.Alert) error {
	unnotified := map[alert.Fingerprint]bool{}
	for _, a := range muted {
		unnotified[a.Fingerprint()] = !a.ResolvedAt(now)
	}
	listed := map[alert.Fingerprint]bool{}
	for _, a := range n.Alerts {
		listed[a.Fingerprint()] = true
	}
	return store.RetryOnConflict(ctx, func() error {
		stored, err := f.logs.stored(ctx, id)
		if err != nil {
			return err
		}
		g := &group{id: id, route: f.routeTo(&n, n.Alerts[0].Labels)}
		for _, l := range f.logs.ofRoute(g.route, stored) {
			if l.receiver != n.Receiver || l.integration.Name() != in.Name() || l.former || l.last == nil {
				continue
			}
			entry := *l.last
			if n.At.After(entry.At) {
				entry.At = n.At
			}
			entry.Firing = nil
			for _, fp := range l.last.Firing {
				switch {
				case !unnotified[fp] && (listed[fp] || in.SendResolved):
					entry.Firing = append(entry.Firing, fp)
				case unnotified[fp] && n.Reason != alert.ReasonFirst:
					entry.Muted = append(entry.Muted, fp)
				}
			}
			slices.Sort(entry.Muted)
			changes, err := logChanges(now, g, []plannedLog{{log: l, entry: entry}})
			if err != nil {
				return err
			}
			return f.store.Commit(ctx, now, changes...)
		}
		return nil
	})
}
