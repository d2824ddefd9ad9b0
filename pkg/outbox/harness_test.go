package outbox_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/store/storetest"
)

var (
	t0       = outboxtest.T0
	at       = outboxtest.At
	firing   = outboxtest.Firing
	resolved = outboxtest.Resolved
	numbered = outboxtest.Numbered
)

// env is an outbox on a store in memory.
type env struct {
	t      *testing.T
	store  store.Store
	config outbox.Config
	outbox *outbox.Outbox
	// notified are the receivers that notify notifies: the first one, unless a test
	// sets more.
	notified []*outbox.Receiver
}

func newEnv(t *testing.T, receivers ...*outbox.Receiver) *env {
	t.Helper()
	e := &env{t: t, store: memory.New(), config: outbox.Config{Receivers: receivers}, notified: receivers[:1]}
	e.reopen()
	return e
}

// reopen replaces the outbox by a new one on the same store, as another instance
// has it.
func (e *env) reopen() {
	e.t.Helper()
	var err error
	if e.outbox, err = outbox.New(e.store, e.config, slog.New(slog.DiscardHandler)); err != nil {
		e.t.Fatal(err)
	}
}

// enqueue commits a notification of the alerts in a group to every integration of
// the notified receivers, as a flush does.
func (e *env) enqueue(now time.Time, group string, alerts []*alert.Alert) {
	e.t.Helper()
	for _, r := range e.notified {
		for _, in := range r.Integrations {
			changes, err := e.outbox.Enqueue(e.t.Context(), now, outbox.Request{
				Notification: alert.Notification{GroupKey: group, Receiver: r.Name, Reason: "first notification", At: now,
					GroupLabels: alert.Labels{"topic": group}, Alerts: alerts},
				Integration: in, Group: group, Scheduled: now, Interval: interval,
			})
			if err == nil {
				err = e.store.Commit(e.t.Context(), now, changes...)
			}
			if err != nil {
				e.t.Fatalf("enqueue: got %v, want no error", err)
			}
		}
	}
}

// summary is the number of accepted messages and of pending entries.
type summary struct{ sent, pending int }

// notify enqueues a notification of one firing alert for each topic, each in a group
// of its own, and delivers as a tick does.
func (e *env) notify(now time.Time, topics ...string) summary {
	e.t.Helper()
	for _, topic := range topics {
		e.enqueue(now, topic, firing(now, topic))
	}
	return e.tick(now)
}

// tick delivers what is due.
func (e *env) tick(now time.Time) summary {
	e.t.Helper()
	s, err := tick(e.t.Context(), e.outbox, now)
	if err != nil {
		e.t.Fatalf("deliver at %v: got %v, want no error", now.Sub(t0), err)
	}
	return s
}

// tick does what a tick does with the outbox.
func tick(ctx context.Context, o *outbox.Outbox, now time.Time) (s summary, err error) {
	if s.sent, err = o.NewRun(ctx, outbox.NewBudget(ctx), now).Finish(); err != nil {
		return s, err
	}
	s.pending, err = o.Pending(ctx)
	return s, err
}

// dieAfterCommits delivers what is due with another instance, which dies after so many
// of its commits.
func (e *env) dieAfterCommits(now time.Time, commits int) {
	e.t.Helper()
	st := e.store
	e.store = storetest.Intercept(st, func(_ context.Context, op storetest.Op, do func() error) error {
		if commits == 0 {
			return store.ErrUnavailable
		}
		if op.Name == "Commit" {
			commits--
		}
		return do()
	})
	e.reopen()
	if _, err := tick(e.t.Context(), e.outbox, now); !errors.Is(err, store.ErrUnavailable) {
		e.t.Fatalf("deliver with an instance that dies: got %v, want %v", err, store.ErrUnavailable)
	}
	e.store = st
	e.reopen()
}

// expectLines checks what the channel accepted since the last check.
func expectLines(t *testing.T, c *outboxtest.Channel, want ...string) {
	t.Helper()
	if got := c.TakeLines(); !slices.Equal(got, want) {
		t.Fatalf("accepted: got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// expectSummary checks the result of a delivery.
func expectSummary(t *testing.T, got, want summary) {
	t.Helper()
	if got != want {
		t.Fatalf("got %d sent and %d pending, want %d and %d", got.sent, got.pending, want.sent, want.pending)
	}
}

// expectSent checks lines that a channel of a test's own recorded, and empties them.
func expectSent(t *testing.T, sent *[]string, want ...string) {
	t.Helper()
	if !slices.Equal(*sent, want) {
		t.Errorf("sent: got %q, want %q", *sent, want)
	}
	*sent = nil
}

// deadLetters returns the dead letters.
func (e *env) deadLetters() []outbox.DeadLetter {
	e.t.Helper()
	dead, err := e.outbox.DeadLetters(e.t.Context())
	if err != nil {
		e.t.Fatalf("dead letters: got %v, want no error", err)
	}
	return dead
}
