package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/store"
	"tocsin/pkg/store/storetest"
)

// chartChannel sends a text, in one message or several, and an optional chart.
type chartChannel struct {
	messages []string // units of each message: default "text"; "a,b" has two
	result   func(ctx context.Context, unit string) error
	sent     []string // "UNIT: TOPICS" of what was accepted
	charts   int      // sent, accepted or not
}

func (c *chartChannel) Messages(n *alert.Notification) ([]notify.Message, error) {
	texts := c.messages
	if texts == nil {
		texts = []string{"text"}
	}
	var messages []notify.Message
	for _, units := range append(slices.Clone(texts), "chart") {
		if slices.Contains(n.AcceptedUnits, units) {
			continue
		}
		messages = append(messages, notify.Message{Target: "chat", Units: strings.Split(units, ","), Optional: units == "chart", Send: func(ctx context.Context) []notify.Outcome {
			if units == "chart" {
				c.charts++
			}
			var outcomes []notify.Outcome
			for unit := range strings.SplitSeq(units, ",") {
				var err error
				if c.result != nil {
					err = c.result(ctx, unit)
				}
				if err == nil {
					c.sent = append(c.sent, unit+": "+outboxtest.Topics(n.Alerts))
				}
				outcomes = append(outcomes, notify.Outcome{Unit: unit, Err: err})
			}
			return outcomes
		}})
	}
	return messages, nil
}

// receiver returns a receiver with so many messages a minute, 0 for no quota.
func (c *chartChannel) receiver(name string, quota int) *outbox.Receiver {
	r := outboxtest.Receiver(name, "chat", c)
	if quota > 0 {
		outboxtest.WithQuota(r, quota, time.Minute)
	}
	return r
}

// failFirst fails the next sends of a unit with errs, and then accepts it.
func failFirst(unit string, errs ...error) func(context.Context, string) error {
	return func(_ context.Context, u string) error {
		if u != unit || len(errs) == 0 {
			return nil
		}
		err := errs[0]
		errs = errs[1:]
		return err
	}
}

func TestOptionalMessagesAreSentLast(t *testing.T) {
	c := &chartChannel{}
	e := newEnv(t, c.receiver("ops", 0))
	e.enqueue(at(0), "a", firing(at(0), "a"))
	expectSummary(t, e.notify(at(1), "b"), summary{4, 0})
	expectSent(t, &c.sent, "text: a", "text: b", "chart: a", "chart: b")
	e.enqueue(at(400), "a", resolved(at(60), "a"))
	e.tick(at(400))
	expectSent(t, &c.sent, "text: a") // no chart of what has resolved
	if c.charts != 2 {
		t.Errorf("got %d charts, want 2", c.charts)
	}
}

// TestOptionalMessagesNeedHalfTheQuota checks that a chart counts in the quota, and
// that no text is merged or delayed for it.
func TestOptionalMessagesNeedHalfTheQuota(t *testing.T) {
	for _, test := range []struct{ quota, groups, texts, charts int }{
		{20, 1, 1, 1},
		{20, 8, 8, 3}, // 12 left, 11, 10
		{20, 10, 10, 1},
		{20, 11, 11, 0},
		{20, 20, 20, 0},
		{20, 21, 1, 0}, // one digest
		{2, 1, 1, 1},
		{1, 1, 1, 0},
	} {
		t.Run(fmt.Sprintf("%d of %d", test.groups, test.quota), func(t *testing.T) {
			c := &chartChannel{}
			e := newEnv(t, c.receiver("ops", test.quota))
			expectSummary(t, e.notify(at(0), numbered("t", test.groups)...), summary{test.texts + test.charts, 0})
			if texts := len(c.sent) - c.charts; texts != test.texts || c.charts != test.charts {
				t.Errorf("got %d texts and %d charts, want %d and %d", texts, c.charts, test.texts, test.charts)
			}
			c.sent = nil
			e.tick(at(59))
			expectSent(t, &c.sent)
			if c.charts != test.charts {
				t.Errorf("later: got %d charts, want %d", c.charts, test.charts)
			}
		})
	}
}

