package alertmanager

import (
	"context"
	"errors"
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
// program, in virtual time. Its garbage collections of resolved alerts, silences and
// the notification log do not run: when they do depends on the process's start,
// which Tocsin has no counterpart of.
func (s scenario) playUpstream(t *testing.T) (lines []string, err error) {
	synctest.Test(t, func(t *testing.T) { lines, err = s.playInBubble() })
	return lines, err
}

// waitUntil waits in virtual time.
func waitUntil(t time.Time) { <-time.After(time.Until(t)) }

// playInBubble is playUpstream within a synctest bubble.
func (s scenario) playInBubble() ([]string, error) {
	waitUntil(s.begin)
	tr := &transcript{begin: s.begin}
	am, err := s.config.startUpstream(tr)
	if err != nil {
		return nil, err
	}
	defer am.stop()

	ctx := context.Background()
	ids := map[string]string{}
	for _, st := range s.steps {
		waitUntil(s.begin.Add(st.at))
		now := time.Now()
		switch do := st.do.(type) {
		case push:
			if err := am.alerts.Put(ctx, do.upstreamAlerts(now, st.at)...); err != nil {
				return nil, err
			}
		case setSilence:
			for _, do := range do.all() {
				sil := do.upstreamSilence(now, ids[do.name])
				if err := am.silences.Set(ctx, sil); err == nil {
					tr.add(now, "silence %s: new id %v", do.name, sil.Id != ids[do.name])
					ids[do.name] = sil.Id
				} else {
					tr.add(now, "silence %s: rejected", do.name)
				}
			}
		case expire:
			err := am.silences.Expire(ctx, ids[do.name])
			tr.add(now, "expire %s: found %v", do.name, err == nil)
		case refuse:
			tr.refuse(now, do)
		}
		synctest.Wait()
	}
	waitUntil(s.begin.Add(s.length))
	synctest.Wait()
	return tr.sorted(), nil
}

// upstreamEngine is Alertmanager without its HTTP server.
type upstreamEngine struct {
	alerts     *mem.Alerts
	silences   *amsilence.Silences
	inhibitor  *inhibit.Inhibitor
	dispatcher *amdispatch.Dispatcher
}

// startUpstream starts Alertmanager's engine with receivers that record in tr.
func (c config) startUpstream(tr *transcript) (*upstreamEngine, error) {
	conf, err := amconfig.Load(c.yaml())
	if err != nil {
		return nil, err
	}
	nop := eventrecorder.NopRecorder()
	am := &upstreamEngine{}
	var errs [5]error
	am.alerts, errs[0] = mem.NewAlerts(context.Background(), never, 0, nil, discard, nop, prometheus.NewRegistry(), featurecontrol.NoopFlags{})
	am.silences, errs[1] = amsilence.New(amsilence.Options{Retention: never, Metrics: prometheus.NewRegistry()})
	log, err := nflog.New(nflog.Options{Retention: never, Metrics: prometheus.NewRegistry()})
	errs[2] = err
	tmpl, err := template.New()
	errs[3] = err
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if tmpl.ExternalURL, err = url.Parse(externalURL); err != nil {
		return nil, err
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
		timeinterval.NewIntervener(intervals), groups, log, nil)
	am.dispatcher = amdispatch.NewDispatcher(am.alerts, amdispatch.NewRoute(conf.Route, nil), pipeline, groups,
		func(d time.Duration) time.Duration { return max(d, amnotify.MinTimeout) }, 30*time.Second, nil, discard, nop, nil, tmpl)

	go am.inhibitor.Run()
	am.inhibitor.WaitForLoading()
	go am.dispatcher.Run(time.Now())
	am.dispatcher.WaitForLoading()
	synctest.Wait()
	return am, nil
}

func (am *upstreamEngine) stop() {
	am.dispatcher.Stop()
	am.inhibitor.Stop()
	am.alerts.Close()
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
