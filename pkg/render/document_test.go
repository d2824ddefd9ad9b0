package render

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"tocsin/pkg/alert"
)

func lagAlert(topic, lag string) *alert.Alert {
	return &alert.Alert{
		Labels:      alert.Labels{"alertname": "KafkaConsumerLag", "cluster": "c", "consumer_group": "g", "topic": topic},
		Annotations: alert.Labels{"lag": lag, "threshold": "2000"},
		StartsAt:    at.Add(-5 * time.Minute),
	}
}

func ended(a *alert.Alert) *alert.Alert {
	over := *a
	over.EndsAt = at
	return &over
}

func document(language string, alerts ...*alert.Alert) *Document {
	return NewDocument(&alert.Notification{At: at, Alerts: alerts}, env(language))
}

func (doc *Document) fact(name string) string {
	for _, f := range doc.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func (doc *Document) titles() []string {
	var out []string
	for _, item := range doc.Items {
		out = append(out, item.Title)
	}
	return out
}

func TestTitles(t *testing.T) {
	generic := func(labels alert.Labels) *alert.Alert {
		return &alert.Alert{Labels: labels, StartsAt: at.Add(-time.Hour)}
	}
	blind := generic(alert.Labels{"alertname": "TocsinPollFailed", "cluster": "c", "consumer_group": "g"})
	tests := []struct {
		name   string
		alerts []*alert.Alert
		zh, en string
	}{
		{"a topic", []*alert.Alert{lagAlert("t", "3000")}, "[告警] 消费积压 · c / g / t", "[FIRING] Consumer lag · c / g / t"},
		{"topics", []*alert.Alert{lagAlert("t", "3000"), lagAlert("u", "1")}, "[告警] 消费积压 · c / g（2 个 topic）", "[FIRING] Consumer lag · c / g (2 topics)"},
		{"one of each state", []*alert.Alert{lagAlert("t", "3000"), ended(lagAlert("u", "1"))}, "[告警] 消费积压 · c / g（1 个 topic，另有 1 个已恢复）", "[FIRING] Consumer lag · c / g (1 topic, 1 more resolved)"},
		{"over", []*alert.Alert{ended(lagAlert("t", "3000")), ended(lagAlert("u", "1"))}, "[恢复] 消费积压 · c / g（2 个 topic）", "[RESOLVED] Consumer lag · c / g (2 topics)"},
		{"a group that cannot be read", []*alert.Alert{blind}, "[告警] 读不到消费积压 · c / g", "[FIRING] Consumer lag cannot be read · c / g"},
		{"a host", []*alert.Alert{generic(alert.Labels{"alertname": "HostOffline", "host": "w", "hostname": "w"})}, "[告警] 主机失联 · w", "[FIRING] Host offline · w"},
		{"hosts", []*alert.Alert{generic(alert.Labels{"alertname": "HostOffline", "host": "w"}), generic(alert.Labels{"alertname": "HostOffline", "host": "x"})}, "[告警] 主机失联（2 台主机）", "[FIRING] Host offline (2 hosts)"},
		{"another system's", []*alert.Alert{generic(alert.Labels{"alertname": "A", "instance": "i", "job": "j"})}, "[告警] A · i", "[FIRING] A · i"},
		{"different names", []*alert.Alert{generic(alert.Labels{"alertname": "A", "cluster": "c"}), generic(alert.Labels{"alertname": "B", "cluster": "c"})}, "[告警] 2 条告警 · c", "[FIRING] 2 alerts · c"},
		{"different kinds and states", []*alert.Alert{blind, ended(lagAlert("t", "1"))}, "[告警] 2 条告警 · c（1 条，另有 1 条已恢复）", "[FIRING] 2 alerts · c (1 alert, 1 more resolved)"},
		{"no name", []*alert.Alert{generic(alert.Labels{"x": "y"})}, "[告警] 1 条告警", "[FIRING] 1 alert"},
		{"Prometheus's words about lag", []*alert.Alert{generic(alert.Labels{"alertname": "A", "consumer_group": "g", "topic": "t"})}, "[告警] A", "[FIRING] A"},
		{"a lag that is no number", []*alert.Alert{lagAlert("t", "-1")}, "[告警] KafkaConsumerLag · c", "[FIRING] KafkaConsumerLag · c"},
		{"nothing", nil, "[恢复] 0 条告警", "[RESOLVED] 0 alerts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := document("zh", tt.alerts...).Title; got != tt.zh {
				t.Errorf("zh %q, want %q", got, tt.zh)
			}
			if got := document("en", tt.alerts...).Title; got != tt.en {
				t.Errorf("en %q, want %q", got, tt.en)
			}
		})
	}
}

