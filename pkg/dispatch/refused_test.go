package dispatch_test

import (
	"testing"
	"time"

	"tocsin/pkg/inhibit"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/route"
)

// TestRefusedNotificationIsAttemptedAtNextFlush expects what Alertmanager does: a
// notification that was not accepted is not logged, so that the next flush notifies.
func TestRefusedNotificationIsAttemptedAtNextFlush(t *testing.T) {
	root := newRoute("1s", "4s", "1h")
	no := outboxtest.Permanent("HTTP 404")
	expectDead := func(t *testing.T, e *env, want int) {
		t.Helper()
		dead, err := e.engine.Outbox().DeadLetters(t.Context())
		if err != nil || len(dead) != want {
			t.Fatalf("got %d dead letters and %v, want %d", len(dead), err, want)
		}
	}
	t.Run("it is sent once when it is accepted", func(t *testing.T) {
		e, c := newChannelEnv(t, root)
		c.Fail(no)
		e.fire(at(0), "a")
		e.tick(at(1))
		e.tick(at(4.9))
		expectLines(t, c)
		e.expectDue(at(5))
		e.tick(at(5))
		expectLines(t, c, "first notification:a;")
		e.tick(at(9))
		expectLines(t, c)
	})
	t.Run("one dead letter is kept for all refusals", func(t *testing.T) {
		e, c := newChannelEnv(t, root)
		c.Fail(no, no, no, no)
		e.fire(at(0), "a")
		e.tick(at(1))
		e.tick(at(5))
		e.fire(at(6), "b")
		e.tick(at(9))
		e.tick(at(13))
		expectLines(t, c)
		expectDead(t, e, 1)
		e.tick(at(17))
		expectLines(t, c, "first notification:a,b;")
	})
	t.Run("it goes through receiver and fallback", func(t *testing.T) {
		ops, mail := &outboxtest.Channel{}, &outboxtest.Channel{}
		e := newEnv(t, root, outboxtest.WithFallback(outboxtest.Receiver("ops", "robot", ops), "mail", time.Minute), outboxtest.Receiver("mail", "email", mail))
		ops.Fail(no, no)
		mail.Fail(no)
		e.fire(at(0), "a")
		e.tick(at(1))
		expectLines(t, mail)
		expectDead(t, e, 1)
		e.tick(at(5))
		expectLines(t, mail, "first notification:a; for ops: HTTP 404")
		e.tick(at(9))
		expectLines(t, ops)
		expectLines(t, mail)
	})
	t.Run("a fallback that accepts it ends it", func(t *testing.T) {
		ops, mail := &outboxtest.Channel{}, &outboxtest.Channel{}
		e := newEnv(t, root, outboxtest.WithFallback(outboxtest.Receiver("ops", "robot", ops), "mail", time.Minute), outboxtest.Receiver("mail", "email", mail))
		ops.Fail(no)
		e.fire(at(0), "a")
		e.tick(at(1))
		expectLines(t, mail, "first notification:a; for ops: HTTP 404")
		e.tick(at(5))
		expectLines(t, ops)
		expectDead(t, e, 0)
	})
	t.Run("the end of an alert is attempted again", func(t *testing.T) {
		e, c := newChannelEnv(t, root)
		e.fire(at(0), "a")
		e.tick(at(1))
		expectLines(t, c, "first notification:a;")
		c.Fail(no)
		e.resolve(at(2), "a")
		e.tick(at(5))
		expectLines(t, c)
		e.tick(at(9))
		expectLines(t, c, "all alerts resolved:;a")
	})
}

