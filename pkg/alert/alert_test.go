package alert_test

import (
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	upstream "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	"tocsin/pkg/alert"
)

// The fingerprint is the one that Prometheus's own library computes.
func TestFingerprint(t *testing.T) {
	for _, labels := range []alert.Labels{
		{},
		{"alertname": "KafkaConsumerLag"},
		{"alertname": "KafkaConsumerLag", "topic": "订单", "consumer_group": "order-worker"},
		{"a": "bc", "ab": "c"},
		{"a": "", "b": "\xff"},
	} {
		if got, want := labels.Fingerprint().String(), labelSet(labels).Fingerprint().String(); got != want {
			t.Errorf("%v: %s, want %s", labels, got, want)
		}
	}
	if got := (alert.Labels{}).Fingerprint().String(); got != "cbf29ce484222325" {
		t.Errorf("empty set: %s", got)
	}
	if got := alert.Fingerprint(0xab).String(); got != "00000000000000ab" {
		t.Errorf("padding: %s", got)
	}
}

// Merging and ordering agree with Alertmanager's own code on random alerts.
func TestLikeAlertmanager(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	// Upstream asks the clock whether an alert is over, and we ask when the word
	// came: all words come after all ends that are not a thousand years away.
	base := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	moment := func() time.Time { return base.Add(time.Duration(rnd.IntN(8)) * time.Minute) }
	random := func() *alert.Alert {
		a := &alert.Alert{Labels: alert.Labels{}, StartsAt: moment(), UpdatedAt: moment().Add(time.Hour), Timeout: rnd.IntN(2) == 0}
		for _, name := range []string{"job", "instance", "x", "y"} {
			if rnd.IntN(2) == 0 {
				a.Labels[name] = string(rune('a' + rnd.IntN(3)))
			}
		}
		a.EndsAt = a.StartsAt.Add(time.Duration(1+rnd.IntN(6)) * time.Minute)
		if rnd.IntN(3) == 0 {
			a.EndsAt = a.EndsAt.AddDate(1000, 0, 0) // fires for long
		}
		return a
	}
	theirs := func(a *alert.Alert) *upstream.Alert {
		return &upstream.Alert{Alert: model.Alert{Labels: labelSet(a.Labels), StartsAt: a.StartsAt, EndsAt: a.EndsAt}, UpdatedAt: a.UpdatedAt, Timeout: a.Timeout}
	}
	merges := 0
	for range 20000 {
		old, in := random(), random()
		if in.UpdatedAt.Before(old.UpdatedAt) {
			old, in = in, old
		}
		a, b := theirs(old), theirs(in)
		want := b
		if b.EndsAt.After(a.StartsAt) && b.EndsAt.Before(a.EndsAt) || b.StartsAt.After(a.StartsAt) && b.StartsAt.Before(a.EndsAt) {
			want = a.Merge(b)
			merges++
		}
		got := alert.Merge(old, in)
		if !got.StartsAt.Equal(want.StartsAt) || !got.EndsAt.Equal(want.EndsAt) || got.Timeout != want.Timeout {
			t.Fatalf("merge %v–%v (said %v, timeout %v) with %v–%v (said %v, timeout %v):\ngot  %v–%v\nwant %v–%v",
				old.StartsAt, old.EndsAt, old.UpdatedAt, old.Timeout, in.StartsAt, in.EndsAt, in.UpdatedAt, in.Timeout,
				got.StartsAt, got.EndsAt, want.StartsAt, want.EndsAt)
		}
	}
	if merges < 1000 {
		t.Fatalf("only %d of the pairs overlapped", merges)
	}
	for range 200 {
		ours := make([]*alert.Alert, 12)
		slice := make(upstream.AlertSlice, len(ours))
		for i := range ours {
			ours[i] = random()
			slice[i] = theirs(ours[i])
		}
		alert.Sort(ours)
		sort.Stable(slice)
		for i := range ours {
			if ours[i].Labels.Fingerprint().String() != slice[i].Labels.Fingerprint().String() {
				t.Fatalf("place %d: %v, want %v", i, ours[i].Labels, slice[i].Labels)
			}
		}
	}
}

// An end that is not known keeps an alert firing, and a later word about it is
// about the same incident.
func TestOpenEnd(t *testing.T) {
	t0 := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	open := &alert.Alert{StartsAt: t0, UpdatedAt: t0}
	if open.ResolvedAt(t0.AddDate(100, 0, 0)) {
		t.Error("an alert without an end is over")
	}
	again := &alert.Alert{StartsAt: t0.Add(time.Minute), UpdatedAt: t0.Add(time.Minute)}
	if m := alert.Merge(open, again); !m.StartsAt.Equal(t0) || !m.EndsAt.IsZero() {
		t.Errorf("firing again: %v–%v, want %v–", m.StartsAt, m.EndsAt, t0)
	}
	end := &alert.Alert{StartsAt: t0, EndsAt: t0.Add(time.Hour), UpdatedAt: t0.Add(time.Hour)}
	over := alert.Merge(open, end)
	if !over.StartsAt.Equal(t0) || !over.EndsAt.Equal(t0.Add(time.Hour)) {
		t.Errorf("ended: %v–%v", over.StartsAt, over.EndsAt)
	}
	later := &alert.Alert{StartsAt: t0.Add(2 * time.Hour), UpdatedAt: t0.Add(2 * time.Hour)}
	if m := alert.Merge(over, later); !m.StartsAt.Equal(later.StartsAt) || !m.EndsAt.IsZero() {
		t.Errorf("a new incident: %v–%v", m.StartsAt, m.EndsAt)
	}
}

func labelSet(l alert.Labels) model.LabelSet {
	s := model.LabelSet{}
	for k, v := range l {
		s[model.LabelName(k)] = model.LabelValue(v)
	}
	return s
}
