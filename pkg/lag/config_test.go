package lag

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/setting"
)

// load reads a configuration and returns its errors and warnings, one
// per line.
func loadConfig(t *testing.T, text string) (*Config, string) {
	t.Helper()
	var c Config
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return nil, err.Error()
	}
	var f setting.Faults
	c.Validate(&f)
	var lines []string
	for _, fault := range f.List() {
		var path []string
		for _, p := range fault.Path {
			path = append(path, fmt.Sprint(p))
		}
		line := strings.Join(path, ".") + " " + fault.Message
		if fault.Warning {
			line = "warning: " + line
		}
		lines = append(lines, line)
	}
	return &c, strings.Join(lines, "\n")
}

const oneCluster = `
clusters: [{name: orders, ckafka: {instance_id: ckafka-1, region: ap-guangzhou}}]
`

func TestConfig(t *testing.T) {
	c, faults := loadConfig(t, `
interval: 30s
clusters:
  - name: orders
    ckafka:
      instance_id: ckafka-xxxxxxxx
      region: ap-guangzhou
      endpoint: https://ckafka.tencentcloudapi.com
      secret_id: id
      secret_key: key
    groups: {include: ["order-.*"], exclude: ["order-test"]}
    topics: {include: [".*"]}
rules:
  - alert: KafkaConsumerLag
    match: {cluster: orders, consumer_group: "order-.*", topic: ".*"}
    max_lag: 2000
    for: 2m
    clear_below: 1500
    labels: {severity: warning}
    annotations: {summary: "{{ $labels.topic }} is {{ $value }} behind"}
`)
	if faults != "" {
		t.Fatal(faults)
	}
	if c.PollInterval() != 30*time.Second || c.Clusters[0].Groups.Match("order-test") || !c.Clusters[0].Groups.Match("order-sync") {
		t.Errorf("config = %+v, want the interval and filters of the text", c)
	}
	if r := c.Rules[0]; *r.MaxLag != 2000 || r.For.Std() != 2*time.Minute || *r.ClearBelow != 1500 || r.Labels["severity"].String() != "warning" {
		t.Errorf("rule = %+v, want the values of the text", r)
	}
	if out, err := yaml.Marshal(c); err != nil || strings.Contains(string(out), "secret_key: key") || !strings.Contains(string(out), "order-.*") {
		t.Errorf("marshalled = %s, %v; want the patterns and no secret", out, err)
	}
	if c, faults := loadConfig(t, oneCluster+"rules: [{alert: A, max_lag: 0}]"); faults != "" || c.PollInterval() != time.Minute {
		t.Errorf("faults of a minimal configuration = %s, want none", faults)
	}
}

