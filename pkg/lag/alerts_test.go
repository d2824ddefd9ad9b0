package lag

import (
	"maps"
	"reflect"
	"testing"

	"tocsin/pkg/alert"
)

func TestAnnotations(t *testing.T) {
	tests := map[string]struct {
		language    string
		annotations []string
		polls       []*Snapshot
		want        alert.Labels // of the last poll's alert
	}{
		"worst partitions, worst first, five at most, ties by number": {
			polls: []*Snapshot{all(whole("g", topic("orders", "0 10 4100 5000 10 ? 700 4100 ?")))},
			want: alert.Labels{
				"lag": "13920", "threshold": "2000", "partitions": "3:5000,2:4100,7:4100,6:700,1:10", "unknown_partitions": "2",
				"summary":     "g is 13,920 behind on orders (limit 2,000)",
				"description": "Furthest behind: partition 3 by 5,000, partition 2 by 4,100, partition 7 by 4,100, partition 6 by 700, partition 1 by 10. Partitions of unknown lag, not counted: 2.",
			},
		},
		"in Chinese": {
			language: "zh",
			polls:    []*Snapshot{all(whole("g", topic("orders", "2500 ?")))},
			want: alert.Labels{
				"lag": "2500", "threshold": "2000", "partitions": "0:2500", "unknown_partitions": "1",
				"summary":     "g 消费 orders 积压 2,500 条（阈值 2,000）",
				"description": "积压最多的分区：0 号 2,500 条。另有 1 个分区的积压未知，没有计入。",
			},
		},
		"over": {
			polls: []*Snapshot{all(whole("g", topic("orders", "2500"))), all(whole("g", topic("orders", "12")))},
			want: alert.Labels{
				"lag": "12", "threshold": "2000",
				"summary": "g is down to 12 behind on orders (limit 2,000)",
			},
		},
		"topic gone": {
			polls: []*Snapshot{all(whole("g", topic("orders", "2500"))), all(whole("g"))},
			want:  alert.Labels{"summary": "g has no topic orders any more; the alert ends"},
		},
		"group gone": {
			polls: []*Snapshot{all(whole("g", topic("orders", "2500"))), all()},
			want:  alert.Labels{"summary": "The consumer group g does not exist any more; the alert about orders ends"},
		},
		"own texts": {
			annotations: []string{
				"summary", `{{ $labels.topic }} is {{ $value }} behind`,
				"description", `{{ .Lag }} of {{ .Threshold }}: {{ range .Partitions }}[{{ .ID }} {{ .Lag }}]{{ end }}, {{ .UnknownPartitions }} unknown`,
				"prometheus", `{{ printf "%.1f" $value }} {{ humanize $value }} {{ $labels.severity }} {{ $labels.nothing }}`,
				"runbook", "https://wiki.example.com/{lag}",
			},
			polls: []*Snapshot{all(whole("g", topic("orders", "1000000 234567 ?")))},
			want: alert.Labels{
				"lag": "1234567", "threshold": "2000", "partitions": "0:1000000,1:234567", "unknown_partitions": "1",
				"summary":     "orders is 1234567 behind",
				"description": "1234567 of 2000: [0 1000000][1 234567], 1 unknown",
				"prometheus":  "1234567.0 1.235M warning ",
				"runbook":     "https://wiki.example.com/{lag}",
			},
		},
		"own texts that need a lag are left out when there is none": {
			annotations: []string{
				"summary", `{{ $labels.topic }} is {{ $value }} behind`, "description", "call someone",
				"dashboard", `https://dash.example.com/{{ $labels.topic }}`, "size", `{{ .Lag }}`,
			},
			polls: []*Snapshot{all(whole("g", topic("orders", "2500"))), all(whole("g"))},
			want: alert.Labels{
				"summary":   "g has no topic orders any more; the alert ends",
				"dashboard": "https://dash.example.com/orders",
			},
		},
		"a text that fails does not keep the alert back": {
			annotations: []string{"broken", `{{ index .Partitions 3 }}`},
			polls:       []*Snapshot{all(whole("g", topic("orders", "2500")))},
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
			rule.Labels = texts(t, "severity", "warning")
			rule.Annotations = texts(t, tt.annotations...)
			language := tt.language
			if language == "" {
				language = "en"
			}
			j := NewEvaluator([]Rule{rule}, "c", language)
			var state *ClusterState
			var alerts []*alert.Alert
			for i, seen := range tt.polls {
				state, alerts = j.Evaluate(state, seen, at(float64(i)))
			}
			if len(alerts) != 1 {
				t.Fatalf("%d alerts", len(alerts))
			}
			wantLabels := alert.Labels{"alertname": "Lag", "cluster": "c", "consumer_group": "g", "topic": "orders", "severity": "warning"}
			if !maps.Equal(alerts[0].Labels, wantLabels) {
				t.Errorf("labels %v", alerts[0].Labels)
			}
			if !maps.Equal(alerts[0].Annotations, tt.want) {
				t.Errorf("annotations\ngot  %q\nwant %q", alerts[0].Annotations, tt.want)
			}
		})
	}
}

