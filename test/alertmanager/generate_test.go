package alertmanager

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/silence"
)

// generator generates random scenarios, the same from the same two numbers.
type generator struct {
	*rand.Rand
	scenario
	pool       []alert.Labels // labels of the alerts
	states     alertStates
	silences   []string
	batches    bool // several alerts in a push
	muting     bool // silences, inhibition, time intervals
	unresolved bool // alerts have no end until they resolve
	refusals   bool // receivers refuse notifications; alerts do not resolve
}

// generate returns the nth scenario of a seed.
//
// Apart from the differences in testdata/differ it avoids these:
//   - A step at the time of a flush, whose order is a race between goroutines in
//     Alertmanager. Steps differ in their milliseconds, which a group inherits from
//     the step that created it.
//   - Scenarios with muted groups that are so long that an entry of Tocsin's
//     notification log expires.
//   - Refused notifications of alerts that resolve, or are muted, before one is
//     accepted: see testdata/differ/ended_refused.txt.
func generate(seed, n uint64) scenario {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, n)), states: alertStates{}}
	g.begin = time.Date(2026, time.Month(1+g.IntN(12)), 1+g.IntN(28), g.IntN(24), g.IntN(60), 0, 0, time.UTC)
	g.muting, g.unresolved = g.chance(75), g.chance(20)
	g.refusals = !g.muting && g.chance(50)
	g.unresolved = g.unresolved || g.refusals
	for range 2 + g.IntN(7) {
		g.pool = append(g.pool, g.labels())
	}
	g.configure()
	g.addSteps()
	return g.scenario.clone() // as parsed from its text
}

var (
	names  = []string{"alertname", "job", "instance", "severity", "zone"}
	values = map[string][]string{
		"alertname": {"Lag", "Down", "Full"},
		"job":       {"api", "db"},
		"instance":  {"i1", "i2"},
		"severity":  {"critical", "warning", "info"},
		"zone":      {"a", "b"},
	}
)

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// seconds returns one of these durations.
func (g *generator) seconds(of ...int) time.Duration {
	return time.Duration(pick(g.Rand, of...)) * time.Second
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g *generator) labels() alert.Labels {
	l := alert.Labels{"alertname": pick(g.Rand, values["alertname"]...)}
	for _, name := range names[1:] {
		if g.chance(60) {
			l[name] = pick(g.Rand, values[name]...)
		}
	}
	return l
}

// matcher returns a matcher, mostly of a label that alerts have.
func (g *generator) matcher() silence.Matcher {
	name := pick(g.Rand, names...)
	if g.chance(3) {
		name = "absent"
	}
	m := silence.Matcher{Name: name, IsEqual: g.chance(75), IsRegex: g.chance(40), Value: "nothing"}
	if v := values[name]; len(v) > 0 {
		m.Value = pick(g.Rand, v...)
		if m.IsRegex {
			m.Value = pick(g.Rand, m.Value, v[0]+"|"+v[1], ".+", ".*", m.Value[:1]+".*", "|"+m.Value)
		} else if g.chance(10) {
			m.Value = ""
		}
	}
	return m
}

func (g *generator) matchers(most int) (texts []string) {
	for range 1 + g.IntN(most) {
		m := g.matcher()
		op := map[[2]bool]string{{false, true}: "=", {false, false}: "!=", {true, true}: "=~", {true, false}: "!~"}[[2]bool{m.IsRegex, m.IsEqual}]
		texts = append(texts, fmt.Sprintf("%s%s%q", m.Name, op, m.Value))
	}
	return texts
}

// classic returns matchers in the older notation.
func (g *generator) classic() (equal map[string]string, regex map[string]setting.Pattern) {
	name := pick(g.Rand, names[:2]...)
	equal = map[string]string{name: pick(g.Rand, values[name]...)}
	name = pick(g.Rand, names[2:]...)
	v := values[name]
	p, err := setting.NewPattern(pick(g.Rand, ".+", v[0]+"|"+v[1], "[^"+v[0][:1]+"].*"))
	if err != nil {
		panic(err)
	}
	return equal, map[string]setting.Pattern{name: p}
}

