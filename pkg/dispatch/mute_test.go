package dispatch_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/silence"
)

func topicSilence(topic string, from, to float64) silence.Silence {
	return silence.Silence{Matchers: []silence.Matcher{{Name: "topic", Value: topic, IsEqual: true}}, StartsAt: at(from), EndsAt: at(to), CreatedBy: "ops", Comment: "c"}
}

func (w *world) silence(now time.Time, s silence.Silence) string {
	w.t.Helper()
	id, err := w.engine.Silences().Set(w.t.Context(), now, s)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func oneReceiver(c *channel) *outbox.Receiver {
	return &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "test")}}
}

// A silenced alert is left out, and told when the silence is over.
func TestSilence(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "1m", "1h"), oneReceiver(c))
	w.silence(at(0), topicSilence("a", 0, 100))
	w.fire(at(0), "a", "b")
	w.tick(at(0))
	w.expect(c, "first notification:b;")
	w.tick(at(60))
	w.expect(c)
	w.tick(at(120))
	w.expect(c, "new alerts added:a,b;")
}

// What ended while it was silenced is announced when the silence is over, and
// only then; Alertmanager never announces it.
func TestEndedWhileSilenced(t *testing.T) {
	for _, upstream := range []bool{false, true} {
		c := &channel{}
		w := newWorld(t, newRouteConfig("0s", "1m", "1h"), oneReceiver(c))
		w.config.Upstream = upstream
		w.restart(newRouteConfig("0s", "1m", "1h"))
		w.fire(at(0), "a")
		w.tick(at(0))
		w.expect(c, "first notification:a;")
		w.silence(at(10), topicSilence("a", 10, 150))
		w.resolve(at(20), "a")
		w.tick(at(60))
		w.tick(at(120))
		w.expect(c)
		w.tick(at(180))
		if upstream {
			w.expect(c)
		} else {
			w.expect(c, "all alerts resolved:;a")
		}
		if next, _ := w.engine.NextDue(t.Context()); !next.IsZero() && upstream {
			t.Errorf("upstream: the group is still due at %v", next)
		}
	}
}

// What ended while it was silenced and fires again is told at once; Alertmanager
// takes it for told until repeat_interval has passed.
func TestFiresAgainAfterItEndedSilenced(t *testing.T) {
	for _, upstream := range []bool{false, true} {
		c := &channel{}
		w := newWorld(t, newRouteConfig("0s", "1m", "1h"), oneReceiver(c))
		w.config.Upstream = upstream
		w.restart(newRouteConfig("0s", "1m", "1h"))
		w.fire(at(0), "a")
		w.tick(at(0))
		w.expect(c, "first notification:a;")
		w.silence(at(10), topicSilence("a", 10, 100))
		w.resolve(at(20), "a")
		w.tick(at(60))
		w.fire(at(110), "a")
		w.tick(at(120))
		if upstream {
			w.expect(c)
		} else {
			w.expect(c, "first notification:a;")
		}
	}
}

