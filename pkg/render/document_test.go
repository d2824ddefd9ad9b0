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

// lagAlert returns a firing lag alert, five minutes old.
func lagAlert(topic, lag string) *alert.Alert {
	return &alert.Alert{
		Labels:      alert.Labels{"alertname": "KafkaConsumerLag", "cluster": "c", "consumer_group": "g", "topic": topic},
		Annotations: alert.Labels{"lag": lag, "threshold": "2000"},
		StartsAt:    at.Add(-5 * time.Minute),
	}
}

// newAlert returns a firing alert, an hour old.
func newAlert(labels alert.Labels) *alert.Alert {
	return &alert.Alert{Labels: labels, StartsAt: at.Add(-time.Hour)}
}

// resolved returns a copy of an alert that resolved at at.
func resolved(a *alert.Alert) *alert.Alert {
	copied := *a
	copied.EndsAt = at
	return &copied
}

// newDocument returns the document of a notification at at.
func newDocument(language string, alerts ...*alert.Alert) *Document {
	return NewDocument(&alert.Notification{At: at, Alerts: alerts}, newStyle(language))
}

func (doc *Document) fact(name string) string {
	for _, f := range doc.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// expect compares the title, the lead and some facts of a document.
func (doc *Document) expect(t *testing.T, title, lead string, facts map[string]string) {
	t.Helper()
	if doc.Title != title {
		t.Errorf("title: got %q, want %q", doc.Title, title)
	}
	if doc.Lead != lead {
		t.Errorf("lead: got %q, want %q", doc.Lead, lead)
	}
	for name, want := range facts {
		if got := doc.fact(name); got != want {
			t.Errorf("fact %s: got %q, want %q", name, got, want)
		}
	}
}

func (doc *Document) itemTitles() []string {
	var out []string
	for _, item := range doc.Items {
		out = append(out, item.Title)
	}
	return out
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

func TestTitle(t *testing.T) {
	pollFailed := newAlert(alert.Labels{"alertname": "TocsinPollFailed", "cluster": "c", "consumer_group": "g"})
	for _, tt := range []struct {
		name   string
		alerts []*alert.Alert
		zh, en string
	}{
		{"a topic", []*alert.Alert{lagAlert("t", "3000")}, "[告警] 消费积压 · c / g / t", "[FIRING] Consumer lag · c / g / t"},
		{"topics", []*alert.Alert{lagAlert("t", "3000"), lagAlert("u", "1")}, "[告警] 消费积压 · c / g（2 个 topic）", "[FIRING] Consumer lag · c / g (2 topics)"},
		{"a firing and a resolved topic", []*alert.Alert{lagAlert("t", "3000"), resolved(lagAlert("u", "1"))}, "[告警] 消费积压 · c / g（1 个 topic，另有 1 个已恢复）", "[FIRING] Consumer lag · c / g (1 topic, 1 more resolved)"},
		{"resolved topics", []*alert.Alert{resolved(lagAlert("t", "3000")), resolved(lagAlert("u", "1"))}, "[恢复] 消费积压 · c / g（2 个 topic）", "[RESOLVED] Consumer lag · c / g (2 topics)"},
		{"a group whose poll failed", []*alert.Alert{pollFailed}, "[告警] 读不到消费积压 · c / g", "[FIRING] Consumer lag cannot be read · c / g"},
		{"a host", []*alert.Alert{newAlert(alert.Labels{"alertname": "HostOffline", "host": "w", "hostname": "w"})}, "[告警] 主机失联 · w", "[FIRING] Host offline · w"},
		{"hosts", []*alert.Alert{newAlert(alert.Labels{"alertname": "HostOffline", "host": "w"}), newAlert(alert.Labels{"alertname": "HostOffline", "host": "x"})}, "[告警] 主机失联（2 台主机）", "[FIRING] Host offline (2 hosts)"},
		{"a generic alert", []*alert.Alert{newAlert(alert.Labels{"alertname": "A", "instance": "i", "job": "j"})}, "[告警] A · i", "[FIRING] A · i"},
		{"several alertnames", []*alert.Alert{newAlert(alert.Labels{"alertname": "A", "cluster": "c"}), newAlert(alert.Labels{"alertname": "B", "cluster": "c"})}, "[告警] 2 条告警 · c", "[FIRING] 2 alerts · c"},
		{"several kinds and states", []*alert.Alert{pollFailed, resolved(lagAlert("t", "1"))}, "[告警] 2 条告警 · c（1 条，另有 1 条已恢复）", "[FIRING] 2 alerts · c (1 alert, 1 more resolved)"},
		{"no alertname", []*alert.Alert{newAlert(alert.Labels{"x": "y"})}, "[告警] 1 条告警", "[FIRING] 1 alert"},
		{"lag labels without a lag", []*alert.Alert{newAlert(alert.Labels{"alertname": "A", "consumer_group": "g", "topic": "t"})}, "[告警] A", "[FIRING] A"},
		{"an invalid lag", []*alert.Alert{lagAlert("t", "-1")}, "[告警] KafkaConsumerLag · c", "[FIRING] KafkaConsumerLag · c"},
		{"no alerts", nil, "[恢复] 0 条告警", "[RESOLVED] 0 alerts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := newDocument("zh", tt.alerts...).Title; got != tt.zh {
				t.Errorf("zh: got %q, want %q", got, tt.zh)
			}
			if got := newDocument("en", tt.alerts...).Title; got != tt.en {
				t.Errorf("en: got %q, want %q", got, tt.en)
			}
		})
	}
}

