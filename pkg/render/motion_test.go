package render

import (
	"strings"
	"testing"

	"tocsin/pkg/alert"
)

func moving(pairs ...string) *alert.Alert {
	a := lagAlert("t", "5000")
	delete(a.Annotations, "threshold")
	for i := 0; i < len(pairs); i += 2 {
		a.Annotations[pairs[i]] = pairs[i+1]
	}
	return a
}

// What the rules know beside the lag is said, the worst first.
func TestLagMoves(t *testing.T) {
	tests := map[string]struct {
		alert          *alert.Alert
		zh, en         string // the sentence under the title
		zhFact, enFact string // what one of the facts says
	}{
		"stalled": {
			moving("status", "stalled", "delay", "754", "rate_in", "20", "rate_out", "0", "drain", "never"),
			"消费停滞，积压 5,000 条，最早未读 12 分钟 34 秒前", "Stalled, 5,000 messages behind, oldest unread 12m 34s ago",
			"速率=写入 20 条/秒，消费 0 条/秒，追不上", "Rates=20/s in, 0/s out, does not catch up",
		},
		"stopped": {
			moving("status", "stopped"), "消费已停止，积压 5,000 条", "Stopped, 5,000 messages behind",
			"状态=没有消费者在线", "State=no consumer is there",
		},
		"set back": {
			moving("status", "rewind"), "位点回退，积压 5,000 条", "Set back, 5,000 messages behind",
			"状态=位点倒退了，消息会重复消费", "State=the offset went back, messages are read again",
		},
		"growing": {
			moving("status", "growing", "growing_for", "720", "threshold", "2000"), "积压 5,000 条，阈值 2,000 条", "5,000 messages behind, threshold 2,000",
			"持续增长=已 12 分钟", "Growing=for 12m",
		},
		"catching up": {
			moving("status", "ok", "rate_in", "1.5", "rate_out", "20", "drain", "4m30s"), "积压 5,000 条", "5,000 messages behind",
			"速率=写入 1.5 条/秒，消费 20 条/秒，约 4 分钟 30 秒追平", "Rates=1.5/s in, 20/s out, caught up in about 4m 30s",
		},
		"lost": {
			moving("lost", "1200"), "1,200 条消息未读就被删除，积压 5,000 条", "1,200 messages deleted unread, 5,000 messages behind",
			"开始=11-20 23:05:10（已 5 分钟）", "Started=11-20 23:05:10 (for 5m)",
		},
		"the other way": {
			moving("source", "api"), "积压 5,000 条", "5,000 messages behind",
			"来源=云 API（Kafka 协议连不上）", "Source=the cloud's API (Kafka's protocol cannot be reached)",
		},
		"what makes no sense": {
			moving("status", "<b>", "delay", "-7", "growing_for", "x", "lost", "many", "drain", "soon", "rate_in", "1", "source", "kafka"),
			"积压 5,000 条", "5,000 messages behind", "速率=", "Rates=",
		},
		"a delay beyond all measure": {
			moving("delay", "9223372036854775807"), "积压 5,000 条", "5,000 messages behind", "状态=", "State=",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for language, want := range map[string][2]string{"zh": {tt.zh, tt.zhFact}, "en": {tt.en, tt.enFact}} {
				doc := document(language, tt.alert)
				if doc.Lead != want[0] {
					t.Errorf("lead %q, want %q", doc.Lead, want[0])
				}
				fact, value, _ := strings.Cut(want[1], "=")
				if got := doc.fact(fact); got != value {
					t.Errorf("%s: %q, want %q", fact, got, value)
				}
				for _, f := range doc.Facts {
					for _, raw := range motion {
						if f.Name == raw {
							t.Errorf("%s is shown as it is: %q", raw, f.Value)
						}
					}
				}
			}
		})
	}
}

func TestPartialPollFailure(t *testing.T) {
	a := &alert.Alert{
		Labels:      alert.Labels{"alertname": "TocsinPollFailed", "cluster": "c", "consumer_group": "g"},
		Annotations: alert.Labels{"partial": "true", "description": "why"}, StartsAt: at,
	}
	for language, want := range map[string]string{
		"zh": "集群 c 里消费组 g 的积压看不全，看得到的照常告警", "en": "The lag of group g in cluster c is not seen in full; what is seen is watched",
	} {
		if doc := document(language, a); doc.Lead != want || doc.fact("partial") != "" {
			t.Errorf("lead %q, want %q; facts %v", doc.Lead, want, doc.Facts)
		}
	}
}

func TestLagMovesOfMany(t *testing.T) {
	var alerts []*alert.Alert
	for _, topic := range []string{"a", "b", "c", "d", "e", "f"} {
		a := moving("status", "stopped", "delay", "120", "threshold", "2000")
		a.Labels["topic"] = topic
		alerts = append(alerts, a)
	}
	if got, want := document("zh", alerts...).Items[0].Headline, "5,000 条 · 已 5 分钟 · 消费已停止 · 最早未读 2 分钟前"; got != want {
		t.Errorf("headline %q, want %q", got, want)
	}
	if got, want := document("en", alerts...).Items[0].Headline, "5,000 · for 5m · Stopped · oldest unread 2m ago"; got != want {
		t.Errorf("headline %q, want %q", got, want)
	}
	if got, want := document("en", alerts[:3]...).Items[0].Headline, "Stopped, 5,000 messages behind, oldest unread 2m ago"; got != want {
		t.Errorf("headline %q, want %q", got, want)
	}
	over := ended(moving("lost", "5", "delay", "60"))
	if got, want := document("en", over).Lead, "Resolved after 5m, last reading 5,000"; got != want {
		t.Errorf("lead %q, want %q", got, want)
	}
}
