package app_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/metrics"
)

// t0 is the engine's time at the start of every test. Signatures are made and
// verified in real time.
var t0 = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

// secrets are those of the configuration. None may appear in logs or messages.
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

// testApp is a local cloud and an App on it, whose state is in a file.
type testApp struct {
	t     *testing.T
	cloud *localcloud.Cloud
	app   *app.App
	path  string
	logs  *logBuffer
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *logBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func newTestApp(t *testing.T) *testApp {
	t.Helper()
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{Mail: smtp.Config{Username: "alerts@example.com", Password: "mail-secret-password"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	ta := &testApp{t: t, cloud: cloud, path: filepath.Join(t.TempDir(), "tocsin.db"), logs: &logBuffer{}}
	cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "cloud-secret-key"})
	cloud.Tencent.AddSMSApp(tencentcloud.SMSApp{ID: "1400000000", Signs: []string{"示例公司"}, Balance: 100, ParamLimit: 20, PerHalfMinute: 100, PerDay: 100,
		Templates: []tencentcloud.SMSTemplate{{ID: "100", Text: "消费积压告警：{1}，请处理。"}}})
	cloud.WeCom.Add("robot-secret-key")
	ta.setLag(map[string]int64{"paid": 5000})
	ta.start()
	t.Cleanup(func() { ta.stop(); ta.wantNoSecrets() })
	return ta
}

// setLag sets the lag of the group order-worker in its topics. The topics have two
// partitions, and the first has a tenth of the lag.
func (ta *testApp) setLag(topics map[string]int64) {
	var all []tencentcloud.Topic
	for name, lag := range topics {
		all = append(all, tencentcloud.Topic{Name: name, Partitions: []tencentcloud.Partition{
			{ID: 0, Committed: 1000, End: 1000 + lag/10}, {ID: 1, Committed: 7, End: 7 + lag - lag/10},
		}})
	}
	ta.cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: tencentcloud.StaticGroups{"order-worker": all}})
}

// start opens the App as a new process does.
func (ta *testApp) start() {
	ta.t.Helper()
	cfg, _, err := config.Parse("tocsin.yaml", []byte(configuration), func(string) (string, bool) { return "", false })
	if err != nil {
		ta.t.Fatal(err)
	}
	if ta.app, err = app.New(ta.t.Context(), cfg, ta.options()); err != nil {
		ta.t.Fatal(err)
	}
}

// options are the App's options.
func (ta *testApp) options() app.Options {
	return app.Options{
		Transport: app.Transport{Dial: ta.cloud.Network.DialContext, RootCAs: ta.cloud.Network.RootCAs()},
		Lookup:    func(string) (string, bool) { return "", false },
		Now:       time.Now, Log: slog.New(slog.NewTextHandler(ta.logs, nil)), Store: "bolt:" + ta.path,
	}
}

// newServer returns a Server that keeps its state in a store and makes its connections
// with dial; nil makes real ones.
func newServer(ctx context.Context, t *testing.T, text, store string, dial func(context.Context, string, string) (net.Conn, error)) *app.Server {
	t.Helper()
	lookup := func(string) (string, bool) { return "", false }
	s, err := app.NewServer(ctx, app.ServerOptions{
		Options: app.Options{
			Transport: app.Transport{Dial: dial}, Lookup: lookup, Now: time.Now, Log: slog.New(slog.DiscardHandler), Store: store,
		},
		Load: func() (*config.Config, error) {
			cfg, _, err := config.Parse("tocsin.yaml", []byte(text), lookup)
			return cfg, err
		},
		Name: "one", Address: "127.0.0.1:9093",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// webhookApp returns an application with an empty store, and its HTTP handler.
func (ta *testApp) webhookApp(configuration string) (*app.App, http.Handler) {
	ta.t.Helper()
	cfg, _, err := config.Parse("tocsin.yaml", []byte(configuration), func(string) (string, bool) { return "", false })
	if err != nil {
		ta.t.Fatal(err)
	}
	o := ta.options()
	o.Store = "memory:"
	a, err := app.New(ta.t.Context(), cfg, o)
	if err != nil {
		ta.t.Fatal(err)
	}
	ta.t.Cleanup(func() { a.Close() })
	h, err := app.Handler(a, api.Options{Now: time.Now, Metrics: new(metrics.Registry)})
	if err != nil {
		ta.t.Fatal(err)
	}
	return a, h
}

// postAlerts posts alerts to API v2 and returns the response.
func postAlerts(t *testing.T, h http.Handler, alerts ...any) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", "http://127.0.0.1/api/v2/alerts", bytes.NewReader(mustJSON(t, alerts)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func (ta *testApp) stop() {
	if err := ta.app.Close(); err != nil {
		ta.t.Error(err)
	}
}

// poll runs one invocation of the lag function.
func (ta *testApp) poll(now time.Time) app.Result {
	ta.t.Helper()
	return ta.pollFor(now, 10*time.Second)
}

func (ta *testApp) pollFor(now time.Time, limit time.Duration) app.Result {
	ta.t.Helper()
	ctx, cancel := context.WithTimeout(ta.t.Context(), limit)
	defer cancel()
	answer, err := ta.app.Lag(ctx, now)
	if err != nil {
		ta.t.Fatalf("at %v: %v\n%s", now.Sub(t0), err, ta.logs)
	}
	return answer
}

// delivered returns what has arrived so far, each message by its first line.
func (ta *testApp) delivered() (robot, phone, mail []string) {
	first := func(s string) string { line, _, _ := strings.Cut(s, "\n"); return line }
	for _, m := range ta.cloud.WeCom.Inbox() {
		robot = append(robot, first(m.Content))
	}
	for _, m := range ta.cloud.Tencent.SMS.Inbox() {
		phone = append(phone, m.Number+" "+m.Text)
	}
	for _, m := range ta.cloud.SMTP.Inbox() {
		mail = append(mail, m.To[0]+" "+m.Subject)
	}
	return robot, phone, mail
}

// wantDelivered fails the test unless so many messages arrived so far.
func (ta *testApp) wantDelivered(want string) {
	ta.t.Helper()
	if got := ta.counts(); got != want {
		ta.t.Errorf("got %s, want %s\n%s", got, want, ta.logs)
	}
}

func (ta *testApp) counts() string {
	robot, phone, mail := ta.delivered()
	return fmt.Sprintf("%d robot, %d phone, %d mail", len(robot), len(phone), len(mail))
}

// wantNoSecrets fails the test if a secret is in the logs or the messages.
func (ta *testApp) wantNoSecrets() {
	robot, phone, mail := ta.delivered()
	seen := ta.logs.String() + strings.Join(robot, "\n") + strings.Join(phone, "\n") + strings.Join(mail, "\n")
	for _, m := range ta.cloud.WeCom.Inbox() {
		seen += m.Content
	}
	for _, m := range ta.cloud.SMTP.Inbox() {
		seen += string(m.Raw) + m.Text + m.HTML
	}
	for _, s := range secrets {
		if strings.Contains(seen, s) {
			ta.t.Errorf("got the secret %q, want it masked, in\n%s", s, seen)
		}
	}
}
