package alertmanager

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/route"
	"tocsin/pkg/silence"
)

var manyCount = flag.Uint64("many-scenarios", 4, "`number` of random scenarios with thousands of silences and sources")

// TestRandomScenariosWithMany compares where there are more silences, and more alerts that are
// source and target of one rule, than are read at a time.
func TestRandomScenariosWithMany(t *testing.T) {
	for n := range *manyCount {
		s := generateMany(*seed, n)
		if d := s.compareMode(t, true); d != "" {
			t.Fatalf("scenario %d of seed %d: %.2000s\n\n%s", n, *seed, d, s)
		}
	}
}

// generateMany returns the nth scenario of a seed. One rule has thousands of warnings
// as sources and targets; a critical alert comes and goes. In some scenarios the
// warnings are silenced, each by a silence of its own.
func generateMany(seed, n uint64) scenario {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, n)), states: alertStates{}}
	g.begin = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	g.config.Receivers = []receiver{{Name: "r0", Webhooks: []webhook{{URL: "http://hooks.example.com/", SendResolved: true}}}}
	g.config.Route = &route.Config{Receiver: "r0", GroupBy: pick(g.Rand, []string{"alertname"}, []string{"zone"}, []string{"severity"}),
		GroupWait: newDuration(g.seconds(5, 20)), GroupInterval: newDuration(g.seconds(30, 60)), RepeatInterval: newDuration(time.Hour)}
	rule := inhibit.Rule{SourceMatchers: []string{`severity=~"warning|critical"`}, TargetMatchers: []string{`severity="warning"`}}
	if g.chance(60) {
		rule.Equal = []string{"zone"}
	}
	g.config.InhibitRules = []inhibit.Rule{rule}

	warnings := alert.Labels{"alertname": "Lag", "severity": "warning", "zone": "a"}
	critical := alert.Labels{"alertname": pick(g.Rand, "Lag", "Down"), "severity": "critical", "zone": pick(g.Rand, "a", "a", "b")}
	at := time.Duration(0)
	add := func(do action) {
		at += time.Duration(1+g.IntN(40)) * time.Second
		g.steps = append(g.steps, step{at + time.Duration(len(g.steps)+1)*time.Millisecond, do})
	}
	silenced := g.chance(50)
	if silenced {
		add(setSilence{name: "s", copies: 10_050 + g.IntN(50), end: g.seconds(300, 900),
			matchers: []silence.Matcher{pick(g.Rand, silence.Matcher{Name: "alertname", Value: "Lag", IsEqual: true}, silence.Matcher{Name: "severity", Value: "w.*", IsEqual: true, IsRegex: true})}})
	}
	add(push{alerts: []alert.Labels{warnings}, copies: 1100 + g.IntN(400), end: time.Hour})
	for range 2 + g.IntN(3) {
		add(push{alerts: []alert.Labels{critical}, end: time.Hour})
		if silenced {
			for range g.IntN(4) {
				add(expire{fmt.Sprintf("s/%d", g.IntN(1100))})
			}
		}
		add(push{alerts: []alert.Labels{critical}, end: 0})
	}
	g.length = at + 5*time.Minute + 999*time.Millisecond
	return g.scenario.clone()
}
