package dispatch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
)

// album is a channel that says a notification in a text, or in several, and shows
// an optional picture.
type album struct {
	parts  []string // "text" if there are none; "a,b" has two units
	answer func(ctx context.Context, unit string) error
	said   []string // "unit: topics" of what was accepted
	tried  int      // pictures
}

func (a *album) Messages(n *alert.Notification) ([]notify.Message, error) {
	units := a.parts
	if units == nil {
		units = []string{"text"}
	}
	var out []notify.Message
	for _, u := range append(slices.Clone(units), "picture") {
		if slices.Contains(n.AcceptedUnits, u) {
			continue
		}
		out = append(out, notify.Message{Target: "album", Units: strings.Split(u, ","), Optional: u == "picture", Send: func(ctx context.Context) []notify.Outcome {
			if u == "picture" {
				a.tried++
			}
			var out []notify.Outcome
			for unit := range strings.SplitSeq(u, ",") {
				var err error
				if a.answer != nil {
					err = a.answer(ctx, unit)
				}
				if err == nil {
					a.said = append(a.said, unit+": "+names(n.Alerts))
				}
				out = append(out, notify.Outcome{Unit: unit, Err: err})
			}
			return out
		}})
	}
	return out, nil
}

// receiver lets a be sent so many messages a minute.
func (a *album) receiver(name string, quota int) *outbox.Receiver {
	kind := notify.Kind{Name: "album"}
	if quota > 0 {
		kind.Quotas = []notify.Quota{{Messages: quota, Per: time.Minute}}
	}
	return &outbox.Receiver{Name: name, Integrations: []outbox.Integration{{Kind: kind, SendResolved: true, Notifier: a}}}
}

func (a *album) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(a.said, want) {
		t.Errorf("said %q, want %q", a.said, want)
	}
	a.said = nil
}

// refuse answers the next messages of a unit with errors, and then accepts them.
func refuse(unit string, errs ...error) func(context.Context, string) error {
	return func(_ context.Context, u string) error {
		if u != unit || len(errs) == 0 {
			return nil
		}
		err := errs[0]
		errs = errs[1:]
		return err
	}
}

// A picture comes after everything that is owed, of its own notification and of
// all others, and at the end of an alert there is none.
func TestOptional(t *testing.T) {
	a := &album{}
	w := newWorld(t, byTopic(), a.receiver("ops", 0))
	w.fire(at(0), "a", "b")
	if sum := w.tick(at(0)); sum.Sent != 4 || sum.Pending != 0 {
		t.Errorf("%+v, want 4 sent and none owed", sum)
	}
	slices.Sort(a.said[:2])
	slices.Sort(a.said[2:])
	a.expect(t, "text: a", "text: b", "picture: a", "picture: b")
	w.resolve(at(60), "a")
	w.tick(at(400))
	a.expect(t, "text: a")
	if a.tried != 2 {
		t.Errorf("%d pictures", a.tried)
	}
}

// A picture needs half of the quota and counts in it, and no text is merged or put
// off for it.
func TestOptionalQuota(t *testing.T) {
	for _, tt := range []struct{ quota, groups, texts, pictures int }{
		{20, 1, 1, 1},
		{20, 8, 8, 3}, // 12 left, 11, 10
		{20, 10, 10, 1},
		{20, 11, 11, 0},
		{20, 20, 20, 0},
		{20, 21, 1, 0}, // one digest
		{2, 1, 1, 1},
		{1, 1, 1, 0},
	} {
		a := &album{}
		w := newWorld(t, byTopic(), a.receiver("ops", tt.quota))
		w.fire(at(0), numbered("t", tt.groups)...)
		sum := w.tick(at(0))
		if len(a.said)-a.tried != tt.texts || a.tried != tt.pictures || sum.Sent != tt.texts+tt.pictures || sum.Pending != 0 {
			t.Errorf("%+v: %d texts, %d pictures, %+v", tt, len(a.said)-a.tried, a.tried, sum)
		}
		a.said = nil
		w.tick(at(59))
		if a.expect(t); a.tried != tt.pictures {
			t.Errorf("%+v: one was shown later", tt)
		}
	}
}