func TestReadingOrder(t *testing.T) {
	other := func(name, severity string, since time.Duration) *alert.Alert {
		return &alert.Alert{Labels: alert.Labels{"alertname": "A", "instance": name, "severity": severity}, StartsAt: at.Add(-since)}
	}
	lag := document("zh", lagAlert("b", "5"), ended(lagAlert("z", "900")), lagAlert("c", "10"), lagAlert("a", "5"), lagAlert("d", "9"))
	if got, want := lag.titles(), []string{"c", "d", "a", "b", "z"}; !slices.Equal(got, want) {
		t.Errorf("lag: %v, want %v", got, want)
	}
	others := document("zh", other("young", "warning", 1), other("info", "info", 9), ended(other("over", "critical", 9)),
		other("critical", "critical", 1), other("old", "warning", 5), other("b", "warning", 3), other("a", "warning", 3))
	if got, want := others.titles(), []string{"critical", "old", "a", "b", "young", "info", "over"}; !slices.Equal(got, want) {
		t.Errorf("others: %v, want %v", got, want)
	}
	if others.Severity != Critical || lag.Severity != Warning {
		t.Errorf("severities %v and %v", others.Severity, lag.Severity)
	}
	mixed := document("zh", lagAlert("t", "5"), other("x", "info", 1))
	if got := mixed.titles(); !strings.HasPrefix(got[0], "A") {
		t.Errorf("mixed: %v", got)
	}
	if d := document("zh", ended(other("x", "critical", 1)), other("y", "info", 1)); d.Severity != Info || d.Resolved {
		t.Errorf("severity %v of what fires, resolved %v", d.Severity, d.Resolved)
	}
}

