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
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/store/storetest"
)

// tocsinPlayer plays a scenario with Tocsin's engine. It ticks when something is due
// and once a minute, as serve does.
type tocsinPlayer struct {
	config      config
	upstream    bool // Config.Upstream
	tr          *transcript
	store       store.Store
	unreachable bool              // the store
	engine      *dispatch.Engine  // nil while the process is down
	minute      time.Time         // of the next of the ticks that are once a minute
	starts      time.Time         // before which there is no tick
	intake      time.Time         // of the next record that alerts can be received; zero for never
	silences    map[string]string // their IDs by name
}

// playTocsin plays the scenario with Tocsin's engine.
func (s scenario) playTocsin(ctx context.Context, upstream bool) (*transcript, error) {
	p := &tocsinPlayer{config: s.config, upstream: upstream, tr: &transcript{begin: s.begin}, minute: s.begin, silences: map[string]string{}}
	p.store = storetest.Intercept(memory.New(), func(_ context.Context, _ storetest.Op, do func() error) error {
		if p.unreachable {
			return store.ErrUnavailable
		}
		return do()
	})
	if s.hasEvents() {
		p.intake = s.begin
	}
	if err := p.load(); err != nil {
		return nil, err
	}
	for i, st := range s.steps {
		now := s.begin.Add(st.at)
		if i > 0 && s.steps[i-1].at == st.at {
			// A source sends alerts of different ages in one request.
		} else if err := p.runUntil(ctx, now); err != nil {
			return nil, err
		}
		if err := p.do(ctx, now, st); err != nil {
			return nil, err
		}
	}
	return p.tr, p.runUntil(ctx, s.begin.Add(s.length))
}

// load loads the configuration.
func (p *tocsinPlayer) load() (err error) {
	p.engine, err = p.config.engine(p.store, p.tr, p.upstream)
	return err
}

// runUntil runs what serve runs by itself until a time.
func (p *tocsinPlayer) runUntil(ctx context.Context, end time.Time) error {
	for p.engine != nil {
		next, minute, err := p.minute, true, error(nil)
		if due, err := p.engine.NextDue(ctx); !p.unreachable && err == nil && !due.IsZero() && !due.After(next) {
			next, minute = due, false
		}
		if next.Before(p.starts) {
			next = p.starts
		}
		switch records := !p.intake.IsZero() && p.intake.Before(next); {
		case records && p.intake.After(end), !records && next.After(end):
			return nil
		case records:
			err = p.engine.RecordIntake(ctx, p.intake, intakeInterval)
			p.intake = p.intake.Add(intakeInterval)
		default:
			if minute {
				p.minute = p.minute.Add(time.Minute)
			}
			err = p.tick(ctx, next)
		}
		if err != nil && !p.unreachable {
			return err
		}
	}
	return nil
}

// intakeInterval is how often serve records that alerts can be received.
const intakeInterval = 10 * time.Second

// tick ticks at now, and again if alerts have moved to groups that are due.
func (p *tocsinPlayer) tick(ctx context.Context, now time.Time) error {
	for range 3 {
		if _, err := p.engine.Tick(ctx, now); err != nil {
			return err
		}
		if again, err := p.engine.NextDue(ctx); err != nil || again.IsZero() || again.After(now) {
			return err
		}
	}
	return fmt.Errorf("still due at %v after three ticks then", p.tr.since(now))
}

// do does the action of a step.
func (p *tocsinPlayer) do(ctx context.Context, now time.Time, st step) error {
	switch do := st.do.(type) {
	case push:
		return p.engine.Ingest(ctx, now, do.tocsinAlerts(now, st.at))
	case setSilence:
		for _, do := range do.all() {
			id, err := p.engine.Silences().Set(ctx, now, silence.Silence{ID: p.silences[do.name], Matchers: do.matchers,
				StartsAt: now.Add(do.start), EndsAt: now.Add(do.end), CreatedBy: "test", Comment: "test"})
			if err == nil {
				p.tr.add(now, "silence %s: new id %v", do.name, id != p.silences[do.name])
				p.silences[do.name] = id
			} else {
				p.tr.add(now, "silence %s: rejected", do.name)
			}
		}
	case expire:
		err := p.engine.Silences().Expire(ctx, now, p.silences[do.name])
		p.tr.add(now, "expire %s: found %v", do.name, err == nil)
	case refuse:
		p.tr.refuse(now, do)
	case reload:
		p.config = do.change(p.config)
		if err := p.load(); err != nil {
			return err
		}
		return p.engine.Restart(ctx, now)
	case down:
		if p.unreachable = do.store; !do.store {
			p.engine = nil
		}
	case up:
		if p.unreachable {
			p.unreachable, p.starts = false, now
			return nil
		}
		p.minute, p.intake, p.starts = now, now, now.Add(startDelay)
		return p.load()
	}
	return nil
}

// engine returns Tocsin's engine on a store, with receivers that record in tr.
func (c config) engine(st store.Store, tr *transcript, upstream bool) (*dispatch.Engine, error) {
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
	return dispatch.New(st, ec, slog.New(slog.DiscardHandler))
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