func TestItemOrderAndSeverity(t *testing.T) {
	generic := func(instance, severity string, since time.Duration) *alert.Alert {
		return &alert.Alert{Labels: alert.Labels{"alertname": "A", "instance": instance, "severity": severity}, StartsAt: at.Add(-since)}
	}
	for _, tt := range []struct {
		name     string
		alerts   []*alert.Alert
		items    []string
		severity Severity
		resolved bool
	}{
		{"lag by size", []*alert.Alert{lagAlert("b", "5"), resolved(lagAlert("z", "900")), lagAlert("c", "10"), lagAlert("a", "5"), lagAlert("d", "9")},
			[]string{"c", "d", "a", "b", "z"}, Warning, false},
		{"others by severity, start and labels", []*alert.Alert{generic("young", "warning", 1), generic("info", "info", 9), resolved(generic("over", "critical", 9)),
			generic("critical", "critical", 1), generic("old", "warning", 5), generic("b", "warning", 3), generic("a", "warning", 3)},
			[]string{"critical", "old", "a", "b", "young", "info", "over"}, Critical, false},
		{"lag after others", []*alert.Alert{lagAlert("t", "5"), generic("x", "info", 1)},
			[]string{"A / x", "消费积压 / c / g / t"}, Warning, false},
		{"the severity of firing alerts only", []*alert.Alert{resolved(generic("x", "critical", 1)), generic("y", "info", 1)},
			[]string{"y", "x"}, Info, false},
		{"the severity of resolved alerts", []*alert.Alert{resolved(generic("x", "critical", 1)), resolved(generic("y", "info", 1))},
			[]string{"x", "y"}, Critical, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := newDocument("zh", tt.alerts...)
			if got := doc.itemTitles(); !slices.Equal(got, tt.items) {
				t.Errorf("items: got %q, want %q", got, tt.items)
			}
			if doc.Severity != tt.severity || doc.Resolved != tt.resolved {
				t.Errorf("got severity %v and resolved %v, want %v and %v", doc.Severity, doc.Resolved, tt.severity, tt.resolved)
			}
		})
	}
}

