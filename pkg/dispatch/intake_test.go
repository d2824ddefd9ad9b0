package dispatch_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/route"
	"tocsin/pkg/silence"
	"tocsin/pkg/store"
	"tocsin/pkg/store/storetest"
)

// timer runs what a platform's timer runs.
func (e *env) timer(now time.Time) {
	e.t.Helper()
	if err := e.engine.WatchTicks(e.t.Context(), now, 0); err != nil {
		e.t.Fatalf("watch ticks at %v: got %v, want no error", now.Sub(t0), err)
	}
	e.tick(now)
}

// timers runs the timer every minute from one second to another.
func (e *env) timers(from, to int) {
	e.t.Helper()
	for s := from; s <= to; s += 60 {
		e.timer(at(float64(s)))
	}
}

// renew sends alerts as Prometheus does: they started at t0 and end four minutes from
// now, unless they are sent again.
func (e *env) renew(now time.Time, topics ...string) {
	e.t.Helper()
	alerts := lagAlerts(t0, topics...)
	for _, a := range alerts {
		a.EndsAt = now.Add(4 * time.Minute)
	}
	e.ingest(now, alerts...)
}

func TestOutageExtendsLeases(t *testing.T) {
	t.Run("an alert whose source goes on is not notified as resolved", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "100h"))
		e.renew(at(0), "a")
		e.timers(0, 60)
		expectLines(t, c, "first notification:a;")
		e.reopen(newRoute("0s", "1m", "100h")) // an hour later
		e.timer(at(3660))
		e.renew(at(3690), "a")
		e.timers(3720, 3900)
		expectLines(t, c)
	})
	t.Run("an alert whose source is silent ends as much later as the outage was long", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "100h"))
		e.renew(at(0), "a") // until 240
		e.timers(0, 60)
		expectLines(t, c, "first notification:a;")
		e.timers(86460, 86580) // a day was missed: until 86640
		expectLines(t, c)
		e.timer(at(86640))
		expectLines(t, c, "all alerts resolved:;a")
	})
	t.Run("an alert whose end is later by an outage counts as active", func(t *testing.T) {
		e, _ := newChannelEnv(t, newRoute("0s", "1m", "100h"))
		e.renew(at(0), "a") // until 240
		e.timers(0, 60)
		e.timer(at(3660)) // an hour was missed: until 3840
		want := dispatch.AlertStats{Active: 1, Groups: 1}
		if got, err := e.engine.AlertStats(t.Context(), at(3700)); err != nil || got != want {
			t.Errorf("stats: got %+v, %v, want %+v", got, err, want)
		}
	})
	t.Run("two outages add up", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "100h"))
		e.renew(at(0), "a") // until 240
		e.timers(0, 60)
		expectLines(t, c, "first notification:a;")
		e.timers(1860, 1920) // half an hour was missed: until 2040
		e.timers(5580, 5640) // 3660 more: until 5700
		expectLines(t, c)
		e.timer(at(5700))
		expectLines(t, c, "all alerts resolved:;a")
	})
	t.Run("only the part of the outage after the alert was received counts", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "100h"))
		e.timers(0, 60)
		e.renew(at(90), "a") // until 330
		e.timers(3660, 3840) // an outage of 3570 since it was received: until 3900
		expectLines(t, c, "first notification:a;")
		e.timer(at(3900))
		expectLines(t, c, "all alerts resolved:;a")
	})
	t.Run("an end that the source reported stays", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "100h"))
		e.fire(at(0), "a")
		e.timers(0, 60)
		e.resolve(at(70), "a")
		expectLines(t, c, "first notification:a;")
		e.timer(at(3660))
		expectLines(t, c, "all alerts resolved:;a")
	})
	t.Run("a lease that ended before the outage stays ended", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "10m", "100h"))
		e.renew(at(0), "a") // until 240
		e.timers(0, 300)
		expectLines(t, c, "first notification:a;")
		e.timer(at(7200))
		expectLines(t, c, "all alerts resolved:;a")
	})
	t.Run("an end after an outage of days is notified", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
		e.fire(at(0), "a")
		e.timers(0, 60)
		expectLines(t, c, "first notification:a;")
		e.resolve(at(300_000), "a")
		e.timer(at(300_000))
		expectLines(t, c, "all alerts resolved:;a")
	})
	t.Run("restarts after each other are one outage", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "10s", "100h"))
		e.renew(at(0), "a") // until 240
		e.timers(0, 0)
		expectLines(t, c, "first notification:a;")
		run := func(from, to int, record func(context.Context, time.Time, time.Duration, ...store.Change) error) {
			for s := from; s < to; s += 10 {
				if err := record(t.Context(), at(float64(s)), 10*time.Second); err != nil {
					t.Fatal(err)
				}
				e.tick(at(float64(s)))
			}
		}
		run(3600, 4610, e.engine.RecordStart) // until 4840
		run(4610, 4840, e.engine.RecordIntake)
		expectLines(t, c)
		run(4840, 4860, e.engine.RecordIntake)
		expectLines(t, c, "all alerts resolved:;a")
	})
	t.Run("the store was out of reach", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "100h"))
		down := false
		e.intercept(func(_ context.Context, _ storetest.Op, do func() error) error {
			if down {
				return fmt.Errorf("%w: out of reach", store.ErrUnavailable)
			}
			return do()
		})
		e.renew(at(0), "a") // until 240
		e.timers(0, 60)
		expectLines(t, c, "first notification:a;")
		down = true
		for s := 120.0; s < 1200; s += 60 {
			if err := e.engine.WatchTicks(t.Context(), at(s), 0); err == nil {
				t.Fatal("got no error, want the store's")
			}
		}
		down = false
		e.timers(1200, 1320)
		expectLines(t, c)
		e.timer(at(1380)) // 240 + 1140
		expectLines(t, c, "all alerts resolved:;a")
	})
	t.Run("a slow timer is no outage", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "100h"))
		for s := 0.0; s <= 3000; s += 600 {
			e.timer(at(s))
		}
		e.renew(at(3000), "a") // until 3240
		e.timer(at(3000))
		expectLines(t, c, "first notification:a;")
		e.timer(at(3600))
		expectLines(t, c, "all alerts resolved:;a")
	})
	t.Run("a source of inhibition still inhibits", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "100h"))
		e.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{`topic="a"`}, TargetMatchers: []string{`topic="b"`}}}
		e.reopen(newRoute("0s", "1m", "100h"))
		e.renew(at(0), "a")
		e.fire(at(0), "b")
		e.timers(0, 60)
		expectLines(t, c, "first notification:a;")
		e.timers(3660, 3780) // a: until 3840
		expectLines(t, c)
		e.timer(at(3840))
		expectLines(t, c, "new alerts added:b;a")
	})
	t.Run("the alert is listed as firing before the first tick", func(t *testing.T) {
		e, _ := newChannelEnv(t, newRoute("0s", "1m", "100h"))
		e.renew(at(0), "a")
		e.timers(0, 60)
		all, err := e.engine.Alerts(t.Context(), at(3660))
		if err != nil || len(all) != 1 || !all[0].EndsAt.Equal(at(3840)) {
			t.Errorf("got %v and %v, want the alert until 3840 s", all, err)
		}
	})
}

