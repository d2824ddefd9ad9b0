package dispatch_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
)

// configuration is a routing tree and its receivers.
type configuration struct {
	root      route.Config
	receivers []*outbox.Receiver
}

// TestConfigurationChange checks what is notified of two alerts, a and b, that were
// notified as firing before the configuration changed: nothing at the change, except
// to a receiver that was not notified of them, and their end to all that were.
func TestConfigurationChange(t *testing.T) {
	ops, dba := &outboxtest.Channel{}, &outboxtest.Channel{}
	identified := func(name, kind string, c *outboxtest.Channel) *outbox.Receiver {
		r := outboxtest.Receiver(name, kind, c)
		r.Integrations[0].Identity = map[*outboxtest.Channel]string{ops: "id-ops", dba: "id-dba"}[c]
		return r
	}
	both := func() []*outbox.Receiver {
		return []*outbox.Receiver{identified("ops", "chat", ops), identified("dba", "chat", dba)}
	}
	root := func(routes ...*route.Config) route.Config {
		r := newRoute("0s", "1m", "1h")
		r.Routes = routes
		return r
	}
	topics := func(receiver string, matchers ...string) *route.Config {
		return &route.Config{Receiver: receiver, Matchers: matchers}
	}
	pattern := func(text string) (p setting.Pattern) {
		if err := p.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return p
	}
	groupBy := func(r route.Config, names ...string) route.Config { r.GroupBy = names; return r }
	inserted := func(r *outbox.Receiver, before outbox.Integration) *outbox.Receiver {
		before.Identity = "id-new"
		r.Integrations[0].Index = 1
		r.Integrations = slices.Insert(r.Integrations, 0, before)
		return r
	}
	const ended = "all alerts resolved:;a,b"
	for _, test := range []struct {
		name          string
		before, after configuration
		// What ops and dba are notified of at the change, and of the end.
		ops, dba, opsEnd, dbaEnd []string
	}{
		{name: "nothing", before: configuration{root(), both()}, after: configuration{root(), both()}, opsEnd: []string{ended}},
		{name: "group_by more", before: configuration{root(), both()}, after: configuration{groupBy(root(), "alertname", "topic"), both()},
			opsEnd: []string{"all alerts resolved:;a", "all alerts resolved:;b"}},
		{name: "group_by less", before: configuration{groupBy(root(), "alertname", "topic"), both()}, after: configuration{root(), both()}, opsEnd: []string{ended}},
		{name: "route inserted above", before: configuration{root(topics("ops", "topic=~a|b")), both()},
			after: configuration{root(topics("dba", "topic=c"), topics("ops", "topic=~a|b")), both()}, opsEnd: []string{ended}},
		{name: "routes reordered", before: configuration{root(topics("dba", "topic=c"), topics("ops", "topic=~a|b")), both()},
			after: configuration{root(topics("ops", "topic=~a|b"), topics("dba", "topic=c")), both()}, opsEnd: []string{ended}},
		{name: "route nested", before: configuration{root(topics("ops", "topic=~a|b")), both()},
			after: configuration{root(&route.Config{Matchers: []string{"alertname=Lag"}, Routes: []*route.Config{topics("ops", "topic=~a|b")}}), both()}, opsEnd: []string{ended}},
		{name: "matchers in another notation", before: configuration{root(topics("ops", "topic=~a|b", "alertname=Lag")), both()},
			after: configuration{root(topics("ops", `{alertname="Lag", topic=~"a|b"}`)), both()}, opsEnd: []string{ended}},
		{name: "older match and match_re", before: configuration{root(topics("ops", "topic=~a|b", "alertname=Lag")), both()},
			after: configuration{root(&route.Config{Receiver: "ops", Match: map[string]string{"alertname": "Lag"},
				MatchRE: map[string]setting.Pattern{"topic": pattern("a|b")}}), both()}, opsEnd: []string{ended}},
		{name: "receiver renamed", before: configuration{root(topics("dba", "topic=~a|b")), both()},
			after: configuration{root(topics("dbas", "topic=~a|b")), []*outbox.Receiver{both()[0], identified("dbas", "chat", dba)}}, dbaEnd: []string{ended}},
		{name: "integration inserted before", before: configuration{root(), both()},
			after: configuration{root(), []*outbox.Receiver{inserted(both()[0], outboxtest.Integration("chat", dba)), both()[1]}},
			dba:   []string{"first notification:a,b;"}, opsEnd: []string{ended}, dbaEnd: []string{ended}},
		{name: "route to another receiver", before: configuration{root(topics("dba", "topic=~a|b")), both()},
			after: configuration{root(topics("ops", "topic=~a|b")), both()},
			ops:   []string{"first notification:a,b;"}, opsEnd: []string{ended}, dbaEnd: []string{ended}},
		{name: "route removed", before: configuration{root(topics("dba", "topic=~a|b")), both()}, after: configuration{root(), both()},
			ops: []string{"first notification:a,b;"}, opsEnd: []string{ended}, dbaEnd: []string{ended}},
		{name: "route split", before: configuration{root(), both()}, after: configuration{root(topics("dba", "topic=a")), both()},
			dba: []string{"first notification:a;"}, opsEnd: []string{ended}, dbaEnd: []string{"all alerts resolved:;a"}},
		{name: "receiver removed", before: configuration{root(topics("dba", "topic=~a|b")), both()}, after: configuration{root(), both()[:1]},
			ops: []string{"first notification:a,b;"}, opsEnd: []string{ended}},
	} {
		expect := func(t *testing.T, phase string, c *outboxtest.Channel, want []string) {
			t.Helper()
			if got := c.TakeLines(); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
				t.Errorf("%s: got %q, want %q", phase, got, want)
			}
		}
		begin := func(t *testing.T) *env {
			e := newEnv(t, test.before.root, test.before.receivers...)
			e.fire(at(0), "a", "b")
			e.tick(at(0))
			ops.TakeLines()
			dba.TakeLines()
			return e
		}
		change := func(t *testing.T, e *env, now float64) {
			e.receivers = test.after.receivers
			e.reopen(test.after.root)
			if err := e.engine.Restart(t.Context(), at(now)); err != nil {
				t.Fatal(err)
			}
		}
		for _, refreshed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, alerts sent again before the flush: %v", test.name, refreshed), func(t *testing.T) {
				e := begin(t)
				change(t, e, 90)
				if refreshed {
					e.ingest(at(90), lagAlerts(at(0), "a", "b")...)
				}
				for s := 90.0; s < 400; s += 10 {
					e.tick(at(s))
				}
				expect(t, "ops at the change", ops, test.ops)
				expect(t, "dba at the change", dba, test.dba)
				e.resolve(at(400), "a", "b")
				for s := 400.0; s < 1100; s += 10 {
					e.tick(at(s))
				}
				expect(t, "ops at the end", ops, test.opsEnd)
				expect(t, "dba at the end", dba, test.dbaEnd)
				if next := e.nextDue(); !next.IsZero() {
					t.Errorf("got a group that is due at %v, want none", next.Sub(t0))
				}
			})
		}
		t.Run(test.name+", alerts ended before the flush", func(t *testing.T) {
			e := begin(t)
			e.resolve(at(80), "a", "b")
			change(t, e, 90)
			for s := 90.0; s < 1100; s += 10 {
				e.tick(at(s))
			}
			got := len(ops.TakeLines()) + len(dba.TakeLines())
			want := 1
			if test.name == "group_by less" {
				want = 2 // of two groups
			}
			if got != want {
				t.Errorf("got %d notifications of the end, want %d", got, want)
			}
		})
	}
}