func newDuration(d time.Duration) *setting.Duration { s := setting.Duration(d); return &s }

func (g *generator) configure() {
	c := &g.config
	for i := range 1 + g.IntN(3) {
		r := receiver{Name: fmt.Sprintf("r%d", i)}
		for range g.IntN(8)/3 + g.IntN(2) {
			r.Webhooks = append(r.Webhooks, webhook{URL: "http://hooks.example.com/", SendResolved: g.chance(70)})
		}
		c.Receivers = append(c.Receivers, r)
	}
	if g.muting && g.chance(40) {
		for i := range 1 + g.IntN(2) {
			c.TimeIntervals = append(c.TimeIntervals, g.interval(fmt.Sprintf("t%d", i)))
		}
	}
	for {
		c.Route = g.route(0)
		if !ambiguous(c.Route) {
			break
		}
	}
	c.Route.Receiver, c.Route.Continue = "r0", false
	c.Route.Matchers, c.Route.Match, c.Route.MatchRE = nil, nil, nil
	c.Route.MuteTimeIntervals, c.Route.ActiveTimeIntervals = nil, nil
	wait := time.Duration(0)
	if !g.chance(20) {
		wait = time.Duration(1+g.IntN(40)) * time.Second
	}
	c.Route.GroupWait = newDuration(wait)
	c.Route.GroupInterval = newDuration(g.seconds(10, 30, 60, 300))
	c.Route.RepeatInterval = newDuration(g.seconds(10, 40, 60, 120, 180, 300, 3600))
	g.batches = !immediate(c.Route)
	if g.muting && g.chance(50) {
		for range 1 + g.IntN(3) {
			c.InhibitRules = append(c.InhibitRules, g.inhibition())
		}
		if g.chance(5) {
			c.InhibitRules = append(c.InhibitRules, c.InhibitRules[0])
		}
	}
}

// immediate reports whether a route of the tree has no group_wait. Then it is a race
// in Alertmanager whether the first flush has the next alert of the same push.
func immediate(r *route.Config) bool {
	return r.GroupWait != nil && *r.GroupWait == 0 || slices.ContainsFunc(r.Routes, immediate)
}

// ambiguous reports whether two routes of the tree have the same matchers on the whole
// path. If they have the same receiver too, Alertmanager's notification log confuses
// them; see testdata/differ/siblings.txt.
func ambiguous(r *route.Config) bool {
	var keys []string
	for _, child := range r.Routes {
		key := fmt.Sprint(slices.Sorted(slices.Values(child.Matchers)), child.Match, child.MatchRE)
		if slices.Contains(keys, key) || ambiguous(child) {
			return true
		}
		keys = append(keys, key)
	}
	return false
}

func (g *generator) route(depth int) *route.Config {
	r := &route.Config{Matchers: g.matchers(2), Continue: g.chance(40)}
	if g.chance(10) {
		r.Match, r.MatchRE = g.classic()
	}
	if g.chance(60) {
		r.Receiver = pick(g.Rand, g.config.Receivers...).Name
	}
	switch g.IntN(6) {
	case 0:
		r.GroupBy = []string{"..."}
	case 1, 2, 3:
		r.GroupBy = slices.Clone(names[:g.IntN(4)])
		g.Shuffle(len(r.GroupBy), func(i, j int) { r.GroupBy[i], r.GroupBy[j] = r.GroupBy[j], r.GroupBy[i] })
	}
	if g.chance(25) {
		r.GroupWait = newDuration(g.seconds(0, 1, 5, 10, 30, 70))
	}
	if g.chance(25) {
		r.GroupInterval = newDuration(g.seconds(7, 10, 30, 60, 90, 300))
	}
	if g.chance(25) {
		r.RepeatInterval = newDuration(g.seconds(1, 10, 30, 60, 89, 180, 301, 3600))
	}
	for g.chance(30) {
		if r.Labels == nil {
			r.Labels = alert.Labels{}
		}
		r.Labels[pick(g.Rand, "team", "tier", "zone")] = pick(g.Rand, "x", "a b", "", "{{ .CommonLabels.job }}{{ len .Alerts }}",
			"{{ range .Alerts }}{{ .Labels.instance }}{{ .Status }}{{ end }}", `{{ .GroupLabels.alertname }} {{ .Receiver }} {{ .ExternalURL }}`,
			`{{ routeLabels "team" }}/{{ .RouteLabels.tier }}`, `{{ routeLabels "tier" }}`, "{{ (index .Alerts 1).Labels.job }}", "{{ .NotificationReason }}")
	}
	if len(g.config.TimeIntervals) > 0 && g.chance(40) {
		r.MuteTimeIntervals = []string{pick(g.Rand, g.config.TimeIntervals...).Name}
	}
	if len(g.config.TimeIntervals) > 0 && g.chance(40) {
		for _, ti := range g.config.TimeIntervals[:1+g.IntN(len(g.config.TimeIntervals))] {
			r.ActiveTimeIntervals = append(r.ActiveTimeIntervals, ti.Name)
		}
	}
	if depth < 3 {
		for range max(0, g.IntN(5)-depth-g.IntN(2)) {
			r.Routes = append(r.Routes, g.route(depth+1))
		}
	}
	return r
}