func TestFailedOptionalMessageIsDropped(t *testing.T) {
	for name, err := range map[string]error{
		"transient": outboxtest.Transient("down"), "permanent": outboxtest.Permanent("gone"), "rate": &notify.Error{Class: notify.Rate, RetryAfter: time.Hour},
		"too long": &notify.Error{Class: notify.TooLong}, "unclassified": errors.New("any"),
	} {
		t.Run(name, func(t *testing.T) {
			c, other := &chartChannel{result: failFirst("chart", err)}, &chartChannel{}
			e := newEnv(t, outboxtest.WithFallback(c.receiver("ops", 20), "other", time.Minute), other.receiver("other", 20))
			expectSummary(t, e.notify(at(0), "a"), summary{1, 0})
			if dead := e.deadLetters(); len(dead) != 0 {
				t.Errorf("got dead letters %+v, want none", dead)
			}
			e.notify(at(1), "b")
			e.tick(at(120))
			expectSent(t, &c.sent, "text: a", "text: b", "chart: b")
			expectSent(t, &other.sent)
		})
	}
}

// TestOptionalMessageNeedsAllOthers checks that a chart is sent only after all of
// the text has been accepted, in the same attempt.
func TestOptionalMessageNeedsAllOthers(t *testing.T) {
	for _, test := range []struct {
		name         string
		channel      *chartChannel
		quota        int
		first, later []string // within the first tick, and 60 s later
	}{
		{"the text is retried", &chartChannel{result: failFirst("text", outboxtest.Transient("down"))}, 20, nil, []string{"text: a", "chart: a"}},
		{"a part is rejected", &chartChannel{messages: []string{"1/2", "2/2"}, result: failFirst("2/2", outboxtest.Permanent("no"))}, 20, []string{"1/2: a"}, nil},
		{"a unit is rejected", &chartChannel{messages: []string{"anna,ben"}, result: failFirst("ben", outboxtest.Permanent("unknown"))}, 20, []string{"anna: a"}, nil},
		{"a part waits for the quota", &chartChannel{messages: []string{"1/2", "2/2"}}, 1, []string{"1/2: a"}, []string{"2/2: a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t, test.channel.receiver("ops", test.quota))
			e.notify(at(0), "a")
			expectSent(t, &test.channel.sent, test.first...)
			e.tick(at(60))
			expectSent(t, &test.channel.sent, test.later...)
		})
	}
}

func TestFallbackHasNoOptionalMessages(t *testing.T) {
	c, other := &chartChannel{result: failFirst("text", outboxtest.Permanent("gone"))}, &chartChannel{}
	e := newEnv(t, outboxtest.WithFallback(c.receiver("ops", 20), "other", 0), other.receiver("other", 20))
	e.notify(at(0), "a")
	e.tick(at(1))
	expectSent(t, &c.sent)
	expectSent(t, &other.sent, "text: a")
}

// TestOptionalMessageAfterCrash has the commit of the text's result fail: the text
// is sent again, the chart not at all.
func TestOptionalMessageAfterCrash(t *testing.T) {
	c := &chartChannel{}
	e := newEnv(t, c.receiver("ops", 20))
	full := false
	e.store = storetest.Intercept(e.store, func(_ context.Context, op storetest.Op, do func() error) error {
		if full && op.Name == "Commit" {
			return store.ErrUnavailable
		}
		return do()
	})
	e.reopen()
	c.result = func(context.Context, string) error { full = true; return nil }
	e.enqueue(at(0), "a", firing(at(0), "a"))
	if _, err := tick(t.Context(), e.outbox, at(0)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, store.ErrUnavailable)
	}
	expectSent(t, &c.sent, "text: a")
	full, c.result = false, nil
	e.reopen()
	e.tick(at(25)) // the lease has expired
	expectSent(t, &c.sent, "text: a")
	e.tick(at(400))
	expectSent(t, &c.sent)
}

// TestHangingOptionalMessages checks that a vendor which does not answer delays a
// tick by three seconds, however many charts there are, and no text.
func TestHangingOptionalMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chartChannel{result: func(ctx context.Context, unit string) error {
			if unit == "text" {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		e := newEnv(t, c.receiver("ops", 0))
		begin := time.Now()
		expectSummary(t, e.notify(at(0), "a", "b", "c"), summary{3, 0})
		if took := time.Since(begin); took != 3*time.Second || c.charts != 1 {
			t.Errorf("got %d charts in %v, want one in 3s", c.charts, took)
		}
	})
}
