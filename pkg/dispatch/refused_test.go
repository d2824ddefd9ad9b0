package dispatch_test

import (
	"testing"
	"time"

	"tocsin/pkg/outbox/outboxtest"
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
		expectLines(t, c, "new alerts added:a,b;")
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