// The states of a silence, and what editing it does.
func TestSilenceLife(t *testing.T) {
	w := newWorld(t, newRouteConfig("0s", "1m", "1h"), oneReceiver(&channel{}))
	get := func(id string) *silence.Silence {
		t.Helper()
		s, err := w.engine.Silences().Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// A start in the past is now.
	id := w.silence(at(50), topicSilence("a", 0, 100))
	if s := get(id); !s.StartsAt.Equal(at(50)) || s.State(at(49)) != silence.Pending || s.State(at(50)) != silence.Active ||
		s.State(at(100)) != silence.Active || s.State(at(100.001)) != silence.Expired {
		t.Errorf("%+v", s)
	}
	// A longer active one is the same silence.
	longer := topicSilence("a", 50, 200)
	longer.ID = id
	if got := w.silence(at(60), longer); got != id || !get(id).EndsAt.Equal(at(200)) {
		t.Errorf("lengthened: id %s, %+v", got, get(id))
	}
	// Other matchers make another one, and end the first.
	other := topicSilence("b", 50, 200)
	other.ID = id
	second := w.silence(at(70), other)
	if second == id || !get(id).EndsAt.Equal(at(70)) || !get(second).StartsAt.Equal(at(70)) {
		t.Errorf("changed: first %+v, second %+v", get(id), get(second))
	}
	// An expired one is not woken up.
	again := topicSilence("a", 90, 200)
	again.ID = id
	if third := w.silence(at(90), again); third == id {
		t.Error("an expired silence was changed in place")
	}
	// Ending twice is ending once; an unknown id is an error.
	for range 2 {
		if err := w.engine.Silences().Expire(t.Context(), at(95), second); err != nil {
			t.Fatal(err)
		}
	}
	if s := get(second); !s.EndsAt.Equal(at(95)) {
		t.Errorf("ended: %+v", s)
	}
	if err := w.engine.Silences().Expire(t.Context(), at(95), "nonsense"); !errors.Is(err, silence.ErrNotFound) {
		t.Errorf("unknown id: %v", err)
	}
	// A pending one that is ended never was.
	pending := w.silence(at(100), topicSilence("a", 1000, 2000))
	if err := w.engine.Silences().Expire(t.Context(), at(110), pending); err != nil {
		t.Fatal(err)
	}
	if s := get(pending); !s.StartsAt.Equal(at(110)) || !s.EndsAt.Equal(at(110)) {
		t.Errorf("pending ended: %+v", s)
	}
}

func TestInvalidSilences(t *testing.T) {
	w := newWorld(t, newRouteConfig("0s", "1m", "1h"), oneReceiver(&channel{}))
	with := func(m ...silence.Matcher) silence.Silence {
		return silence.Silence{Matchers: m, StartsAt: at(0), EndsAt: at(10)}
	}
	for want, s := range map[string]silence.Silence{
		"at least one matcher required":                        with(),
		"at least one matcher must not match the empty string": with(silence.Matcher{Name: "a", Value: ".*", IsRegex: true, IsEqual: true}, silence.Matcher{Name: "b", IsEqual: true}),
		"invalid label matcher 0":                              with(silence.Matcher{Name: "a", Value: "(", IsRegex: true, IsEqual: true}),
		"the label has no name":                                with(silence.Matcher{Value: "a", IsEqual: true}),
		"end time must not be before start time":               topicSilence("a", 10, 5),
		"invalid zero end timestamp":                           {Matchers: topicSilence("a", 0, 1).Matchers, StartsAt: at(0)},
	} {
		if _, err := w.engine.Silences().Set(t.Context(), at(0), s); !errors.Is(err, silence.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want invalid silence: %s", err, want)
		}
	}
}

// A condition that an absent label meets is one as well: Alertmanager asks only
// whether = and =~ match nothing at all.
func TestNegativeSilence(t *testing.T) {
	c := &channel{}
	w := newWorld(t, byTopic(), oneReceiver(c))
	for _, regex := range []bool{false, true} {
		id := w.silence(at(0), silence.Silence{Matchers: []silence.Matcher{{Name: "topic", Value: "a", IsRegex: regex}}, StartsAt: at(0), EndsAt: at(100)})
		quiet, err := w.engine.Silences().Get(t.Context(), id)
		if err != nil || quiet.State(at(1)) != silence.Active {
			t.Errorf("%+v, %v", quiet, err)
		}
	}
	w.fire(at(10), "a", "b")
	w.tick(at(10))
	w.expect(c, "first notification:a;")
}

// A rule that is written twice is one rule.
func TestInhibitRuleTwice(t *testing.T) {
	c := &channel{}
	w := newWorld(t, byTopic(), oneReceiver(c))
	rule := inhibit.Rule{SourceMatchers: []string{"topic=a"}, TargetMatchers: []string{"topic=b"}}
	w.config.InhibitRules = []inhibit.Rule{rule, rule}
	w.restart(byTopic())
	w.fire(at(0), "a", "b")
	w.tick(at(0))
	w.expect(c, "first notification:a;")
}

// A rule that is new counts for alerts that fire already and are not said again,
// and of one that is gone nothing remains.
func TestInhibitRulesChange(t *testing.T) {
	c := &channel{}
	w := newWorld(t, byTopic(), oneReceiver(c))
	w.fire(at(0), append(numbered("more", 2500), "a")...)
	w.tick(at(0))
	c.heard()
	sources := func() int {
		items, err := w.store.List(t.Context(), "source/", "", 5000)
		if err != nil {
			t.Fatal(err)
		}
		return len(items)
	}
	w.config.InhibitRules = []inhibit.Rule{
		{SourceMatchers: []string{"topic=a"}, TargetMatchers: []string{"topic=b"}},
		{SourceMatchers: []string{"topic=~more.*"}, TargetMatchers: []string{"topic=c"}, Equal: []string{"alertname"}},
	}
	w.restart(byTopic())
	w.fire(at(10), "b", "c")
	w.tick(at(10))
	w.expect(c)
	if n := sources(); n != 2501 {
		t.Errorf("%d sources, want 2501", n)
	}
	w.config.InhibitRules = w.config.InhibitRules[:1]
	w.restart(byTopic())
	w.fire(at(20), "c")
	w.tick(at(310))
	w.expect(c, "first notification:c;")
	if n := sources(); n != 1 {
		t.Errorf("%d sources, want 1", n)
	}
	w.config.InhibitRules = nil
	w.restart(byTopic())
	w.tick(at(610))
	w.expect(c, "first notification:b;")
	if n := sources(); n != 0 {
		t.Errorf("%d sources left", n)
	}
}

// A source keeps targets quiet that agree with it in the equal labels, while it
// fires, and no others.
func TestInhibition(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "1m", "1h"), oneReceiver(c))
	w.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"alertname=Lag"}, Equal: []string{"zone"}}}
	w.restart(newRouteConfig("0s", "1m", "1h"))
	push := func(now time.Time, alerts ...*alert.Alert) {
		t.Helper()
		if err := w.engine.Ingest(t.Context(), now, alerts); err != nil {
			t.Fatal(err)
		}
	}
	make := func(from time.Time, end time.Time, labels ...string) *alert.Alert {
		a := &alert.Alert{Labels: alert.Labels{"alertname": "Lag"}, StartsAt: from, EndsAt: end}
		for i := 0; i < len(labels); i += 2 {
			a.Labels[labels[i]] = labels[i+1]
		}
		return a
	}
	zero := time.Time{}
	source := []string{"alertname", "ZoneDown", "down", "yes", "zone", "1", "topic", "zone1"}
	push(at(0), make(at(0), zero, source...), make(at(0), zero, "zone", "1", "topic", "a"), make(at(0), zero, "zone", "2", "topic", "b"), make(at(0), zero, "topic", "c"))
	w.tick(at(0))
	if got := c.heard(); len(got) != 2 || strings.Contains(strings.Join(got, " "), "a") && strings.Contains(strings.Join(got, " "), ":a") {
		t.Fatalf("heard %q, want b and c, and the source, but not a", got)
	}
	push(at(90), make(at(0), at(90), source...))
	w.tick(at(120))
	if got := strings.Join(c.heard(), "|"); !strings.Contains(got, "new alerts added:c,a,b;") && !strings.Contains(got, "new alerts added:a,b,c;") {
		t.Fatalf("heard %q, want a told once its source is over", got)
	}
}

