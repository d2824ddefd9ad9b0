package outbox_test

import (
	"context"
	"errors"
	"testing"
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

// TestSendingStopsWhenResultsAreNotRecorded has the store fail when the notifications
// of three integrations are leased: one of each is sent, and so sent again later.
func TestSendingStopsWhenResultsAreNotRecorded(t *testing.T) {
	robot, mail, phone := &outboxtest.Channel{}, &outboxtest.Channel{}, &outboxtest.Channel{}
	ops := outboxtest.Receiver("ops", "robot", robot)
	ops.Integrations = append(ops.Integrations, outboxtest.Integration("email", mail), outboxtest.Integration("sms", phone))
	ops.Integrations[2].Kind.AtMostOnce = true
	e := newEnv(t, ops)
	down := false
	e.failing(func(op storetest.Op) bool { return down && op.Name == "Commit" })
	var leased []*outbox.Entry
	topics := numbered("t", 100)
	for _, topic := range topics {
		leased = append(leased, e.enqueue(at(0), topic, firing(at(0), topic))...)
	}
	down = true
	if _, err := deliver(t.Context(), e.outbox, at(0), leased); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, store.ErrUnavailable)
	}
	for _, c := range []*outboxtest.Channel{robot, mail, phone} {
		if sent := c.Take(); len(sent) > 1 {
			t.Errorf("with the store down: got %d sent by one integration, want at most 1", len(sent))
		}
	}
	down = false
	e.tick(at(181)) // the leases have expired
	for name, c := range map[string]*outboxtest.Channel{"robot": robot, "mail": mail} {
		if sent := c.Take(); len(sent) != len(topics) {
			t.Errorf("afterwards: got %d sent by %s, want %d", len(sent), name, len(topics))
		}
	}
}

// TestNotificationsAreGivenBackAfterAFailedCommit has one commit fail: the
// notifications that were not sent do not wait for their leases to expire.
func TestNotificationsAreGivenBackAfterAFailedCommit(t *testing.T) {
	c := &outboxtest.Channel{}
	e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
	fail := false
	e.failing(func(op storetest.Op) bool {
		failed := fail && op.Name == "Commit"
		fail = fail && !failed
		return failed
	})
	var leased []*outbox.Entry
	for _, topic := range []string{"a", "b", "c"} {
		leased = append(leased, e.enqueue(at(0), topic, firing(at(0), topic))...)
	}
	fail = true
	if _, err := deliver(t.Context(), e.outbox, at(0), leased); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, store.ErrUnavailable)
	}
	expectLines(t, c, "first notification:a;")
	expectSummary(t, e.tick(at(1)), summary{2, 1})
	expectLines(t, c, "first notification:b;", "first notification:c;")
}

// TestAtMostOnceNeedsItsLease checks that a text message is not sent when its lease
// cannot be confirmed right before.
func TestAtMostOnceNeedsItsLease(t *testing.T) {
	for _, test := range []struct {
		name string
		lose func(e *env, down *bool)
		err  error
	}{
		{"the store is down", func(_ *env, down *bool) { *down = true }, store.ErrUnavailable},
		{"another instance took over", func(e *env, _ *bool) {
			e.reopen()
			e.tick(at(180))
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			phone := &outboxtest.Channel{}
			r := outboxtest.Receiver("ops", "sms", phone)
			r.Integrations[0].Kind.AtMostOnce = true
			e := newEnv(t, r)
			down, gets := false, 0
			var lose func()
			e.failing(func(op storetest.Op) bool {
				if op.Name == "Get" && lose != nil {
					if gets++; gets == 2 { // after the versions of the leases were read
						lose()
					}
				}
				return down
			})
			leased := e.enqueue(at(0), "g", firing(at(0), "a"))
			first := e.outbox
			lose = func() { lose = nil; test.lose(e, &down) }
			if _, err := deliver(t.Context(), first, at(180), leased); !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
			expectLines(t, phone)
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
	e.enqueue(at(0), "g", firing(at(0), "a")) // the instance dies
	e.reopen()
	overRate := func(after time.Duration) error {
		return &notify.Error{Class: notify.Rate, Message: "20 a minute", RetryAfter: after}
	}
	ops.Fail(overRate(5*time.Second), overRate(time.Minute))
	e.notify(at(170), "b")
	e.tick(at(180)) // b is rejected, and a given back
	expectLines(t, ops)
	e.tick(at(240))
	expectLines(t, ops, "first notification:b;")
	expectLines(t, mail, "first notification:a; for ops: an earlier attempt was cut off, and it is not known whether it was sent")
}
