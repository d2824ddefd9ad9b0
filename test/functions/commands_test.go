package functions

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/wecom"
)

const commandsConfig = `
global: {tencent_secret_id: AKIDexample, tencent_secret_key: "${TENCENT_SECRET_KEY}"}
store: {url: "bolt:<dir>/state.db"}
webhook:
  auth:
    tokens:
      - {name: oncall, token: "${ONCALL_TOKEN}"}
      - {name: hooks, token: "${HOOKS_TOKEN}", paths: [/hooks/, /api/]}
lag:
  clusters: [{name: orders, ckafka: {instance_id: ckafka-1, region: ap-guangzhou, endpoint: "<tencent>"}}]
  rules: [{alert: KafkaConsumerLag, max_lag: 2000, for: 1h}]
route: {receiver: ops, group_wait: 0s}
receivers: [{name: ops, wecom_robot_configs: [{url: "<wecom>/cgi-bin/webhook/send?key=${WECOM_KEY}"}]}]
`

var commandsSecrets = map[string]string{
	"TENCENT_SECRET_KEY": "cloud-secret-key", "ONCALL_TOKEN": "oncall-token-0123456789", "HOOKS_TOKEN": "hooks-token-0123456789", "WECOM_KEY": "robot-secret-key",
}

// newCommandsCloud starts a local cloud with a consumer group that is 2,001 messages
// behind and without the robot that the configuration names. It returns the environment
// variables of a process with that configuration.
func newCommandsCloud(t *testing.T) (*localcloud.Cloud, map[string]string) {
	t.Helper()
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{})
	must(t, err)
	t.Cleanup(cloud.Close)
	cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: commandsSecrets["TENCENT_SECRET_KEY"]})
	cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: tencentcloud.StaticGroups{
		"order-worker": {{Name: "paid", Partitions: []tencentcloud.Partition{{ID: 0, Committed: 5, End: 2006}}}},
	}})
	_, env := writeConfig(t, cloud, commandsConfig, commandsSecrets, "<tencent>", cloud.TencentURL, "<wecom>", cloud.WeComURL)
	return cloud, env
}

// startServe starts tocsin serve on a free port of loopback and returns its URL.
func startServe(t *testing.T, env map[string]string) (url string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary("tocsin"), "serve", "--config.file", env["TOCSIN_CONFIG"], "--web.listen-address", "127.0.0.1:0")
	cmd.Env = environ(env)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	stderr, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	lines, ended := make(chan string), make(chan struct{})
	go func() {
		defer close(ended)
		for log := bufio.NewScanner(stderr); log.Scan(); {
			if _, address, ok := strings.Cut(log.Text(), "Listening on address="); ok {
				lines <- address
			} else {
				t.Log(log.Text())
			}
		}
	}()
	t.Cleanup(func() { // after t.Context is done
		<-ended
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("serve: got %v, want exit status 0", err)
		}
	})
	select {
	case address := <-lines:
		return "http://" + address
	case <-ended:
		t.Fatal("serve ended, want it to listen")
		return ""
	}
}

// buildTool builds the command-line tool once for all tests.
var buildTool = sync.OnceValue(func() error { return build("tocsin", "timetzdata", "../../cmd/tocsin") })

func environ(env map[string]string) []string {
	all := os.Environ()
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	return all
}

// tocsin runs a command of the tool.
func tocsin(t *testing.T, env map[string]string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary("tocsin"), args...)
	cmd.Env = environ(env)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestCommandsOnLockedStore runs the commands with the configuration of a running serve,
// which holds the bolt file.
func TestCommandsOnLockedStore(t *testing.T) {
	must(t, buildTool())
	_, env := newCommandsCloud(t)
	startServe(t, env)
	t.Run("commands", func(t *testing.T) { // waits for the parallel tests
		for command, want := range map[string]string{
			"dead":                         "tocsin dead --url http://127.0.0.1:9093",
			"dead --resend all":            "tocsin dead --resend all --url http://127.0.0.1:9093",
			"lag --group order-.* --chart": "tocsin lag --chart --group 'order-.*' --url http://127.0.0.1:9093",
		} {
			t.Run(command+" names the command for the server", func(t *testing.T) {
				t.Parallel()
				status, stdout, stderr := tocsin(t, env, strings.Fields(command)...)
				want := "/state.db is in use by another process; if that is tocsin serve, ask it: " + want + " (and set TOCSIN_TOKEN"
				if status != 1 || stdout != "" || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
					t.Errorf("got exit status %d and\n%s%s\nwant 1 and one line with %s", status, stdout, stderr, want)
				}
			})
		}
	})
}

// TestCommands runs the commands that work on the state of a process, while it holds the
// bolt file, against serve and against the webhook function of each cloud.
func TestCommands(t *testing.T) {
	mustBuild(t, "webhook", "../../functions/webhook")
	must(t, buildTool())
	for name, start := range map[string]func(t *testing.T, env map[string]string) (url string){
		"serve": startServe,
		"scf": func(t *testing.T, env map[string]string) string {
			return startGo1(t, "webhook-scf", "webhook", env).Serve(scf.FunctionURL)
		},
		"lambda": func(t *testing.T, env map[string]string) string {
			return startLambda(t, "webhook-lambda", "webhook", env).Serve(lambda.FunctionURL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, env := newCommandsCloud(t)
			testCommands(t, cloud, start(t, env))
		})
	}
}

