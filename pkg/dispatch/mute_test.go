package dispatch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/inhibit"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/route"
	"tocsin/pkg/silence"
)

// topicSilence returns a silence of a topic, with times in seconds after t0.
func topicSilence(topic string, start, end float64) silence.Silence {
	return silence.Silence{Matchers: []silence.Matcher{{Name: "topic", Value: topic, IsEqual: true}}, StartsAt: at(start), EndsAt: at(end), CreatedBy: "ops", Comment: "c"}
}

func (e *env) silence(now time.Time, s silence.Silence) (id string) {
	e.t.Helper()
	id, err := e.engine.Silences().Set(e.t.Context(), now, s)
	if err != nil {
		e.t.Fatalf("set a silence: got %v, want no error", err)
	}
	return id
}

func TestSilencedAlertIsNotifiedAfterwards(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
	e.silence(at(0), topicSilence("a", 0, 100))
	e.fire(at(0), "a", "b")
	e.tick(at(0))
	expectLines(t, c, "first notification:b;")
	e.tick(at(60))
	expectLines(t, c)
	e.tick(at(120))
	expectLines(t, c, "new alerts added:a,b;")
}

// TestResolvedWhileSilenced checks that the resolution is notified when the silence
// has expired, and that the alert is notified at once if it fires again. Alertmanager
// never notifies the former, and the latter after repeat_interval.
func TestResolvedWhileSilenced(t *testing.T) {
	for _, test := range []struct {
		name       string
		firesAgain bool
		upstream   bool
		want       []string
	}{
		{"is notified after the silence", false, false, []string{"all alerts resolved:;a"}},
		{"is not notified by Alertmanager", false, true, nil},
		{"and fires again, is notified", true, false, []string{"first notification:a;"}},
		{"and fires again, is not notified by Alertmanager", true, true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
			e.config.Upstream = test.upstream
			e.reopen(newRoute("0s", "1m", "1h"))
			e.fire(at(0), "a")
			e.tick(at(0))
			expectLines(t, c, "first notification:a;")
			e.silence(at(10), topicSilence("a", 10, 150))
			e.resolve(at(20), "a")
			e.tick(at(60))
			e.tick(at(120))
			expectLines(t, c)
			if test.firesAgain {
				e.fire(at(160), "a")
			}
			e.tick(at(180))
			expectLines(t, c, test.want...)
			if !test.firesAgain {
				e.expectDue(time.Time{})
			}
		})
	}
}

func TestInhibition(t *testing.T) {
	zoneDown := inhibit.Rule{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"alertname=Lag"}, Equal: []string{"zone"}}
	e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
	e.config.InhibitRules = []inhibit.Rule{zoneDown}
	e.reopen(newRoute("0s", "1m", "1h"))
	source := lagAlerts(at(0), "source")[0]
	source.Labels["alertname"], source.Labels["down"], source.Labels["zone"] = "ZoneDown", "yes", "1"
	targets := lagAlerts(at(0), "a", "b", "c")
	targets[0].Labels["zone"], targets[1].Labels["zone"] = "1", "2"
	e.ingest(at(0), append(targets, source)...)
	e.tick(at(0))
	got := c.TakeLines()
	if len(got) != 2 || count(got, "first notification:source;") != 1 || count(got, "first notification:c,b;")+count(got, "first notification:b,c;") != 1 {
		t.Fatalf("notified: got %q, want the source, and the targets in other zones", got)
	}
	source.EndsAt = at(90)
	e.ingest(at(90), source)
	e.tick(at(120))
	if got := strings.Join(c.TakeLines(), "|"); !strings.Contains(got, "new alerts added:c,a,b;") && !strings.Contains(got, "new alerts added:a,b,c;") {
		t.Fatalf("notified: got %q, want the target once its source has resolved", got)
	}
}

// TestNewInhibitRule checks that alerts which fire already, and are not ingested
// again, are sources of a rule that is new.
func TestNewInhibitRule(t *testing.T) {
	e, c := newChannelEnv(t, newRouteByTopic())
	e.fire(at(0), "a")
	e.tick(at(0))
	c.Take()
	e.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{"topic=a"}, TargetMatchers: []string{"topic=b"}}}
	e.reopen(newRouteByTopic())
	e.fire(at(10), "b")
	e.tick(at(10))
	expectLines(t, c)
	e.config.InhibitRules = nil
	e.reopen(newRouteByTopic())
	e.tick(at(310))
	expectLines(t, c, "first notification:b;")
}

