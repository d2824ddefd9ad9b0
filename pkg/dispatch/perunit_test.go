package dispatch_test

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
	"tocsin/pkg/route"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// phones is a channel like SMS: one message for all numbers, whose units are the
// numbers, and whose target is a mask.
type phones struct {
	numbers func(n *alert.Notification) []string
	sent    []string // "numbers: reason" of each message
}

func to(numbers ...string) *phones {
	return &phones{numbers: func(*alert.Notification) []string { return numbers }}
}

func (p *phones) Messages(n *alert.Notification) ([]notify.Message, error) {
	left := slices.DeleteFunc(slices.Clone(p.numbers(n)), func(u string) bool { return slices.Contains(n.AcceptedUnits, u) })
	if len(left) == 0 {
		return nil, nil
	}
	line := strings.Join(left, ",") + ": " + n.Reason + " " + names(n.Alerts)
	return []notify.Message{{Target: "138****", Units: left, Send: func(context.Context) []notify.Outcome {
		p.sent = append(p.sent, line)
		return notify.Outcomes(left, nil)
	}}}, nil
}

func (p *phones) receiver(name string, q notify.Quota) *outbox.Receiver {
	kind := notify.Kind{Name: "sms", AtMostOnce: true, PerUnit: true, Quotas: []notify.Quota{q}}
	return &outbox.Receiver{Name: name, Integrations: []outbox.Integration{{Kind: kind, SendResolved: true, Notifier: p}}}
}

func (p *phones) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(p.sent, want) {
		t.Errorf("sent %q, want %q", p.sent, want)
	}
	p.sent = nil
}

// A quota per number is one number's: the others of a message do not wait for
// it, and all receivers that have the number share it.
func TestQuotaPerUnit(t *testing.T) {
	p, q := to("A", "B"), to("B", "C")
	r := byTopic()
	r.Routes = []*route.Config{{Matchers: []string{"topic=~.+"}, Continue: true}, {Receiver: "other", Matchers: []string{"topic=~.+"}}}
	// What the other looks back on is longer than what the first does.
	w := newWorld(t, r, p.receiver("ops", notify.Quota{Messages: 2, Per: time.Minute}), q.receiver("other", notify.Quota{Messages: 3, Per: time.Hour}))
	w.fire(at(0), "a")
	w.tick(at(0))
	p.expect(t, "A,B: first notification a")
	q.expect(t, "B,C: first notification a")

	w.fire(at(10), "b")
	w.restart(r)
	if sum := w.tick(at(10)); sum.Pending != 1 {
		t.Errorf("%d owed, want the one for B", sum.Pending)
	}
	p.expect(t, "A: first notification b") // B has had two within the minute
	q.expect(t, "B,C: first notification b")

	w.tick(at(59.9))
	p.expect(t)
	w.tick(at(60))
	p.expect(t, "B: first notification b")

	w.fire(at(120), "c")
	w.tick(at(120))
	p.expect(t, "A,B: first notification c")
	q.expect(t, "C: first notification c") // B has had four within the hour
	for s := 121.0; s < 3600; s += 60 {
		w.tick(at(s))
	}
	w.tick(at(3609.9)) // the first three of B's five are out of the hour at 3610
	p.expect(t)
	q.expect(t)
	sum := w.tick(at(3611))
	q.expect(t, "B: first notification c")
	if sum.Pending != 0 {
		t.Errorf("%d still owed", sum.Pending)
	}
}

// A digest goes out only when it reaches whom its parts would have reached.
func TestDigestKeepsItsReaders(t *testing.T) {
	quota := notify.Quota{Messages: 2, Per: time.Minute}
	p := to("A")
	w := newWorld(t, byTopic(), p.receiver("ops", quota))
	w.fire(at(0), "a", "b", "c")
	w.tick(at(0))
	p.expect(t, "A: digest a,b,c")

	// Whoever is named after the group is nobody's in a digest.
	byGroup := &phones{numbers: func(n *alert.Notification) []string {
		if owner := n.GroupLabels["topic"]; owner != "" {
			return []string{owner[:1]}
		}
		return []string{"nobody"}
	}}
	w = newWorld(t, byTopic(), byGroup.receiver("ops", quota))
	w.fire(at(0), "x1", "x2", "x3", "y1")
	if sum := w.tick(at(0)); sum.Sent != 3 || sum.Pending != 1 {
		t.Errorf("%+v, want 3 sent, and 1 of x's owed", sum)
	}
	w.tick(at(60))
	slices.Sort(byGroup.sent)
	byGroup.expect(t, "x: first notification x1", "x: first notification x2", "x: first notification x3", "y: first notification y1")
}

// counting counts the operations on a store.
type counting struct {
	store.Store
	ops int
}

func (c *counting) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	c.ops++
	return c.Store.Get(ctx, keys...)
}

func (c *counting) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	c.ops++
	return c.Store.Commit(ctx, now, changes...)
}

// Two hundred numbers cost the store as many operations as one.
func TestQuotaPerUnitIsCheap(t *testing.T) {
	ops := func(numbers int) int {
		p := to(numbered("+861380000", numbers)...)
		w := newWorld(t, byTopic(), p.receiver("ops", notify.Quota{Messages: 5, Per: time.Hour}))
		c := &counting{Store: memory.New()}
		w.store = c
		w.restart(byTopic())
		w.fire(at(0), "a")
		if sum := w.tick(at(0)); sum.Sent != 1 {
			t.Fatalf("%d numbers: %+v", numbers, sum)
		}
		return c.ops
	}
	if one, many := ops(1), ops(200); one != many {
		t.Errorf("%d operations for one number, %d for 200", one, many)
	}
}

// No key of the store holds a number.
func TestQuotaGivesNoNumberAway(t *testing.T) {
	p := to("+8613800000000")
	w := newWorld(t, byTopic(), p.receiver("ops", notify.Quota{Messages: 5, Per: time.Hour}))
	w.fire(at(0), "a")
	w.tick(at(0))
	items, err := w.store.List(t.Context(), "pace/", "", 10)
	if err != nil || len(items) != 1 || strings.Contains(fmt.Sprint(items), "1380000") {
		t.Errorf("%v, %v", items, err)
	}
}

// A message that somebody refuses keeps none from those whom the next one is for:
// numbers at home and abroad cannot be in one.
func TestMessagesForOthersGoOn(t *testing.T) {
	const said = "first notification:a;"
	for name, tt := range map[string]struct {
		answer              error
		now, soon, fallback []string
	}{
		"refused":           {final("no"), []string{said, said}, nil, []string{said + " instead of ops: no"}},
		"to be tried again": {passing("busy"), []string{said, said}, []string{said}, nil},
		// A is told less at once, and nobody else is told again.
		"too long": {&notify.Error{Class: notify.TooLong, Message: "long"}, []string{said, said, said}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, second := &channel{units: []string{"A", "B", "C"}}, &channel{}
			ops := &outbox.Receiver{Name: "ops", Fallback: "second", FallbackAfter: time.Hour,
				Integrations: []outbox.Integration{{Kind: notify.Kind{Name: "sms", AtMostOnce: true, PerUnit: true}, Notifier: c}}}
			w := newWorld(t, byTopic(), ops, &outbox.Receiver{Name: "second", Integrations: []outbox.Integration{integration(second, "chat")}})
			c.fail(tt.answer)
			w.fire(at(0), "a")
			w.tick(at(0))
			w.expect(c, tt.now...)
			w.tick(at(60))
			w.expect(c, tt.soon...)
			w.expect(second, tt.fallback...)
		})
	}
}