func testCommands(t *testing.T, cloud *localcloud.Cloud, url string) {
	// The commands know the server only, and neither its configuration nor its secrets.
	remote := map[string]string{"TOCSIN_URL": url, "TOCSIN_TOKEN": commandsSecrets["ONCALL_TOKEN"]}
	run := func(want int, args ...string) (stdout string) {
		t.Helper()
		status, stdout, stderr := tocsin(t, remote, args...)
		if status != want {
			t.Fatalf("tocsin %s: got exit status %d, want %d\n%s%s", strings.Join(args, " "), status, want, stdout, stderr)
		}
		return stdout + stderr
	}

	// No robot accepts this alert: it becomes a dead letter.
	res, body := send(t, "POST", url+"/api/v2/alerts", `[{"labels":{"alertname":"HostDown"}}]`,
		http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + commandsSecrets["ONCALL_TOKEN"]}})
	if res.StatusCode != http.StatusOK {
		t.Fatalf("got %s %s, want 200", res.Status, body)
	}
	var id string
	for deadline := time.Now().Add(time.Minute); id == ""; {
		if time.Now().After(deadline) {
			t.Fatal("got no dead letter within a minute, want one")
		}
		for line := range strings.Lines(run(0, "dead")) {
			if fields := strings.Fields(line); len(fields) > 6 && fields[3] == "ops" && fields[4] == "wecom_robot" && fields[5] == "1" && strings.Contains(line, "93000") {
				id = fields[0]
			}
		}
	}

	t.Run("a token that is bound to paths does not open it", func(t *testing.T) {
		for _, args := range [][]string{{"dead"}, {"lag"}, {"send", "--receiver", "ops"}} {
			status, stdout, stderr := tocsin(t, remote, append(args, "--token", commandsSecrets["HOOKS_TOKEN"])...)
			if status != 1 || stdout != "" || !strings.Contains(stderr, "TOCSIN_TOKEN") {
				t.Errorf("tocsin %v: got exit status %d and\n%s%s\nwant 1 and an error that names TOCSIN_TOKEN", args, status, stdout, stderr)
			}
		}
	})
	t.Run("lag", func(t *testing.T) {
		type row struct {
			Cluster string
			Group   string `json:"consumer_group"`
			Topic   string
			Lag     int
			State   string
		}
		var rows []row
		if out := run(0, "lag", "--cluster", "orders", "-o", "json"); json.Unmarshal([]byte(out), &rows) != nil {
			t.Fatalf("got %s, want JSON", out)
		}
		if want := []row{{"orders", "order-worker", "paid", 2001, "pending"}}; !slices.Equal(rows, want) {
			t.Errorf("got %+v, want %+v", rows, want)
		}
		if out := run(1, "lag", "--cluster", "other"); !strings.Contains(out, `no cluster is named "other"`) {
			t.Errorf("got %s, want an error with the cluster's name", out)
		}
	})
	t.Run("send shows the vendor's error", func(t *testing.T) {
		if out := run(1, "send", "--receiver", "ops"); !strings.Contains(out, "93000") || strings.Contains(out, "robot-secret-key") {
			t.Errorf("got %s, want the code 93000 and no key", out)
		}
		if out := run(1, "send", "--receiver", "运维/a b"); !strings.Contains(out, `no receiver is named "运维/a b"`) {
			t.Errorf("got %s, want an error with the receiver's name", out)
		}
	})

	delivered := make(chan wecom.Message, 10)
	cloud.WeCom.OnMessage(func(m wecom.Message) { delivered <- m })
	cloud.WeCom.Add("robot-secret-key")
	receive := func(part string) {
		t.Helper()
		select {
		case m := <-delivered:
			if !strings.Contains(m.Content, part) {
				t.Errorf("got message %s, want it to contain %s", m.Content, part)
			}
		case <-time.After(time.Minute):
			t.Fatal("got no message within a minute, want one")
		}
	}
	t.Run("send sends", func(t *testing.T) {
		if out := run(0, "send", "--receiver", "ops"); !strings.Contains(out, "accepted") || !strings.Contains(out, "这是一条测试消息") {
			t.Errorf("got %s, want the message and that it was accepted", out)
		}
		receive("这是一条测试消息")
	})
	t.Run("a dead letter is sent again", func(t *testing.T) {
		if out := run(1, "dead", "--resend", "nonsense"); !strings.Contains(out, `"nonsense"`) {
			t.Errorf("got %s, want an error with the id", out)
		}
		run(0, "dead", "--resend", "all")
		receive("HostDown")
		if out := run(0, "dead"); strings.Contains(out, "93000") {
			t.Errorf("got %s, want no dead letter", out)
		}
	})
	t.Run("the flag wins over the environment", func(t *testing.T) {
		other := maps.Clone(remote)
		other["TOCSIN_URL"] = "http://127.0.0.1:1"
		if status, _, stderr := tocsin(t, other, "dead"); status != 1 || !strings.Contains(stderr, "cannot reach http://127.0.0.1:1") {
			t.Errorf("got exit status %d and %s, want 1 and that it cannot be reached", status, stderr)
		}
		if status, _, stderr := tocsin(t, other, "dead", "--url", url+"/"); status != 0 {
			t.Errorf("got exit status %d and %s, want 0", status, stderr)
		}
	})
}
