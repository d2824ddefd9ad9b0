package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/store"
	"tocsin/pkg/store/storetest"
)

// failing makes the store fail the operations for which fails returns true.
func (e *env) failing(fails func(op storetest.Op) bool) {
	e.t.Helper()
	e.store = storetest.Intercept(e.store, func(_ context.Context, op storetest.Op, do func() error) error {
		if fails(op) {
			return store.ErrUnavailable
		}
		return do()
	})
	e.reopen()
}

// TestSendingStopsWhenResultsAreNotRecorded has the store refuse commits while 300 notifications of three
// integrations are sent: of each integration, only the one under way is sent twice.
func TestSendingStopsWhenResultsAreNotRecorded(t *testing.T) {
	for _, atMostOnce := range []bool{false, true} {
		t.Run(fmt.Sprintf("at most once %v", atMostOnce), func(t *testing.T) {
			var down atomic.Bool
			sends := map[string]int{}
			var sent atomic.Int64
			var receivers []*outbox.Receiver
			for i := range 3 {
				c := &chartChannel{result: func(_ context.Context, unit string) error {
					if sent.Add(1) == 20 && unit == "text" {
						down.Store(true)
					}
					return nil
				}}
				r := outboxtest.Receiver(fmt.Sprintf("ops%d", i), "chat", c)
				r.Integrations[0].Kind.AtMostOnce = atMostOnce
				receivers = append(receivers, r)
			}
			e := newEnv(t, receivers...)
			e.notified = receivers
			topics := numbered("t", 100)
			for _, topic := range topics {
				e.enqueue(at(0), topic, resolved(at(0), topic))
			}
			e.failing(func(op storetest.Op) bool { return down.Load() && op.Name == "Commit" })
			for s := range 5 { // the outage lasts beyond the leases
				if _, err := tick(t.Context(), e.outbox, at(float64(10*s))); err == nil {
					t.Errorf("tick at %ds: got no error, want the store's", 10*s)
				}
			}
			down.Store(false)
			e.tick(at(60))
			e.tick(at(120))
			for _, r := range receivers {
				for _, line := range r.Integrations[0].Notifier.(*chartChannel).sent {
					sends[r.Name+" "+line]++
				}
			}
			twice := map[string]int{}
			for _, r := range receivers {
				for _, topic := range topics {
					n := sends[r.Name+" text: "+topic]
					if n == 0 && !atMostOnce || n > 2 {
						t.Errorf("%s, %s: got %d notifications, want 1 or 2", r.Name, topic, n)
					}
					if n == 2 {
						twice[r.Name]++
					}
				}
				if got := twice[r.Name]; got > 1 || atMostOnce && got > 0 {
					t.Errorf("%s: got %d notifications sent twice, want one at most, and none if at most once", r.Name, got)
				}
			}
			if dead := len(e.deadLetters()); dead > 3 || !atMostOnce && dead > 0 {
				t.Errorf("got %d dead letters, want one of each integration that is at most once", dead)
			}
		})
	}
}

// TestNotificationsAreGivenBackAfterAFailedCommit has one commit fail: the
// notifications that were not sent do not wait for their leases to expire.
func TestNotificationsAreGivenBackAfterAFailedCommit(t *testing.T) {
	var fail atomic.Bool
	c := &chartChannel{result: func(context.Context, string) error { fail.Store(true); return nil }}
	e := newEnv(t, c.receiver("ops", 0))
	e.failing(func(op storetest.Op) bool { return op.Name == "Commit" && fail.CompareAndSwap(true, false) })
	for i, topic := range []string{"a", "b", "c"} {
		e.enqueue(at(float64(i)), topic, resolved(at(0), topic))
	}
	if _, err := tick(t.Context(), e.outbox, at(2)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, store.ErrUnavailable)
	}
	expectSent(t, &c.sent, "text: a")
	c.result = nil
	expectSummary(t, e.tick(at(3)), summary{2, 1})
	expectSent(t, &c.sent, "text: b", "text: c")
	expectSummary(t, e.tick(at(27)), summary{1, 0})
	expectSent(t, &c.sent, "text: a") // when its lease has expired
}

// TestAtMostOnceNeedsItsLease checks that a text message is not sent when its lease
// cannot be confirmed right before.
func TestAtMostOnceNeedsItsLease(t *testing.T) {
	for _, test := range []struct {
		name  string
		lose  func(other *outbox.Outbox, down *bool)
		err   error
		lines []string
	}{
		{"the store is down", func(_ *outbox.Outbox, down *bool) { *down = true }, store.ErrUnavailable, nil},
		{"another instance took over", func(other *outbox.Outbox, _ *bool) {
			if _, err := tick(t.Context(), other, at(25)); err != nil {
				t.Error(err)
			}
		}, nil, []string{"first notification:a;"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			phone := &outboxtest.Channel{}
			r := outboxtest.Receiver("ops", "sms", phone)
			r.Integrations[0].Kind.AtMostOnce = true
			e := newEnv(t, r)
			e.enqueue(at(0), "g", firing(at(0), "a"))
			other := e.outbox
			down, commits := false, 0
			e.failing(func(op storetest.Op) bool {
				if op.Name == "Commit" {
					if commits++; commits == 2 { // after the lease
						test.lose(other, &down)
					}
				}
				return down
			})
			if _, err := tick(t.Context(), e.outbox, at(0)); !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
			expectLines(t, phone, test.lines...)
		})
	}
}

// TestInterruptedAttemptStaysKnown checks that a text message which may have been sent
// is not sent again after its entry was given back because the channel was over its
// rate.
func TestInterruptedAttemptStaysKnown(t *testing.T) {
	ops, mail, receivers := receiverAndFallback(time.Hour)
	receivers[0].Integrations[0].Kind.AtMostOnce = true
	e := newEnv(t, receivers...)
	e.enqueue(at(0), "g", firing(at(0), "a"))
	e.dieAfterCommits(at(0), 2)
	ops.Fail(&notify.Error{Class: notify.Rate, Message: "20 a minute", RetryAfter: time.Minute})
	e.notify(at(17), "b")
	e.tick(at(25)) // a is given back
	expectLines(t, ops)
	expectLines(t, mail)
	e.tick(at(80))
	expectLines(t, ops, "first notification:b;")
	expectLines(t, mail, "first notification:a; for ops: an earlier attempt was cut off, and it is not known whether it was sent")
}

// TestFrozenInstance has an instance freeze after the commit of its lease, until
// another one has taken over: it sends nothing.
func TestFrozenInstance(t *testing.T) {
	for _, test := range []struct {
		name  string
		after bool // it freezes after its lease is confirmed, not before
	}{{"before its lease is confirmed", false}, {"after that", true}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &outboxtest.Channel{}
				e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
				e.enqueue(at(0), "g", firing(at(0), "a"))
				other, frozen := e.outbox, false
				freeze := func() {
					frozen = true
					time.Sleep(30 * time.Second)
					if _, err := tick(t.Context(), other, at(30)); err != nil {
						t.Error(err)
					}
				}
				e.store = storetest.Intercept(e.store, func(_ context.Context, op storetest.Op, do func() error) error {
					if op.Name == "Get" && !frozen {
						if test.after {
							defer freeze()
						} else {
							freeze()
						}
					}
					return do()
				})
				e.reopen()
				e.tick(at(0))
				expectLines(t, c, "first notification:a;")
			})
		})
	}
}