func TestLabelTemplates(t *testing.T) {
	rule := lagRule(0)
	rule.Labels = texts(t, "team", "{{ $labels.consumer_group | toUpper }}", "empty", "{{ $labels.nothing }}")
	j := NewEvaluator([]Rule{rule}, "c", "en")
	_, alerts := j.Evaluate(nil, all(whole("g", topic("t", "1"))), at(0))
	want := alert.Labels{"alertname": "Lag", "cluster": "c", "consumer_group": "g", "topic": "t", "team": "G"}
	if len(alerts) != 1 || !maps.Equal(alerts[0].Labels, want) {
		t.Errorf("got %v, want %v", alerts[0].Labels, want)
	}
}

func TestRules(t *testing.T) {
	seen := all(whole("g", topic("big", "9000"), topic("small", "50")), whole("other", topic("big", "9000")))
	tests := map[string]struct {
		rules []Rule
		want  string
	}{
		"matches are anchored": {
			[]Rule{{Alert: "A", MaxLag: ptr(10), Match: Match{ConsumerGroup: pattern(t, "g"), Topic: pattern(t, "b.*|smal")}}},
			"A g big since 08:00:00 firing lag=9000",
		},
		"another cluster's": {[]Rule{{Alert: "A", MaxLag: ptr(10), Match: Match{Cluster: pattern(t, "d")}}}, ""},
		"two rules, two alerts": {
			[]Rule{
				{Alert: "B", MaxLag: ptr(5000), Match: Match{ConsumerGroup: pattern(t, "g")}},
				{Alert: "A", MaxLag: ptr(10), Match: Match{ConsumerGroup: pattern(t, "g")}},
			},
			"B g big since 08:00:00 firing lag=9000\nA g big since 08:00:00 firing lag=9000\nA g small since 08:00:00 firing lag=50",
		},
		"two rules, one alert": {
			[]Rule{
				{Alert: "A", MaxLag: ptr(10000), Match: Match{Topic: pattern(t, "big")}},
				{Alert: "A", MaxLag: ptr(10), Match: Match{ConsumerGroup: pattern(t, "other")}},
				{Alert: "A", MaxLag: ptr(20), Match: Match{ConsumerGroup: pattern(t, "other")}},
			},
			"A other big since 08:00:00 firing lag=9000",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, alerts := NewEvaluator(tt.rules, "c", "en").Evaluate(nil, seen, at(0))
			if got := brief(alerts); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// One alert that two rules make fires while one of them says so.
func TestOneAlertOfTwoRules(t *testing.T) {
	low, high := lagRule(10), lagRule(100)
	low.Match.Topic = pattern(t, "t.*")
	seen := func(lag string) *Snapshot { return all(whole("g", topic("t", lag))) }
	story{
		{0, seen("101"), "Lag g t since 08:00:00 firing lag=101"},
		{1, seen("50"), "Lag g t since 08:00:00 firing lag=50"},
		{2, seen("10"), "Lag g t since 08:00:00 ended 08:02:00 lag=10"},
	}.tell(t, NewEvaluator([]Rule{high, low}, "c", "en"))
}

func TestOrderDoesNotDependOnTheReader(t *testing.T) {
	rules := []Rule{lagRule(0), {Alert: "Other", MaxLag: ptr(0)}}
	a := whole("a", topic("x", "1"), topic("y", "2"))
	b := whole("b", topic("x", "3"))
	a2 := whole("a", topic("y", "2"), topic("x", "1"))
	_, one := NewEvaluator(rules, "c", "en").Evaluate(nil, all(a, b), at(0))
	_, two := NewEvaluator(rules, "c", "en").Evaluate(nil, all(b, a2), at(0))
	if len(one) != 6 || !reflect.DeepEqual(one, two) {
		t.Errorf("%s\nbut\n%s", brief(one), brief(two))
	}
}
