package render

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tocsin/pkg/alert"
)

func TestLagAlert(t *testing.T) {
	a := lagAlert("t", "12345")
	a.Annotations["partitions"] = "3:5000,7:4100"
	a.Annotations["unknown_partitions"] = "2"
	a.Labels["team"] = "pay"
	doc := newDocument("zh", a)
	doc.expect(t, "[告警] 消费积压 · c / g / t", "积压 12,345 条，阈值 2,000 条", map[string]string{
		"最慢分区": "#3 5,000 · #7 4,100", "未知分区": "2 个，读不到位点，未计入积压", "开始": "11-20 23:05:10（已 5 分钟）",
		"集群": "c", "消费组": "g", "Topic": "t", "team": "pay", "规则": "", "详情": "",
	})
	if doc.Items != nil {
		t.Errorf("items of a single alert: got %v, want none", doc.Items)
	}
	a.Labels["alertname"] = "OrdersLate"
	if got, want := newDocument("zh", a).fact("规则"), "OrdersLate"; got != want {
		t.Errorf("rule: got %q, want %q", got, want)
	}
}

// TestFormatPartitions checks that another system's text in the annotation partitions
// is shown unchanged.
func TestFormatPartitions(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"3:5000, 7:10":            "#3 5,000 · #7 10",
		"0,1,2":                   "0,1,2",
		"3:5000,7:slow":           "3:5000,7:slow",
		"a:1":                     "a:1",
		"1:7,2:6,3:5,4:4,5:3,6:2": "#1 7 · #2 6 · #3 5 · #4 4 · #5 3",
	} {
		t.Run(text, func(t *testing.T) {
			if got := formatPartitions(text); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestAuthorTexts checks that built-in summaries and descriptions, which repeat the
// message, are left out, and those of a rule's author are shown, whatever their text.
func TestAuthorTexts(t *testing.T) {
	const both = alert.BuiltinSummary | alert.BuiltinDescription
	for name, tt := range map[string]struct {
		summary, description string
		builtin              alert.Builtin
		want                 string
	}{
		"built-in, zh":                   {"g 消费 t 积压 12,345 条（阈值 2,000）", "积压最多的分区：3 号 5,000 条，7 号 4,100 条。", both, ""},
		"built-in, en":                   {"g is 12,345 messages behind on t (limit 2,000)", "Furthest behind: partition 3 by 5,000.", both, ""},
		"author's summary":               {"t is 12345 behind", "", 0, "t is 12345 behind"},
		"author's summary like built-in": {"g is 12,345 behind on t (limit 2,000)", "Furthest behind.", alert.BuiltinDescription, "g is 12,345 behind on t (limit 2,000)"},
		"author's description":           {"built in", "call the payments team", alert.BuiltinSummary, "call the payments team"},
	} {
		t.Run(name, func(t *testing.T) {
			annotated := func(topic string) *alert.Alert {
				a := lagAlert(topic, "12345")
				a.Annotations["summary"], a.Annotations["description"], a.Builtin = tt.summary, tt.description, tt.builtin
				return a
			}
			a, b := annotated("t"), annotated("u")
			a.Annotations["partitions"] = "3:5000,7:4100"
			if got := newDocument("zh", a).fact("详情"); got != tt.want {
				t.Errorf("one alert: got %q, want %q", got, tt.want)
			}
			if got := newDocument("zh", a, b).fact("详情"); got != tt.want {
				t.Errorf("two alerts: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLagOfManyTopics(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 6 {
		alerts = append(alerts, lagAlert(fmt.Sprint("t", i), fmt.Sprint(1000*(i+1))))
	}
	doc := newDocument("zh", alerts...)
	// 1000 + 2000 + … + 6000
	doc.expect(t, "[告警] 消费积压 · c / g（6 个 topic）", "合计积压 21,000 条，最多的是 t5（6,000 条）", map[string]string{"阈值": "2,000"})
	if got, want := doc.Items[0], (Item{Severity: Warning, Title: "t5", Headline: "6,000 条 · 已 5 分钟"}); !reflect.DeepEqual(got, want) {
		t.Errorf("one of six: got %+v, want %+v", got, want)
	}
	if got, want := newDocument("zh", alerts[:5]...).Items[0], "积压 5,000 条"; got.Headline != want || len(got.Fields) == 0 {
		t.Errorf("one of five: got %+v, want the headline %q and fields", got, want)
	}
	alerts[0].Annotations["threshold"] = "500"
	doc = newDocument("zh", alerts...)
	if got, want := doc.Items[0].Headline, "6,000 / 2,000 条 · 已 5 分钟"; got != want || doc.fact("阈值") != "" {
		t.Errorf("several thresholds: got %q and the threshold %q, want %q and none", got, doc.fact("阈值"), want)
	}
}

// TestTotalLagOverflow checks that the sum of enormous lags stays at the largest
// number.
func TestTotalLagOverflow(t *testing.T) {
	doc := newDocument("en", lagAlert("a", "9223372036854775807"), lagAlert("b", "9223372036854775807"))
	if got, want := doc.Lead, "9,223,372,036,854,775,807 messages"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want the prefix %q", got, want)
	}
}

// TestTopicGone renders an alert that ended because its topic is gone: it has no
// lag, but a reason.
func TestTopicGone(t *testing.T) {
	a := resolved(lagAlert("t", "1"))
	a.Annotations = nil
	a.SetSummary("消费组 g 已不再有主题 t，告警结束")
	newDocument("zh", a).expect(t, "[恢复] 消费积压 · c / g / t", "已恢复，持续了 5 分钟", map[string]string{"详情": "消费组 g 已不再有主题 t，告警结束"})
	a.GeneratorURL = "http://prometheus.example.com/graph"
	if got, want := newDocument("zh", a).Title, "[恢复] KafkaConsumerLag · c"; got != want {
		t.Errorf("title of Prometheus's alert: got %q, want %q", got, want)
	}
}

// trendAlert returns a lag alert without a threshold; pairs are annotations.
func trendAlert(pairs ...string) *alert.Alert {
	a := lagAlert("t", "5000")
	delete(a.Annotations, "threshold")
	for i := 0; i < len(pairs); i += 2 {
		a.Annotations[pairs[i]] = pairs[i+1]
	}
	return a
}

func TestLagTrend(t *testing.T) {
	annotations := []string{"delay", "status", "growing_for", "lost", "rate_in", "rate_out", "drain", "source"}
	for name, tt := range map[string]struct {
		alert          *alert.Alert
		zh, en         string // the lead
		zhFact, enFact string // a fact, as NAME=VALUE
	}{
		"stalled": {
			trendAlert("status", "stalled", "delay", "754", "rate_in", "20", "rate_out", "0", "drain", "never"),
			"消费停滞，积压 5,000 条，最早未读 12 分钟 34 秒前", "Stalled, 5,000 messages behind, oldest unread 12m 34s ago",
			"速率=写入 20 条/秒，消费 0 条/秒，追不上", "Rates=20/s in, 0/s out, does not catch up",
		},
		"stopped": {
			trendAlert("status", "stopped"), "消费已停止，积压 5,000 条", "Stopped, 5,000 messages behind",
			"状态=没有消费者在线", "State=no consumer is there",
		},
		"rewind": {
			trendAlert("status", "rewind"), "位点回退，积压 5,000 条", "Set back, 5,000 messages behind",
			"状态=位点倒退了，消息会重复消费", "State=the offset went back, messages are read again",
		},
		"growing": {
			trendAlert("status", "growing", "growing_for", "720", "threshold", "2000"), "积压 5,000 条，阈值 2,000 条", "5,000 messages behind, threshold 2,000",
			"持续增长=已 12 分钟", "Growing=for 12m",
		},
		"draining": {
			trendAlert("status", "ok", "rate_in", "1.5", "rate_out", "20", "drain", "4m30s"), "积压 5,000 条", "5,000 messages behind",
			"速率=写入 1.5 条/秒，消费 20 条/秒，约 4 分钟 30 秒追平", "Rates=1.5/s in, 20/s out, caught up in about 4m 30s",
		},
		"lost messages": {
			trendAlert("lost", "1200"), "1,200 条消息未读就被删除，积压 5,000 条", "1,200 messages deleted unread, 5,000 messages behind",
			"开始=11-20 23:05:10（已 5 分钟）", "Started=11-20 23:05:10 (for 5m)",
		},
		"read from the cloud's API": {
			trendAlert("source", "api"), "积压 5,000 条", "5,000 messages behind",
			"来源=云 API（Kafka 协议连不上）", "Source=the cloud's API (Kafka's protocol cannot be reached)",
		},
		"invalid values": {
			trendAlert("status", "<b>", "delay", "-7", "growing_for", "x", "lost", "many", "drain", "soon", "rate_in", "1", "source", "kafka"),
			"积压 5,000 条", "5,000 messages behind", "速率=", "Rates=",
		},
		"a delay of centuries": {
			trendAlert("delay", "9223372036854775807"), "积压 5,000 条", "5,000 messages behind", "状态=", "State=",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for language, want := range map[string][2]string{"zh": {tt.zh, tt.zhFact}, "en": {tt.en, tt.enFact}} {
				doc := newDocument(language, tt.alert)
				fact, value, _ := strings.Cut(want[1], "=")
				doc.expect(t, doc.Title, want[0], map[string]string{fact: value})
				for _, f := range doc.Facts {
					if slices.Contains(annotations, f.Name) {
						t.Errorf("annotation %s is listed as it is: %q", f.Name, f.Value)
					}
				}
			}
		})
	}
}

func TestLagTrendOfManyTopics(t *testing.T) {
	var alerts []*alert.Alert
	for _, topic := range []string{"a", "b", "c", "d", "e", "f"} {
		a := trendAlert("status", "stopped", "delay", "120", "threshold", "2000")
		a.Labels["topic"] = topic
		alerts = append(alerts, a)
	}
	for name, tt := range map[string]struct {
		language string
		alerts   []*alert.Alert
		want     string
	}{
		"one of six, zh":   {"zh", alerts, "5,000 条 · 已 5 分钟 · 消费已停止 · 最早未读 2 分钟前"},
		"one of six, en":   {"en", alerts, "5,000 · for 5m · Stopped · oldest unread 2m ago"},
		"one of three, en": {"en", alerts[:3], "Stopped, 5,000 messages behind, oldest unread 2m ago"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newDocument(tt.language, tt.alerts...).Items[0].Headline; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got, want := newDocument("en", resolved(trendAlert("lost", "5", "delay", "60"))).Lead, "Resolved after 5m, last reading 5,000"; got != want {
		t.Errorf("lead of a resolved alert: got %q, want %q", got, want)
	}
}

func TestMembersOfAStuckPartition(t *testing.T) {
	for language, label := range map[string]string{"zh": "读取成员", "en": "Read by"} {
		a := lagAlert("t", "12345")
		a.Annotations["members"] = "orders-1 (10.0.0.7): 3"
		if got, want := newDocument(language, a).fact(label), "orders-1 (10.0.0.7): 3"; got != want {
			t.Errorf("%s in %s = %q, want %q", label, language, got, want)
		}
	}
}
