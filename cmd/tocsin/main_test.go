package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/pkg/lag"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/wecom"
)

// tocsin runs the tool and returns what it printed.
func tocsin(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return tocsinWith(t.Context(), map[string]string{}, args...)
}

func tocsinWith(ctx context.Context, env map[string]string, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(ctx, args, &out, &err, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	return status, out.String(), err.String()
}

// One round of the demonstration, with a real Kafka, producer and consumer, over
// every channel.
func TestDevOnce(t *testing.T) {
	status, out, errs := tocsin(t, "dev", "--once", "--listen", "127.0.0.1:0")
	if status != 0 {
		t.Fatalf("exit %d\n%s\n%s", status, out, errs)
	}
	for _, want := range []string{
		"┌─ WeCom group", "┌─ SMS · +8613800000000", "┌─ Mail · ops@example.com",
		"│ [告警] 消费积压 · orders / order-worker / order-created", "│ [恢复] 消费积压 · orders / order-worker / order-created",
		"阈值 2,000", "【示例公司】",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if n := strings.Count(out, "┌─"); n != 5 {
		t.Errorf("%d messages, want 5: three that it fires, two that it is over\n%s", n, out)
	}
	if errs != "" {
		t.Errorf("on standard error: %s", errs)
	}
}

// A configuration of one's own can be tried: what it names exists in the local
// cloud.
func TestDevTakesAConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../examples/tocsin.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg := strings.NewReplacer("for: 2m ", "for: 0s ", "group_wait: 10s", "group_wait: 0s", "interval: 1m ", "interval: 1s ", "group_interval: 5m", "group_interval: 1s").Replace(string(text))
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(path, []byte(cfg), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &until{want: "┌─ WeCom group", found: cancel}
	var errs bytes.Buffer
	env := map[string]string{"TENCENT_SECRET_ID": "AKIDx", "TENCENT_SECRET_KEY": "cloud-key", "WECOM_KEY": "robot-key", "SMTP_PASSWORD": "mail-password"}
	status := run(ctx, []string{"dev", "--config", path, "--listen", "127.0.0.1:0"}, out, &errs, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if status != 0 || !out.seen {
		t.Fatalf("exit %d\n%s\n%s", status, &out.text, &errs)
	}
}

// until looks for a text in what is written, so many times.
type until struct {
	text  bytes.Buffer
	want  string
	times int // 0 is once
	found func()
	seen  bool
}

func (u *until) Write(p []byte) (int, error) {
	u.text.Write(p)
	if !u.seen && strings.Count(u.text.String(), u.want) >= max(u.times, 1) {
		u.seen = true
		u.found()
	}
	return len(p), nil
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"nonsense"}, {"dev", "--nonsense"}, {"dev", "extra"}, {"check-config", "a", "b"}, {"send"}, {"lag", "-o", "xml"}, {"lag", "--sort", "age"}, {"lag", "--every", "0s"}, {"lag", "--group", "("}} {
		if status, _, errs := tocsin(t, args...); status != 2 || strings.Count(strings.TrimSpace(errs), "\n") > 0 && len(args) > 0 {
			t.Errorf("%q: exit %d, %q; want 2 and one line", args, status, errs)
		}
	}
	for _, args := range [][]string{{"help"}, {"dev", "-h"}, {"version"}} {
		if status, out, _ := tocsin(t, args...); status != 0 || out == "" {
			t.Errorf("%q: exit %d, %q; want 0 and a text", args, status, out)
		}
	}
}

func TestCheckConfig(t *testing.T) {
	env := map[string]string{"TENCENT_SECRET_ID": "a", "TENCENT_SECRET_KEY": "b", "WECOM_KEY": "c", "SMTP_PASSWORD": "d"}
	if status, out, errs := tocsinWith(t.Context(), env, "check-config", "../../examples/tocsin.yaml"); status != 0 || !strings.HasPrefix(out, "ok\n") || errs != "" {
		t.Errorf("the example: exit %d\n%s%s", status, out, errs)
	}
	path := filepath.Join(t.TempDir(), "bad.yaml")
	text := "global: {language: fr}\nroute: {receiver: opps}\nreceivers:\n  - name: ops\n    wecom_robot_confgs: []\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errs := tocsin(t, "check-config", path)
	if status != 1 || out != "" {
		t.Errorf("exit %d, %q; want 1 and nothing on standard output", status, out)
	}
	lines := strings.Split(strings.TrimSpace(errs), "\n")
	for i, want := range []string{":1: global.language: ", ":2: route.receiver: ", ":5: receivers[0].wecom_robot_confgs: "} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], path+want) {
			t.Errorf("line %d of\n%s\ndoes not begin with %s%s", i+1, errs, path, want)
		}
	}
	if !strings.Contains(errs, `"ops"`) || !strings.Contains(errs, "wecom_robot_configs") {
		t.Errorf("no nearest names in\n%s", errs)
	}
}

