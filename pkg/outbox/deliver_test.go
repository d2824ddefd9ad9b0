package outbox_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/storetest"
)

// receiverAndFallback returns the receiver "ops", whose fallback is the receiver
// "mail", and their channels.
func receiverAndFallback(after time.Duration) (ops, mail *outboxtest.Channel, receivers []*outbox.Receiver) {
	ops, mail = &outboxtest.Channel{}, &outboxtest.Channel{}
	return ops, mail, []*outbox.Receiver{
		outboxtest.WithFallback(outboxtest.Receiver("ops", "robot", ops), "mail", after),
		outboxtest.Receiver("mail", "email", mail),
	}
}

func TestTransientFailureIsRetried(t *testing.T) {
	c := &outboxtest.Channel{}
	e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
	c.Fail(outboxtest.Transient("no route to host"), &notify.Error{Class: notify.Rate, Message: "20 a minute", RetryAfter: time.Minute})
	expectSummary(t, e.notify(at(0), "a"), summary{0, 1})
	e.tick(at(0.49)) // the first wait is half a second and up to a fifth more
	expectLines(t, c)
	e.tick(at(0.6)) // rejected: wait for a minute
	e.tick(at(60.5))
	expectLines(t, c)
	expectSummary(t, e.tick(at(60.6)), summary{1, 0})
	expectLines(t, c, "first notification:a;")
}

func TestPendingNotificationsOfAGroupAreCoalesced(t *testing.T) {
	const group = "g"
	for _, test := range []struct {
		name          string
		pending, next []*alert.Alert
		want          string
	}{
		{"an alert that only the pending one has is kept", firing(at(0), "a"), firing(at(60), "b"), "first notification:a,b;"},
		{"an alert is listed once", firing(at(0), "a", "b"), firing(at(0), "b"), "first notification:a,b;"},
		{"an alert is listed in its latest state", firing(at(0), "a"), resolved(at(30), "a"), "first notification:;a"},
		{"an alert that resolved in between is mentioned", firing(at(0), "a"), append(firing(at(60), "b"), resolved(at(30), "a")...), "first notification:b;a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &outboxtest.Channel{}
			e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
			c.Fail(outboxtest.Transient("down"))
			e.enqueue(at(0), group, test.pending)
			expectSummary(t, e.tick(at(0)), summary{0, 1})
			e.enqueue(at(60), group, test.next)
			expectSummary(t, e.tick(at(60)), summary{1, 0})
			expectLines(t, c, test.want)
			e.tick(at(600))
			expectLines(t, c)
		})
	}
}

func TestNotificationsOfOneTimeAreCoalesced(t *testing.T) {
	c := &outboxtest.Channel{}
	e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
	e.enqueue(at(0), "g", firing(at(0), "a"))
	e.enqueue(at(0), "g", firing(at(0), "b"))
	expectSummary(t, e.tick(at(0)), summary{1, 0})
	expectLines(t, c, "first notification:a,b;")
}

// TestLeasedNotificationIsNotCoalesced checks that what a killed instance may have sent
// is not sent again as part of the next notification, and not after it: the last
// notification of an alert that has resolved says so.
func TestLeasedNotificationIsNotCoalesced(t *testing.T) {
	c := &outboxtest.Channel{}
	e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
	e.enqueue(at(0), "g", firing(at(0), "a"))
	e.dieAfterCommits(at(0), 1)
	e.enqueue(at(20), "g", resolved(at(20), "a"))
	e.tick(at(20))
	expectLines(t, c)
	e.tick(at(25))
	expectLines(t, c, "first notification:a;", "first notification:;a")
}

func TestPermanentFailureGoesToFallbackAtOnce(t *testing.T) {
	ops, mail, receivers := receiverAndFallback(15 * time.Minute)
	e := newEnv(t, receivers...)
	ops.Fail(outboxtest.Permanent("robot removed"))
	expectSummary(t, e.notify(at(0), "a"), summary{1, 0})
	expectLines(t, ops)
	expectLines(t, mail, "first notification:a; for ops: robot removed")
}

func TestTransientFailureGoesToFallbackAfterDelay(t *testing.T) {
	ops, mail, receivers := receiverAndFallback(15 * time.Minute)
	e := newEnv(t, receivers...)
	for range 100 {
		ops.Fail(outboxtest.Transient("timeout"))
	}
	e.notify(at(0), "a")
	for s := 60.0; s < 900; s += 60 {
		e.tick(at(s))
		expectLines(t, mail)
	}
	e.tick(at(900))
	expectLines(t, mail, "first notification:a; for ops: timeout")
	e.tick(at(3600))
	expectLines(t, mail)
}