// TestRecordIntake has a process that records every 10 s.
func TestRecordIntake(t *testing.T) {
	record := func(e *env, seconds float64) {
		t.Helper()
		if err := e.engine.RecordIntake(t.Context(), at(seconds), 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		back float64 // of the process after 20 s
		end  float64 // of an alert received at 0 until 240
	}{
		{"a pause of three intervals is none", 50, 240},
		{"a longer one is an outage", 51, 271},
		{"a day", 86420, 86640},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, _ := newChannelEnv(t, newRoute("0s", "1m", "100h"))
			record(e, 0)
			e.renew(at(0), "a")
			record(e, 10)
			record(e, 20)
			record(e, test.back)
			for _, firing := range []bool{true, false} {
				now := at(test.end)
				if firing {
					now = at(test.end - 1)
				}
				for s := test.back + 10; at(s).Before(now); s += 10 {
					record(e, s)
				}
				all, err := e.engine.Alerts(t.Context(), now)
				if err != nil || len(all) == 1 != firing {
					t.Errorf("at %v: got %d alerts and %v, want firing %v", now.Sub(t0), len(all), err, firing)
				}
			}
		})
	}
}

// TestClockThatWasAhead has one tick eight hours in the future.
func TestClockThatWasAhead(t *testing.T) {
	const ahead = 8 * 3600
	newEnv := func(t *testing.T) (*env, *outboxtest.Channel) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
		e.fire(at(0), "a")
		e.timers(0, 60)
		expectLines(t, c, "first notification:a;")
		return e, c
	}
	t.Run("a group is flushed at the next tick", func(t *testing.T) {
		e, c := newEnv(t)
		e.timer(at(ahead))
		expectLines(t, c, "repeat interval elapsed:a;")
		e.fire(at(90), "b")
		e.timer(at(120))
		expectLines(t, c, "new alerts added:a,b;")
		e.expectDue(at(180))
	})
	t.Run("a group that is new then is flushed", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("30s", "1m", "1h"))
		e.timers(0, 60)
		e.timer(at(ahead))
		e.fire(at(ahead), "a")
		e.timer(at(120))
		expectLines(t, c, "first notification:a;")
	})
	t.Run("repetitions go on", func(t *testing.T) {
		e, c := newEnv(t)
		e.timer(at(ahead))
		expectLines(t, c, "repeat interval elapsed:a;")
		e.timers(120, 120+3540)
		expectLines(t, c)
		e.timer(at(120 + 3600))
		expectLines(t, c, "repeat interval elapsed:a;")
	})
	t.Run("a notification is retried", func(t *testing.T) {
		e, c := newEnv(t)
		c.Fail(outboxtest.Transient("503"))
		e.timer(at(ahead))
		expectLines(t, c)
		e.timer(at(120))
		expectLines(t, c, "repeat interval elapsed:a;")
	})
	t.Run("a quota is not used up", func(t *testing.T) {
		c := &outboxtest.Channel{}
		root := newRouteByTopic()
		e := newEnvWith(t, root, c)
		e.fire(at(ahead), "a", "b")
		e.timer(at(ahead))
		e.fire(at(60), "c")
		e.timer(at(60))
		expectContains(t, c, "first notification:c;")
	})
	t.Run("a lease that was received then ends", func(t *testing.T) {
		e, c := newEnv(t)
		e.timer(at(ahead))
		e.renew(at(ahead), "b")
		e.timer(at(ahead + 60))
		expectContains(t, c, "new alerts added:a,b;")
		e.timers(120, 300) // b: until 120 + 240
		expectLines(t, c)
		e.timer(at(360))
		expectLines(t, c, "some alerts resolved:a;b")
	})
	t.Run("an alert that was received then is updated", func(t *testing.T) {
		e, c := newEnv(t)
		e.timer(at(ahead))
		e.renew(at(ahead), "a")
		expectLines(t, c, "repeat interval elapsed:a;")
		e.resolve(at(120), "a")
		e.timer(at(120))
		expectLines(t, c, "all alerts resolved:;a")
	})
	t.Run("leases are not ended by it", func(t *testing.T) {
		e, c := newEnv(t)
		e.renew(at(60), "b")
		e.timer(at(60))
		e.timer(at(120))
		c.TakeLines()
		e.timer(at(ahead))
		expectLines(t, c, "repeat interval elapsed:a,b;")
		e.renew(at(150), "b")
		e.timers(180, 360)
		expectLines(t, c)
	})
	t.Run("a late tick is noticed", func(t *testing.T) {
		e, _ := newEnv(t)
		for _, s := range []float64{0, ahead, 120, 1000} {
			if err := e.engine.WatchTicks(t.Context(), at(s), 5*time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		all, err := e.engine.Alerts(t.Context(), at(1000))
		if err != nil || !containsName(all, alert.TickLateAlert) {
			t.Errorf("got %v and %v, want %s among them", all, err, alert.TickLateAlert)
		}
	})
	t.Run("a silence mutes until its end", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
		e.config.Retention = time.Hour
		e.reopen(newRoute("0s", "1m", "1h"))
		if _, err := e.engine.Silences().Set(t.Context(), at(0), silence.Silence{
			Matchers: []silence.Matcher{{Name: "topic", Value: "a", IsEqual: true}}, EndsAt: at(7200), CreatedBy: "me", Comment: "known",
		}); err != nil {
			t.Fatal(err)
		}
		e.timer(at(ahead))
		e.timer(at(60))
		e.fire(at(60), "a")
		e.timers(60, 3600)
		expectLines(t, c)
		e.timers(3660, 7260)
		expectLines(t, c, "first notification:a;")
	})
	t.Run("an instance that stays ahead mutes nobody", func(t *testing.T) {
		e, c := newEnv(t)
		for s := 120.0; s < 600; s += 60 {
			e.timer(at(ahead + s))
			e.timer(at(s + 1))
		}
		c.TakeLines()
		e.timer(at(ahead + 600))
		e.fire(at(610), "b")
		e.timer(at(660))
		expectContains(t, c, "new alerts added:a,b;")
	})
}

func containsName(all []dispatch.AlertView, name string) bool {
	for _, a := range all {
		if a.Name() == name {
			return true
		}
	}
	return false
}

// newEnvWith returns an engine whose receiver takes two messages a day.
func newEnvWith(t *testing.T, root route.Config, c notify.Notifier) *env {
	return newEnv(t, root, outboxtest.WithQuota(outboxtest.Receiver("ops", "test", c), 2, 24*time.Hour))
}