// The table and the JSON of `tocsin lag`, and what it says when a cluster cannot
// be read.
func TestLag(t *testing.T) {
	cloud, env := watched(t, "1m")
	status, out, errs := tocsinWith(t.Context(), env, "lag")
	if status != 0 {
		t.Fatalf("exit %d\n%s%s", status, out, errs)
	}
	want := "CLUSTER  GROUP         TOPIC  LAG      LIMIT  BEHIND  IN/S  OUT/S  DRAINED IN  CONSUMER  STATE                     WORST\n" +
		"orders   order-worker  idle         0  2,000                                   ok        ok\n" +
		"orders   order-worker  new    unknown  2,000                                             unknown                   (1 unknown: no commit)\n" +
		"orders   order-worker  paid     2,001  2,000                                             pending KafkaConsumerLag  partition 1 (1 unknown: no commit)\n"
	if squeeze(out) != squeeze(want) {
		t.Errorf("table\n%s\nwant\n%s", out, want)
	}
	status, out, errs = tocsinWith(t.Context(), env, "lag", "-o", "json", "--group", "order-worker")
	var lines []lag.Line
	if err := json.Unmarshal([]byte(out), &lines); status != 0 || err != nil || len(lines) != 3 || *lines[2].Lag != 2001 {
		t.Errorf("exit %d, %v\n%s%s", status, err, out, errs)
	}
	for args, want := range map[string]string{
		"--sort lag":                     "paid idle new", // what is unknown comes last
		"--sort state":                   "paid new idle",
		"--topic paid|new":               "new paid",
		"--group order-.* --topic i.*":   "idle",
		"--group order":                  "",
		"--sort lag --topic (idle|paid)": "paid idle",
	} {
		status, out, errs := tocsinWith(t.Context(), env, append([]string{"lag"}, strings.Fields(args)...)...)
		var topics []string
		for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
			if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "orders" {
				topics = append(topics, fields[2])
			}
		}
		if got := strings.Join(topics, " "); status != 0 || got != want {
			t.Errorf("%s: exit %d, topics %q, want %q\n%s", args, status, got, want, errs)
		}
	}
	if status, _, errs = tocsinWith(t.Context(), env, "lag", "--cluster", "other"); status != 1 || !strings.Contains(errs, `"other"`) {
		t.Errorf("unknown cluster: exit %d, %s", status, errs)
	}
	cloud.Tencent.SetKey("AKIDx", tencentcloud.Key{Secret: "changed"})
	if status, _, errs = tocsinWith(t.Context(), env, "lag"); status != 1 || !strings.Contains(errs, "cluster orders: ") || strings.Contains(errs, "cloud-key") {
		t.Errorf("wrong key: exit %d, %s", status, errs)
	}
}

// squeeze makes every run of blanks one.
func squeeze(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	return strings.Join(lines, "\n")
}

func TestSend(t *testing.T) {
	cloud, env := watched(t, "1m")
	status, out, errs := tocsinWith(t.Context(), env, "send", "--receiver", "ops")
	if status != 0 || !strings.Contains(out, "wecom_robot/0\n") || !strings.Contains(out, "这是一条测试消息") || !strings.Contains(out, "accepted") {
		t.Errorf("exit %d\n%s%s", status, out, errs)
	}
	if n := len(cloud.WeCom.Inbox()); n != 1 {
		t.Errorf("the group got %d messages, want 1", n)
	}
	cloud.WeCom.Remove("robot-key")
	status, out, errs = tocsinWith(t.Context(), env, "send", "--receiver", "ops")
	if status != 1 || !strings.Contains(out, "93000") || !strings.Contains(errs, "1 of 1") || strings.Contains(out+errs, "robot-key") {
		t.Errorf("a robot that is gone: exit %d\n%s%s", status, out, errs)
	}
	if status, _, errs = tocsinWith(t.Context(), env, "send", "--receiver", "nobody"); status != 1 || !strings.Contains(errs, `"nobody"`) {
		t.Errorf("unknown receiver: exit %d, %s", status, errs)
	}
}

