package alert_test

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	upstream "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	"tocsin/pkg/alert"
)

// TestFingerprint compares with Prometheus's own library.
func TestFingerprint(t *testing.T) {
	for _, labels := range []alert.Labels{
		{},
		{"alertname": "KafkaConsumerLag"},
		{"alertname": "KafkaConsumerLag", "topic": "订单", "consumer_group": "order-worker"},
		{"a": "bc", "ab": "c"},
		{"a": "", "b": "\xff"},
	} {
		t.Run(fmt.Sprint(labels), func(t *testing.T) {
			if got, want := labels.Fingerprint().String(), labelSet(labels).Fingerprint().String(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	if got, want := (alert.Labels{}).Fingerprint().String(), "cbf29ce484222325"; got != want {
		t.Errorf("fingerprint of the empty set = %s, want %s", got, want)
	}
	if got, want := alert.Fingerprint(0xab).String(), "00000000000000ab"; got != want {
		t.Errorf("Fingerprint(0xab) = %s, want %s", got, want)
	}
}

// randomAlert returns an alert with random labels and times. Alertmanager decides by
// the wall clock whether an alert is resolved, Merge by the time of the update. So that
// they agree, every update comes after every end, except for ends a thousand years
// later.
func randomAlert(rnd *rand.Rand) *alert.Alert {
	base := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	randomTime := func() time.Time { return base.Add(time.Duration(rnd.IntN(8)) * time.Minute) }
	a := &alert.Alert{Labels: alert.Labels{}, StartsAt: randomTime(), UpdatedAt: randomTime().Add(time.Hour), Timeout: rnd.IntN(2) == 0}
	for _, name := range []string{"job", "instance", "x", "y"} {
		if rnd.IntN(2) == 0 {
			a.Labels[name] = string(rune('a' + rnd.IntN(3)))
		}
	}
	a.EndsAt = a.StartsAt.Add(time.Duration(1+rnd.IntN(6)) * time.Minute)
	if rnd.IntN(3) == 0 {
		a.EndsAt = a.EndsAt.AddDate(1000, 0, 0)
	}
	return a
}

func toUpstream(a *alert.Alert) *upstream.Alert {
	return &upstream.Alert{Alert: model.Alert{Labels: labelSet(a.Labels), StartsAt: a.StartsAt, EndsAt: a.EndsAt}, UpdatedAt: a.UpdatedAt, Timeout: a.Timeout}
}

// TestMergeAsAlertmanager compares with Alertmanager's own code on random alerts.
func TestMergeAsAlertmanager(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	merges := 0
	for range 20000 {
		old, in := randomAlert(rnd), randomAlert(rnd)
		if in.UpdatedAt.Before(old.UpdatedAt) {
			old, in = in, old
		}
		a, b := toUpstream(old), toUpstream(in)
		want := b
		if b.EndsAt.After(a.StartsAt) && b.EndsAt.Before(a.EndsAt) || b.StartsAt.After(a.StartsAt) && b.StartsAt.Before(a.EndsAt) {
			want = a.Merge(b)
			merges++
		}
		got := alert.Merge(old, in)
		if !got.StartsAt.Equal(want.StartsAt) || !got.EndsAt.Equal(want.EndsAt) || got.Timeout != want.Timeout {
			t.Fatalf("merge %v–%v (updated %v, timeout %v) with %v–%v (updated %v, timeout %v):\ngot  %v–%v\nwant %v–%v",
				old.StartsAt, old.EndsAt, old.UpdatedAt, old.Timeout, in.StartsAt, in.EndsAt, in.UpdatedAt, in.Timeout,
				got.StartsAt, got.EndsAt, want.StartsAt, want.EndsAt)
		}
	}
	if merges < 1000 {
		t.Fatalf("got %d pairs that overlap, want at least 1000", merges)
	}
}

// TestSortAsAlertmanager compares with Alertmanager's own code on random alerts.
func TestSortAsAlertmanager(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		ours := make([]*alert.Alert, 12)
		slice := make(upstream.AlertSlice, len(ours))
		for i := range ours {
			ours[i] = randomAlert(rnd)
			slice[i] = toUpstream(ours[i])
		}
		alert.Sort(ours)
		sort.Stable(slice)
		for i := range ours {
			if ours[i].Labels.Fingerprint().String() != slice[i].Labels.Fingerprint().String() {
				t.Fatalf("sorted alert %d: got %v, want %v", i, ours[i].Labels, slice[i].Labels)
			}
		}
	}
}

func TestResolvedAt(t *testing.T) {
	now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		endsAt time.Time
		want   bool
	}{
		"without an end": {time.Time{}, false},
		"before its end": {now.Add(time.Nanosecond), false},
		"at its end":     {now, true},
		"after its end":  {now.Add(-time.Second), true},
		"in a century":   {now.AddDate(100, 0, 0), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (&alert.Alert{EndsAt: tt.endsAt}).ResolvedAt(now); got != tt.want {
				t.Errorf("ResolvedAt = %v, want %v", got, tt.want)
			}
		})
	}
}

// TestMergeWithoutEnd covers stored alerts without an end, which Alertmanager does
// not have.
func TestMergeWithoutEnd(t *testing.T) {
	start := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	firing := &alert.Alert{StartsAt: start, UpdatedAt: start}
	resolved := &alert.Alert{StartsAt: start, EndsAt: start.Add(time.Hour), UpdatedAt: start.Add(time.Hour)}
	for _, tt := range []struct {
		name         string
		old, in      *alert.Alert
		starts, ends time.Time
	}{
		{"a later update keeps the start", firing, &alert.Alert{StartsAt: start.Add(time.Minute), UpdatedAt: start.Add(time.Minute)}, start, time.Time{}},
		{"an end resolves it", firing, resolved, start, start.Add(time.Hour)},
		{"a start after the end is another incident", resolved, &alert.Alert{StartsAt: start.Add(2 * time.Hour), UpdatedAt: start.Add(2 * time.Hour)}, start.Add(2 * time.Hour), time.Time{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := alert.Merge(tt.old, tt.in)
			if !got.StartsAt.Equal(tt.starts) || !got.EndsAt.Equal(tt.ends) {
				t.Errorf("got %v–%v, want %v–%v", got.StartsAt, got.EndsAt, tt.starts, tt.ends)
			}
		})
	}
}

func labelSet(l alert.Labels) model.LabelSet {
	s := model.LabelSet{}
	for k, v := range l {
		s[model.LabelName(k)] = model.LabelValue(v)
	}
	return s
}