// TestRefusedNotificationIsAttemptedAsOfToday checks that another attempt notifies of
// what a flush would: not of alerts that are muted since, nor of what has changed.
func TestRefusedNotificationIsAttemptedAsOfToday(t *testing.T) {
	// refused returns an engine whose first notification, of a and b, was refused.
	refused := func(t *testing.T, change func(e *env)) (*env, *outboxtest.Channel) {
		t.Helper()
		c := &outboxtest.Channel{}
		e := newEnv(t, newRoute("1s", "4s", "1h"), outboxtest.Receiver("ops", "test", c), outboxtest.Receiver("others", "test", &outboxtest.Channel{}))
		if change != nil {
			change(e)
			e.reopen(*e.config.Route)
		}
		c.Fail(outboxtest.Permanent("HTTP 404"))
		e.fire(at(0), "a", "b")
		e.tick(at(1))
		expectLines(t, c)
		return e, c
	}
	t.Run("a silenced alert waits for the end of its silence", func(t *testing.T) {
		e, c := refused(t, nil)
		e.silence(at(2), topicSilence("a", 2, 7))
		e.tick(at(5))
		expectLines(t, c, "first notification:b;")
		e.tick(at(9))
		expectLines(t, c, "new alerts added:a,b;")
		e.tick(at(13))
		expectLines(t, c)
	})
	t.Run("a silenced alert waits while a fallback accepts the others", func(t *testing.T) {
		mail := &outboxtest.Channel{}
		e, c := refused(t, func(e *env) {
			outboxtest.WithFallback(e.receivers[0], "mail", time.Minute)
			e.receivers = append(e.receivers, outboxtest.Receiver("mail", "email", mail))
			mail.Fail(outboxtest.Permanent("no such mailbox"))
		})
		e.silence(at(2), topicSilence("a", 2, 7))
		c.Fail(outboxtest.Permanent("HTTP 404"))
		e.tick(at(5))
		expectLines(t, mail, "first notification:b; for ops: HTTP 404")
		e.tick(at(9))
		expectLines(t, c, "first notification:a;")
	})
	t.Run("nothing is sent while all alerts are silenced", func(t *testing.T) {
		e, c := refused(t, nil)
		e.silence(at(2), topicSilence("a", 2, 11))
		e.silence(at(2), topicSilence("b", 2, 11))
		e.tick(at(5))
		e.tick(at(9))
		expectLines(t, c)
		e.tick(at(13))
		expectLines(t, c, "first notification:a,b;")
	})
	t.Run("an inhibited alert waits", func(t *testing.T) {
		e, c := refused(t, func(e *env) {
			e.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{"topic=c"}, TargetMatchers: []string{"topic=a"}}}
		})
		e.silence(at(2), topicSilence("c", 2, 60)) // inhibits, and is not notified itself
		e.fire(at(2), "c")
		e.tick(at(5))
		expectLines(t, c, "first notification:b;")
		e.tick(at(9))
		expectLines(t, c)
		e.resolve(at(10), "c")
		e.tick(at(13))
		expectLines(t, c, "new alerts added:a,b;")
	})
	t.Run("nothing is sent in a mute time interval", func(t *testing.T) {
		e, c := refused(t, func(e *env) {
			e.config.TimeIntervals = []route.TimeInterval{{Name: "soon",
				TimeIntervals: []route.TimesConfig{{Times: []route.TimeRangeConfig{{StartTime: "22:01", EndTime: "22:02"}}}}}}
			e.config.Route.Routes = []*route.Config{{Matchers: []string{"topic=~a|b"}, MuteTimeIntervals: []string{"soon"}}}
		})
		c.Fail(outboxtest.Permanent("HTTP 404"))
		e.tick(at(5))
		e.tick(at(61))
		expectLines(t, c)
		e.tick(at(121))
		expectLines(t, c, "first notification:a,b;")
	})
	t.Run("the next notification of the group does not list a silenced alert", func(t *testing.T) {
		e, c := refused(t, nil)
		e.silence(at(2), topicSilence("a", 2, 7))
		e.fire(at(3), "c")
		e.tick(at(5))
		expectLines(t, c, "first notification:b,c;")
		e.tick(at(9))
		expectLines(t, c, "new alerts added:a,b,c;")
		e.tick(at(13))
		expectLines(t, c)
	})
	t.Run("the end of a silenced alert that was notified before is notified", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("1s", "4s", "1h"))
		e.fire(at(0), "a")
		e.tick(at(1))
		expectLines(t, c, "first notification:a;")
		c.Fail(outboxtest.Permanent("HTTP 404"))
		e.fire(at(2), "b")
		e.tick(at(5))
		e.silence(at(6), topicSilence("a", 6, 19))
		e.tick(at(9))
		expectLines(t, c, "new alerts added:b;")
		e.resolve(at(10), "a")
		e.tick(at(13))
		e.tick(at(17))
		expectLines(t, c)
		e.tick(at(21))
		expectLines(t, c, "some alerts resolved:b;a")
	})
	t.Run("the end of a silenced alert that was never notified is not notified", func(t *testing.T) {
		e, c := refused(t, nil)
		e.silence(at(2), topicSilence("a", 2, 15))
		e.tick(at(5))
		expectLines(t, c, "first notification:b;")
		e.resolve(at(6), "a")
		for s := 9.0; s < 30; s += 4 {
			e.tick(at(s))
		}
		expectLines(t, c)
	})
	t.Run("an alert that ended is mentioned as resolved", func(t *testing.T) {
		e, c := refused(t, nil)
		e.resolve(at(2), "a")
		e.tick(at(5))
		expectLines(t, c, "first notification:b;a")
	})
	t.Run("an alert fires for as long as its lease is extended by an outage", func(t *testing.T) {
		c := &outboxtest.Channel{}
		e := newEnv(t, newRoute("1s", "4s", "1h"), outboxtest.Receiver("ops", "test", c))
		c.Fail(outboxtest.Permanent("HTTP 404"))
		e.renew(at(0), "a") // until 240
		e.timers(0, 0)
		e.tick(at(1))
		e.timers(3600, 3600) // until 3840
		expectLines(t, c, "first notification:a;")
	})
	t.Run("an alert that ended is left out without send_resolved", func(t *testing.T) {
		e, c := refused(t, func(e *env) { e.receivers[0].Integrations[0].SendResolved = false })
		e.resolve(at(2), "a")
		e.tick(at(5))
		expectLines(t, c, "first notification:b;")
	})
	t.Run("nothing is left to notify of without send_resolved", func(t *testing.T) {
		e, c := refused(t, func(e *env) { e.receivers[0].Integrations[0].SendResolved = false })
		e.resolve(at(2), "a", "b")
		if sum := e.tick(at(5)); sum.Pending != 0 {
			t.Errorf("got %d pending, want 0", sum.Pending)
		}
		expectLines(t, c)
	})
	t.Run("an alert that fires is left out once it has another receiver", func(t *testing.T) {
		e, c := refused(t, nil)
		root := newRoute("1s", "4s", "1h")
		root.Routes = []*route.Config{{Matchers: []string{"topic=a"}, Receiver: "others"}}
		e.reopen(root)
		e.tick(at(5))
		expectLines(t, c, "first notification:b;")
	})
	t.Run("alerts after a refused end are new ones to the receiver", func(t *testing.T) {
		e, c := newChannelEnv(t, newRoute("1s", "4s", "1h"))
		e.fire(at(0), "a")
		e.tick(at(1))
		expectLines(t, c, "first notification:a;")
		c.Fail(outboxtest.Permanent("HTTP 404"))
		e.resolve(at(2), "a")
		e.tick(at(5))
		e.fire(at(8), "b") // in a group of its own
		e.tick(at(9))
		expectLines(t, c, "new alerts added:b;a")
	})
	t.Run("an alert that was left out because it had ended is new when it fires again", func(t *testing.T) {
		e, c := refused(t, func(e *env) { e.receivers[0].Integrations[0].SendResolved = false })
		e.resolve(at(2), "a")
		e.tick(at(5))
		expectLines(t, c, "first notification:b;")
		e.fire(at(6), "a")
		e.tick(at(9))
		expectLines(t, c, "new alerts added:a,b;")
		e.tick(at(13))
		expectLines(t, c)
	})
	t.Run("repetitions count from the attempt that was accepted", func(t *testing.T) {
		c := &outboxtest.Channel{}
		e := newEnv(t, newRoute("1s", "4s", "8s"), outboxtest.Receiver("ops", "test", c))
		c.Fail(outboxtest.Permanent("HTTP 404"))
		e.fire(at(0), "a")
		e.tick(at(1))
		e.tick(at(5))
		expectLines(t, c, "first notification:a;")
		e.tick(at(9))
		expectLines(t, c)
		e.tick(at(13))
		expectLines(t, c, "repeat interval elapsed:a;")
	})
	t.Run("repetitions count from the attempt that a fallback accepted", func(t *testing.T) {
		ops, mail := &outboxtest.Channel{}, &outboxtest.Channel{}
		e := newEnv(t, newRoute("1s", "4s", "8s"),
			outboxtest.WithFallback(outboxtest.Receiver("ops", "test", ops), "mail", time.Minute), outboxtest.Receiver("mail", "email", mail))
		ops.Fail(outboxtest.Permanent("HTTP 404"), outboxtest.Permanent("HTTP 404"))
		mail.Fail(outboxtest.Permanent("no such mailbox"))
		e.fire(at(0), "a")
		e.tick(at(1))
		e.tick(at(5))
		expectLines(t, mail, "first notification:a; for ops: HTTP 404")
		e.tick(at(9))
		expectLines(t, ops)
		e.tick(at(13))
		expectLines(t, ops, "repeat interval elapsed:a;")
	})
	t.Run("it is attempted for as long as an alert fires", func(t *testing.T) {
		e, c := refused(t, nil)
		day := (24 * time.Hour).Seconds()
		c.Fail(outboxtest.Permanent("HTTP 404"), outboxtest.Permanent("HTTP 404"))
		e.tick(at(day + 1))
		e.tick(at(day + 5))
		expectLines(t, c)
		if sum := e.tick(at(day + 9)); sum.Sent != 1 {
			t.Errorf("got %d sent a day later, want 1", sum.Sent)
		}
	})
	t.Run("the end of alerts is attempted for a day", func(t *testing.T) {
		e, c := refused(t, nil)
		e.resolve(at(2), "a", "b")
		c.Fail(outboxtest.Permanent("HTTP 404"), outboxtest.Permanent("HTTP 404"))
		e.tick(at(5))
		if sum := e.tick(at((24 * time.Hour).Seconds() + 9)); sum.Pending != 0 {
			t.Errorf("got %d pending a day later, want 0", sum.Pending)
		}
		expectLines(t, c)
	})
}
