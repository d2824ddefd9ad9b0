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

	"github.com/spf13/cobra"

	"tocsin/pkg/lag"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/wecom"
)

// result is the outcome of one call of the tool.
type result struct {
	status         int
	stdout, stderr string
}

// runTool calls the tool with an empty environment.
func runTool(t *testing.T, args ...string) result {
	t.Helper()
	return runToolWith(t.Context(), nil, args...)
}

func runToolWith(ctx context.Context, env map[string]string, args ...string) result {
	var out, err bytes.Buffer
	status := run(ctx, args, &out, &err, lookupIn(env))
	return result{status, out.String(), err.String()}
}

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

// want fails the test unless the exit status is status, standard output contains
// each of out, and standard error contains errs and is empty if errs is.
func (r result) want(t *testing.T, status int, errs string, out ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("got exit status %d, want %d\nstdout: %s\nstderr: %s", r.status, status, r.stdout, r.stderr)
	}
	if !strings.Contains(r.stderr, errs) || errs == "" && r.stderr != "" {
		t.Errorf("got %q on standard error, want %q", r.stderr, errs)
	}
	for _, want := range out {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("got standard output\n%s\nwant it to contain %q", r.stdout, want)
		}
	}
}

// withoutSecret fails the test if secret was printed.
func (r result) withoutSecret(t *testing.T, secret string) {
	t.Helper()
	if strings.Contains(r.stdout+r.stderr, secret) {
		t.Errorf("got output with the secret %q, want it masked\n%s%s", secret, r.stdout, r.stderr)
	}
}

// watchWriter calls found once the text was written so many times.
type watchWriter struct {
	text  bytes.Buffer
	want  string
	times int // 0 means once
	found func()
	seen  bool
}

func (w *watchWriter) Write(p []byte) (int, error) {
	w.text.Write(p)
	if !w.seen && strings.Count(w.text.String(), w.want) >= max(w.times, 1) {
		w.seen = true
		w.found()
	}
	return len(p), nil
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newCloud starts a local cloud with a consumer group that lags, reachable by
// plain HTTP on loopback, and writes a configuration that watches it.
func newCloud(t *testing.T, pendingFor string) (*localcloud.Cloud, map[string]string) {
	t.Helper()
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{Mail: smtp.Config{Username: "a@example.com", Password: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	cloud.Tencent.SetKey("AKIDx", tencentcloud.Key{Secret: "cloud-key"})
	cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: tencentcloud.StaticGroups{"order-worker": {
		{Name: "paid", Partitions: []tencentcloud.Partition{{ID: 0, Committed: 5, End: 6}, {ID: 1, Committed: 0, End: 2000}, {ID: 2, Committed: -1, End: 9}}},
		{Name: "idle", Partitions: []tencentcloud.Partition{{ID: 0, Committed: 6, End: 6}}},
		{Name: "new", Partitions: []tencentcloud.Partition{{ID: 0, Committed: -1, End: 6}}},
	}}})
	cloud.WeCom.Add("robot-key")
	serve := func(h http.Handler) string {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return server.URL
	}
	path := writeFile(t, "tocsin.yaml", `
global: {tencent_secret_id: AKIDx, tencent_secret_key: cloud-key}
lag:
  clusters: [{name: orders, ckafka: {instance_id: ckafka-1, region: ap-guangzhou, endpoint: "`+serve(cloud.Tencent)+`"}}]
  rules: [{alert: KafkaConsumerLag, max_lag: 2000, for: "`+pendingFor+`"}]
route: {receiver: ops, group_wait: 0s}
receivers: [{name: ops, wecom_robot_configs: [{url: "`+serve(cloud.WeCom)+`/cgi-bin/webhook/send?key=robot-key"}]}]
`)
	return cloud, map[string]string{"TOCSIN_CONFIG": path}
}

func wantMessages(t *testing.T, cloud *localcloud.Cloud, want int) {
	t.Helper()
	if got := len(cloud.WeCom.Inbox()); got != want {
		t.Errorf("got %d messages in the WeCom group, want %d", got, want)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"", "nonsense", "dev --nonsense", "dev extra", "check-config a b", "send", "render --receiver ops",
		"lag -o xml", "lag --sort age", "lag --every 0s", "lag --group (", "lag --token x", "dead --url x", "dead --url ftp://x", "dead --url http://x?y", "send --receiver ops --url :", "serve --log.level=loud", "serve --web.external-url=x", "serve --web.cors.origin=("} {
		t.Run("exit status 2 for: "+args, func(t *testing.T) {
			r := runTool(t, strings.Fields(args)...)
			r.want(t, 2, "--help")
			if n := strings.Count(r.stderr, "\n"); n != 1 {
				t.Errorf("got %d lines on standard error, want 1:\n%s", n, r.stderr)
			}
		})
	}
	t.Run("the nearest command is suggested", func(t *testing.T) {
		runTool(t, "lagg").want(t, 2, `did you mean "lag"?`)
	})
	t.Run("help and version go to standard output", func(t *testing.T) {
		runTool(t, "help").want(t, 0, "", "Run:", "Inspect:", "Act:", "check-config")
		runTool(t, "dev", "-h").want(t, 0, "", "--once", "tocsin dev --once")
		runTool(t, "version").want(t, 0, "", "tocsin, version ")
		runTool(t, "--version").want(t, 0, "", "tocsin, version ")
	})
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run("completion for "+shell, func(t *testing.T) {
			runTool(t, "completion", shell).want(t, 0, "", "tocsin")
		})
	}
}