// An alert that matches both sides does not keep itself or its like quiet.
func TestNoSelfInhibition(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "1m", "1h"), oneReceiver(c))
	w.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{"alertname=Lag"}, TargetMatchers: []string{"alertname=Lag"}}}
	w.restart(newRouteConfig("0s", "1m", "1h"))
	w.fire(at(0), "a", "b")
	w.tick(at(0))
	w.expect(c, "first notification:a,b;")
}

// A route is quiet in its mute intervals and outside of its active ones, by the
// clock of the interval's location.
func TestTimeIntervals(t *testing.T) {
	c := &channel{}
	// t0 is 22:00 in UTC, 06:00 in Shanghai.
	intervals := []route.TimeInterval{
		{Name: "dawn", TimeIntervals: []route.TimesConfig{{Times: []route.TimeRangeConfig{{StartTime: "06:00", EndTime: "06:02"}}, Location: "Asia/Shanghai"}}},
		{Name: "office", TimeIntervals: []route.TimesConfig{{Times: []route.TimeRangeConfig{{StartTime: "22:05", EndTime: "24:00"}}, Weekdays: []string{"monday:friday"}}}},
	}
	for name, tc := range map[string]struct {
		mute, active []string
		from         float64 // when it may speak, seconds
	}{
		"mute":   {mute: []string{"dawn"}, from: 120},
		"active": {active: []string{"office"}, from: 300},
		"both":   {mute: []string{"dawn"}, active: []string{"office"}, from: 300},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRouteConfig("0s", "1m", "1h")
			r.Routes = []*route.Config{{Matchers: []string{"alertname=Lag"}, MuteTimeIntervals: tc.mute, ActiveTimeIntervals: tc.active}}
			w := newWorld(t, newRouteConfig("0s", "1m", "1h"), oneReceiver(c))
			w.config.TimeIntervals = intervals
			w.restart(r)
			w.fire(at(0), "a")
			for s := 0.0; s < tc.from; s += 60 {
				w.tick(at(s))
				w.expect(c)
			}
			w.tick(at(tc.from))
			w.expect(c, "first notification:a;")
		})
	}
}
