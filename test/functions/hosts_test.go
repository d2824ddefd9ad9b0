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

// agentProxy is a reverse proxy between agents and the webhook function. It can be
// disconnected. It records the numbers in the accepted reports of the plugin count, in
// order.
type agentProxy struct {
	proxy *httputil.ReverseProxy

	mu           sync.Mutex
	disconnected bool
	numbers      []int
	arrived      chan int
}

func (p *agentProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.mu.Lock()
	disconnected := p.disconnected
	p.mu.Unlock()
	if disconnected {
		panic(http.ErrAbortHandler) // closes the connection without a response
	}
	response := httptest.NewRecorder()
	p.proxy.ServeHTTP(response, r)
	var report struct {
		Service string `json:"service_name"`
		Data    struct{ N int }
	}
	if json.Unmarshal(body, &report) == nil && report.Service == "Count" && response.Code == http.StatusOK {
		p.mu.Lock()
		p.numbers = append(p.numbers, report.Data.N)
		p.mu.Unlock()
		p.arrived <- report.Data.N
	}
	for name, values := range response.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(response.Code)
	w.Write(response.Body.Bytes())
}

func (p *agentProxy) setConnected(connected bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disconnected = !connected
}

// TestHostsOnRedis runs the agent, the webhook function, which stores its reports in a
// Redis server, and the hosts function, which evaluates them. It checks that reports
// collected while the connection is down arrive later, completely and in order, although
// another plugin hangs; that HostOffline fires when the agent has ended; and that it
// resolves when the agent has started again.
func TestHostsOnRedis(t *testing.T) {
	must(t, build("webhook-hosts", scfTags, "../../functions/webhook"))
	must(t, build("hosts", scfTags, "../../functions/hosts"))
	must(t, build("tocsin", "", "../../cmd/tocsin"))
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{Mail: smtp.Config{Username: "a@example.com", Password: "p"}})
	must(t, err)
	defer cloud.Close()
	cloud.DingTalk.Add("robot-token", dingtalk.Robot{})
	dir, env := writeConfig(t, cloud, hostsConfig, map[string]string{"AGENT_TOKEN": agentToken, "DINGTALK_TOKEN": "robot-token"},
		"<redis>", redistest.Start(t).Addr, "<dingtalk>", cloud.DingTalkURL)
	webhook := startGo1(t, "webhook-hosts", "webhook", env)
	hosts := startGo1(t, "hosts", "hosts", env)
	webhookURL, err := url.Parse(webhook.Serve(scf.FunctionURL))
	must(t, err)
	proxy := &agentProxy{proxy: httputil.NewSingleHostReverseProxy(webhookURL), arrived: make(chan int, 1000)}
	server := httptest.NewServer(proxy)
	defer server.Close()
	plugin := newCountPlugin(t, filepath.Join(dir, "plugins"))
	token := filepath.Join(dir, "token")
	must(t, os.WriteFile(token, []byte(agentToken+"\n"), 0o600))

	startAgent := func() *exec.Cmd {
		cmd := exec.Command(binary("tocsin"), "agent", "--server", server.URL, "--id", "web-1", "--token-file", token, "--state", filepath.Join(dir, "state"), "--plugins", filepath.Join(dir, "plugins"))
		must(t, cmd.Start())
		return cmd
	}
	waitForReport := func(n int) {
		t.Helper()
		for {
			select {
			case i := <-proxy.arrived:
				if i >= n {
					return
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("got no report %d, want it within 30 s\n%s", n, webhook.Output())
			}
		}
	}
	// waitForNotification calls the hosts function, as its timer does, until
	// the robot has n messages.
	waitForNotification := func(n int, want string) {
		t.Helper()
		timeout := time.After(60 * time.Second)
		for range time.Tick(500 * time.Millisecond) {
			if result, err := hosts.Invoke(t.Context(), scfTimerEvent("minute"), scf.InvokeOptions{}); err != nil {
				t.Fatalf("hosts function: got result %s, error %v\n%s", result, err, hosts.Output())
			}
			all := cloud.DingTalk.Inbox()
			if len(all) == n {
				if got := all[n-1].Text; !strings.Contains(got, want) || !strings.Contains(got, "web-1.example.com") {
					t.Errorf("message %d: got %q, want %s and the host name", n, got, want)
				}
				return
			}
			select {
			case <-timeout:
				t.Fatalf("got %d messages, want %d: %+v\n%s", len(all), n, all, hosts.Output())
			default:
			}
		}
	}

	first := startAgent()
	defer first.Process.Kill()
	waitForReport(2)
	proxy.setConnected(false)
	plugin.waitForRun(5)
	proxy.setConnected(true)
	waitForReport(6)
	auth := http.Header{"Authorization": {"Bearer " + agentToken}, "Content-Type": {"application/json"}}
	res, body := send(t, "GET", webhookURL.String()+"/agents/web-1", "", auth)
	if res.StatusCode != 200 || !strings.Contains(string(body), `"state":"online"`) || !strings.Contains(string(body), `"load1"`) {
		t.Errorf("host: got %s, body %s; want it online with its load", res.Status, body)
	}
	res, _ = send(t, "POST", webhookURL.String()+"/agents/web-2/report", `{"client_id":"web-2","service_name":"Count","data":{}}`, auth)
	if res.StatusCode == 200 {
		t.Errorf("report for a host that the token is not bound to: got %s, want an error", res.Status)
	}

	must(t, first.Process.Signal(syscall.SIGTERM))
	if err := first.Wait(); err != nil {
		t.Errorf("agent: got %v, want exit status 0", err)
	}
	waitForNotification(1, "告警")
	second := startAgent()
	defer func() { second.Process.Kill(); second.Wait() }()
	waitForNotification(2, "恢复")

	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	want := make([]int, proxy.numbers[len(proxy.numbers)-1])
	for i := range want {
		want[i] = i + 1
	}
	if !slices.Equal(proxy.numbers, want) {
		t.Errorf("got reports %d, want each number once and in order", proxy.numbers)
	}
}

// countPlugin is a plugin of the agent that reports how often it has run, and
// another one that hangs.
type countPlugin struct{ runs *bufio.Scanner }

func newCountPlugin(t *testing.T, dir string) countPlugin {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	for name, script := range map[string]string{
		// The last command replaces the count, so that a run that is killed does not count.
		"count": "#!/bin/sh\nn=$(($(cat last) + 1)); echo n=$n; echo $n >runs; echo $n >next; exec mv next last\n",
		"hang":  "#!/bin/sh\nsleep 1000\n",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700))
	}
	must(t, os.WriteFile(filepath.Join(dir, "last"), []byte("0\n"), 0o600))
	runs := filepath.Join(dir, "runs")
	must(t, syscall.Mkfifo(runs, 0o600))
	pipe, err := os.OpenFile(runs, os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { pipe.Close() })
	return countPlugin{bufio.NewScanner(pipe)}
}

// waitForRun waits until the plugin has run n times.
func (p countPlugin) waitForRun(n int) {
	for p.runs.Scan() {
		if i, err := strconv.Atoi(p.runs.Text()); err != nil || i >= n {
			return
		}
	}
}