// serve polls at once, says what it finds, and ends in order when it is told to;
// started again, it remembers.
func TestServe(t *testing.T) {
	cloud, env := watched(t, "0s")
	dir := t.TempDir()
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		cloud.WeCom.OnMessage(func(wecom.Message) { cancel() })
		if len(cloud.WeCom.Inbox()) > 0 {
			// Nothing is to be said this time: a poll that was answered is the end.
			cloud.Tencent.Fail(tencentcloud.Fault{Action: "DescribeGroupOffsets", Do: func(_ http.ResponseWriter, _ *http.Request, next func()) {
				next()
				cancel()
			}})
		}
		if status, out, errs := tocsinWith(ctx, env, "serve", "--config.file", env["TOCSIN_CONFIG"], "--storage.path", dir, "--web.listen-address", "127.0.0.1:0"); status != 0 {
			t.Fatalf("exit %d\n%s%s", status, out, errs)
		}
		cancel()
	}
	if n := len(cloud.WeCom.Inbox()); n != 1 {
		t.Errorf("the group got %d messages, want 1", n)
	}
}

// What nobody could be told is listed, and can be sent again.
func TestDead(t *testing.T) {
	cloud, env := watched(t, "0s")
	text, err := os.ReadFile(env["TOCSIN_CONFIG"])
	if err != nil {
		t.Fatal(err)
	}
	store := "store: {url: \"bolt:" + filepath.Join(t.TempDir(), "t.db") + "\"}\n"
	if err := os.WriteFile(env["TOCSIN_CONFIG"], append([]byte(store), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	serveUntil := func(done func(cancel func())) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done(cancel)
		if status, out, errs := tocsinWith(ctx, env, "serve", "--web.listen-address", "127.0.0.1:0"); status != 0 {
			t.Fatalf("exit %d\n%s%s", status, out, errs)
		}
	}
	serveUntil(func(cancel func()) {
		cloud.WeCom.Fail(1, func(w http.ResponseWriter, r *http.Request, next func()) {
			wecom.Refuse(93000, "invalid webhook url")(w, r, next)
			cancel()
		})
	})
	status, out, errs := tocsinWith(t.Context(), env, "dead")
	fields := strings.Fields(strings.Split(out+"\n\n", "\n")[1])
	if status != 0 || len(fields) < 7 || fields[3] != "ops" || fields[4] != "wecom_robot" || fields[5] != "1" || !strings.Contains(out, "93000") {
		t.Fatalf("exit %d\n%s%s", status, out, errs)
	}
	if status, _, errs = tocsinWith(t.Context(), env, "dead", "--resend", "nonsense"); status != 1 || !strings.Contains(errs, `"nonsense"`) {
		t.Errorf("unknown id: exit %d, %s", status, errs)
	}
	if status, out, errs = tocsinWith(t.Context(), env, "dead", "--resend", fields[0]); status != 0 {
		t.Fatalf("exit %d\n%s%s", status, out, errs)
	}
	serveUntil(func(cancel func()) { cloud.WeCom.OnMessage(func(wecom.Message) { cancel() }) })
	if n := len(cloud.WeCom.Inbox()); n != 1 {
		t.Errorf("the group got %d messages, want 1", n)
	}
}

// watched starts a local cloud that a child of this process could use too, by
// plain HTTP on loopback, and writes a configuration for it.
func watched(t *testing.T, pending string) (*localcloud.Cloud, map[string]string) {
	t.Helper()
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{Mail: smtp.Config{Username: "a@example.com", Password: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	cloud.Tencent.SetKey("AKIDx", tencentcloud.Key{Secret: "cloud-key"})
	cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: tencentcloud.Table{"order-worker": {
		{Name: "paid", Partitions: []tencentcloud.Partition{{ID: 0, Committed: 5, End: 6}, {ID: 1, Committed: 0, End: 2000}, {ID: 2, Committed: -1, End: 9}}},
		{Name: "idle", Partitions: []tencentcloud.Partition{{ID: 0, Committed: 6, End: 6}}},
		{Name: "new", Partitions: []tencentcloud.Partition{{ID: 0, Committed: -1, End: 6}}},
	}}})
	cloud.WeCom.Add("robot-key")
	api, robots := plain(t, cloud.Tencent), plain(t, cloud.WeCom)
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	text := `
global: {tencent_secret_id: AKIDx, tencent_secret_key: cloud-key}
lag:
  clusters: [{name: orders, ckafka: {instance_id: ckafka-1, region: ap-guangzhou, endpoint: "` + api + `"}}]
  rules: [{alert: KafkaConsumerLag, max_lag: 2000, for: "` + pending + `"}]
route: {receiver: ops, group_wait: 0s}
receivers: [{name: ops, wecom_robot_configs: [{url: "` + robots + `/cgi-bin/webhook/send?key=robot-key"}]}]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return cloud, map[string]string{"TOCSIN_CONFIG": path}
}

func plain(t *testing.T, h http.Handler) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}