// Every command has an example, and every flag a description.
func TestEveryCommandIsDocumented(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			walk(child)
		}
		if usage := cmd.LocalFlags().FlagUsages(); cmd.Short == "" {
			t.Errorf("%s: got no short description, want one\n%s", cmd.CommandPath(), usage)
		}
		if cmd.HasParent() && cmd.GroupID != "" && cmd.Example == "" {
			t.Errorf("%s: got no example, want one", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.LocalFlags().FlagUsages()) {
			if len(strings.Fields(line)) < 3 {
				t.Errorf("%s: got the flag %q without a description, want one", cmd.CommandPath(), strings.TrimSpace(line))
			}
		}
	}
	walk(newRootCommand(&tool{lookup: lookupIn(nil)}))
}

func TestCompletion(t *testing.T) {
	_, env := newCloud(t, "0s")
	for _, test := range []struct{ name, args, want string }{
		{"receivers of the configuration", "send --receiver", "ops"},
		{"clusters of the configuration", "lag --cluster", "orders"},
		{"columns to sort by", "lag --sort", "delay"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := runToolWith(t.Context(), env, append(append([]string{"__complete"}, strings.Fields(test.args)...), "")...)
			if r.status != 0 || !strings.Contains("\n"+r.stdout, "\n"+test.want+"\n") {
				t.Errorf("got exit status %d and completions %q, want %q among them", r.status, r.stdout, test.want)
			}
		})
	}
}

// The demonstration notifies over every channel, firing and resolved.
func TestDevOnce(t *testing.T) {
	r := runTool(t, "dev", "--once", "--listen", "127.0.0.1:0")
	r.want(t, 0, "",
		"┌─ WeCom group", "┌─ SMS · +8613800000000", "┌─ Mail · ops@example.com",
		"│ [告警] 消费积压 · orders / order-worker / order-created", "│ [恢复] 消费积压 · orders / order-worker / order-created",
		"阈值 2,000", "【示例公司】")
	if n := strings.Count(r.stdout, "┌─"); n != 5 {
		t.Errorf("got %d messages, want 5: three firing and two resolved\n%s", n, r.stdout)
	}
}

func TestDevRunsAGivenConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../examples/tocsin.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, "tocsin.yaml", strings.NewReplacer("for: 2m ", "for: 0s ", "group_wait: 10s", "group_wait: 0s",
		"interval: 1m ", "interval: 1s ", "group_interval: 5m", "group_interval: 1s").Replace(string(text)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &watchWriter{want: "┌─ WeCom group", found: cancel}
	var errs bytes.Buffer
	env := map[string]string{"TENCENT_SECRET_ID": "AKIDx", "TENCENT_SECRET_KEY": "cloud-key", "WECOM_KEY": "robot-key", "SMTP_PASSWORD": "mail-password"}
	status := run(ctx, []string{"dev", "--config", path, "--listen", "127.0.0.1:0"}, out, &errs, lookupIn(env))
	if status != 0 || !out.seen {
		t.Fatalf("got exit status %d and message delivered %v, want 0 and true\n%s\n%s", status, out.seen, &out.text, &errs)
	}
}

