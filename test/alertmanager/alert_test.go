package alertmanager

import (
	"math/rand/v2"
	"reflect"
	"sort"
	"testing"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	"tocsin/pkg/alert"
)

// pieces are the parts of random names and values: separators, quotes and
// terminators of various formats, and letters of one to four bytes.
var pieces = []string{"a", "b", "job", "_", "", " ", ",", "=", `"`, `\`, "\n", "{", "}", "/", ":", "\x00", "\xff", "é", "主机", "😀"}

// randomText returns up to three pieces.
func randomText(r *rand.Rand) string {
	s := ""
	for range r.IntN(4) {
		s += pick(r, pieces...)
	}
	return s
}

// randomLabels returns labels with random names, and some of the generator's.
func randomLabels(r *rand.Rand) alert.Labels {
	l := alert.Labels{}
	for range r.IntN(6) {
		l[randomText(r)] = randomText(r)
	}
	for _, name := range names {
		if r.IntN(3) == 0 {
			l[name] = pick(r, values[name]...)
		}
	}
	return l
}

// newRand returns random numbers from -seed, which it logs.
func newRand(t *testing.T) *rand.Rand {
	t.Logf("-seed %d", *seed)
	return rand.New(rand.NewPCG(*seed, 0))
}

func TestFingerprints(t *testing.T) {
	r := newRand(t)
	for range 20_000 {
		l := randomLabels(r)
		if theirs, ours := labelSet(l).Fingerprint().String(), l.Fingerprint().String(); theirs != ours {
			t.Fatalf("%q: got %s, want Alertmanager's %s", l, ours, theirs)
		}
	}
}

func TestOrder(t *testing.T) {
	r := newRand(t)
	for range 2000 {
		var theirs amalert.AlertSlice
		var ours []*alert.Alert
		for range r.IntN(20) {
			l := randomLabels(r)
			theirs = append(theirs, &amalert.Alert{Alert: model.Alert{Labels: labelSet(l)}})
			ours = append(ours, &alert.Alert{Labels: l})
		}
		sort.Stable(theirs)
		alert.Sort(ours)
		for i := range ours {
			if a := ourLabels(theirs[i].Labels); !reflect.DeepEqual(a, ours[i].Labels) {
				t.Fatalf("position %d of %d: got %q, want Alertmanager's %q", i, len(ours), ours[i].Labels, a)
			}
		}
	}
}

// TestMerge merges random pairs of updates of an alert.
func TestMerge(t *testing.T) {
	r := newRand(t)
	// Whether an alert has resolved, Alertmanager's Merge decides by the clock, and
	// Tocsin's by the time of the later update, which is now.
	now := time.Now()
	moment := func() time.Time { return now.Add(time.Duration(r.IntN(13)-8) * time.Hour) }
	for range 50_000 {
		var both [2]*alert.Alert
		var theirs [2]*amalert.Alert
		for i := range both {
			a := &alert.Alert{StartsAt: moment(), EndsAt: moment(), UpdatedAt: now.Add(time.Duration(i-1) * time.Minute), Timeout: r.IntN(2) == 0}
			if a.EndsAt.Before(a.StartsAt) {
				a.StartsAt, a.EndsAt = a.EndsAt, a.StartsAt
			}
			both[i] = a
			theirs[i] = &amalert.Alert{UpdatedAt: a.UpdatedAt, Timeout: a.Timeout, Alert: model.Alert{StartsAt: a.StartsAt, EndsAt: a.EndsAt}}
		}
		old, in := theirs[0], theirs[1]
		want := in
		// Put of Alertmanager's provider/mem has this condition.
		if in.EndsAt.After(old.StartsAt) && in.EndsAt.Before(old.EndsAt) || in.StartsAt.After(old.StartsAt) && in.StartsAt.Before(old.EndsAt) {
			want = old.Merge(in)
		}
		got := alert.Merge(both[0], both[1])
		if !got.StartsAt.Equal(want.StartsAt) || !got.EndsAt.Equal(want.EndsAt) || got.Timeout != want.Timeout {
			t.Fatalf("%+v and then %+v: got %v–%v, want Alertmanager's %v–%v", both[0], both[1], got.StartsAt, got.EndsAt, want.StartsAt, want.EndsAt)
		}
	}
}
