package lag

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/metrics"
	"tocsin/pkg/store/memory"
)

// samplesOf returns the samples of the metrics whose names begin with a prefix, one
// line each.
func samplesOf(r *metrics.Registry, prefix string) string {
	var lines []string
	for line := range strings.Lines(string(r.Text())) {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, strings.TrimPrefix(strings.TrimSpace(line), "tocsin_"))
		}
	}
	return strings.Join(lines, "\n")
}

func TestMetrics(t *testing.T) {
	off := false
	for _, test := range []struct {
		name  string
		rules []Rule
		polls []*Snapshot // one a minute; nil fails
		off   bool
		want  string
	}{
		{
			"sums the partitions whose lag is known", nil,
			[]*Snapshot{newSnapshot(newGroup("g", newTopic("a", "5 ? 7"), newTopic("unknown", "? -"), newTopic("read", "0 1")))}, false,
			"consumer_delay_seconds{cluster=\"c\",consumer_group=\"g\",topic=\"read\"} 0\n" +
				"consumer_lag_messages{cluster=\"c\",consumer_group=\"g\",topic=\"a\"} 12\n" +
				"consumer_lag_messages{cluster=\"c\",consumer_group=\"g\",topic=\"read\"} 1",
		},
		{
			"takes the delay of the oldest message that was queried", nil,
			[]*Snapshot{newSnapshot(newGroupOf("g", agedPartition(0, 5, 2, 3), agedPartition(1, 5, 4, 9)))}, false,
			"consumer_delay_seconds{cluster=\"c\",consumer_group=\"g\",topic=\"t\"} 240\n" +
				"consumer_lag_messages{cluster=\"c\",consumer_group=\"g\",topic=\"t\"} 10",
		},
		{
			"takes the delay from the window where that is kept", []Rule{statusRule("Stopped", trend.Stopped)},
			[]*Snapshot{newSnapshot(newGroupOf("g", newPartition(0, 100, 100))), newSnapshot(newGroupOf("g", newPartition(0, 100, 105))), newSnapshot(newGroupOf("g", newPartition(0, 100, 105)))}, false,
			"consumer_delay_seconds{cluster=\"c\",consumer_group=\"g\",topic=\"t\"} 60\n" + // written before the second poll, a minute ago
				"consumer_lag_messages{cluster=\"c\",consumer_group=\"g\",topic=\"t\"} 5",
		},
		{
			"drops groups that are gone or cannot be read", nil,
			[]*Snapshot{newSnapshot(newGroup("g", newTopic("t", "1")), newGroup("h", newTopic("t", "1")), newGroup("i", newTopic("t", "1"))), newSnapshot(newGroup("g", newTopic("t", "1")), Group{Name: "h", Err: errors.New("no")})}, false,
			"consumer_delay_seconds{cluster=\"c\",consumer_group=\"g\",topic=\"t\"} 0\n" +
				"consumer_lag_messages{cluster=\"c\",consumer_group=\"g\",topic=\"t\"} 1",
		},
		{"drops everything of a cluster that cannot be read", nil, []*Snapshot{lagSnapshot("1"), nil}, false, ""},
		{"exports no topics when they are turned off", nil, []*Snapshot{lagSnapshot("1")}, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			registry := &metrics.Registry{}
			w := newRuleWatcher(memory.New(), &ingestRecorder{}, nil, test.rules...)
			w.Metrics = NewMetrics(registry, time.Now)
			if test.off {
				w.Config.Metrics = &off
			}
			for minute, snap := range test.polls {
				if w.Readers["c"] = returning(snap); snap == nil {
					w.Readers["c"] = failing("connection refused")
				}
				mustPoll(t, w, float64(minute))
			}
			if got := samplesOf(registry, "tocsin_consumer_"); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestMetricsOfPolls(t *testing.T) {
	for _, test := range []struct {
		name   string
		reader Reader
		want   string // after two polls
	}{
		{"reads everything", returning(belowLimit), "0"},
		{"cannot read the cluster", failing("connection refused"), "2"},
		{"cannot read a group", returning(newSnapshot(Group{Name: "g", Err: errors.New("no")}, newGroup("h"))), "2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			registry := &metrics.Registry{}
			w := newTestWatcher(memory.New(), &ingestRecorder{}, map[string]Reader{"c": test.reader})
			clock := t0 // each poll takes two seconds
			w.Metrics = NewMetrics(registry, func() time.Time { clock = clock.Add(2 * time.Second); return clock })
			mustPoll(t, w, 0)
			mustPoll(t, w, 1)
			for prefix, want := range map[string]string{
				"tocsin_poll_duration_seconds_sum":   `poll_duration_seconds_sum{cluster="c"} 4`,
				"tocsin_poll_duration_seconds_count": `poll_duration_seconds_count{cluster="c"} 2`,
				"tocsin_poll_failures":               `poll_failures_total{cluster="c"} ` + test.want,
			} {
				if got := samplesOf(registry, prefix); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
}

// However many topics there are, the series are bounded: those with the largest lag stay.
func TestMetricsAreBounded(t *testing.T) {
	var groups []Group
	for i := range maxMetricSeries + 1 {
		groups = append(groups, newGroup(fmt.Sprint("g", i), newTopic("t", fmt.Sprint(i))))
	}
	registry := &metrics.Registry{}
	w := newTestWatcher(memory.New(), &ingestRecorder{}, map[string]Reader{"c": returning(newSnapshot(groups...))})
	w.Config.Rules = []Rule{lagRule(1 << 40)}
	w.Metrics = NewMetrics(registry, time.Now)
	mustPoll(t, w, 0)
	got := samplesOf(registry, "tocsin_consumer_lag_messages{")
	if n := strings.Count(got, "\n") + 1; n != maxMetricSeries || strings.Contains(got, `"g0"`) {
		t.Errorf("got %d series, with g0: %t; want %d without g0, whose lag is the least", n, strings.Contains(got, `"g0"`), maxMetricSeries)
	}
}
