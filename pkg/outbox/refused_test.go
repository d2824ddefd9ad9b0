package outbox_test

import (
	"testing"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/outbox/outboxtest"
)

// interval is the group_interval of enqueued notifications.
const interval = 5 * time.Minute

// TestPermanentErrorsOfEveryKind checks that the class of an error decides what
// becomes of a notification, whatever the kind of channel.
func TestPermanentErrorsOfEveryKind(t *testing.T) {
	quota := []notify.Quota{{Messages: 20, Per: time.Minute}}
	for _, kind := range []notify.Kind{
		{Name: "webhook"},
		{Name: "robot", Quotas: quota},
		{Name: "email", PerUnit: true},
		{Name: "sms", PerUnit: true, AtMostOnce: true},
		{Name: "voice", AtMostOnce: true, Quotas: quota},
	} {
		for _, err := range []*notify.Error{
			{Class: notify.Permanent, Code: "HTTP 404", Message: "not found"},
			{Class: notify.Permanent, Code: "HTTP 401", Message: "unauthorized"},
			{Class: notify.Permanent, Code: "InsufficientBalance", Message: "no money"},
		} {
			t.Run(kind.Name+" "+err.Code, func(t *testing.T) {
				c := &outboxtest.Channel{}
				r := outboxtest.Receiver("ops", kind.Name, c)
				r.Integrations[0].Kind = kind
				e := newEnv(t, r)
				c.Fail(err, err)
				expectSummary(t, e.notify(at(0), "a"), summary{0, 1})
				expectSummary(t, e.tick(at(299.9)), summary{0, 1})
				expectSummary(t, e.tick(at(300)), summary{0, 1})
				if dead := e.deadLetters(); len(dead) != 1 {
					t.Errorf("got %d dead letters, want 1", len(dead))
				}
				expectSummary(t, e.tick(at(600)), summary{1, 0})
				expectLines(t, c, "first notification:a;")
			})
		}
	}
	t.Run("an unknown outcome at most once is not attempted again", func(t *testing.T) {
		c := &outboxtest.Channel{}
		r := outboxtest.Receiver("ops", "sms", c)
		r.Integrations[0].Kind.AtMostOnce = true
		e := newEnv(t, r)
		c.Fail(&notify.Error{Class: notify.Retry, Message: "no answer", Ambiguous: true})
		expectSummary(t, e.notify(at(0), "a"), summary{0, 0})
	})
	t.Run("what was accepted in part is not attempted again", func(t *testing.T) {
		c := &outboxtest.Channel{Units: []string{"x", "y"}}
		e := newEnv(t, outboxtest.Receiver("ops", "email", c))
		c.Fail(nil, outboxtest.Permanent("no such mailbox"))
		expectSummary(t, e.notify(at(0), "a"), summary{1, 0})
	})
}

// TestRefusedDigest checks that the notifications which a digest replaced are
// attempted again, as that digest.
func TestRefusedDigest(t *testing.T) {
	c := &outboxtest.Channel{}
	e := newEnv(t, outboxtest.WithQuota(outboxtest.Receiver("ops", "robot", c), 2, time.Minute))
	c.Fail(outboxtest.Permanent("HTTP 404"), outboxtest.Permanent("HTTP 404"))
	expectSummary(t, e.notify(at(0), "a", "b", "c"), summary{0, 1})
	expectSummary(t, e.tick(at(300)), summary{0, 1})
	if dead := e.deadLetters(); len(dead) != 1 || dead[0].Alerts != 3 {
		t.Errorf("got dead letters %+v, want one with the three alerts", dead)
	}
	expectSummary(t, e.tick(at(600)), summary{1, 0})
	expectLines(t, c, "digest:a,b,c;")
}

