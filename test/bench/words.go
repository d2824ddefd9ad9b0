package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/dingtalk"
	"tocsin/pkg/notify/email"
	"tocsin/pkg/notify/feishu"
	"tocsin/pkg/notify/phone"
	"tocsin/pkg/notify/slack"
	"tocsin/pkg/notify/sms"
	"tocsin/pkg/notify/webhook"
	"tocsin/pkg/notify/wecomapp"
	"tocsin/pkg/notify/wecomrobot"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// judgeAndRender measures 5,000 topics that are over the limit: what 24
// partitions cost beside one, and the words of 5,000 alerts beside those of 50.
func (b *bench) judgeAndRender(context.Context) ([]row, error) {
	limit := int64(2000)
	now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	judge := lag.NewEvaluator([]lag.Rule{{Alert: "KafkaConsumerLag", MaxLag: &limit}}, "orders", "zh")
	one, many := topics(5000, 1), topics(5000, 24)
	var alerts []*alert.Alert
	judged := func(snap *lag.Snapshot) time.Duration {
		return time.Duration(testing.Benchmark(func(b *testing.B) {
			for b.Loop() {
				_, alerts = judge.Evaluate(nil, snap, now)
			}
		}).NsPerOp())
	}
	thin, thick := judged(one), judged(many)
	if len(alerts) != 5000 {
		return nil, fmt.Errorf("%d of 5,000 topics are over the limit", len(alerts))
	}

	robot := wecomrobot.Config{URL: setting.Secret("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k")}
	notifier, err := robot.New(&notify.Env{Style: render.Style{Language: "zh", Location: time.UTC}}, nil)
	if err != nil {
		return nil, err
	}
	said := func(n int) (time.Duration, error) {
		var messages []notify.Message
		var err error
		took := time.Duration(testing.Benchmark(func(b *testing.B) {
			for b.Loop() {
				messages, err = notifier.Messages(&alert.Notification{At: now, Alerts: alerts[:n], Receiver: "ops"})
			}
		}).NsPerOp())
		if err == nil && len(messages) == 0 {
			err = errors.New("nothing to say")
		}
		return took, err
	}
	few, err := said(50)
	if err != nil {
		return nil, err
	}
	all, err := said(5000)
	if err != nil {
		return nil, err
	}
	return []row{
		{"judging 5,000 topics, all over the limit", "24 partitions each " + ms(thick), "1 partition each " + ms(thin), ratio(thick, thin), ""},
		{"words for a robot, per alert", fmt.Sprintf("of 5,000: %.1f µs", float64(all.Nanoseconds())/5000/1e3), fmt.Sprintf("of 50: %.1f µs", float64(few.Nanoseconds())/50/1e3), ratio(all/100, few), ""},
	}, nil
}

// topics makes a snapshot of one group whose topics are all 2,400 behind.
func topics(n, partitions int) *lag.Snapshot {
	g := lag.Group{Name: "order-worker", Complete: true}
	for i := range n {
		t := lag.Topic{Name: fmt.Sprintf("topic-%04d", i)}
		for p := range partitions {
			each := int64(2400 / partitions)
			t.Partitions = append(t.Partitions, lag.Partition{ID: int32(p), Committed: 1000, End: 1000 + each, Lag: each, Known: true})
		}
		g.Topics = append(g.Topics, t)
	}
	return &lag.Snapshot{Groups: []lag.Group{g}, Complete: true}
}

// renderers measures the words of every channel: an alert alone, and each of 50
// in one group.
func (b *bench) renderers(context.Context) ([]row, error) {
	now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	limit := int64(2000)
	_, alerts := lag.NewEvaluator([]lag.Rule{{Alert: "KafkaConsumerLag", MaxLag: &limit}}, "orders", "zh").Evaluate(nil, topics(50, 3), now)
	env := &notify.Env{Style: render.Style{Language: "zh", Location: time.UTC}, Now: func() time.Time { return now }, HTTP: http.DefaultClient}
	key := setting.Secret("k")
	var rows []row
	for _, c := range []struct {
		name   string
		config interface {
			New(*notify.Env, *render.Templates) (notify.Notifier, error)
		}
	}{
		{"WeCom robot", &wecomrobot.Config{URL: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"}},
		{"WeCom application", &wecomapp.Config{CorpID: "ww1", AgentID: "1", APISecret: key, ToUser: "u1"}},
		{"DingTalk", &dingtalk.Config{URL: "https://oapi.dingtalk.com/robot/send?access_token=k", Secret: key}},
		{"Feishu", &feishu.Config{URL: "https://open.feishu.cn/open-apis/bot/v2/hook/k", Secret: key}},
		{"Slack", &slack.Config{APIURL: "https://hooks.slack.com/services/k"}},
		{"webhook", &webhook.Config{URL: "https://example.com/"}},
		{"SMS", &sms.Config{SignName: "s", Config: phone.Config{SdkAppID: "1400000000", TemplateID: "100", Params: []string{"{{ .CommonLabels.consumer_group }}"}, To: []string{"+8613800000000"}}}},
		{"email", &email.Config{Smarthost: "smtp.example.com:465", From: "a@example.com", To: "b@example.com"}},
	} {
		notifier, err := c.config.New(env, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		var each []testing.BenchmarkResult
		for _, n := range []int{1, 50} {
			r, err := cost(func() error {
				messages, err := notifier.Messages(&alert.Notification{ID: "1", At: now, Alerts: alerts[:n], Receiver: "ops"})
				if err == nil && len(messages) == 0 {
					err = errors.New("nothing to say")
				}
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			each = append(each, r)
		}
		rows = append(rows, row{"words of an alert: " + c.name, "of 50: " + perAlert(each[1], 50), "of 1: " + perAlert(each[0], 1), ratio(each[1].NsPerOp()/50, each[0].NsPerOp()), ""})
	}
	return rows, nil
}