// What fails of a picture is forgotten: nothing is owed, nobody stands in, nothing
// waits for it.
func TestOptionalFails(t *testing.T) {
	for _, err := range []error{passing("down"), final("gone"), &notify.Error{Class: notify.Rate, RetryAfter: time.Hour}, &notify.Error{Class: notify.TooLong}, errors.New("any")} {
		a, b := &album{answer: refuse("picture", err)}, &album{}
		ops := a.receiver("ops", 20)
		ops.Fallback, ops.FallbackAfter = "other", time.Minute
		w := newWorld(t, byTopic(), ops, b.receiver("other", 20))
		w.fire(at(0), "a")
		if sum := w.tick(at(0)); sum.Sent != 1 || sum.Pending != 0 {
			t.Errorf("%v: %+v", err, sum)
		}
		if dead, err := w.engine.Outbox().DeadLetters(t.Context()); err != nil || len(dead) > 0 {
			t.Errorf("%v, %v", dead, err)
		}
		w.fire(at(1), "b")
		w.tick(at(1))
		w.tick(at(120))
		a.expect(t, "text: a", "text: b", "picture: b")
		b.expect(t)
	}
}

// A picture waits until all of the text was accepted, and comes with no part of it
// that was not.
func TestOptionalWaits(t *testing.T) {
	a := &album{answer: refuse("text", passing("down"))}
	w := newWorld(t, byTopic(), a.receiver("ops", 20))
	w.fire(at(0), "a")
	w.tick(at(0))
	a.expect(t)
	w.tick(at(10))
	a.expect(t, "text: a", "picture: a")

	a = &album{parts: []string{"1/2", "2/2"}, answer: refuse("2/2", final("no"))}
	w = newWorld(t, byTopic(), a.receiver("ops", 20))
	w.fire(at(0), "a")
	w.tick(at(0))
	a.expect(t, "1/2: a")

	a = &album{parts: []string{"anna,ben"}, answer: refuse("ben", final("unknown"))}
	w = newWorld(t, byTopic(), a.receiver("ops", 20))
	w.fire(at(0), "a")
	w.tick(at(0))
	a.expect(t, "anna: a")

	a = &album{parts: []string{"1/2", "2/2"}}
	w = newWorld(t, byTopic(), a.receiver("ops", 1))
	w.fire(at(0), "a")
	w.tick(at(0))
	a.expect(t, "1/2: a")
	w.tick(at(60))
	a.expect(t, "2/2: a")
}

// Whoever stands in for another shows no picture.
func TestOptionalFallback(t *testing.T) {
	a, b := &album{answer: refuse("text", final("gone"))}, &album{}
	ops := a.receiver("ops", 20)
	ops.Fallback = "other"
	w := newWorld(t, byTopic(), ops, b.receiver("other", 20))
	w.fire(at(0), "a")
	w.tick(at(0))
	w.tick(at(1))
	a.expect(t)
	b.expect(t, "text: a")
}

// When it could not be written down that the text was said, the text comes again,
// and the picture not at all.
func TestOptionalAfterCrash(t *testing.T) {
	a := &album{}
	w := newWorld(t, byTopic(), a.receiver("ops", 20))
	s := &full{Store: w.store}
	w.store = s
	w.restart(byTopic())
	a.answer = func(context.Context, string) error { s.is = true; return nil }
	w.fire(at(0), "a")
	if _, err := w.engine.Tick(t.Context(), at(0)); err == nil {
		t.Error("the store failed and nobody says so")
	}
	a.expect(t, "text: a")
	s.is, a.answer = false, nil
	w.restart(byTopic())
	w.tick(at(181)) // the lease has run out
	a.expect(t, "text: a")
	w.tick(at(400))
	a.expect(t)
}

// A vendor that hangs at a picture holds up a tick for three seconds, however many
// pictures there are, and no text.
func TestOptionalHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &album{answer: func(ctx context.Context, unit string) error {
			if unit == "text" {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		w := newWorld(t, byTopic(), a.receiver("ops", 0))
		w.fire(at(0), "a", "b", "c")
		begin := time.Now()
		if sum := w.tick(at(0)); sum.Sent != 3 || sum.Pending != 0 {
			t.Errorf("%+v", sum)
		}
		if took := time.Since(begin); took != 3*time.Second || a.tried != 1 {
			t.Errorf("%d pictures took %v", a.tried, took)
		}
	})
}
