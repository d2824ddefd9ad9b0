package lag

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store/memory"
)

func TestAnnotations(t *testing.T) {
	tests := map[string]struct {
		language    string
		annotations []string
		polls       []*Snapshot
		want        alert.Labels // of the alert of the last poll
	}{
		"worst partitions in order, at most five, equal ones by id": {
			polls: []*Snapshot{newSnapshot(newGroup("g", newTopic("orders", "0 10 4100 5000 10 ? 700 4100 ?")))},
			want: alert.Labels{
				"lag": "13920", "threshold": "2000", "partitions": "3:5000,2:4100,7:4100,6:700,1:10", "unknown_partitions": "2",
				"summary":     "g is 13,920 behind on orders (limit 2,000)",
				"description": "Furthest behind: partition 3 by 5,000, partition 2 by 4,100, partition 7 by 4,100, partition 6 by 700, partition 1 by 10. Partitions of unknown lag, not counted: 2.",
			},
		},
		"in Chinese": {
			language: "zh",
			polls:    []*Snapshot{newSnapshot(newGroup("g", newTopic("orders", "2500 ?")))},
			want: alert.Labels{
				"lag": "2500", "threshold": "2000", "partitions": "0:2500", "unknown_partitions": "1",
				"summary":     "g 消费 orders 积压 2,500 条（阈值 2,000）",
				"description": "积压最多的分区：0 号 2,500 条。另有 1 个分区的积压未知，没有计入。",
			},
		},
		"resolved": {
			polls: []*Snapshot{newSnapshot(newGroup("g", newTopic("orders", "2500"))), newSnapshot(newGroup("g", newTopic("orders", "12")))},
			want: alert.Labels{
				"lag": "12", "threshold": "2000",
				"summary": "g is down to 12 behind on orders (limit 2,000)",
			},
		},
		"topic gone": {
			polls: []*Snapshot{newSnapshot(newGroup("g", newTopic("orders", "2500"))), newSnapshot(newGroup("g"))},
			want:  alert.Labels{"summary": "g has no topic orders any more; the alert ends"},
		},
		"group gone": {
			polls: []*Snapshot{newSnapshot(newGroup("g", newTopic("orders", "2500"))), newSnapshot()},
			want:  alert.Labels{"summary": "The consumer group g does not exist any more; the alert about orders ends"},
		},
		"custom annotations": {
			annotations: []string{
				"summary", `{{ $labels.topic }} is {{ $value }} behind`,
				"description", `{{ .Lag }} of {{ .Threshold }}: {{ range .Partitions }}[{{ .ID }} {{ .Lag }}]{{ end }}, {{ .UnknownPartitions }} unknown`,
				"prometheus", `{{ printf "%.1f" $value }} {{ humanize $value }} {{ $labels.severity }} {{ $labels.nothing }}`,
				"runbook", "https://wiki.example.com/{lag}",
			},
			polls: []*Snapshot{newSnapshot(newGroup("g", newTopic("orders", "1000000 234567 ?")))},
			want: alert.Labels{
				"lag": "1234567", "threshold": "2000", "partitions": "0:1000000,1:234567", "unknown_partitions": "1",
				"summary":     "orders is 1234567 behind",
				"description": "1234567 of 2000: [0 1000000][1 234567], 1 unknown",
				"prometheus":  "1234567.0 1.235M warning ",
				"runbook":     "https://wiki.example.com/{lag}",
			},
		},
		"custom annotations that need a lag are left out without one": {
			annotations: []string{
				"summary", `{{ $labels.topic }} is {{ $value }} behind`, "description", "call someone",
				"dashboard", `https://dash.example.com/{{ $labels.topic }}`, "size", `{{ .Lag }}`,
			},
			polls: []*Snapshot{newSnapshot(newGroup("g", newTopic("orders", "2500"))), newSnapshot(newGroup("g"))},
			want: alert.Labels{
				"summary":   "g has no topic orders any more; the alert ends",
				"dashboard": "https://dash.example.com/orders",
			},
		},
		"annotation that fails does not prevent the alert": {
			annotations: []string{"broken", `{{ index .Partitions 3 }}`},
			polls:       []*Snapshot{newSnapshot(newGroup("g", newTopic("orders", "2500")))},
			want: alert.Labels{
				"lag": "2500", "threshold": "2000", "partitions": "0:2500",
				"summary":     "g is 2,500 behind on orders (limit 2,000)",
				"description": "Furthest behind: partition 0 by 2,500.",
				"broken":      "<error expanding template: the template cannot be used: line 1: at <index .Partitions 3>: error calling index: index out of range: 3>",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rule := lagRule(2000)
			rule.Labels = mustTemplates(t, "severity", "warning")
			rule.Annotations = mustTemplates(t, tt.annotations...)
			language := tt.language
			if language == "" {
				language = "en"
			}
			alerts := lastAlerts(NewEvaluator([]Rule{rule}, "c", language), tt.polls...)
			if len(alerts) != 1 {
				t.Fatalf("%d alerts, want 1", len(alerts))
			}
			wantLabels := alert.Labels{"alertname": "Lag", "cluster": "c", "consumer_group": "g", "topic": "orders", "severity": "warning"}
			if !maps.Equal(alerts[0].Labels, wantLabels) {
				t.Errorf("labels = %v, want %v", alerts[0].Labels, wantLabels)
			}
			if !maps.Equal(alerts[0].Annotations, tt.want) {
				t.Errorf("annotations = %q\nwant %q", alerts[0].Annotations, tt.want)
			}
		})
	}
}