// TestRandomConfigurationChanges checks over random changes of the configuration
// that a channel is notified of the end of every alert that it was notified of.
func TestRandomConfigurationChanges(t *testing.T) {
	topics := []string{"a", "b", "c", "d"}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		channels := map[string]*outboxtest.Channel{"ops": {}, "dba": {}, "web": {}}
		var receivers []*outbox.Receiver
		for _, name := range slices.Sorted(maps.Keys(channels)) {
			r := outboxtest.Receiver(name, "chat", channels[name])
			r.Integrations[0].Identity = "id-" + name
			receivers = append(receivers, r)
		}
		newRoot := func() route.Config {
			root := newRoute("0s", "1m", "1h")
			root.GroupBy = [][]string{{"alertname"}, {"alertname", "topic"}, {"..."}, {}}[random.IntN(4)]
			for range random.IntN(4) {
				receiver := []string{"ops", "dba", "web"}[random.IntN(3)]
				root.Routes = append(root.Routes, &route.Config{Receiver: receiver, Matchers: []string{"topic=~" + []string{"a", "a|b", "b|c", "c|d"}[random.IntN(4)]}})
			}
			return root
		}
		e := newEnv(t, newRoot(), receivers...)
		now := 0.0
		var history []string
		firing := map[string]bool{} // "channel topic" by the last notification
		check := func() {
			for name, c := range channels {
				for _, n := range c.Take() {
					history = append(history, fmt.Sprintf("%v %s: %s %s;%s", now, name, n.Reason, outboxtest.Topics(n.Firing()), outboxtest.Topics(n.Resolved())))
					for _, a := range n.Alerts {
						key := name + " " + a.Labels["topic"]
						firing[key] = !a.ResolvedAt(n.At)
					}
				}
			}
		}
		active := map[string]bool{}
		for range 40 {
			topic := topics[random.IntN(len(topics))]
			switch random.IntN(5) {
			case 0:
				if active[topic] {
					e.resolve(at(now), topic)
					active[topic] = false
					history = append(history, fmt.Sprintf("%v %s resolves", now, topic))
				}
			case 1, 2:
				if !active[topic] {
					history = append(history, fmt.Sprintf("%v %s fires", now, topic))
				}
				e.fire(at(now), topic)
				active[topic] = true
			case 3:
				root := newRoot()
				e.reopen(root)
				history = append(history, fmt.Sprintf("%v group by %v, %d routes", now, root.GroupBy, len(root.Routes)))
				for _, r := range root.Routes {
					history = append(history, fmt.Sprintf("\t%s to %s", r.Matchers, r.Receiver))
				}
				if random.IntN(2) == 0 {
					if err := e.engine.Restart(t.Context(), at(now)); err != nil {
						t.Fatal(err)
					}
				}
			}
			now += float64(random.IntN(50))
			e.tick(at(now))
			check()
		}
		e.resolve(at(now), topics...)
		for range 40 {
			now += 30
			e.tick(at(now))
			check()
		}
		for key, lost := range firing {
			if lost {
				t.Fatalf("seed %d: got no end of %s:\n%s", seed, key, strings.Join(history, "\n"))
			}
		}
		if next := e.nextDue(); !next.IsZero() {
			t.Fatalf("seed %d: got a group that is due at %v, want none", seed, next.Sub(t0))
		}
	}
}

// TestLargeIngest checks that alerts which join more groups than one commit has room
// for are stored in several.
func TestLargeIngest(t *testing.T) {
	c := &outboxtest.Channel{}
	root := newRouteByTopic()
	for range 6 {
		root.Routes = append(root.Routes, &route.Config{Receiver: "ops", Matchers: []string{"alertname=Lag"}, Continue: true})
	}
	e := newEnv(t, root, outboxtest.Receiver("ops", "test", c))
	e.fire(at(0), numbered("t", 1000)...)
	alerts, err := e.engine.Alerts(t.Context(), at(0))
	if err != nil || len(alerts) != 1000 {
		t.Errorf("got %d alerts and %v, want 1000", len(alerts), err)
	}
}