func TestConfigFaults(t *testing.T) {
	rule := func(rest string) string { return oneCluster + "rules: [{alert: A, max_lag: 10, " + rest + "}]" }
	tests := map[string]struct{ text, want string }{
		"missing names": {"clusters: [{}]\nrules: [{}]", `
clusters.0.name is missing: it becomes the label "cluster" of the cluster's alerts
clusters.0.ckafka is missing: configure the way to read the cluster, ckafka or kafka
rules.0.alert is missing: it is the name of the alert, such as KafkaConsumerLag
rules.0.max_lag is missing: it is the number of messages above which the alert fires; or give max_partition_lag, max_delay, status, growing_for or lost`},
		"incomplete instance": {"clusters: [{name: a, ckafka: {endpoint: ckafka.example.com, secret_id: x}}]\nrules: [{alert: A, max_lag: 1}]", `
clusters.0.ckafka.instance_id is missing: it is the instance's id in the console, such as ckafka-xxxxxxxx
clusters.0.ckafka.region is missing: name the instance's region, such as ap-guangzhou
clusters.0.ckafka.secret_key is missing: secret_id and secret_key are given together or not at all
clusters.0.ckafka.endpoint "ckafka.example.com" is not a URL: write it like https://ckafka.tencentcloudapi.com`},
		"secret without id": {"clusters: [{name: a, ckafka: {instance_id: i, region: r, secret_key: x}}]\nrules: [{alert: A, max_lag: 1}]", `
clusters.0.ckafka.secret_id is missing: secret_id and secret_key are given together or not at all`},
		"same name": {`
clusters: [{name: a, ckafka: {instance_id: i, region: r}}, {name: a, ckafka: {instance_id: i, region: r}}]
rules: [{alert: A, max_lag: 1}]`, `
clusters.1.name "a" is taken by another cluster: names must differ`},
		"long name": {"clusters: [{name: " + strings.Repeat("x", 256) + ", ckafka: {instance_id: i, region: r}}]\nrules: [{alert: A, max_lag: 1}]", `
clusters.0.name has 256 bytes: use at most 255`},
		"no rules, the API only": {oneCluster, `
warning: clusters.0.ckafka the API does not report deleted messages, so lost never fires for this cluster: add kafka if its network can be reached, or rules without lost`},
		"no rules, both sources": {"clusters: [{name: a, ckafka: {instance_id: i, region: r}, kafka: {brokers: [\"10.0.0.1:9092\"]}}]", ""},
		"allowed lag": {"clusters: [{name: a, kafka: {brokers: [\"10.0.0.1:9092\"]}, allowed_lag: -1}]\nrules: [{alert: A, max_lag: 1, allowed_lag: -2}, {alert: B, lost: true, allowed_lag: 0}]", `
clusters.0.allowed_lag must be 0 or more, not -1
rules.0.allowed_lag must be 0 or more, not -2`},
		"loss in another cluster": {rule("lost: true, match: {cluster: b}"), `
warning: rules.0.match.cluster "b" is the name of none of the clusters`},
		"rule that matches no cluster": {rule("match: {cluster: order}"), `
warning: rules.0.match.cluster "order" is the name of none of the clusters`},
		"thresholds": {oneCluster + "rules: [{alert: A, max_lag: -1}, {alert: A, max_lag: 5, clear_below: 6}, {alert: A, max_lag: 5, clear_below: 0}, {alert: A, max_lag: 5, clear_below: 5}]", `
rules.0.max_lag must be 0 or more, not -1
rules.1.clear_below must not be greater than max_lag (5), not 6
rules.2.clear_below must be 1 or more, not 0: lag is never below 0, and the alert would never end`},
		"conditions": {oneCluster + `
allowed_lag: -1
rules:
  - {alert: A, clear_below: 5, lost: true}
  - {alert: A, clear_below_delay: 5m, lost: true}
  - {alert: A, clear_below_delay: 11m, max_delay: 10m}
  - {alert: A, status: [stalled, slow, ok]}
  - {alert: A, growing_for: 4h}
  - {alert: A, lost: false}
  - {alert: A, max_delay: 10m, clear_below_delay: 10m, status: [stalled, stopped, rewind, growing], growing_for: 3h, lost: true}`, `
allowed_lag must be 0 or more, not -1
warning: clusters.0.ckafka the API does not report deleted messages, so lost never fires for this cluster: add kafka if its network can be reached, or rules without lost
rules.0.max_lag is missing: clear_below is for rules with it
rules.1.max_delay is missing: clear_below_delay is for rules with it
rules.2.clear_below_delay must not be greater than max_delay (10m), not 11m
rules.3.status.1 "slow" is not one of stalled, stopped, ahead, hung_transaction, rewind, growing
rules.3.status.2 "ok" is not one of stalled, stopped, ahead, hung_transaction, rewind, growing
rules.4.growing_for must not be longer than 3h, which is how far the history goes back
rules.5.max_lag is missing: it is the number of messages above which the alert fires; or give max_partition_lag, max_delay, status, growing_for or lost`},
		"names of labels and annotations": {rule(`labels: {topic: x, 1st: y, "": z, ok_1: w}, annotations: {lag: x, "a b": y}`), `
rules.0.labels is not a name: use letters, digits and _, with a letter or _ first
rules.0.labels.1st is not a name: use letters, digits and _, with a letter or _ first
rules.0.labels.topic is set by Tocsin: choose another name
rules.0.annotations.a b is not a name: use letters, digits and _, with a letter or _ first
rules.0.annotations.lag is set by Tocsin: choose another name`},
		"label that uses the value": {rule(`labels: {lag_now: "{{ $value }}"}`), `
rules.0.labels.lag_now the template cannot be used: line 1: at <.Value>: can't evaluate field Value in type lag.labelData: labels identify the alert, so they may use $labels only`},
		"annotation with an unknown field": {rule(`annotations: {summary: "{{ .Nope }}"}`), `
rules.0.annotations.summary the template cannot be used: line 1: at <.Nope>: can't evaluate field Nope in type lag.TemplateData: an annotation may use $labels, $value, .Lag, .Threshold, .Partitions, .Members, .UnknownPartitions, .Delay, .DelaySource, .Status, .GrowingFor, .Lost, .RateIn, .RateOut and .Drain`},
		"annotation that is too long": {rule(`annotations: {summary: "{{ printf \"%70000d\" .Lag }}"}`), `
rules.0.annotations.summary the template cannot be used: it prints more than 64 KiB: an annotation may use $labels, $value, .Lag, .Threshold, .Partitions, .Members, .UnknownPartitions, .Delay, .DelaySource, .Status, .GrowingFor, .Lost, .RateIn, .RateOut and .Drain`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, got := loadConfig(t, tt.text); got != strings.TrimSpace(tt.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	filter := func(include, exclude string) Filter {
		var f Filter
		for _, s := range strings.Fields(include) {
			f.Include = append(f.Include, mustPattern(t, s))
		}
		for _, s := range strings.Fields(exclude) {
			f.Exclude = append(f.Exclude, mustPattern(t, s))
		}
		return f
	}
	tests := []struct {
		include, exclude string
		match            string // of: order-a order-test xorder-a
		literals         []string
		ok               bool
	}{
		{"", "", "order-a order-test xorder-a", nil, false},
		{"order-.*", "", "order-a order-test", nil, false},
		{"order-.*", "order-test", "order-a", nil, false},
		{"", "order-.*", "xorder-a", nil, false},
		{"order", "", "", []string{"order"}, true},
		{"order-a order-a b", "", "order-a", []string{"order-a", "b"}, true},
		{"order-a order-test", ".*test", "order-a", []string{"order-a"}, true},
		{`a\.b`, "", "", []string{"a.b"}, true},
		{"a.b", "", "", nil, false},
		{"order-a .*", "", "order-a order-test xorder-a", nil, false},
		{"(?i)order-a", "", "order-a", nil, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("include %q, exclude %q", tt.include, tt.exclude), func(t *testing.T) {
			f := filter(tt.include, tt.exclude)
			var got []string
			for _, name := range []string{"order-a", "order-test", "xorder-a"} {
				if f.Match(name) {
					got = append(got, name)
				}
			}
			if strings.Join(got, " ") != tt.match {
				t.Errorf("matches %q, want %q", got, tt.match)
			}
			if names, ok := f.Literals(); ok != tt.ok || !slices.Equal(names, tt.literals) {
				t.Errorf("Literals() = %q, %v; want %q, %v", names, ok, tt.literals, tt.ok)
			}
		})
	}
}
