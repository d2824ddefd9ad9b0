package alertmanager

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	amdispatch "github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/nflog"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	amsilence "github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/pkg/alert"
	"tocsin/pkg/silence"
)

var discard = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	// As in the program without flags: names may be UTF-8, and matchers are parsed in
	// both notations.
	compat.InitFromFlags(discard, featurecontrol.NoopFlags{})
	m.Run()
}

const externalURL = "http://alerts.example.com"

// never is longer than any scenario.
const never = 10000 * time.Hour

// playUpstream plays the scenario with Alertmanager's engine, built as in its main
// program, in virtual time. Its garbage collections of silences and the notification
// log do not run, nor, unless it is restarted or reloaded, that of resolved alerts:
// when they do depends on the process's start, which Tocsin has no counterpart of.
func (s scenario) playUpstream(t *testing.T) (tr *transcript, err error) {
	synctest.Test(t, func(t *testing.T) {
		waitUntil(s.begin)
		tr = &transcript{begin: s.begin}
		p := &upstreamPlayer{config: s.config, tr: tr, alertGC: never, silences: map[string]string{}}
		if s.hasEvents() {
			p.alertGC = time.Minute
		}
		err = p.play(t.Context(), s)
	})
	return tr, err
}

// waitUntil waits in virtual time.
func waitUntil(t time.Time) { <-time.After(time.Until(t)) }

// upstreamPlayer plays a scenario with Alertmanager's engine within a synctest bubble.
type upstreamPlayer struct {
	config   config
	tr       *transcript
	alertGC  time.Duration
	am       *upstreamEngine
	silences map[string]string // their IDs by name
}

func (p *upstreamPlayer) play(ctx context.Context, s scenario) (err error) {
	if p.am, err = newUpstream(); err != nil {
		return err
	}
	if err := p.am.start(p.config, p.tr, p.alertGC, 0); err != nil {
		return err
	}
	defer func() { p.am.stop() }()
	for _, st := range s.steps {
		waitUntil(s.begin.Add(st.at))
		if err := p.do(ctx, time.Now(), st); err != nil {
			return err
		}
		synctest.Wait()
	}
	waitUntil(s.begin.Add(s.length))
	synctest.Wait()
	return nil
}

// do does the action of a step.
func (p *upstreamPlayer) do(ctx context.Context, now time.Time, st step) error {
	switch do := st.do.(type) {
	case push:
		return p.am.alerts.Put(ctx, do.upstreamAlerts(now, st.at)...)
	case setSilence:
		for _, do := range do.all() {
			sil := do.upstreamSilence(now, p.silences[do.name])
			if err := p.am.silences.Set(ctx, sil); err == nil {
				p.tr.add(now, "silence %s: new id %v", do.name, sil.Id != p.silences[do.name])
				p.silences[do.name] = sil.Id
			} else {
				p.tr.add(now, "silence %s: rejected", do.name)
			}
		}
	case expire:
		err := p.am.silences.Expire(ctx, p.silences[do.name])
		p.tr.add(now, "expire %s: found %v", do.name, err == nil)
	case refuse:
		p.tr.refuse(now, do)
	case reload:
		p.am.stopDispatch()
		p.config = do.change(p.config)
		return p.am.startDispatch(p.config, p.tr, 0)
	case down:
		p.am.stop()
	case up:
		return p.am.start(p.config, p.tr, p.alertGC, startDelay)
	}
	return nil
}

// upstreamEngine is Alertmanager without its HTTP server.
type upstreamEngine struct {
	// They outlive the process.
	silences *amsilence.Silences
	log      *nflog.Log

	alerts     *mem.Alerts
	inhibitor  *inhibit.Inhibitor
	dispatcher *amdispatch.Dispatcher
}

func newUpstream() (am *upstreamEngine, err error) {
	am = &upstreamEngine{}
	if am.silences, err = amsilence.New(amsilence.Options{Retention: never, Metrics: prometheus.NewRegistry()}); err != nil {
		return nil, err
	}
	am.log, err = nflog.New(nflog.Options{Retention: never, Metrics: prometheus.NewRegistry()})
	return am, err
}

// start starts the process with receivers that record in tr. Groups are flushed after
// the delay.
func (am *upstreamEngine) start(c config, tr *transcript, alertGC, delay time.Duration) (err error) {
	am.alerts, err = mem.NewAlerts(context.Background(), alertGC, 0, nil, discard, eventrecorder.NopRecorder(), prometheus.NewRegistry(), featurecontrol.NoopFlags{})
	if err != nil {
		return err
	}
	return am.startDispatch(c, tr, delay)
}