func TestCheckConfig(t *testing.T) {
	t.Run("the example has no faults", func(t *testing.T) {
		env := map[string]string{"TENCENT_SECRET_ID": "a", "TENCENT_SECRET_KEY": "b", "WECOM_KEY": "c", "SMTP_PASSWORD": "d"}
		r := runToolWith(t.Context(), env, "check-config", "../../examples/tocsin.yaml")
		r.want(t, 0, "")
		if !strings.HasPrefix(r.stdout, "ok\n") {
			t.Errorf("got %q, want it to begin with ok", r.stdout)
		}
	})
	t.Run("every fault is listed with its line and the nearest name", func(t *testing.T) {
		path := writeFile(t, "bad.yaml", "global: {language: fr}\nroute: {receiver: opps}\nreceivers:\n  - name: ops\n    wecom_robot_confgs: []\n")
		r := runTool(t, "check-config", path)
		if r.status != 1 || r.stdout != "" {
			t.Errorf("got exit status %d and %q on standard output, want 1 and nothing", r.status, r.stdout)
		}
		lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
		for i, want := range []string{":1: global.language: ", ":2: route.receiver: ", ":5: receivers[0].wecom_robot_confgs: "} {
			if i >= len(lines) || !strings.HasPrefix(lines[i], path+want) {
				t.Errorf("got\n%s\nwant line %d to begin with %s%s", r.stderr, i+1, path, want)
			}
		}
		for _, want := range []string{`"ops"`, "wecom_robot_configs"} {
			if !strings.Contains(r.stderr, want) {
				t.Errorf("got\n%s\nwant the nearest name %s", r.stderr, want)
			}
		}
	})
}

