package outbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/memory"
)

// TestLargeNotification checks that a notification that is larger than a stored value may
// be is one, and that nothing of it stays in the store after it was accepted.
func TestLargeNotification(t *testing.T) {
	alerts := firing(at(0), outboxtest.Numbered("topic", 3000)...)
	for _, a := range alerts {
		a.Annotations = alert.Labels{"description": strings.Repeat("x", 1000)}
	}
	no := outboxtest.Permanent("HTTP 404")
	open := func(t *testing.T) (e *env, ops, mail *outboxtest.Channel) {
		ops, mail = &outboxtest.Channel{}, &outboxtest.Channel{}
		e = newEnv(t, outboxtest.WithFallback(outboxtest.Receiver("ops", "webhook", ops), "mail", time.Hour), outboxtest.Receiver("mail", "email", mail))
		e.store = store.WithLargeValues(memory.New())
		e.reopen()
		return e, ops, mail
	}
	expectAll := func(t *testing.T, c *outboxtest.Channel) {
		t.Helper()
		if got := c.Take(); len(got) != 1 || len(got[0].Alerts) != len(alerts) {
			t.Errorf("got %d notifications, want one of %d alerts", len(got), len(alerts))
		}
	}
	expectEmpty := func(t *testing.T, e *env) {
		t.Helper()
		for _, prefix := range []string{keyspace.Outbox, keyspace.DeadLetter, keyspace.Part} {
			items, err := e.store.List(t.Context(), prefix, "", 100)
			if err != nil || len(items) > 0 {
				t.Errorf("got %d items with %s and error %v, want none", len(items), prefix, err)
			}
		}
	}
	t.Run("accepted at the second attempt", func(t *testing.T) {
		e, ops, _ := open(t)
		ops.Fail(outboxtest.Transient("HTTP 503"))
		e.enqueue(at(0), "g", alerts)
		e.tick(at(0))
		e.tick(at(60))
		expectAll(t, ops)
		expectEmpty(t, e)
	})
	t.Run("accepted by the fallback", func(t *testing.T) {
		e, ops, mail := open(t)
		ops.Fail(no)
		e.enqueue(at(0), "g", alerts)
		e.tick(at(0))
		e.tick(at(60))
		expectAll(t, mail)
		expectEmpty(t, e)
	})
	t.Run("accepted when sent again by hand", func(t *testing.T) {
		e, ops, mail := open(t)
		ops.Fail(no)
		mail.Fail(no)
		e.enqueue(at(0), "g", alerts)
		e.tick(at(0))
		e.tick(at(60))
		dead := e.deadLetters()
		if len(dead) != 1 {
			t.Fatalf("got %d dead letters, want 1", len(dead))
		}
		if err := e.outbox.Resend(t.Context(), at(61), dead[0].ID); err != nil {
			t.Fatal(err)
		}
		e.tick(at(61))
		expectAll(t, mail)
		expectEmpty(t, e)
	})
	t.Run("accepted as a digest", func(t *testing.T) {
		e, ops, _ := open(t)
		outboxtest.WithQuota(e.config.Receivers[0], 1, time.Minute)
		e.reopen()
		for i := range 3 {
			e.enqueue(at(0), fmt.Sprint(i), alerts[1000*i:1000*(i+1)])
		}
		e.tick(at(0))
		expectAll(t, ops)
		expectEmpty(t, e)
	})
}