// TestTimeIntervals checks when a route with mute and active time intervals is
// notified first.
func TestTimeIntervals(t *testing.T) {
	// t0 is 22:00 in UTC and 06:00 in Shanghai.
	intervals := []route.TimeInterval{
		{Name: "dawn", TimeIntervals: []route.TimesConfig{{Times: []route.TimeRangeConfig{{StartTime: "06:00", EndTime: "06:02"}}, Location: "Asia/Shanghai"}}},
		{Name: "office", TimeIntervals: []route.TimesConfig{{Times: []route.TimeRangeConfig{{StartTime: "22:05", EndTime: "24:00"}}, Weekdays: []string{"monday:friday"}}}},
	}
	for _, test := range []struct {
		name         string
		mute, active []string
		from         float64 // seconds after t0
	}{
		{"mute", []string{"dawn"}, nil, 120},
		{"active", nil, []string{"office"}, 300},
		{"both", []string{"dawn"}, []string{"office"}, 300},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
			e.config.TimeIntervals = intervals
			root := newRoute("0s", "1m", "1h")
			root.Routes = []*route.Config{{Matchers: []string{"alertname=Lag"}, MuteTimeIntervals: test.mute, ActiveTimeIntervals: test.active}}
			e.reopen(root)
			e.fire(at(0), "a")
			for s := 0.0; s < test.from; s += 60 {
				e.tick(at(s))
				expectLines(t, c)
			}
			e.tick(at(test.from))
			expectLines(t, c, "first notification:a;")
		})
	}
}

// TestUnmutedAfterFirstFlush checks that a group of which nothing was notified yet
// does not wait for group_interval when it is unmuted.
func TestUnmutedAfterFirstFlush(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("30s", "24h", "48h"))
	e.silence(at(0), topicSilence("a", 0, 100))
	e.fire(at(0), "a")
	for s := 0.0; s < 100; s++ {
		e.tick(at(s))
	}
	expectLines(t, c)
	for s := 100.0; s <= 130; s++ {
		e.tick(at(s))
	}
	expectLines(t, c, "first notification:a;")
	e.fire(at(140), "b")
	for s := 140.0; s < 24*3600; s += 60 {
		e.tick(at(s))
	}
	expectLines(t, c) // the group_interval began with the first notification
}

// TestUnmutedSoonAfterFirstFlush checks how often a group is looked at whose only alert is
// muted at its first flush, a second after it fired: the later, the more rarely.
func TestUnmutedSoonAfterFirstFlush(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("1s", "24h", "48h"))
	e.silence(at(0), topicSilence("a", 0, 3))
	e.silence(at(0), topicSilence("b", 0, 100))
	e.fire(at(0), "a")
	for s := 0.0; s <= 4; s++ {
		e.tick(at(s))
	}
	expectLines(t, c, "first notification:a;")

	e, c = newChannelEnv(t, newRoute("1s", "24h", "48h"))
	e.silence(at(0), topicSilence("a", 0, 100))
	e.fire(at(0), "a")
	for s := 0.0; s < 60; s++ {
		e.tick(at(s))
	}
	if wait := e.nextDue().Sub(at(59)); wait < 0 || wait > 5*time.Second {
		t.Errorf("got the next flush %v after a minute, want at most 5s", wait)
	}
	flushes := 0
	for s := 60.0; s < 100; s += 0.5 {
		if !e.nextDue().After(at(s)) {
			flushes++
		}
		e.tick(at(s))
	}
	if flushes != 8 {
		t.Errorf("got %d flushes in 40s, want one every 5s", flushes)
	}
	expectLines(t, c)
}

// TestMutedForLife checks that the end of an alert which was never notified is no
// reason for a notification while others of its group fire.
func TestMutedForLife(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
	e.silence(at(0), topicSilence("a", 0, 100))
	e.fire(at(0), "a", "b")
	e.tick(at(0))
	expectLines(t, c, "first notification:b;")
	e.tick(at(60))
	e.resolve(at(90), "a")
	e.tick(at(120)) // the silence has ended
	expectLines(t, c)
	e.resolve(at(130), "b")
	e.tick(at(180))
	expectLines(t, c, "all alerts resolved:;b")
}