// interval returns a time interval around the time of the scenario.
func (g *generator) interval(name string) route.TimeInterval {
	ti := route.TimeInterval{Name: name}
	for range 1 + g.IntN(2) {
		var c route.TimesConfig
		from := g.begin.Add(time.Duration(g.IntN(40)-10) * time.Minute)
		if g.chance(20) {
			c.Location = pick(g.Rand, "Asia/Shanghai", "America/New_York", "UTC")
			l, err := time.LoadLocation(c.Location)
			if err != nil {
				panic(err)
			}
			from = from.In(l)
		}
		to := from.Add(time.Duration(1+g.IntN(20)) * time.Minute)
		if from.Day() != to.Day() {
			from = from.Add(-time.Hour)
			to = from.Add(30 * time.Minute)
		}
		if g.chance(85) {
			c.Times = append(c.Times, route.TimeRangeConfig{StartTime: from.Format("15:04"), EndTime: to.Format("15:04")})
		}
		if g.chance(20) {
			c.Weekdays = []string{pick(g.Rand, "monday:friday", "sunday", "tuesday:saturday")}
		}
		if g.chance(20) {
			c.DaysOfMonth = []string{pick(g.Rand, "1:15", "-15:-1", "10:20")}
		}
		if g.chance(20) {
			c.Months = []string{pick(g.Rand, "january:june", "2:11", "december")}
		}
		ti.TimeIntervals = append(ti.TimeIntervals, c)
	}
	return ti
}

func (g *generator) inhibition() inhibit.Rule {
	r := inhibit.Rule{SourceMatchers: g.matchers(2), TargetMatchers: g.matchers(2)}
	if g.chance(25) {
		r.TargetMatchers = r.SourceMatchers // every source is a target
	} else if g.chance(20) {
		r.SourceMatch, r.TargetMatchRE = g.classic()
	}
	for _, name := range names {
		if g.chance(25) {
			r.Equal = append(r.Equal, name)
		}
	}
	return r
}

// addSteps adds the steps.
func (g *generator) addSteps() {
	longest := time.Hour // so that no entry of the log expires
	if !g.muting {
		longest = 6 * time.Hour
	}
	gap := pick(g.Rand, 4, 20, 60, 240)
	at := time.Duration(0)
	for i := range 3 + g.IntN(40) {
		if g.chance(85) {
			at += time.Duration(1+g.IntN(gap)) * time.Second
		}
		st := step{at: at.Truncate(time.Second) + time.Duration(i+1)*time.Millisecond}
		if st.at > longest {
			break
		}
		switch {
		case g.refusals && g.chance(15):
			r := pick(g.Rand, g.config.Receivers...)
			st.do = refuse{fmt.Sprintf("%s/%d", r.Name, g.IntN(max(1, len(r.Webhooks)))), g.seconds(5, 30, 100, 400, 1000)}
		case !g.muting || g.chance(75):
			st.do = g.push(st.at)
		case len(g.silences) > 0 && g.chance(25):
			st.do = expire{pick(g.Rand, g.silences...)}
		default:
			st.do = g.silence(st.at)
		}
		g.steps = append(g.steps, st)
	}
	g.length = min(longest, at+g.seconds(60, 300, 1200)) + 999*time.Millisecond
}

