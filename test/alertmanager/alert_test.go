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

// pieces are what random names and values are made of: what separates, quotes
// or ends somewhere, and letters of one to four bytes.
var pieces = []string{"a", "b", "job", "_", "", " ", ",", "=", `"`, `\`, "\n", "{", "}", "/", ":", "\x00", "\xff", "é", "主机", "😀"}

func text(r *rand.Rand) string {
	s := ""
	for range r.IntN(4) {
		s += pick(r, pieces...)
	}
	return s
}

func randomLabels(r *rand.Rand) alert.Labels {
	l := alert.Labels{}
	for range r.IntN(6) {
		l[text(r)] = text(r)
	}
	for _, name := range names {
		if r.IntN(3) == 0 {
			l[name] = pick(r, values[name]...)
		}
	}
	return l
}

// rnd returns a source of random numbers that -seed decides.
func rnd(t *testing.T) *rand.Rand {
	t.Logf("-seed %d", *seed)
	return rand.New(rand.NewPCG(*seed, 0))
}

func TestFingerprints(t *testing.T) {
	r := rnd(t)
	for range 20_000 {
		l := randomLabels(r)
		if theirs, ours := labelSet(l).Fingerprint().String(), l.Fingerprint().String(); theirs != ours {
			t.Fatalf("%q: Alertmanager %s, Tocsin %s", l, theirs, ours)
		}
	}
}

func TestOrder(t *testing.T) {
	r := rnd(t)
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
				t.Fatalf("place %d of %d: Alertmanager %q, Tocsin %q", i, len(ours), a, ours[i].Labels)
			}
		}
	}
}

// Two words about an alert make the same third.
func TestMerge(t *testing.T) {
	r := rnd(t)
	// Alertmanager's Merge asks the clock whether an alert is over, and Tocsin's
	// when the younger word came: that is now.
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
		// The condition stands in provider/mem, inside Put.
		if in.EndsAt.After(old.StartsAt) && in.EndsAt.Before(old.EndsAt) || in.StartsAt.After(old.StartsAt) && in.StartsAt.Before(old.EndsAt) {
			want = old.Merge(in)
		}
		got := alert.Merge(both[0], both[1])
		if !got.StartsAt.Equal(want.StartsAt) || !got.EndsAt.Equal(want.EndsAt) || got.Timeout != want.Timeout {
			t.Fatalf("%+v and then %+v: Alertmanager %v–%v, Tocsin %v–%v", both[0], both[1], want.StartsAt, want.EndsAt, got.StartsAt, got.EndsAt)
		}
	}
}