// TestMutedWhileConfigurationChanges checks what a receiver is notified of an alert that
// was notified before it was muted, whatever happens meanwhile: of its end in any case, and
// that it fires only if the group was notified without it.
func TestMutedWhileConfigurationChanges(t *testing.T) {
	const from, until = 60, 300 // the mute
	mutes := map[string]func(e *env, root *route.Config){
		"silence": func(e *env, _ *route.Config) { e.silence(at(from), topicSilence("a", from, until)) },
		"inhibition": func(e *env, _ *route.Config) {
			source := lagAlerts(at(from), "source")[0]
			source.Labels["alertname"], source.EndsAt = "Down", at(until)
			e.ingest(at(from), source)
		},
		"time interval": func(_ *env, root *route.Config) {
			root.Routes[0].MuteTimeIntervals = []string{"soon"}
		},
	}
	changes := map[string]func(e *env, root *route.Config){
		"nothing": func(*env, *route.Config) {},
		"restart": func(e *env, root *route.Config) { e.reopen(*root) },
		"reload":  func(e *env, root *route.Config) { e.reload(130, *root) },
		"route inserted": func(e *env, root *route.Config) {
			root.Routes = append([]*route.Config{{Receiver: "dba", Matchers: []string{"absent=yes"}}}, root.Routes...)
			e.reload(130, *root)
		},
		"group_by": func(e *env, root *route.Config) {
			root.GroupBy = []string{"alertname", "topic"}
			e.reload(130, *root)
		},
		"former receiver": func(e *env, root *route.Config) {
			root.Routes[0].Receiver = "dba"
			e.reload(130, *root)
		},
	}
	for mute, begin := range mutes {
		for name, change := range changes {
			for _, without := range []bool{false, true} { // whether the group is notified without the alert
				for _, outlasts := range []bool{false, true} { // the mute
					if without && mute == "time interval" {
						continue // it mutes the group
					}
					t.Run(fmt.Sprintf("%s, %s, group notified: %v, fires afterwards: %v", mute, name, without, outlasts), func(t *testing.T) {
						root := newRoute("0s", "1m", "4h")
						root.Routes = []*route.Config{{Receiver: "ops", Matchers: []string{"alertname=Lag"}}}
						ops, dba := &outboxtest.Channel{}, &outboxtest.Channel{}
						e := newEnv(t, root, outboxtest.Receiver("ops", "test", ops), outboxtest.Receiver("dba", "test", dba))
						e.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{"alertname=Down"}, TargetMatchers: []string{"topic=a"}}}
						e.config.TimeIntervals = []route.TimeInterval{{Name: "soon",
							TimeIntervals: []route.TimesConfig{{Times: []route.TimeRangeConfig{{StartTime: "22:01", EndTime: "22:05"}}}}}}
						e.reopen(root)
						e.fire(at(0), "a", "b")
						e.tick(at(0))
						expectLines(t, ops, "first notification:a,b;")
						begin(e, &root)
						if mute == "time interval" {
							e.reopen(root)
						}
						if without {
							e.fire(at(70), "c")
						}
						e.tick(at(60))
						e.tick(at(120))
						change(e, &root)
						ticks := func(from, to float64) {
							for s := from; s < to; s += 10 {
								e.tick(at(s))
							}
						}
						ticks(130, 200)
						end := 200.0
						if outlasts {
							end = 420
						}
						ticks(200, end)
						e.resolve(at(end), "a")
						ticks(end, 600)
						want := []bool{false}
						if without && outlasts && name != "former receiver" {
							want = []bool{true, false}
						}
						var got []bool
						for _, n := range ops.Take() {
							for _, a := range n.Alerts {
								if a.Labels["topic"] == "a" && (len(got) == 0 || got[len(got)-1] == a.ResolvedAt(n.At)) {
									got = append(got, !a.ResolvedAt(n.At))
								}
							}
						}
						if !slices.Equal(got, want) {
							t.Errorf("notified that the alert fires: got %v, want %v", got, want)
						}
					})
				}
			}
		}
	}
}