// near returns a duration of about away that often ends, counted from now, at the
// milliseconds of an earlier step: then an alert ends exactly at a flush.
func (g *generator) near(now, away time.Duration) time.Duration {
	if len(g.steps) == 0 || g.chance(50) {
		return away
	}
	t := pick(g.Rand, g.steps...).at
	return (now + away).Truncate(time.Second) + t%time.Second - now
}

func (g *generator) push(at time.Duration) push {
	now := g.begin.Add(at)
	l := pick(g.Rand, g.pool...)
	p := push{alerts: []alert.Labels{l}}
	old := g.states[l.Fingerprint()]
	switch {
	case !g.refusals && g.states.fires(l, now) && g.chance(40):
		p.end = -g.seconds(0, 0, 1, 10, 100)
		p.start = p.end
		if g.chance(60) {
			p.start = min(p.end, old.StartsAt.Sub(now))
		}
	case g.unresolved:
		p.end = noEnd
	case g.chance(50):
		p.end, p.timeout = g.seconds(60, 300, 300), true
	default:
		p.end = max(g.near(at, time.Duration(1+g.IntN(600))*time.Second), time.Millisecond)
	}
	if p.end > 0 {
		switch g.IntN(5) {
		case 0:
			p.start = -pick(g.Rand, time.Duration(g.IntN(1000))*time.Second, g.config.Route.GroupWait.Std())
		case 1:
			if old != nil {
				p.start = max(old.StartsAt.Sub(now), -20*time.Minute)
			}
		default:
			for g.batches && g.chance(40) {
				if l := pick(g.Rand, g.pool...); !slices.ContainsFunc(p.alerts, func(o alert.Labels) bool { return o.Compare(l) == 0 }) {
					p.alerts = append(p.alerts, l)
				}
			}
		}
	}
	g.states.apply(p, now)
	return p
}

// alertStates are the alerts after the pushes so far.
type alertStates map[alert.Fingerprint]*alert.Alert

// apply adds a push at now.
func (w alertStates) apply(p push, now time.Time) {
	for _, a := range p.tocsinAlerts(now, 0) {
		fp := a.Fingerprint()
		a.UpdatedAt = now
		if old := w[fp]; old != nil {
			a = alert.Merge(old, a)
		}
		w[fp] = a
	}
}

// fires reports whether the alert fires at now.
func (w alertStates) fires(l alert.Labels, now time.Time) bool {
	a := w[l.Fingerprint()]
	return a != nil && !a.ResolvedAt(now)
}

// resolvesUnknown reports whether the scenario resolves an alert that does not fire;
// see testdata/differ/late_end.txt.
func (s scenario) resolvesUnknown() bool {
	w := alertStates{}
	for _, st := range s.steps {
		now := s.begin.Add(st.at)
		p, ok := st.do.(push)
		if !ok {
			continue
		}
		if p.end <= 0 && !w.fires(p.alerts[0], now) {
			return true
		}
		w.apply(p, now)
	}
	return false
}

func (g *generator) silence(at time.Duration) setSilence {
	s := setSilence{name: fmt.Sprintf("s%d", len(g.silences))}
	if len(g.silences) > 0 && g.chance(40) {
		s.name = pick(g.Rand, g.silences...)
	} else {
		g.silences = append(g.silences, s.name)
	}
	s.start = g.near(at, g.seconds(-60, 0, 0, 0, 5, 60, 300))
	s.end = g.near(at, time.Duration(g.IntN(900)-20)*time.Second)
	// An update mostly keeps the matchers and the start.
	for _, st := range slices.Backward(g.steps) {
		if old, ok := st.do.(setSilence); ok && old.name == s.name && g.chance(60) {
			s.matchers = old.matchers
			if g.chance(70) {
				s.start = st.at + max(0, old.start) - at
			}
			return s
		}
	}
	for range 1 + g.IntN(2) {
		s.matchers = append(s.matchers, g.matcher())
	}
	return s
}
