package functions

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/localcloud/scf"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/store/redis/redistest"
)

const hostsConfig = `
store: {url: "redis://<redis>/0"}
webhook: {auth: {tokens: [{name: web-1, token: "${AGENT_TOKEN}", hosts: [web-1]}]}}
hosts:
  interval: 1s
  offline_after: 3s
  templates: [{name: linux, services: {Count: {plugin: count, interval: 1s}, Hang: {plugin: hang, interval: 1s}, LinuxLoad: {plugin: load, interval: 1s}}}]
  hosts: [{id: web-1, name: web-1.example.com, templates: [linux], labels: {project: oms}}]
route: {receiver: robot, group_by: [project], group_wait: 0s, group_interval: 1ms}
receivers: [{name: robot, dingtalk_configs: [{url: "<dingtalk>/robot/send?access_token=${DINGTALK_TOKEN}"}]}]
`

const agentToken = "agent-token-0123456789"

// The line between agents and the function. It can be unplugged, and knows the
// numbers that were taken in, in order.
type line struct {
	proxy *httputil.ReverseProxy

	mu      sync.Mutex
	cut     bool
	numbers []int
	arrived chan int
}

func (l *line) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	l.mu.Lock()
	cut := l.cut
	l.mu.Unlock()
	if cut {
		panic(http.ErrAbortHandler) // the connection ends without an answer
	}
	answer := httptest.NewRecorder()
	l.proxy.ServeHTTP(answer, r)
	var report struct {
		Service string `json:"service_name"`
		Data    struct{ N int }
	}
	if json.Unmarshal(body, &report) == nil && report.Service == "Count" && answer.Code == http.StatusOK {
		l.mu.Lock()
		l.numbers = append(l.numbers, report.Data.N)
		l.mu.Unlock()
		l.arrived <- report.Data.N
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

func (l *line) plug(in bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = !in
}

// The real agent reports to the built webhook function, and the built hosts
// function watches, with a Redis between them. The line is cut: what is collected
// meanwhile arrives afterwards, all of it and in order, past a plugin that hangs.
// The agent ends: its host is told to be offline. It is back: so is that.
func TestHostsOnRedis(t *testing.T) {
	for name, folder := range map[string]string{"webhook-hosts": "../../functions/webhook", "hosts": "../../functions/hosts"} {
		if err := build(name, forSCF, folder); err != nil {
			t.Fatal(err)
		}
	}
	if err := build("tocsin", "", "../../cmd/tocsin"); err != nil {
		t.Fatal(err)
	}
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{Mail: smtp.Config{Username: "a@example.com", Password: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	cloud.DingTalk.Add("robot-token", dingtalk.Robot{})
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	env := map[string]string{
		"TOCSIN_CONFIG": write("tocsin.yaml", strings.NewReplacer("<redis>", redistest.Start(t).Addr, "<dingtalk>", cloud.DingTalkURL).Replace(hostsConfig), 0o600),
		"SSL_CERT_FILE": write("ca.pem", string(cloud.Network.CAPEM()), 0o600), "SSL_CERT_DIR": dir,
		"AGENT_TOKEN": agentToken, "DINGTALK_TOKEN": "robot-token",
	}
	webhook, err := scf.StartGo1(t.Context(), scf.Options{Binary: binary("webhook-hosts"), Name: "webhook", Env: env})
	if err != nil {
		t.Fatal(err)
	}
	defer webhook.Close()
	hosts, err := scf.StartGo1(t.Context(), scf.Options{Binary: binary("hosts"), Name: "hosts", Env: env})
	if err != nil {
		t.Fatal(err)
	}
	defer hosts.Close()
	front, err := url.Parse(webhook.Serve(scf.FunctionURL))
	if err != nil {
		t.Fatal(err)
	}
	l := &line{proxy: httputil.NewSingleHostReverseProxy(front), arrived: make(chan int, 1000)}
	server := httptest.NewServer(l)
	defer server.Close()

	write("plugins/count", "#!/bin/sh\nn=$(($(cat last) + 1)); echo $n >last; echo n=$n; echo $n >made\n", 0o700)
	write("plugins/last", "0\n", 0o600)
	write("plugins/hang", "#!/bin/sh\nsleep 1000\n", 0o700)
	token := write("token", agentToken+"\n", 0o600)
	made := filepath.Join(dir, "plugins/made")
	if err := syscall.Mkfifo(made, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(made, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	runs := bufio.NewScanner(pipe)
	collected := func(n int) { // waits until the plugin has run so often
		t.Helper()
		for runs.Scan() {
			if i, err := strconv.Atoi(runs.Text()); err != nil || i >= n {
				return
			}
		}
	}
	arrived := func(n int) {
		t.Helper()
		for {
			select {
			case i := <-l.arrived:
				if i >= n {
					return
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("report %d does not arrive\n%s", n, webhook.Output())
			}
		}
	}
	agent := func() *exec.Cmd {
		cmd := exec.Command(binary("tocsin"), "agent", "--server", server.URL, "--id", "web-1", "--token-file", token, "--state", filepath.Join(dir, "state"), "--plugins", filepath.Join(dir, "plugins"))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	// told has the timer call the hosts function until the robot has said so much.
	told := func(n int, what string) {
		t.Helper()
		end := time.After(60 * time.Second)
		for range time.Tick(500 * time.Millisecond) {
			if answer, err := hosts.Invoke(t.Context(), scfTimer("minute"), scf.InvokeOptions{}); err != nil {
				t.Fatalf("%s %v\n%s", answer, err, hosts.Output())
			}
			all := cloud.DingTalk.Inbox()
			if len(all) == n {
				if !strings.Contains(all[n-1].Text, what) || !strings.Contains(all[n-1].Text, "web-1.example.com") {
					t.Errorf("said %q, want %s in it", all[n-1].Text, what)
				}
				return
			}
			select {
			case <-end:
				t.Fatalf("said %d times, want %d: %+v\n%s", len(all), n, all, hosts.Output())
			default:
			}
		}
	}

	first := agent()
	defer first.Process.Kill()
	arrived(2)
	l.plug(false)
	collected(5)
	l.plug(true)
	arrived(6)
	res, body := do(t, "GET", front.String()+"/agents/web-1", "", http.Header{"Authorization": {"Bearer " + agentToken}})
	if res.StatusCode != 200 || !strings.Contains(string(body), `"state":"online"`) || !strings.Contains(string(body), `"load1"`) {
		t.Errorf("%s %s", res.Status, body)
	}
	if res, _ := do(t, "POST", front.String()+"/agents/web-2/report", `{"client_id":"web-2","service_name":"Count","data":{}}`, http.Header{"Authorization": {"Bearer " + agentToken}, "Content-Type": {"application/json"}}); res.StatusCode == 200 {
		t.Error("a token reports for a host that it is not bound to")
	}

	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); err != nil {
		t.Error("the agent's end:", err)
	}
	told(1, "告警")
	second := agent()
	defer func() { second.Process.Kill(); second.Wait() }()
	told(2, "恢复")

	l.mu.Lock()
	defer l.mu.Unlock()
	want := make([]int, l.numbers[len(l.numbers)-1])
	for i := range want {
		want[i] = i + 1
	}
	if !slices.Equal(l.numbers, want) {
		t.Errorf("arrived %d, want each number once and in order", l.numbers)
	}
}
