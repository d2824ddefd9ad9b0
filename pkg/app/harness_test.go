package app_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
)

// t0 is when every test begins, as the engine sees it. Signatures are made and
// verified in real time.
var t0 = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

// The secrets of the configuration, none of which may be seen anywhere.
var secrets = []string{"cloud-secret-key", "robot-secret-key", "mail-secret-password"}

const configuration = `
global:
  tencent_secret_id: AKIDexample
  tencent_secret_key: cloud-secret-key
  smtp_smarthost: smtp.exmail.qq.com:465
  smtp_from: alerts@example.com
  smtp_auth_username: alerts@example.com
  smtp_auth_password: mail-secret-password
dispatch: {late_after: 0s}
lag:
  clusters:
    - {name: orders, ckafka: {instance_id: ckafka-1, region: ap-guangzhou}}
  rules:
    - {alert: KafkaConsumerLag, max_lag: 2000}
route:
  receiver: ops
  group_by: [alertname, cluster, consumer_group]
  group_wait: 0s
  group_interval: 1m
  repeat_interval: 4h
receivers:
  - name: ops
    fallback: {receiver: backup, after: 15m}
    wecom_robot_configs: [{url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=robot-secret-key"}]
    sms_configs:
      - {sdk_app_id: "1400000000", sign_name: 示例公司, template_id: "100", params: ["{{ .CommonLabels.topic }}"], to: ["+8613800000000"]}
    email_configs: [{to: "ops@example.com, dev@example.com"}]
  - name: backup
    email_configs: [{to: boss@example.com, send_resolved: true}]
`

// world is a local cloud and an App on it, whose state is in a file.
type world struct {
	t     *testing.T
	cloud *localcloud.Cloud
	app   *app.App
	path  string
	logs  *logs
}

// logs is a log that may be read while it is written.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *logs) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func newWorld(t *testing.T) *world {
	t.Helper()
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{Mail: smtp.Config{Username: "alerts@example.com", Password: "mail-secret-password"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	w := &world{t: t, cloud: cloud, path: filepath.Join(t.TempDir(), "tocsin.db"), logs: &logs{}}
	cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "cloud-secret-key"})
	cloud.Tencent.AddSMSApp(tencentcloud.SMSApp{ID: "1400000000", Signs: []string{"示例公司"}, Balance: 100, ParamLimit: 20, PerHalfMinute: 100, PerDay: 100,
		Templates: []tencentcloud.SMSTemplate{{ID: "100", Text: "消费积压告警：{1}，请处理。"}}})
	cloud.WeCom.Add("robot-secret-key")
	w.lag(map[string]int64{"paid": 5000})
	w.start()
	t.Cleanup(func() { w.stop(); w.noSecrets() })
	return w
}

// lag lets the group order-worker be so far behind in its topics. The topics
// have two partitions, and the first has a tenth of the lag.
func (w *world) lag(topics map[string]int64) {
	var all []tencentcloud.Topic
	for name, lag := range topics {
		all = append(all, tencentcloud.Topic{Name: name, Partitions: []tencentcloud.Partition{
			{ID: 0, Committed: 1000, End: 1000 + lag/10}, {ID: 1, Committed: 7, End: 7 + lag - lag/10},
		}})
	}
	w.cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: tencentcloud.Table{"order-worker": all}})
}

// start begins a new process, stop ends it.
func (w *world) start() {
	w.t.Helper()
	cfg, _, err := config.Parse("tocsin.yaml", []byte(configuration), func(string) (string, bool) { return "", false })
	if err != nil {
		w.t.Fatal(err)
	}
	w.app, err = app.New(w.t.Context(), cfg, app.Options{
		Outside: app.Outside{Dial: w.cloud.Network.DialContext, RootCAs: w.cloud.Network.RootCAs()},
		Lookup:  func(string) (string, bool) { return "", false },
		Now:     time.Now, Log: slog.New(slog.NewTextHandler(w.logs, nil)), Store: "bolt:" + w.path,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stop() {
	if err := w.app.Close(); err != nil {
		w.t.Error(err)
	}
}

// run is one invocation.
func (w *world) run(now time.Time) app.Answer {
	w.t.Helper()
	return w.runFor(now, 10*time.Second)
}

func (w *world) runFor(now time.Time, limit time.Duration) app.Answer {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	answer, err := w.app.Lag(ctx, now)
	if err != nil {
		w.t.Fatalf("at %v: %v\n%s", now.Sub(t0), err, w.logs)
	}
	return answer
}

// delivered tells what has arrived so far, each message by its first line.
func (w *world) delivered() (robot, phone, mail []string) {
	first := func(s string) string { line, _, _ := strings.Cut(s, "\n"); return line }
	for _, m := range w.cloud.WeCom.Inbox() {
		robot = append(robot, first(m.Content))
	}
	for _, m := range w.cloud.Tencent.Inbox() {
		phone = append(phone, m.Number+" "+m.Text)
	}
	for _, m := range w.cloud.SMTP.Inbox() {
		mail = append(mail, m.To[0]+" "+m.Subject)
	}
	return robot, phone, mail
}

func (w *world) counts() string {
	robot, phone, mail := w.delivered()
	return fmt.Sprintf("%d robot, %d phone, %d mail", len(robot), len(phone), len(mail))
}

// noSecrets checks that neither logs nor messages hold a secret.
func (w *world) noSecrets() {
	robot, phone, mail := w.delivered()
	seen := w.logs.String() + strings.Join(robot, "\n") + strings.Join(phone, "\n") + strings.Join(mail, "\n")
	for _, m := range w.cloud.WeCom.Inbox() {
		seen += m.Content
	}
	for _, m := range w.cloud.SMTP.Inbox() {
		seen += string(m.Raw) + m.Text + m.HTML
	}
	for _, s := range secrets {
		if strings.Contains(seen, s) {
			w.t.Errorf("the secret %q can be seen in:\n%s", s, seen)
		}
	}
}