func TestSeverityWords(t *testing.T) {
	style := newStyle("zh")
	style.Severities = map[string]string{"s1": "critical", "high": "warning"}
	for word, want := range map[string]Severity{
		"灾难": Critical, "严重": Critical, "一级": Critical, "P1": Critical, "Disaster": Critical, "S1": Critical,
		"一般严重": Warning, "中": Warning, "P2": Warning, "High": Warning, "": Warning, "unknown": Warning,
		"信息": Info, "五级": Info, "P3": Info, "低": Info,
	} {
		n := &alert.Notification{At: at, Alerts: []*alert.Alert{{Labels: alert.Labels{"alertname": "A", "severity": word}, StartsAt: at}}}
		if got := NewDocument(n, style).Severity; got != want {
			t.Errorf("%s: got %v, want %v", word, got, want)
		}
	}
}

func TestNotes(t *testing.T) {
	n := &alert.Notification{At: at, Alerts: []*alert.Alert{lagAlert("t", "3000")}, Merged: 3, FallbackFor: "ops-wecom", Cause: "the robot was removed\n(93000)"}
	doc := NewDocument(n, newStyle("zh"))
	doc.AddTemplateError(errors.New("no such\nfield"))
	want := []string{
		"消息过多，这一条合并了 3 条",
		"代 ops-wecom 发送：the robot was removed (93000)",
		"自定义模板出错，这里是内置文案：no such field",
	}
	if !slices.Equal(doc.Notes, want) {
		t.Errorf("got %q, want %q", doc.Notes, want)
	}
	n.Merged, n.Cause = 0, ""
	if got, want := NewDocument(n, newStyle("en")).Notes, []string{"Sent in place of ops-wecom"}; !slices.Equal(got, want) {
		t.Errorf("without a cause: got %q, want %q", got, want)
	}
}

func TestOnTemplateError(t *testing.T) {
	calls := 0
	style := newStyle("en")
	style.OnTemplateError = func() { calls++ }
	NewDocument(&alert.Notification{At: at}, style).AddTemplateError(errors.New("no such field"))
	if calls != 1 {
		t.Errorf("OnTemplateError was called %d times, want once", calls)
	}
}

// TestLinks checks that only http and https addresses become links.
func TestLinks(t *testing.T) {
	a := lagAlert("t", "3000")
	a.GeneratorURL = "javascript:alert(1)"
	a.Annotations["runbook_url"] = "https://wiki.example.com/lag"
	a.Annotations["dashboard_url"] = "//grafana.example.com"
	style := newStyle("en")
	style.ExternalURL = "https://alerts.example.com/x"
	doc := NewDocument(&alert.Notification{At: at, Alerts: []*alert.Alert{a}}, style)
	if want := []Link{{"Runbook", "https://wiki.example.com/lag"}, {"All alerts", "https://alerts.example.com/x"}}; !slices.Equal(doc.Links, want) {
		t.Errorf("got %v, want %v", doc.Links, want)
	}
}

func TestFormatTime(t *testing.T) {
	utc := time.Date(2026, 12, 31, 16, 30, 0, 0, time.UTC) // 2027 in Shanghai
	for _, tt := range []struct {
		name string
		now  time.Time
		zone *time.Location
		want string
	}{
		{"this year", utc, time.UTC, "12-31 16:30:00"},
		{"this year in its zone", utc, zone, "01-01 00:30:00"},
		{"another year", utc.AddDate(1, 0, 0), time.UTC, "2026-12-31 16:30:00"},
		{"another year in its zone", utc.Add(-time.Hour), zone, "2027-01-01 00:30:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := formatTime(utc, tt.now, tt.zone); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzDocument checks what Document promises of every text, for any alert.
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
			doc := NewDocument(n, newStyle(language))
			for _, s := range doc.texts() {
				if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || strings.ContainsAny(s, "\u2028\u2029\u202e") || len(s) > 1500 {
					t.Errorf("%s: got %d bytes %q, want one clean line", language, len(s), s)
				}
			}
			if got, want := NewDocument(n, newStyle(language)).texts(), doc.texts(); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: the second document is %q, want %q as the first", language, got, want)
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
				newDocument("zh", alerts...)
			}
		})
	}
}
