package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/store/storetest"
)

// robotReceiver returns a receiver whose channel may be sent 20 messages a minute.
func robotReceiver(c *outboxtest.Channel) *outbox.Receiver {
	return outboxtest.WithQuota(outboxtest.Receiver("ops", "robot", c), 20, time.Minute)
}

// topicsOf returns the topics of all alerts in the notifications, sorted.
func topicsOf(notifications []alert.Notification) []string {
	var topics []string
	for _, n := range notifications {
		for _, a := range n.Alerts {
			topics = append(topics, a.Labels["topic"])
		}
	}
	slices.Sort(topics)
	return topics
}

func TestNotificationsOverQuotaAreMerged(t *testing.T) {
	for _, test := range []struct{ groups, messages int }{{19, 19}, {20, 20}, {21, 1}, {500, 1}} {
		t.Run(fmt.Sprintf("%d groups are %d messages", test.groups, test.messages), func(t *testing.T) {
			c := &outboxtest.Channel{}
			e := newEnv(t, robotReceiver(c))
			topics := numbered("t", test.groups)
			expectSummary(t, e.notify(at(0), topics...), summary{test.messages, 0})
			accepted := c.Take()
			for _, n := range accepted {
				want := 0
				if test.messages == 1 {
					want = test.groups
				}
				if n.Merged != want {
					t.Errorf("Merged: got %d, want %d", n.Merged, want)
				}
			}
			if got := topicsOf(accepted); !slices.Equal(got, topics) {
				t.Errorf("got %d topics, want each of %d once", len(got), len(topics))
			}
		})
	}
}

// TestQuotaHoldsOverTime has one group a second, for five times what the quota
// allows, and a new instance every seven seconds. All of them are notified.
func TestQuotaHoldsOverTime(t *testing.T) {
	c := &outboxtest.Channel{}
	e := newEnv(t, robotReceiver(c))
	var times []time.Duration
	var accepted []alert.Notification
	topics := numbered("t", 100)
	for second := range 300 {
		now := at(float64(second))
		if second%7 == 0 {
			e.reopen()
		}
		if second < len(topics) {
			e.notify(now, topics[second])
		} else {
			e.tick(now)
		}
		for _, n := range c.Take() {
			times, accepted = append(times, now.Sub(t0)), append(accepted, n)
		}
	}
	for i := range times {
		if i >= 20 && times[i]-times[i-20] < time.Minute {
			t.Errorf("got 21 messages between %v and %v, want 20 a minute at most", times[i-20], times[i])
		}
	}
	if got := topicsOf(accepted); !slices.Equal(got, topics) {
		t.Errorf("got %d topics, want each of %d once", len(got), len(topics))
	}
}

// TestLongDigest has more parts than the quota allows: they are sent over several
// minutes, each once.
func TestLongDigest(t *testing.T) {
	c := &outboxtest.Channel{Units: numbered("part", 30)}
	e := newEnv(t, robotReceiver(c))
	expectSummary(t, e.notify(at(0), "a", "b"), summary{20, 1})
	expectSummary(t, e.tick(at(59.9)), summary{0, 1})
	expectSummary(t, e.tick(at(60)), summary{10, 0})
	if got := len(c.Take()); got != 30 {
		t.Errorf("got %d parts, want 30", got)
	}
}

// phones is a channel like SMS: one message to all numbers, which are its units; its
// target is a masked number.
type phones struct {
	numbers func(n *alert.Notification) []string
	sent    []string // "NUMBERS: REASON TOPICS" of each message
}

func phonesTo(numbers ...string) *phones {
	return &phones{numbers: func(*alert.Notification) []string { return numbers }}
}

func (p *phones) Messages(n *alert.Notification) ([]notify.Message, error) {
	rest := slices.DeleteFunc(slices.Clone(p.numbers(n)), func(u string) bool { return slices.Contains(n.AcceptedUnits, u) })
	if len(rest) == 0 {
		return nil, nil
	}
	line := strings.Join(rest, ",") + ": " + n.Reason + " " + outboxtest.Topics(n.Alerts)
	return []notify.Message{{Target: "138****", Units: rest, Send: func(context.Context) []notify.Outcome {
		p.sent = append(p.sent, line)
		return notify.Outcomes(rest, nil)
	}}}, nil
}

func (p *phones) receiver(name string, messages int, per time.Duration) *outbox.Receiver {
	r := outboxtest.Receiver(name, "sms", p)
	r.Integrations[0].Kind.AtMostOnce, r.Integrations[0].Kind.PerUnit = true, true
	return outboxtest.WithQuota(r, messages, per)
}

