package alertmanager

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/route"
)

// settle is the time between two events, after which both programs have sent what
// there is to send: longer than startDelay, the longest group_wait and group_interval,
// and resend.
const settle = 4 * time.Minute

// betweenEvents is when silences and refusals end, counted from an event: everything is
// settled by then, and afterwards before the next one.
const betweenEvents = 170 * time.Second

// generateEvents returns the nth scenario of a seed in which alerts fire and resolve
// between reloads, restarts, outages, refusals and silences. Everything is settled before
// the next event, apart from changes while the process is down. It avoids these, apart
// from the differences in testdata/differ:
//   - Repetitions and time intervals, which depend on when the groups' timers started.
//   - Alerts whose source is lost, so that nothing reports their end.
//   - Changes while the store is out of reach: Tocsin notifies as soon as it is back of
//     what was pending, Alertmanager only after its startDelay.
func generateEvents(seed, n uint64) scenario {
	g := &eventGenerator{&generator{Rand: rand.New(rand.NewPCG(seed, n|1<<63))}, map[alert.Fingerprint]bool{}}
	g.begin = time.Date(2026, time.Month(1+g.IntN(12)), 1+g.IntN(28), g.IntN(24), g.IntN(60), 0, 0, time.UTC)
	for range 3 + g.IntN(6) {
		g.pool = append(g.pool, g.labels())
	}
	g.configure()
	if g.chance(30) {
		g.config.InhibitRules = append(g.config.InhibitRules, g.inhibition())
	}
	g.muting = g.chance(40)
	root := g.config.Route
	g.calm(root)
	root.GroupWait, root.GroupInterval = newDuration(g.seconds(1, 5, 30)), newDuration(g.seconds(10, 30, 60))
	root.RepeatInterval = newDuration(never + time.Second)
	g.addEvents()
	return g.scenario.clone()
}

// calm removes from a route and those below it what keeps a scenario from settling.
func (g *generator) calm(r *route.Config) {
	r.RepeatInterval = nil
	if r.GroupWait != nil {
		r.GroupWait = newDuration(g.seconds(1, 5, 30))
	}
	if r.GroupInterval != nil {
		r.GroupInterval = newDuration(g.seconds(10, 30, 60))
	}
	for _, child := range r.Routes {
		g.calm(child)
	}
}

// eventGenerator generates the events of a scenario.
type eventGenerator struct {
	*generator
	firing map[alert.Fingerprint]bool
}

func (g *eventGenerator) addEvents() {
	at := time.Duration(0)
	g.add(at, fire{g.choose(false)})
	events := 4 + g.IntN(10)
	for i := range events {
		at += settle * time.Duration(1+g.IntN(2))
		switch kind := g.IntN(100); {
		case kind < 15 || i == events/2:
			at += g.addDown(at)
		case kind < 25:
			g.add(at, g.reload())
		case kind < 40:
			r := pick(g.Rand, g.config.Receivers...)
			g.add(at, refuse{fmt.Sprintf("%s/%d", r.Name, g.IntN(max(1, len(r.Webhooks)))), settle*time.Duration(1+g.IntN(3)) + betweenEvents})
		case kind < 55 && g.muting && len(g.silences) > 0 && g.chance(40):
			g.add(at, expire{pick(g.Rand, g.silences...)})
		case kind < 55 && g.muting:
			s := setSilence{name: fmt.Sprintf("s%d", len(g.silences)), end: settle*time.Duration(1+g.IntN(4)) + betweenEvents}
			s.matchers = append(s.matchers, g.matcher())
			g.silences = append(g.silences, s.name)
			g.add(at, s)
		default:
			g.change(at)
		}
	}
	g.length = at + settle + 999*time.Millisecond
}

// add adds a step, with milliseconds of its own.
func (g *eventGenerator) add(at time.Duration, do action) {
	g.steps = append(g.steps, step{at + time.Duration(len(g.steps)+1)*time.Millisecond, do})
}

// addDown adds a down, with changes meanwhile, and returns how long it takes.
func (g *eventGenerator) addDown(at time.Duration) time.Duration {
	d := down{g.chance(50), g.seconds(20, 90, 300, 3600)}
	g.add(at, d)
	for !d.store && g.chance(50) {
		g.change(at + time.Duration(g.IntN(int(d.end/time.Second)))*time.Second)
	}
	slices.SortStableFunc(g.steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return d.end.Truncate(settle) + settle
}

// change lets some alerts fire, or resolve.
func (g *eventGenerator) change(at time.Duration) {
	some := g.choose(true)
	if len(some) > 0 && g.chance(45) {
		g.add(at, resolve{some})
		return
	}
	for _, l := range some {
		g.firing[l.Fingerprint()] = true
	}
	if some := g.choose(false); len(some) > 0 {
		g.add(at, fire{some})
	}
}

// choose returns some alerts that fire, or that do not, and reverses that.
func (g *eventGenerator) choose(fires bool) (some []alert.Labels) {
	most := 1 + g.IntN(3)
	for _, i := range g.Perm(len(g.pool)) {
		l := g.pool[i]
		if fp := l.Fingerprint(); g.firing[fp] == fires && len(some) < most {
			some = append(some, l)
			g.firing[fp] = !fires
		}
	}
	return some
}

// reload returns a reload, mostly of a configuration that routes alerts as before.
func (g *eventGenerator) reload() reload {
	to := pick(g.Rand, g.config.Receivers...).Name
	switch {
	case g.chance(40):
		return reload{}
	case g.chance(50):
		return reload{receiver: to, matchers: []string{`absent="yes"`}}
	case g.chance(50):
		return reload{receiver: to, matchers: g.matchers(2)}
	}
	return reload{groupBy: slices.Clone(names[:1+g.IntN(3)])}
}
