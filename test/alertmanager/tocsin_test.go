package alertmanager

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/silence"
	"tocsin/pkg/store/memory"
)

// playTocsin plays the scenario with Tocsin's engine. It ticks when something is due
// and once a minute, as serve does.
func (s scenario) playTocsin(ctx context.Context, upstream bool) ([]string, error) {
	tr := &transcript{begin: s.begin}
	engine, err := s.config.engine(tr, upstream)
	if err != nil {
		return nil, err
	}
	minute := s.begin
	tickUntil := func(end time.Time) error {
		for {
			next, err := engine.NextDue(ctx)
			if err != nil {
				return err
			}
			if next.IsZero() || next.After(minute) {
				next = minute
				minute = minute.Add(time.Minute)
			}
			if next.After(end) {
				return nil
			}
			if _, err := engine.Tick(ctx, next); err != nil {
				return err
			}
			if again, err := engine.NextDue(ctx); err == nil && again.Equal(next) {
				return fmt.Errorf("still due at %v after a tick then", tr.since(next))
			}
		}
	}
	ids := map[string]string{}
	for _, st := range s.steps {
		now := s.begin.Add(st.at)
		if err := tickUntil(now); err != nil {
			return nil, err
		}
		switch do := st.do.(type) {
		case push:
			if err := engine.Ingest(ctx, now, do.tocsinAlerts(now, st.at)); err != nil {
				return nil, err
			}
		case setSilence:
			for _, do := range do.all() {
				id, err := engine.Silences().Set(ctx, now, silence.Silence{ID: ids[do.name], Matchers: do.matchers,
					StartsAt: now.Add(do.start), EndsAt: now.Add(do.end), CreatedBy: "test", Comment: "test"})
				if err == nil {
					tr.add(now, "silence %s: new id %v", do.name, id != ids[do.name])
					ids[do.name] = id
				} else {
					tr.add(now, "silence %s: rejected", do.name)
				}
			}
		case expire:
			err := engine.Silences().Expire(ctx, now, ids[do.name])
			tr.add(now, "expire %s: found %v", do.name, err == nil)
		case refuse:
			tr.refuse(now, do)
		}
	}
	if err := tickUntil(s.begin.Add(s.length)); err != nil {
		return nil, err
	}
	return tr.sorted(), nil
}

// engine returns Tocsin's engine with receivers that record in tr.
func (c config) engine(tr *transcript, upstream bool) (*dispatch.Engine, error) {
	ec := dispatch.Config{Route: c.Route, InhibitRules: c.InhibitRules, TimeIntervals: c.TimeIntervals, ExternalURL: externalURL, Upstream: upstream}
	var f setting.Faults
	var known route.Names
	for _, r := range c.Receivers {
		known.Receivers = append(known.Receivers, r.Name)
		dr := &outbox.Receiver{Name: r.Name}
		for i, w := range r.Webhooks {
			dr.Integrations = append(dr.Integrations, outbox.Integration{Kind: notify.Kind{Name: "webhook"}, Index: i,
				SendResolved: w.SendResolved, Notifier: tocsinNotifier{tr, i}})
		}
		ec.Receivers = append(ec.Receivers, dr)
	}
	for _, ti := range c.TimeIntervals {
		ti.Validate(&f)
		known.TimeIntervals = append(known.TimeIntervals, ti.Name)
	}
	for _, r := range c.InhibitRules {
		r.Validate(&f)
	}
	c.Route.Validate(&f, known)
	for _, fault := range f.List() {
		if !fault.Warning {
			return nil, fmt.Errorf("%v: %s", fault.Path, fault.Message)
		}
	}
	return dispatch.New(memory.New(), ec, slog.New(slog.DiscardHandler))
}

// with returns the push with one more alert.
func (p push) with(l alert.Labels) push {
	p.alerts = append(p.alerts, l)
	return p
}

// tocsinAlerts returns the alerts of a push at now, as Tocsin ingests them. at is the
// step's time.
func (p push) tocsinAlerts(now time.Time, at time.Duration) []*alert.Alert {
	var alerts []*alert.Alert
	for _, l := range p.labels() {
		a := &alert.Alert{Labels: l, Annotations: alert.Labels{"pushed": at.String()}, StartsAt: now.Add(p.start), Timeout: p.timeout}
		if p.end != noEnd {
			a.EndsAt = now.Add(p.end)
		}
		alerts = append(alerts, a)
	}
	return alerts
}

// tocsinNotifier is a channel that records notifications.
type tocsinNotifier struct {
	*transcript
	index int
}

func (e tocsinNotifier) Messages(n *alert.Notification) ([]notify.Message, error) {
	if len(n.AcceptedUnits) > 0 {
		return nil, nil
	}
	send := func(context.Context) []notify.Outcome {
		s := sentNotification{at: n.At, receiver: n.Receiver, integration: e.index, group: n.GroupKey, reason: n.Reason,
			groupLabels: n.GroupLabels, routeLabels: n.RouteLabels}
		for _, a := range n.Alerts {
			t := notifiedAlert{labels: a.Labels, annotations: a.Annotations, start: a.StartsAt}
			if a.ResolvedAt(n.At) {
				t.end = a.EndsAt
			}
			s.alerts = append(s.alerts, t)
		}
		err := e.record(s)
		if err != nil {
			err = &notify.Error{Class: notify.Permanent, Message: err.Error()}
		}
		return notify.Outcomes([]string{"1"}, err)
	}
	return []notify.Message{{Target: "transcript", Units: []string{"1"}, Send: send}}, nil
}