// TestFallbackHasNoFallback checks that a fallback's own failure is a dead letter.
func TestFallbackHasNoFallback(t *testing.T) {
	ops, mail, receivers := receiverAndFallback(time.Minute)
	receivers[1].Fallback = "ops"
	e := newEnv(t, receivers...)
	ops.Fail(outboxtest.Permanent("robot removed"))
	mail.Fail(outboxtest.Permanent("no such mailbox"))
	expectSummary(t, e.notify(at(0), "a"), summary{0, 1}) // ops is attempted again
	if dead := e.deadLetters(); len(dead) != 1 || dead[0].Receiver != "mail" || dead[0].Cause != "no such mailbox" {
		t.Errorf("got dead letters %+v, want one of mail", dead)
	}
}

func TestRemovedReceiver(t *testing.T) {
	ops, mail, receivers := receiverAndFallback(time.Minute)
	e := newEnv(t, receivers...)
	ops.Fail(outboxtest.Transient("down"))
	e.notify(at(0), "a")
	e.config = outbox.Config{Receivers: receivers[1:], RemovedReceiverFallback: "mail"}
	e.reopen()
	e.tick(at(10))
	expectLines(t, mail, "first notification:a; for ops: the receiver is no longer in the configuration")
}

func TestUnknownFallback(t *testing.T) {
	_, _, receivers := receiverAndFallback(time.Minute)
	_, err := outbox.New(nil, outbox.Config{Receivers: receivers[:1]}, nil)
	if want := `receiver "ops": its fallback "mail" does not exist`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDeadLetter(t *testing.T) {
	c := &outboxtest.Channel{}
	e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
	c.Fail(outboxtest.Permanent("robot removed"))
	expectSummary(t, e.notify(at(0), "a"), summary{0, 1}) // it is attempted again
	dead := e.deadLetters()
	if len(dead) != 1 || dead[0].Receiver != "ops" || dead[0].Channel != "robot" || dead[0].Cause != "robot removed" || dead[0].Alerts != 1 {
		t.Fatalf("got dead letters %+v, want one of ops by robot with one alert", dead)
	}
	if err := e.outbox.Resend(t.Context(), at(60), dead[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := e.outbox.Resend(t.Context(), at(60), dead[0].ID); !errors.Is(err, outbox.ErrDeadLetterNotFound) {
		t.Errorf("resend twice: got %v, want %v", err, outbox.ErrDeadLetterNotFound)
	}
	e.tick(at(60))
	expectLines(t, c, "first notification:a;")
	if dead := e.deadLetters(); len(dead) != 0 {
		t.Errorf("after the resend: got %d dead letters, want none", len(dead))
	}
}

// TestUnitsAreIndependent has three recipients, of which one is rejected for good
// and one for now.
func TestUnitsAreIndependent(t *testing.T) {
	ops, mail, receivers := receiverAndFallback(time.Hour)
	ops.Units = []string{"x", "y", "z"}
	e := newEnv(t, receivers...)
	ops.Fail(nil, outboxtest.Transient("greylisted"))
	e.notify(at(0), "a")
	expectLines(t, ops, "first notification:a;") // x; y must wait, and z with it
	ops.Fail(nil, outboxtest.Permanent("no such mailbox"))
	e.tick(at(10))
	expectLines(t, ops, "first notification:a;") // y, not x again
	expectLines(t, mail, "first notification:a; for ops: no such mailbox")
}

func TestTooLongIsShortenedOnce(t *testing.T) {
	tooLong := &notify.Error{Class: notify.TooLong, Message: "too long"}
	c := &outboxtest.Channel{}
	e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
	c.Fail(tooLong)
	e.notify(at(0), "a")
	if accepted := c.Take(); len(accepted) != 1 || !accepted[0].HalfSize {
		t.Fatalf("got %+v, want one notification of half size", accepted)
	}
	c.Fail(tooLong, tooLong)
	e.notify(at(300), "b")
	e.tick(at(400))
	expectLines(t, c)
	if dead := e.deadLetters(); len(dead) != 1 {
		t.Errorf("got %d dead letters, want 1", len(dead))
	}
}

func TestAmbiguousFailure(t *testing.T) {
	for _, test := range []struct {
		name       string
		atMostOnce bool
		ops, mail  []string
	}{
		{"at least once is retried", false, []string{"first notification:a;"}, nil},
		{"at most once goes to the fallback", true, nil, []string{"first notification:a; for ops: no answer"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ops, mail, receivers := receiverAndFallback(time.Hour)
			receivers[0].Integrations[0].Kind.AtMostOnce = test.atMostOnce
			e := newEnv(t, receivers...)
			ops.Fail(&notify.Error{Class: notify.Retry, Message: "no answer", Ambiguous: true})
			e.notify(at(0), "a")
			e.tick(at(60))
			expectLines(t, ops, test.ops...)
			expectLines(t, mail, test.mail...)
		})
	}
}

// TestInterruptedAttempt has the instance die after some of its commits.
func TestInterruptedAttempt(t *testing.T) {
	const cutOff = "an earlier attempt was cut off, and it is not known whether it was sent"
	for _, test := range []struct {
		name       string
		atMostOnce bool
		commits    int
		ops, mail  []string
	}{
		{"at least once is sent when the lease has expired", false, 1, []string{"first notification:a;"}, nil},
		{"at most once that is leased only is sent when the lease has expired", true, 1, []string{"first notification:a;"}, nil},
		{"at most once whose attempt was begun goes to the fallback", true, 2, nil, []string{"first notification:a; for ops: " + cutOff}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ops, mail, receivers := receiverAndFallback(time.Hour)
			receivers[0].Integrations[0].Kind.AtMostOnce = test.atMostOnce
			e := newEnv(t, receivers...)
			e.enqueue(at(0), "g", firing(at(0), "a"))
			e.dieAfterCommits(at(0), test.commits)
			expectLines(t, ops)
			expectSummary(t, e.tick(at(24)), summary{0, 1})
			expectSummary(t, e.tick(at(25)), summary{1, 0})
			expectLines(t, ops, test.ops...)
			expectLines(t, mail, test.mail...)
		})
	}
}

// TestExpiredLease has another instance take over while the first one sends: the
// result of the first is dropped.
func TestExpiredLease(t *testing.T) {
	c := &chartChannel{}
	e := newEnv(t, c.receiver("ops", 0))
	first := e.outbox
	e.reopen()
	calls := 0
	c.result = func(context.Context, string) error {
		if calls++; calls > 1 {
			return nil
		}
		e.tick(at(25))
		return outboxtest.Transient("down")
	}
	e.enqueue(at(0), "g", resolved(at(0), "a"))
	if _, err := tick(t.Context(), first, at(0)); err != nil {
		t.Fatal(err)
	}
	e.tick(at(400))
	expectSent(t, &c.sent, "text: a")
}

// TestOneIntegrationWaits checks that the failure of one integration delays its
// own notifications and no others.
func TestOneIntegrationWaits(t *testing.T) {
	robot, mail := &outboxtest.Channel{}, &outboxtest.Channel{}
	ops := outboxtest.Receiver("ops", "robot", robot)
	ops.Integrations = append(ops.Integrations, outboxtest.Integration("email", mail))
	e := newEnv(t, ops)
	robot.Fail(outboxtest.Transient("down"))
	e.enqueue(at(-1), "a", firing(at(0), "a"))
	expectSummary(t, e.notify(at(0), "b"), summary{2, 2})
	expectLines(t, robot)
	expectLines(t, mail, "first notification:a;", "first notification:b;")
	e.tick(at(1))
	expectLines(t, robot, "first notification:a;", "first notification:b;")
}

// TestUnreadableEntry checks that an entry which cannot be read is put off, for a
// newer version to deliver, and delays nothing else.
func TestUnreadableEntry(t *testing.T) {
	for _, value := range []string{"{", `{"since":5,"alerts":5}`, "\x63\x00\x00later", "", "undecodable"} {
		t.Run(value, func(t *testing.T) {
			c := &outboxtest.Channel{}
			e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
			c.Fail(outboxtest.Transient("down"))
			e.notify(at(0), "a")
			entries, err := e.store.List(t.Context(), keyspace.Outbox, "", 10)
			if err != nil || len(entries) != 1 {
				t.Fatalf("got %d entries and %v, want 1", len(entries), err)
			}
			if value == "undecodable" {
				damaged := &storetest.Damaged{Store: e.store}
				if n, err := damaged.Damage(t.Context(), keyspace.Outbox); err != nil || n != 1 {
					t.Fatalf("got %d entries and %v, want 1", n, err)
				}
				e.store = damaged
				e.reopen()
			} else if err := e.store.Commit(t.Context(), at(0), store.Change{Key: entries[0].Key, Value: []byte(value), Due: entries[0].Due}); err != nil {
				t.Fatal(err)
			}
			e.notify(at(10), "b")
			expectLines(t, c, "first notification:b;")
			next, err := e.store.NextDue(t.Context(), outbox.Queue)
			if want := at(610); err != nil || !next.Equal(want) {
				t.Errorf("the entry is due at %v and %v, want %v", next.Sub(t0), err, want.Sub(t0))
			}
			e.notify(at(20), "a") // the same group
			expectLines(t, c, "first notification:a;")
		})
	}
}

// TestBudget checks that no work is started in the last quarter of the time.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &outboxtest.Channel{}
		e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
		e.enqueue(at(0), "g", firing(at(0), "a"))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		budget := outbox.NewBudget(ctx)
		if budget.Spent() {
			t.Error("spent with 20 s left")
		}
		time.Sleep(15 * time.Second)
		if !budget.Spent() {
			t.Error("not spent with 5 s left")
		}
		if _, err := e.outbox.NewRun(ctx, budget, at(0)).Finish(); err != nil {
			t.Fatal(err)
		}
		expectLines(t, c)
		expectSummary(t, e.tick(at(0)), summary{1, 0})
	})
}