func TestLabelTemplates(t *testing.T) {
	rule := lagRule(0)
	rule.Labels = mustTemplates(t, "team", "{{ $labels.consumer_group | toUpper }}", "empty", "{{ $labels.nothing }}")
	alerts := lastAlerts(NewEvaluator([]Rule{rule}, "c", "en"), lagSnapshot("1"))
	want := alert.Labels{"alertname": "Lag", "cluster": "c", "consumer_group": "g", "topic": "t", "team": "G"}
	if len(alerts) != 1 || !maps.Equal(alerts[0].Labels, want) {
		t.Errorf("alerts = %+v, want one with labels %v", alerts, want)
	}
}

func TestRuleMatch(t *testing.T) {
	snap := newSnapshot(newGroup("g", newTopic("big", "9000"), newTopic("small", "50")), newGroup("other", newTopic("big", "9000")))
	tests := map[string]struct {
		rules []Rule
		want  string
	}{
		"patterns are anchored": {
			[]Rule{{Alert: "A", MaxLag: ptr(10), Match: Match{ConsumerGroup: mustPattern(t, "g"), Topic: mustPattern(t, "b.*|smal")}}},
			"A g big since 08:00:00 firing lag=9000",
		},
		"rule of another cluster": {[]Rule{{Alert: "A", MaxLag: ptr(10), Match: Match{Cluster: mustPattern(t, "d")}}}, ""},
		"two rules with two alerts": {
			[]Rule{
				{Alert: "B", MaxLag: ptr(5000), Match: Match{ConsumerGroup: mustPattern(t, "g")}},
				{Alert: "A", MaxLag: ptr(10), Match: Match{ConsumerGroup: mustPattern(t, "g")}},
			},
			"B g big since 08:00:00 firing lag=9000\nA g big since 08:00:00 firing lag=9000\nA g small since 08:00:00 firing lag=50",
		},
		"rules with the same alert": {
			[]Rule{
				{Alert: "A", MaxLag: ptr(10000), Match: Match{Topic: mustPattern(t, "big")}},
				{Alert: "A", MaxLag: ptr(10), Match: Match{ConsumerGroup: mustPattern(t, "other")}},
				{Alert: "A", MaxLag: ptr(20), Match: Match{ConsumerGroup: mustPattern(t, "other")}},
			},
			"A other big since 08:00:00 firing lag=9000",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := summarize(lastAlerts(NewEvaluator(tt.rules, "c", "en"), snap)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// An alert that two rules share fires while one of them does.
func TestSharedAlert(t *testing.T) {
	low, high := lagRule(10), lagRule(100)
	low.Match.Topic = mustPattern(t, "t.*")
	evaluations{
		{0, lagSnapshot("101"), "Lag g t since 08:00:00 firing lag=101"},
		{1, lagSnapshot("50"), "Lag g t since 08:00:00 firing lag=50"},
		{2, lagSnapshot("10"), "Lag g t since 08:00:00 ended 08:02:00 lag=10"},
	}.run(t, NewEvaluator([]Rule{high, low}, "c", "en"))
}

func TestAlertOrderIsThatOfTheNames(t *testing.T) {
	rules := []Rule{lagRule(0), {Alert: "Other", MaxLag: ptr(0)}}
	a := newGroup("a", newTopic("x", "1"), newTopic("y", "2"))
	b := newGroup("b", newTopic("x", "3"))
	a2 := newGroup("a", newTopic("y", "2"), newTopic("x", "1"))
	want := lastAlerts(NewEvaluator(rules, "c", "en"), newSnapshot(a, b))
	got := lastAlerts(NewEvaluator(rules, "c", "en"), newSnapshot(b, a2))
	if len(want) != 6 || !reflect.DeepEqual(got, want) {
		t.Errorf("alerts in another order = %s\nwant 6:\n%s", summarize(got), summarize(want))
	}
}

func TestLagHistory(t *testing.T) {
	last := time.Unix(1_700_000_000, 0)
	long := make([]int64, 200)
	for i := range long {
		long[i] = int64(i)
	}
	for _, tt := range []struct {
		values []int64
		want   string
	}{
		{nil, ""},
		{[]int64{-1, -1}, ""},
		{[]int64{5}, "1700000000/60:5"},
		{[]int64{1200, -1, 1300}, "1700000000/60:1200,,1300"},
		{[]int64{-1, 0, -1}, "1700000000/60:,0,"},
	} {
		if got := lagHistory(trend.History{Last: last, Step: time.Minute, Values: tt.values}); got != tt.want {
			t.Errorf("lagHistory(%v) = %q, want %q", tt.values, got, tt.want)
		}
	}
	got := lagHistory(trend.History{Last: last, Step: time.Minute, Values: long})
	if n := strings.Count(got, ",") + 1; n != 180 || !strings.HasPrefix(got, "1700000000/60:20,") || !strings.HasSuffix(got, ",199") {
		t.Errorf("%d values in %s, want the last 180", n, got)
	}
}

// Of many alerts only those with the highest lag have a history.
func TestHistoryOfManyAlerts(t *testing.T) {
	snap := newSnapshot(newGroup("g"))
	for i := range 60 {
		snap.Groups[0].Topics = append(snap.Groups[0].Topics, newTopic(fmt.Sprintf("t%02d", i), fmt.Sprint(3000+i)))
	}
	rec := &ingestRecorder{}
	mustPoll(t, newTestWatcher(memory.New(), rec, map[string]Reader{"c": returning(snap)}), 0)
	var topics []string
	for _, a := range rec.received {
		if a.Annotations["lag_history"] != "" {
			topics = append(topics, a.Labels["topic"])
		}
	}
	slices.Sort(topics)
	if len(topics) != 50 || topics[0] != "t10" || topics[49] != "t59" {
		t.Errorf("topics with a history = %v, want t10 to t59", topics)
	}
}