func TestOneLagAlert(t *testing.T) {
	a := lagAlert("t", "12345")
	a.Annotations["partitions"] = "3:5000,7:4100"
	a.Annotations["unknown_partitions"] = "2"
	a.Labels["team"] = "pay"
	doc := document("zh", a)
	if doc.Items != nil || doc.Lead != "积压 12,345 条，阈值 2,000 条" {
		t.Errorf("lead %q, items %v", doc.Lead, doc.Items)
	}
	for name, want := range map[string]string{
		"最慢分区": "#3 5,000 · #7 4,100", "未知分区": "2 个，读不到位点，未计入积压", "开始": "11-20 23:05:10（已 5 分钟）",
		"集群": "c", "消费组": "g", "Topic": "t", "team": "pay", "规则": "", "详情": "",
	} {
		if got := doc.fact(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	a.Labels["alertname"] = "OrdersLate"
	if got := document("zh", a).fact("规则"); got != "OrdersLate" {
		t.Errorf("the rule is %q", got)
	}
}

// Built-in summaries and descriptions repeat the message and are left out; those of
// a rule's author are shown, whatever their words.
func TestLagRemarks(t *testing.T) {
	const both = alert.BuiltinSummary | alert.BuiltinDescription
	tests := map[string]struct {
		summary, description string
		builtin              alert.Builtin
		want                 string
	}{
		"built-in, zh":            {"g 消费 t 积压 12,345 条（阈值 2,000）", "积压最多的分区：3 号 5,000 条，7 号 4,100 条。", both, ""},
		"built-in, en":            {"g is 12,345 messages behind on t (limit 2,000)", "Furthest behind: partition 3 by 5,000.", both, ""},
		"an author's summary":     {"t is 12345 behind", "", 0, "t is 12345 behind"},
		"with all the numbers":    {"g is 12,345 behind on t (limit 2,000)", "Furthest behind.", alert.BuiltinDescription, "g is 12,345 behind on t (limit 2,000)"},
		"an author's description": {"built in", "call the payments team", alert.BuiltinSummary, "call the payments team"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			remark := func(topic string) *alert.Alert {
				a := lagAlert(topic, "12345")
				a.Annotations["summary"], a.Annotations["description"], a.Builtin = tt.summary, tt.description, tt.builtin
				return a
			}
			a, b := remark("t"), remark("u")
			a.Annotations["partitions"] = "3:5000,7:4100"
			if got := document("zh", a).fact("详情"); got != tt.want {
				t.Errorf("one alert: got %q, want %q", got, tt.want)
			}
			if got := document("zh", a, b).fact("详情"); got != tt.want {
				t.Errorf("two alerts: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestManyTopics(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 6 {
		alerts = append(alerts, lagAlert(fmt.Sprint("t", i), fmt.Sprint(1000*(i+1))))
	}
	doc := document("zh", alerts...)
	// 1000 + 2000 + … + 6000
	if doc.Lead != "合计积压 21,000 条，最多的是 t5（6,000 条）" || doc.fact("阈值") != "2,000" {
		t.Errorf("lead %q, threshold %q", doc.Lead, doc.fact("阈值"))
	}
	if got, want := doc.Items[0], (Item{Severity: Warning, Title: "t5", Headline: "6,000 条 · 已 5 分钟"}); !reflect.DeepEqual(got, want) {
		t.Errorf("item %+v, want %+v", got, want)
	}
	if few := document("zh", alerts[:5]...); len(few.Items[0].Fields) == 0 || few.Items[0].Headline != "积压 5,000 条" {
		t.Errorf("five are few: %+v", few.Items[0])
	}
	alerts[0].Annotations["threshold"] = "500"
	if doc = document("zh", alerts...); doc.fact("阈值") != "" || doc.Items[0].Headline != "6,000 / 2,000 条 · 已 5 分钟" {
		t.Errorf("different thresholds: %q, %q", doc.fact("阈值"), doc.Items[0].Headline)
	}
}

// The sum of enormous lags stays at the largest number rather than turning
// negative.
func TestSumOverflow(t *testing.T) {
	doc := document("en", lagAlert("a", "9223372036854775807"), lagAlert("b", "9223372036854775807"))
	if !strings.HasPrefix(doc.Lead, "9,223,372,036,854,775,807 messages") {
		t.Error(doc.Lead)
	}
}

// An alert that ended because its topic is gone has no lag to tell, but a reason.
func TestTopicGone(t *testing.T) {
	a := ended(lagAlert("t", "1"))
	a.Annotations = nil
	a.SetSummary("消费组 g 已不再有主题 t，告警结束")
	doc := document("zh", a)
	if doc.Title != "[恢复] 消费积压 · c / g / t" || doc.Lead != "已恢复，持续了 5 分钟" || doc.fact("详情") != a.Annotations["summary"] {
		t.Errorf("%q, %q, %q", doc.Title, doc.Lead, doc.fact("详情"))
	}
	a.GeneratorURL = "http://prometheus.example.com/graph"
	if doc = document("zh", a); doc.Title != "[恢复] KafkaConsumerLag · c" {
		t.Errorf("from Prometheus: %q", doc.Title)
	}
}

func TestPollFailed(t *testing.T) {
	a := &alert.Alert{
		Labels:      alert.Labels{"alertname": "TocsinPollFailed", "cluster": "c", "consumer_group": "g"},
		Annotations: alert.Labels{"summary": "读不到", "description": "凭证过期"},
		StartsAt:    at.Add(-2 * time.Minute),
	}
	doc := document("zh", a)
	if doc.Lead != "现在看不到集群 c 里消费组 g 的积压，涨了也不会告警" || doc.fact("原因") != "凭证过期" || !strings.HasPrefix(doc.fact("处理"), "检查访问凭证") {
		t.Errorf("%q, %q, %q", doc.Lead, doc.fact("原因"), doc.fact("处理"))
	}
	doc = document("en", ended(a))
	if doc.Lead != "Lag can be read again after 2m" || doc.fact("What to do") != "" {
		t.Errorf("resolved: %q, %q", doc.Lead, doc.fact("What to do"))
	}
}

func TestNotes(t *testing.T) {
	n := &alert.Notification{At: at, Alerts: []*alert.Alert{lagAlert("t", "3000")}, FallbackFor: "ops-wecom", Cause: "the robot was removed\n(93000)"}
	doc := NewDocument(n, env("zh"))
	if want := []string{"代 ops-wecom 发送：the robot was removed (93000)"}; !slices.Equal(doc.Notes, want) {
		t.Errorf("%q, want %q", doc.Notes, want)
	}
	doc.AddTemplateError(errors.New("no such\nfield"))
	if got := doc.Notes[1]; got != "自定义模板出错，这里是内置文案：no such field" {
		t.Errorf("%q", got)
	}
	n.Cause = ""
	if doc = NewDocument(n, env("en")); doc.Notes[0] != "Sent in place of ops-wecom" {
		t.Errorf("%q", doc.Notes)
	}
}

func TestLinks(t *testing.T) {
	a := lagAlert("t", "3000")
	a.GeneratorURL = "javascript:alert(1)"
	a.Annotations["runbook_url"] = "https://wiki.example.com/lag"
	a.Annotations["dashboard_url"] = "//grafana.example.com"
	e := env("en")
	e.ExternalURL = "https://alerts.example.com/x"
	doc := NewDocument(&alert.Notification{At: at, Alerts: []*alert.Alert{a}}, e)
	if want := []Link{{"Runbook", "https://wiki.example.com/lag"}, {"All alerts", "https://alerts.example.com/x"}}; !slices.Equal(doc.Links, want) {
		t.Errorf("%v, want %v", doc.Links, want)
	}
}

func TestGenericItems(t *testing.T) {
	one := func(instance, mount, summary string) *alert.Alert {
		return &alert.Alert{
			Labels:      alert.Labels{"alertname": "DiskFull", "job": "node", "instance": instance, "mountpoint": mount, "severity": "critical"},
			Annotations: alert.Labels{"summary": summary, "description": "free some space", "value": instance},
			StartsAt:    at.Add(-time.Hour),
		}
	}
	doc := document("en", one("a", "/", "same"), one("b", "/data", "same"))
	if doc.Lead != "same" || doc.fact("Details") != "free some space" || doc.fact("job") != "node" {
		t.Errorf("lead %q, facts %v", doc.Lead, doc.Facts)
	}
	want := Item{Severity: Critical, Title: "a / mountpoint=/", Fields: []Field{{"Started", "11-20 22:10:10 (for 1h)"}, {"value", "a"}}}
	if !reflect.DeepEqual(doc.Items[0], want) {
		t.Errorf("%+v, want %+v", doc.Items[0], want)
	}
	doc = document("en", one("a", "/", "x"), one("b", "/data", "y"))
	if doc.Lead != "free some space" || doc.Items[1].Headline != "y" {
		t.Errorf("lead %q, headline %q", doc.Lead, doc.Items[1].Headline)
	}
}

// texts returns every text of a document.
func (doc *Document) texts() []string {
	out := append([]string{doc.Title, doc.Lead}, doc.Notes...)
	fields := func(fs []Field) {
		for _, f := range fs {
			out = append(out, f.Name, f.Value)
		}
	}
	fields(doc.Facts)
	for _, item := range doc.Items {
		out = append(out, item.Title, item.Headline)
		fields(item.Fields)
	}
	for _, l := range doc.Links {
		out = append(out, l.Name, l.URL)
	}
	return out
}

// FuzzDocument holds every text to what Doc promises, whatever comes in.
func FuzzDocument(f *testing.F) {
	f.Add("KafkaConsumerLag", "orders", "12345", "3:5,7:", "x\n\x00\u202ey\xff", int64(60), uint8(3))
	f.Add("HostOffline", "", "-1", ",,", strings.Repeat("长", 5000), int64(-60), uint8(9))
	f.Add("TocsinPollFailed", "x", "9223372036854775807", ":", " ", int64(1<<40), uint8(0))
	f.Fuzz(func(t *testing.T, name, topic, lag, partitions, text string, age int64, count uint8) {
		var alerts []*alert.Alert
		for i := range int(count % 8) {
			a := &alert.Alert{
				Labels:       alert.Labels{"alertname": name, "topic": topic, "consumer_group": text, "host": topic, text: text, "i": fmt.Sprint(i)},
				Annotations:  alert.Labels{"lag": lag, "threshold": lag, "partitions": partitions, "unknown_partitions": text, "summary": text, "description": topic, text: partitions},
				GeneratorURL: text,
				StartsAt:     at.Add(-time.Duration(age)),
			}
			if i%3 == 1 {
				a.EndsAt = at.Add(-time.Duration(age % 100))
			}
			alerts = append(alerts, a)
		}
		n := &alert.Notification{At: at, Alerts: alerts, FallbackFor: text, Cause: name}
		for _, language := range []string{"zh", "en"} {
			doc := NewDocument(n, env(language))
			for _, s := range doc.texts() {
				if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || strings.ContainsAny(s, "\u2028\u2029\u202e") || len(s) > 1500 {
					t.Errorf("%s: %d bytes: %q", language, len(s), s)
				}
			}
			if again := NewDocument(n, env(language)); !reflect.DeepEqual(again.texts(), doc.texts()) {
				t.Error("a second time it says something else")
			}
		}
	})
}

func BenchmarkDocument(b *testing.B) {
	for _, n := range []int{1, 50, 5000} {
		alerts := make([]*alert.Alert, n)
		for i := range alerts {
			alerts[i] = lagAlert(fmt.Sprintf("topic-%04d", i), fmt.Sprint(2000+i*7919%100000))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				document("zh", alerts...)
			}
		})
	}
}
