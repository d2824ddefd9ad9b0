package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/store"
)

// spoil replaces every item whose key begins with the prefix by what no version
// wrote, and returns how many there were.
func (w *world) spoil(prefix, value string) int {
	w.t.Helper()
	items, err := w.store.List(w.t.Context(), prefix, "", 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, it := range items {
		if err := w.store.Commit(w.t.Context(), t0, store.Change{Key: it.Key, Value: []byte(value), Due: it.Due}); err != nil {
			w.t.Fatal(err)
		}
	}
	return len(items)
}

// garbage is values that cannot be read: not JSON, JSON of another form, the
// binary form of a later version, nothing.
var garbage = []string{"{", `{"at":5,"grid":5,"endsAt":5,"alerts":5,"since":5,"startsAt":5}`, "\x63\x00\x00later", ""}

// Whatever cannot be read, of any kind, is passed over or written anew. The
// groups that it does not belong to are said as ever, and so is the group that it
// does belong to, as far as that is known.
func TestUnreadable(t *testing.T) {
	tests := []struct {
		prefix string
		said   string // is heard at 60 s because of that
	}{
		{"alert/", ""},                    // the new word takes its place, and it was announced
		{"group/", ""},                    // worked out from its alerts
		{"log/", "first notification:a;"}, // told anew
		{"pace/", ""},                     // the quota begins anew
		{"member/", ""},                   // nothing is read in it
		{"meta/", ""},                     // written anew
		{"silence/", "first notification:quiet;"}, // silences nothing
		{"source/", "first notification:target;"}, // keeps nothing quiet
		{"dead/", ""}, // not shown
	}
	for _, tt := range tests {
		for _, value := range garbage {
			t.Run(strings.TrimSuffix(tt.prefix, "/")+" "+value, func(t *testing.T) {
				c := &channel{}
				in := integration(c, "robot")
				in.Kind.Quotas = []notify.Quota{{Messages: 20, Per: time.Minute}}
				r := byTopic()
				r.GroupInterval = duration("1m")
				w := newWorld(t, r, &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{in}})
				w.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{"topic=a"}, TargetMatchers: []string{"topic=target"}}}
				w.restart(r)
				w.silence(at(0), topicSilence("quiet", 0, 10000))
				c.fail(final("refused"))
				w.fire(at(0), "dead")
				w.tick(at(0))
				if err := w.engine.WatchTicks(t.Context(), at(0), 5*time.Minute); err != nil {
					t.Fatal(err)
				}
				w.fire(at(0), "a", "quiet", "target")
				w.tick(at(0))
				w.expect(c, "first notification:a;")

				if n := w.spoil(tt.prefix, value); n == 0 {
					t.Fatalf("nothing begins with %s", tt.prefix)
				}
				w.fire(at(60), "b", "quiet", "target")
				if tt.prefix != "source/" { // the next word about a source makes it one again
					w.fire(at(60), "a")
				}
				if err := w.engine.WatchTicks(t.Context(), at(60), 5*time.Minute); err != nil {
					t.Errorf("the watch over ticks: %v", err)
				}
				w.tick(at(60))
				heard := strings.Join(c.heard(), "\n")
				want := []string{"first notification:b;"}
				if tt.said != "" {
					want = append(want, tt.said)
				}
				for _, line := range want {
					if !strings.Contains(heard, line) {
						t.Errorf("heard %q, want %q in it", heard, line)
					}
				}
				// The ends are told, of what was announced.
				w.resolve(at(70), "a", "b", "quiet", "target")
				w.tick(at(120))
				heard = strings.Join(c.heard(), "\n")
				for _, line := range []string{"all alerts resolved:;a", "all alerts resolved:;b"} {
					if !strings.Contains(heard, line) {
						t.Errorf("at the end heard %q, want %q in it", heard, line)
					}
				}
				if _, err := w.engine.Alerts(t.Context(), at(130)); err != nil {
					t.Error(err)
				}
				if _, err := w.engine.Groups(t.Context(), at(130)); err != nil {
					t.Error(err)
				}
				if _, err := w.engine.Outbox().DeadLetters(t.Context()); err != nil {
					t.Error(err)
				}
				if err := w.engine.Restart(t.Context(), at(130)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// An owed notification that cannot be read is put off, for a newer version to
// deliver, and holds up nothing.
func TestUnreadableOwed(t *testing.T) {
	for _, value := range garbage {
		c := &channel{}
		w := newWorld(t, byTopic(), oneReceiver(c))
		c.fail(passing("down"), passing("down"))
		w.fire(at(0), "a")
		w.tick(at(0))
		w.spoil("owed/", value)
		w.fire(at(1), "b")
		w.tick(at(10))
		w.tick(at(30))
		w.expect(c, "first notification:b;")
		if next, err := w.engine.NextDue(t.Context()); err != nil || !next.After(at(30)) {
			t.Errorf("next at %v, %v: the unreadable one is due all the time", next.Sub(t0), err)
		}
		// The next word about its group does not depend on it.
		w.resolve(at(40), "a")
		w.tick(at(300))
		w.expect(c, "all alerts resolved:;a")
	}
}

// An alert that cannot be read and is not said again keeps its group, and the
// others in it are told of as ever.
func TestUnreadableMember(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "1m", "1h"), oneReceiver(c))
	w.fire(at(0), "a", "b")
	w.tick(at(0))
	w.expect(c, "first notification:a,b;")
	a := alert.Labels{"alertname": "Lag", "topic": "a"}
	w.spoil("alert/"+a.Fingerprint().String(), "later")
	w.fire(at(30), "c")
	w.tick(at(60))
	w.expect(c, "new alerts added:b,c;")
	w.resolve(at(70), "b", "c")
	w.tick(at(120))
	w.expect(c, "all alerts resolved:;b,c")
	w.resolve(at(130), "a")
	w.tick(at(180))
	if items, err := w.store.List(t.Context(), "group/", "", 10); err != nil || len(items) != 0 {
		t.Errorf("%d groups left, %v", len(items), err)
	}
	// With its header unreadable too it is put off.
	w.fire(at(200), "a")
	w.spoil("alert/", "later")
	w.spoil("group/", "later")
	w.tick(at(200))
	if next, err := w.engine.NextDue(t.Context()); err != nil || !next.After(at(200)) {
		t.Errorf("next at %v, %v", next.Sub(t0), err)
	}
}

// full is a store that can be read and not written.
type full struct {
	store.Store
	is bool
}

func (s *full) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	if s.is {
		return fmt.Errorf("no space left on device: %w", store.ErrUnavailable)
	}
	return s.Store.Commit(ctx, now, changes...)
}

// While nothing can be written nothing is taken in and nothing is said, since
// that could not be remembered; what can be read is still shown. Then all is said,
// once.
func TestStoreFull(t *testing.T) {
	c := &channel{}
	w := newWorld(t, byTopic(), oneReceiver(c))
	s := &full{Store: w.store}
	w.store = s
	w.restart(byTopic())
	c.fail(passing("down"))
	w.fire(at(0), "owed")
	w.tick(at(0))
	w.fire(at(10), "new")

	s.is = true
	if err := w.engine.Ingest(t.Context(), at(20), lagAlerts(at(20), false, "late")); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("taken in: %v", err)
	}
	if _, err := w.engine.Tick(t.Context(), at(20)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ticked: %v", err)
	}
	w.expect(c)
	if alerts, err := w.engine.Alerts(t.Context(), at(20)); err != nil || len(alerts) != 2 {
		t.Errorf("%d alerts, %v", len(alerts), err)
	}

	s.is = false
	w.tick(at(30))
	if said := c.heard(); len(said) != 2 || count(said, "first notification:owed;") != 1 || count(said, "first notification:new;") != 1 {
		t.Errorf("heard %q", said)
	}
	w.tick(at(40))
	w.expect(c)
}