func TestLag(t *testing.T) {
	cloud, env := newCloud(t, "1m")
	lagWith := func(args ...string) result {
		return runToolWith(t.Context(), env, append([]string{"lag"}, args...)...)
	}
	t.Run("as a table", func(t *testing.T) {
		r := lagWith()
		r.want(t, 0, "")
		want := "CLUSTER  GROUP         TOPIC  LAG      LIMIT  BEHIND  IN/S  OUT/S  DRAINED IN  CONSUMER  STATE                     WORST\n" +
			"orders   order-worker  idle         0  2,000                                   ok        ok\n" +
			"orders   order-worker  new    unknown  2,000                                             unknown                   (1 unknown: no commit)\n" +
			"orders   order-worker  paid     2,001  2,000                                             pending KafkaConsumerLag  partition 1 (1 unknown: no commit)\n"
		if got, want := collapseBlanks(r.stdout), collapseBlanks(want); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("as JSON", func(t *testing.T) {
		r := lagWith("-o", "json", "--group", "order-worker")
		var lines []lag.TableRow
		if err := json.Unmarshal([]byte(r.stdout), &lines); r.status != 0 || err != nil || len(lines) != 3 || *lines[2].Lag != 2001 {
			t.Errorf("got exit status %d, error %v and\n%s%s\nwant three lines, the last with lag 2001", r.status, err, r.stdout, r.stderr)
		}
	})
	for args, want := range map[string]string{
		"--sort lag":                     "paid idle new", // unknown comes last
		"--sort state":                   "paid new idle",
		"--topic paid|new":               "new paid",
		"--group order-.* --topic i.*":   "idle",
		"--group order":                  "",
		"--sort lag --topic (idle|paid)": "paid idle",
	} {
		t.Run("with "+args, func(t *testing.T) {
			r := lagWith(strings.Fields(args)...)
			r.want(t, 0, "")
			var topics []string
			for line := range strings.Lines(r.stdout) {
				if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "orders" {
					topics = append(topics, fields[2])
				}
			}
			if got := strings.Join(topics, " "); got != want {
				t.Errorf("got topics %q, want %q", got, want)
			}
		})
	}
	t.Run("an unknown cluster is an error", func(t *testing.T) { lagWith("--cluster", "other").want(t, 1, `"other"`) })
	t.Run("a cluster that cannot be read is an error without secrets", func(t *testing.T) {
		cloud.Tencent.SetKey("AKIDx", tencentcloud.Key{Secret: "changed"})
		r := lagWith()
		r.want(t, 1, "cluster orders: ")
		r.withoutSecret(t, "cloud-key")
	})
}

// With --watch lag is read and drawn again and again; a failed read does not end
// it.
func TestLagWatch(t *testing.T) {
	cloud, env := newCloud(t, "1m")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &watchWriter{found: cancel, want: "order-worker / paid", times: 3}
	var errs strings.Builder
	cloud.Tencent.Inject(tencentcloud.Fault{Action: "DescribeGroup", Do: tencentcloud.Reject("InternalError", "once")})
	status := run(ctx, []string{"lag", "--watch", "--every", "20ms", "--chart"}, out, &errs, lookupIn(env))
	if reads := strings.Count(out.text.String(), "every 20ms"); status != 0 || reads < 3 {
		t.Errorf("got exit status %d after %d reads, want 0 after at least 3\n%s%s", status, reads, &out.text, errs.String())
	}
}

// collapseBlanks reduces every run of blanks to one.
func collapseBlanks(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	return strings.Join(lines, "\n")
}

func TestSend(t *testing.T) {
	cloud, env := newCloud(t, "1m")
	sendTo := func(receiver string) result {
		return runToolWith(t.Context(), env, "send", "--receiver", receiver)
	}
	t.Run("an accepted message is shown", func(t *testing.T) {
		sendTo("ops").want(t, 0, "", "wecom_robot/0\n", "这是一条测试消息", "accepted")
		wantMessages(t, cloud, 1)
	})
	t.Run("a refused message fails with the vendor's code", func(t *testing.T) {
		cloud.WeCom.Remove("robot-key")
		r := sendTo("ops")
		r.want(t, 1, "1 of 1", "93000")
		r.withoutSecret(t, "robot-key")
	})
	t.Run("an unknown receiver is an error", func(t *testing.T) { sendTo("nobody").want(t, 1, `"nobody"`) })
}

// serve polls at the start, notifies, and exits in order; started again it
// remembers.
func TestServe(t *testing.T) {
	cloud, env := newCloud(t, "0s")
	dir := t.TempDir()
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		cloud.WeCom.OnMessage(func(wecom.Message) { cancel() })
		if len(cloud.WeCom.Inbox()) > 0 {
			// No message is due the second time: the end is a poll that was answered.
			cloud.Tencent.Inject(tencentcloud.Fault{Action: "DescribeGroupOffsets", Do: func(_ http.ResponseWriter, _ *http.Request, next func()) {
				next()
				cancel()
			}})
		}
		r := runToolWith(ctx, env, "serve", "--config.file", env["TOCSIN_CONFIG"], "--storage.path", dir, "--web.listen-address", "127.0.0.1:0")
		cancel()
		r.want(t, 0, "Listening on address=127.0.0.1:")
	}
	wantMessages(t, cloud, 1)
}

// A dead letter is listed, and sent again when asked for.
func TestDead(t *testing.T) {
	cloud, env := newCloud(t, "0s")
	text, err := os.ReadFile(env["TOCSIN_CONFIG"])
	if err != nil {
		t.Fatal(err)
	}
	env["TOCSIN_CONFIG"] = writeFile(t, "dead.yaml", "store: {url: \"bolt:"+filepath.Join(t.TempDir(), "t.db")+"\"}\n"+string(text))
	serveUntil := func(prepare func(cancel func())) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		prepare(cancel)
		runToolWith(ctx, env, "serve", "--web.listen-address", "127.0.0.1:0").want(t, 0, "Listening")
	}
	serveUntil(func(cancel func()) {
		cloud.WeCom.Inject(1, func(w http.ResponseWriter, r *http.Request, next func()) {
			wecom.Reject(93000, "invalid webhook url")(w, r, next)
			cancel()
		})
	})
	r := runToolWith(t.Context(), env, "dead")
	r.want(t, 0, "", "93000")
	fields := strings.Fields(strings.Split(r.stdout+"\n\n", "\n")[1])
	if len(fields) < 7 || fields[3] != "ops" || fields[4] != "wecom_robot" || fields[5] != "1" {
		t.Fatalf("got\n%s\nwant one dead letter of ops by wecom_robot with one alert", r.stdout)
	}
	runToolWith(t.Context(), env, "dead", "--resend", "nonsense").want(t, 1, `"nonsense"`)
	runToolWith(t.Context(), env, "dead", "--resend", fields[0]).want(t, 0, "", "1 put back")
	serveUntil(func(cancel func()) { cloud.WeCom.OnMessage(func(wecom.Message) { cancel() }) })
	wantMessages(t, cloud, 1)
}