// TestRefusedNotificationsAreMerged checks that a digest of notifications that were
// refused before is attempted again too.
func TestRefusedNotificationsAreMerged(t *testing.T) {
	c := &outboxtest.Channel{}
	e := newEnv(t, outboxtest.WithQuota(outboxtest.Receiver("ops", "robot", c), 2, time.Minute))
	no := outboxtest.Permanent("HTTP 404")
	c.Fail(no, no, no, no)
	e.notify(at(0), "a")
	e.notify(at(100), "b")
	e.notify(at(200), "c")
	expectSummary(t, e.tick(at(500)), summary{0, 1})
	expectSummary(t, e.tick(at(800)), summary{1, 0})
	expectLines(t, c, "digest:a,b,c;")
}

// TestFallbackDigestOfRepeatedRefusals checks that a fallback which was out of reach
// accepts a digest of notifications that their receiver has refused twice meanwhile.
func TestFallbackDigestOfRepeatedRefusals(t *testing.T) {
	ops, mail, receivers := receiverAndFallback(15 * time.Minute)
	outboxtest.WithQuota(receivers[1], 1, time.Minute)
	e := newEnv(t, receivers...)
	no, down := outboxtest.Permanent("HTTP 404"), outboxtest.Transient("HTTP 503")
	ops.Fail(no, no, no, no)
	mail.Fail(down, down)
	e.notify(at(0), "a", "b")
	e.tick(at(1))
	e.tick(at(300))
	expectLines(t, mail)
	expectSummary(t, e.tick(at(400)), summary{1, 0})
	expectLines(t, ops)
}

// TestFallbackOfSeveralChannels checks that a notification is delivered when one of
// the fallback's channels accepts it.
func TestFallbackOfSeveralChannels(t *testing.T) {
	no := outboxtest.Permanent("HTTP 404")
	for _, test := range []struct {
		name        string
		mail, phone []error
		after       summary // when the receiver would be attempted again
		ops         []string
	}{
		{"the first channel accepts", nil, []error{no}, summary{0, 0}, nil},
		{"the second channel accepts", []error{no}, nil, summary{0, 0}, nil},
		{"the second channel accepts later", []error{no}, []error{outboxtest.Transient("down")}, summary{0, 0}, nil},
		{"no channel accepts", []error{no}, []error{no}, summary{1, 0}, []string{"first notification:a;"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ops, mail, receivers := receiverAndFallback(15 * time.Minute)
			phone := &outboxtest.Channel{}
			receivers[1].Integrations = append(receivers[1].Integrations, outboxtest.Integration("voice", phone))
			e := newEnv(t, receivers...)
			ops.Fail(no)
			mail.Fail(test.mail...)
			phone.Fail(test.phone...)
			e.notify(at(0), "a")
			e.tick(at(10))
			expectSummary(t, e.tick(at(300)), test.after)
			expectLines(t, ops, test.ops...)
		})
	}
}

// TestResendReplacesTheNextAttempt checks that a dead letter that is sent again is not
// followed by the attempt at the next flush.
func TestResendReplacesTheNextAttempt(t *testing.T) {
	no := outboxtest.Permanent("HTTP 404")
	for _, test := range []struct {
		name string
		next []string // topic of the group's next notification, if there is one
		want string
	}{
		{"of the notification", nil, "first notification:a;"},
		{"of the notification that has replaced it", []string{"b"}, "first notification:a,b;"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &outboxtest.Channel{}
			e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
			c.Fail(no)
			e.enqueue(at(0), "g", firing(at(0), "a"))
			e.tick(at(0))
			if test.next != nil {
				c.Fail(no)
				e.enqueue(at(60), "g", firing(at(60), test.next...))
				e.tick(at(60))
			}
			dead := e.deadLetters()
			if len(dead) != 1 {
				t.Fatalf("got %d dead letters, want 1", len(dead))
			}
			if err := e.outbox.Resend(t.Context(), at(70), dead[0].ID); err != nil {
				t.Fatal(err)
			}
			expectSummary(t, e.tick(at(70)), summary{1, 0})
			expectLines(t, c, test.want)
		})
	}
}
