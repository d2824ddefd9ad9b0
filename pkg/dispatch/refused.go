package dispatch

import (
	"context"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
)

// currentAlerts replaces the alerts of refused notifications by those to notify of
// at now, and returns for each notification those that are muted now: see
// outbox.Config.
func (e *Engine) currentAlerts(ctx context.Context, now time.Time, refused []*alert.Notification) (muted [][]*alert.Alert, err error) {
	mutes, err := e.mutesAt(ctx, now)
	if err != nil {
		return nil, err
	}
	muted = make([][]*alert.Alert, len(refused))
	for i, n := range refused {
		latest, err := e.latestAlerts(ctx, now, n.Alerts)
		if err != nil {
			return nil, err
		}
		n.Alerts = nil
		for _, a := range latest {
			r := e.routeTo(n, a.Labels)
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

// latestAlerts returns the stored state of alerts. Those that are no longer stored
// are left out unless they have resolved.
func (e *Engine) latestAlerts(ctx context.Context, now time.Time, alerts []*alert.Alert) ([]*alert.Alert, error) {
	keys := make([]string, len(alerts))
	for i, a := range alerts {
		keys[i] = alertKey(a.Fingerprint())
	}
	items, err := e.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	var latest []*alert.Alert
	for i, a := range alerts {
		var rec alertRecord
		found, err := store.Decode(items[i], &rec)
		switch {
		case err != nil:
			e.log.Error("cannot read an alert; it is notified as it was before", "key", keys[i], "err", err)
			latest = append(latest, a)
		case found:
			latest = append(latest, rec.Alert)
		case a.ResolvedAt(now):
			latest = append(latest, a)
		}
	}
	return latest, nil
}

// routeTo returns the route by which an alert with these labels is in the
// notification, or another route to the same receiver; nil if there is none now.
func (e *Engine) routeTo(n *alert.Notification, l alert.Labels) (to *route.Route) {
	for _, r := range e.root.Match(l) {
		if r.Receiver == n.Receiver && (to == nil || r.GroupFor(l).Key == n.GroupKey) {
			to = r
		}
	}
	return to
}
