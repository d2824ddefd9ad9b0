package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/intake"
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

// evaluateAndRender measures the evaluation of 5,000 topics over the threshold,
// with 24 partitions and with one, and the rendering of 5,000 alerts and of 50.
func (b *bench) evaluateAndRender(context.Context) ([]row, error) {
	limit := int64(2000)
	now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	evaluator := lag.NewEvaluator([]lag.Rule{{Alert: "KafkaConsumerLag", MaxLag: &limit}}, "orders", "zh")
	var alerts []*alert.Alert
	evaluate := func(snap *lag.Snapshot) time.Duration {
		return time.Duration(testing.Benchmark(func(b *testing.B) {
			for b.Loop() {
				_, alerts = evaluator.Evaluate(nil, snap, now)
			}
		}).NsPerOp())
	}
	onePartition, manyPartitions := evaluate(newLagSnapshot(5000, 1)), evaluate(newLagSnapshot(5000, 24))
	if len(alerts) != 5000 {
		return nil, fmt.Errorf("%d of 5,000 topics are over the threshold", len(alerts))
	}

	robot := wecomrobot.Config{URL: setting.Secret("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k")}
	notifier, err := robot.New(&notify.Env{Style: render.Style{Language: "zh", Location: time.UTC}}, nil)
	if err != nil {
		return nil, err
	}
	render := func(n int) (time.Duration, error) {
		var messages []notify.Message
		var err error
		took := time.Duration(testing.Benchmark(func(b *testing.B) {
			for b.Loop() {
				messages, err = notifier.Messages(&alert.Notification{At: now, Alerts: alerts[:n], Receiver: "ops"})
			}
		}).NsPerOp())
		if err == nil && len(messages) == 0 {
			err = errors.New("no messages")
		}
		return took, err
	}
	few, err := render(50)
	if err != nil {
		return nil, err
	}
	all, err := render(5000)
	if err != nil {
		return nil, err
	}
	return []row{
		{"evaluate 5,000 topics, all over the threshold", "24 partitions each: " + millis(manyPartitions), "1 partition each: " + millis(onePartition), ratio(manyPartitions, onePartition), ""},
		{"render for a robot, per alert", fmt.Sprintf("of 5,000: %.1f µs", float64(all.Nanoseconds())/5000/1e3), fmt.Sprintf("of 50: %.1f µs", float64(few.Nanoseconds())/50/1e3), ratio(all/100, few), ""},
	}, nil
}

// newLagSnapshot returns a snapshot of one group with n topics, each with a lag
// of 2,400.
func newLagSnapshot(n, partitions int) *lag.Snapshot {
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

// renderers measures rendering for each channel: one alert, and each of 50 in
// one group.
func (b *bench) renderers(context.Context) ([]row, error) {
	now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	limit := int64(2000)
	_, alerts := lag.NewEvaluator([]lag.Rule{{Alert: "KafkaConsumerLag", MaxLag: &limit}}, "orders", "zh").Evaluate(nil, newLagSnapshot(50, 3), now)
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
			r, err := benchmark(func() error {
				messages, err := notifier.Messages(&alert.Notification{ID: "1", At: now, Alerts: alerts[:n], Receiver: "ops"})
				if err == nil && len(messages) == 0 {
					err = errors.New("no messages")
				}
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			each = append(each, r)
		}
		rows = append(rows, row{"render an alert for " + c.name, "of 50: " + perAlert(each[1], 50), "of 1: " + perAlert(each[0], 1), ratio(each[1].NsPerOp()/50, each[0].NsPerOp()), ""})
	}
	return rows, nil
}

// decoderSamples are samples of each system from the tests of its decoder.
var decoderSamples = []struct{ hook, file string }{
	{"alertmanager", "alertmanager/firing-and-resolved.json"},
	{"grafana", "grafana/firing.json"},
	{"tencent-monitor", "tencent-monitor/metric.json"},
	{"zabbix", "zabbix/problem.json"},
	{"aliyun", "aliyun/threshold.form"},
	{"sns", "sns/raw-alarm.json"},
	{"open-falcon/im", "open-falcon/im.form"},
	{"open-falcon/sms", "open-falcon/sms-merged.form"},
	{"open-falcon/mail", "open-falcon/mail.form"},
	{"open-falcon/callback", "open-falcon/callback.query"},
}

// decoders measures how long each decoder takes per alert, and how long the
// standard library takes to parse the same body into maps.
func (b *bench) decoders(context.Context) ([]row, error) {
	now := time.Date(2026, 11, 20, 14, 30, 0, 0, time.UTC)
	systems := intake.Systems()
	sns := intake.NewSNS(intake.SNSConfig{}, nil)
	systems = append(systems, intake.System{Name: "sns", Decode: func(in intake.Input) (intake.Output, error) { return sns.Decode(context.Background(), in) }})
	var rows []row
	for _, d := range decoderSamples {
		i := slices.IndexFunc(systems, func(s intake.System) bool { return s.Name == d.hook })
		body, err := os.ReadFile(filepath.Join("pkg/intake/testdata", d.file))
		if err != nil {
			return nil, err
		}
		in := intake.Input{Now: now, Zone: time.UTC, Authenticated: true, Media: intake.JSON, Body: body}
		parse := func() error { return json.Unmarshal(body, new(any)) }
		if filepath.Ext(d.file) != ".json" {
			in.Media = intake.Form
			if in.Query, err = url.ParseQuery(string(body)); err != nil {
				return nil, err
			}
			parse = func() error { _, err := url.ParseQuery(string(body)); return err }
		}
		alerts := 0
		decode, err := benchmark(func() error {
			out, err := systems[i].Decode(in)
			alerts = len(out.Alerts)
			return err
		})
		if err != nil || alerts == 0 {
			return nil, fmt.Errorf("%s: %d alerts: %w", d.file, alerts, err)
		}
		parseOnly, err := benchmark(parse)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{"decode an alert of " + d.hook, perAlert(decode, alerts), "parse only: " + perAlert(parseOnly, alerts), ratio(decode.NsPerOp(), parseOnly.NsPerOp()), ""})
	}
	return rows, nil
}

// benchmark measures one call of do.
func benchmark(do func() error) (testing.BenchmarkResult, error) {
	var err error
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if e := do(); e != nil {
				err = e
			}
		}
	})
	return r, err
}

func perAlert(r testing.BenchmarkResult, alerts int) string {
	n := int64(alerts)
	return fmt.Sprintf("%.1f µs, %d allocations", float64(r.NsPerOp())/float64(n)/1e3, r.AllocsPerOp()/n)
}