// startDispatch starts what a reload restarts.
func (am *upstreamEngine) startDispatch(c config, tr *transcript, delay time.Duration) error {
	conf, err := amconfig.Load(c.yaml())
	if err != nil {
		return err
	}
	nop := eventrecorder.NopRecorder()
	tmpl, err := template.New()
	if err != nil {
		return err
	}
	if tmpl.ExternalURL, err = url.Parse(externalURL); err != nil {
		return err
	}

	receivers := map[string][]amnotify.Integration{}
	for _, r := range conf.Receivers {
		for i, w := range r.WebhookConfigs {
			receivers[r.Name] = append(receivers[r.Name], amnotify.NewIntegration(upstreamNotifier{tr, i}, &w.NotifierConfig, "webhook", i, r.Name))
		}
	}
	intervals := map[string][]timeinterval.TimeInterval{}
	for _, ti := range conf.TimeIntervals {
		intervals[ti.Name] = ti.TimeIntervals
	}
	am.inhibitor = inhibit.NewInhibitor(am.alerts, conf.InhibitRules, discard, nop)
	groups := marker.NewGroupMarker()
	pipeline := amnotify.NewPipelineBuilder(prometheus.NewRegistry(), featurecontrol.NoopFlags{}, nop).New(receivers,
		func() time.Duration { return 0 }, am.inhibitor, amsilence.NewSilencer(am.silences, discard, nop),
		timeinterval.NewIntervener(intervals), groups, am.log, nil)
	am.dispatcher = amdispatch.NewDispatcher(am.alerts, amdispatch.NewRoute(conf.Route, nil), pipeline, groups,
		func(d time.Duration) time.Duration { return max(d, amnotify.MinTimeout) }, 30*time.Second, nil, discard, nop, nil, tmpl)

	go am.inhibitor.Run()
	am.inhibitor.WaitForLoading()
	go am.dispatcher.Run(time.Now().Add(delay))
	am.dispatcher.WaitForLoading()
	synctest.Wait()
	return nil
}

func (am *upstreamEngine) stopDispatch() {
	am.dispatcher.Stop()
	am.inhibitor.Stop()
}

func (am *upstreamEngine) stop() {
	if am.alerts == nil {
		return // it is down
	}
	am.stopDispatch()
	am.alerts.Close()
	am.alerts = nil
}

// upstreamAlerts returns the alerts of a push at now, as Alertmanager's API puts
// them. at is the step's time.
func (p push) upstreamAlerts(now time.Time, at time.Duration) []*amalert.Alert {
	var alerts []*amalert.Alert
	for _, l := range p.labels() {
		alerts = append(alerts, &amalert.Alert{UpdatedAt: now, Timeout: p.timeout, Alert: model.Alert{
			Labels: labelSet(l), Annotations: model.LabelSet{"pushed": model.LabelValue(at.String())},
			StartsAt: now.Add(p.start), EndsAt: now.Add(p.end)}})
	}
	return alerts
}

// upstreamSilence returns Alertmanager's silence with an id.
func (s setSilence) upstreamSilence(now time.Time, id string) *silencepb.Silence {
	set := &silencepb.MatcherSet{}
	for _, m := range s.matchers {
		set.Matchers = append(set.Matchers, upstreamMatcher(m))
	}
	return &silencepb.Silence{Id: id, MatcherSets: []*silencepb.MatcherSet{set},
		StartsAt: timestamppb.New(now.Add(s.start)), EndsAt: timestamppb.New(now.Add(s.end)), CreatedBy: "test", Comment: "test"}
}

func upstreamMatcher(m silence.Matcher) *silencepb.Matcher {
	t := silencepb.Matcher_NOT_EQUAL
	switch {
	case m.IsRegex && m.IsEqual:
		t = silencepb.Matcher_REGEXP
	case m.IsRegex:
		t = silencepb.Matcher_NOT_REGEXP
	case m.IsEqual:
		t = silencepb.Matcher_EQUAL
	}
	return &silencepb.Matcher{Type: t, Name: m.Name, Pattern: m.Value}
}

// upstreamNotifier is an integration that records notifications.
type upstreamNotifier struct {
	*transcript
	index int
}

func (e upstreamNotifier) Notify(ctx context.Context, alerts ...*amalert.Alert) (retry bool, err error) {
	s := sentNotification{integration: e.index}
	var ok [6]bool
	s.at, ok[0] = amnotify.Now(ctx)
	s.receiver, ok[1] = amnotify.ReceiverName(ctx)
	s.group, ok[2] = amnotify.GroupKey(ctx)
	reason, has := amnotify.NotificationReason(ctx)
	s.reason, ok[3] = reason.String(), has
	group, has := amnotify.GroupLabels(ctx)
	s.groupLabels, ok[4] = ourLabels(group), has
	route, has := amnotify.RouteLabels(ctx)
	s.routeLabels, ok[5] = ourLabels(route), has
	if ok != [6]bool{true, true, true, true, true, true} {
		return false, fmt.Errorf("the context has %v, want all", ok)
	}
	for _, a := range alerts {
		s.alerts = append(s.alerts, notifiedAlert{labels: ourLabels(a.Labels), annotations: ourLabels(a.Annotations), start: a.StartsAt, end: a.EndsAt})
	}
	return false, e.record(s)
}

func labelSet(l alert.Labels) model.LabelSet {
	set := make(model.LabelSet, len(l))
	for name, value := range l {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	return set
}

func ourLabels(set model.LabelSet) alert.Labels {
	l := make(alert.Labels, len(set))
	for name, value := range set {
		l[string(name)] = string(value)
	}
	return l
}