// TestQuotaPerUnit checks that a quota of one number delays no other number of the
// same message, and that all receivers with a number share its quota.
func TestQuotaPerUnit(t *testing.T) {
	p, q := phonesTo("A", "B"), phonesTo("B", "C")
	// The second window is the longer one, so that B's bucket lasts for it.
	e := newEnv(t, p.receiver("ops", 2, time.Minute), q.receiver("other", 3, time.Hour))
	e.notified = e.config.Receivers
	e.notify(at(0), "a")
	expectSent(t, &p.sent, "A,B: first notification a")
	expectSent(t, &q.sent, "B,C: first notification a")

	e.reopen()
	if got := e.notify(at(10), "b"); got.pending != 1 {
		t.Errorf("got %d pending, want the one to B", got.pending)
	}
	expectSent(t, &p.sent, "A: first notification b") // B has had two within the minute
	expectSent(t, &q.sent, "B,C: first notification b")

	e.tick(at(59.9))
	expectSent(t, &p.sent)
	e.tick(at(60))
	expectSent(t, &p.sent, "B: first notification b")

	e.notify(at(120), "c")
	expectSent(t, &p.sent, "A,B: first notification c")
	expectSent(t, &q.sent, "C: first notification c") // B has had four within the hour
	for s := 121.0; s < 3600; s += 60 {
		e.tick(at(s))
	}
	e.tick(at(3609.9)) // the first three of B's five are out of the hour at 3610
	expectSent(t, &p.sent)
	expectSent(t, &q.sent)
	if got := e.tick(at(3611)); got.pending != 0 {
		t.Errorf("got %d pending, want none", got.pending)
	}
	expectSent(t, &q.sent, "B: first notification c")
}

// TestCostOfQuotaPerUnit checks that the number of store operations does not depend
// on the number of units.
func TestCostOfQuotaPerUnit(t *testing.T) {
	operations := func(numbers int) int {
		p := phonesTo(numbered("+861380000", numbers)...)
		e := newEnv(t, p.receiver("ops", 5, time.Hour))
		n := 0
		e.store = storetest.Intercept(memory.New(), func(_ context.Context, _ storetest.Op, do func() error) error {
			n++
			return do()
		})
		e.reopen()
		expectSummary(t, e.notify(at(0), "a"), summary{1, 0})
		return n
	}
	if one, many := operations(1), operations(200); one != many {
		t.Errorf("got %d operations for one number and %d for 200, want the same", one, many)
	}
}

func TestKeysOfBucketsHideNumbers(t *testing.T) {
	p := phonesTo("+8613800000000")
	e := newEnv(t, p.receiver("ops", 5, time.Hour))
	e.notify(at(0), "a")
	items, err := e.store.List(t.Context(), keyspace.RateLimit, "", 10)
	if err != nil || len(items) != 1 || strings.Contains(fmt.Sprint(items), "1380000") {
		t.Errorf("got %v and %v, want one item without the number", items, err)
	}
}

// TestMessagesOfUnitsAreIndependent has a message for each unit, such as numbers at
// home and abroad, which cannot be in one: a rejected one does not stop the others.
func TestMessagesOfUnitsAreIndependent(t *testing.T) {
	const line = "first notification:a;"
	for _, test := range []struct {
		name                  string
		err                   error
		first, later, instead []string
	}{
		{"a permanent failure goes to the fallback", outboxtest.Permanent("no"), []string{line, line}, nil, []string{line + " for ops: no"}},
		{"a transient failure is retried", outboxtest.Transient("busy"), []string{line, line}, []string{line}, nil},
		{"too long is shortened at once, for that unit", &notify.Error{Class: notify.TooLong, Message: "long"}, []string{line, line, line}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, fallback := &outboxtest.Channel{Units: []string{"A", "B", "C"}}, &outboxtest.Channel{}
			ops := outboxtest.WithFallback(outboxtest.Receiver("ops", "sms", c), "chat", time.Hour)
			ops.Integrations[0].Kind.AtMostOnce, ops.Integrations[0].Kind.PerUnit = true, true
			e := newEnv(t, ops, outboxtest.Receiver("chat", "chat", fallback))
			c.Fail(test.err)
			e.notify(at(0), "a")
			expectLines(t, c, test.first...)
			e.tick(at(60))
			expectLines(t, c, test.later...)
			expectLines(t, fallback, test.instead...)
		})
	}
}

// teamRobots is a channel whose target is a template: each team has a robot. That of
// team a may be locked out.
type teamRobots struct {
	lockedOut bool
	sent      []string
}

func (r *teamRobots) Messages(n *alert.Notification) ([]notify.Message, error) {
	team, line := n.Alerts[0].Labels["topic"][:1], outboxtest.Topics(n.Alerts)
	return []notify.Message{{Target: team, Units: []string{"1"}, Send: func(context.Context) []notify.Outcome {
		if r.lockedOut && team == "a" {
			r.sent = append(r.sent, "rejected")
			return notify.Outcomes([]string{"1"}, &notify.Error{Class: notify.Rate, Message: "locked out", RetryAfter: 10 * time.Minute})
		}
		r.sent = append(r.sent, line)
		return notify.Outcomes([]string{"1"}, nil)
	}}}, nil
}

// TestLockedOutTarget checks that a target which is locked out is tried once, and
// delays no other target of the channel.
func TestLockedOutTarget(t *testing.T) {
	r := &teamRobots{lockedOut: true}
	e := newEnv(t, outboxtest.WithQuota(outboxtest.Receiver("ops", "robot", r), 20, time.Minute))
	e.notify(at(0), "a1", "a2", "b1", "b2")
	slices.Sort(r.sent)
	expectSent(t, &r.sent, "b1", "b2", "rejected")
	r.lockedOut = false
	e.tick(at(599))
	expectSent(t, &r.sent)
	e.tick(at(601))
	slices.Sort(r.sent)
	expectSent(t, &r.sent, "a1", "a2")
}
