//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tocsin/pkg/host/agent"
)

const testToken = "0123456789abcdef-agent-token"

// testServer is the agents' API over TLS. It can be stopped and started again at
// the same address.
type testServer struct {
	t        *testing.T
	address  string
	server   *httptest.Server
	services string

	mu      sync.Mutex
	numbers []int // of the reports of the service Count
	arrived chan int
}

func (s *testServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+testToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodGet {
		fmt.Fprintf(w, `{"services": %s}`, s.services)
		return
	}
	var report struct {
		ServiceName string `json:"service_name"`
		Data        struct{ N int }
	}
	if err := json.NewDecoder(r.Body).Decode(&report); err != nil || r.URL.Path != "/agents/web-1/report" {
		s.t.Errorf("got a report at %s, %v, want a valid one at /agents/web-1/report", r.URL, err)
	}
	s.mu.Lock()
	if report.ServiceName == "Count" {
		s.numbers = append(s.numbers, report.Data.N)
		s.arrived <- report.Data.N
	}
	s.mu.Unlock()
	io.WriteString(w, `{"status":"ok"}`)
}

func (s *testServer) start() {
	s.t.Helper()
	s.server = httptest.NewUnstartedServer(s)
	if s.address != "" {
		l, err := net.Listen("tcp", s.address)
		if err != nil {
			s.t.Fatal(err)
		}
		s.server.Listener.Close()
		s.server.Listener = l
	}
	s.server.StartTLS()
	s.address = s.server.Listener.Addr().String()
}

func (s *testServer) stop() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// A plugin that counts its runs, in a file and through a pipe to the test.
const countPlugin = "#!/bin/sh\nn=$(($(cat last) + 1)); echo $n >last; echo n=$n; echo $n >runs\n"

// TestKilledAgentLosesNothing runs the real binary over TLS: the server stops, the
// agent is killed while reports wait, is started again, and the server returns.
// Only the report that was being written may be lost, the order is kept, and a
// plugin that hangs delays no other.
func TestKilledAgentLosesNothing(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "tocsin-agent")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := &testServer{t: t, services: `{"Count": ["count", 1], "Hang": ["hang", 1], "LinuxLoad": ["load", 1]}`, arrived: make(chan int, 1000)}
	s.start()
	defer func() { s.stop() }()

	dir := t.TempDir()
	plugins, state := filepath.Join(dir, "plugins"), filepath.Join(dir, "state")
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("plugins/count", countPlugin, 0o700)
	write("plugins/last", "0\n", 0o600)
	write("plugins/hang", "#!/bin/sh\nsleep 1000\n", 0o700)
	token := write("token", testToken+"\n", 0o600)
	certificate := write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})), 0o600)
	fifo := filepath.Join(plugins, "runs")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	runs, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer runs.Close()
	numbers := bufio.NewScanner(runs)
	// nextRun waits for the plugin's next run. The data of the run before are then
	// in the agent's buffer, as a plugin never runs concurrently.
	nextRun := func() int {
		if !numbers.Scan() {
			t.Fatal(numbers.Err())
		}
		n, err := strconv.Atoi(numbers.Text())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var log bytes.Buffer
	start := func() *exec.Cmd {
		cmd := exec.Command(binary, "--server", "https://"+s.address, "--id", "web-1", "--token-file", token, "--state", state, "--plugins", plugins)
		cmd.Env, cmd.Stderr = []string{"SSL_CERT_FILE=" + certificate}, &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}

	a := start()
	for <-s.arrived < 2 {
	}
	s.stop()
	last := 0
	for range 4 {
		last = nextRun()
	}
	if err := a.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = a.Wait()
	kept := last - 1

	a = start()
	for range 3 {
		last = nextRun()
	}
	status, err := agent.QueryStatus(t.Context(), state)
	if err != nil || status.Waiting < 4 || status.ReportError == "" {
		t.Errorf("got status %+v, %v while the server is stopped, want 4 or more reports waiting and an error", status, err)
	}
	s.start()
	for <-s.arrived < last {
	}
	if err := a.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(); err != nil {
		t.Errorf("got %v after SIGTERM, want exit status 0", err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.IsSorted(s.numbers) {
		t.Errorf("got reports %v, want them in order", s.numbers)
	}
	for n := 1; n <= last; n++ {
		if !slices.Contains(s.numbers, n) && n != kept+1 {
			t.Errorf("got reports %v, want %d among them (the agent was killed after %d)", s.numbers, n, kept)
		}
	}
	if duplicates := len(s.numbers) - len(slices.Compact(slices.Clone(s.numbers))); duplicates > 1 {
		t.Errorf("got %d duplicates in %v, want 1 at most", duplicates, s.numbers)
	}
	if text := log.String(); strings.Contains(text, testToken) || !strings.Contains(text, "reports cannot be delivered") || !strings.Contains(text, "reports are delivered again") {
		t.Errorf("got this log, want the outage, its end and no token:\n%s", text)
	}
	if t.Failed() {
		t.Logf("log:\n%s", &log)
	}
}

// call runs the command with an empty environment.
func call(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs, func(string) (string, bool) { return "", false })
	return status, out.String(), errs.String()
}

// triggerWriter calls do once, when want is written to it.
type triggerWriter struct {
	want string
	do   func()
	text strings.Builder
}

func (w *triggerWriter) Write(p []byte) (int, error) {
	w.text.Write(p)
	if w.do != nil && strings.Contains(w.text.String(), w.want) {
		do := w.do
		w.do = nil
		do()
	}
	return len(p), nil
}

func TestStatus(t *testing.T) {
	s := &testServer{t: t, services: `{"LinuxLoad": ["load", 1], "Other": ["other", 60]}`}
	server := httptest.NewServer(s)
	defer server.Close()
	state := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	log := &triggerWriter{want: "configuration applied", do: func() {
		defer cancel()
		status, out, errs := call(t, "status", "--state", state)
		for _, want := range []string{"web-1 reports to " + server.URL, "LinuxLoad", "load", "1s", "Other", "--plugins"} {
			if status != 0 || errs != "" || !strings.Contains(out, want) || strings.Contains(out, testToken) {
				t.Errorf("got exit status %d and\n%s%s\nwant 0 and %q", status, out, errs, want)
			}
		}
		var parsed agent.Status
		if _, text, _ := call(t, "status", "--state", state, "-o", "json"); json.Unmarshal([]byte(text), &parsed) != nil || parsed.ID != "web-1" || len(parsed.Services) != 2 {
			t.Errorf("got JSON %s, want web-1 with 2 services", text)
		}
	}}
	args := []string{"--server", server.URL, "--id", "web-1", "--state", state}
	env := map[string]string{"TOCSIN_AGENT_TOKEN": testToken}
	status := run(ctx, args, io.Discard, log, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if status != 0 || log.do != nil {
		t.Errorf("got exit status %d, configuration applied: %v; want 0 and true\n%s", status, log.do == nil, &log.text)
	}
}

// What a restart cannot correct has exit status 2: the systemd unit does not
// restart the agent then.
func TestExitStatus(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "token")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	to := func(server string, more ...string) []string {
		return append([]string{"--server", server, "--id", "web-1", "--state", state}, more...)
	}
	const server = "https://alerts.example.com"
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"no flags", nil, 2, "--server is missing"},
		{"unknown flag", to(server, "--sever", "x"), 2, "unknown flag: --sever"},
		{"no id", []string{"--server", server, "--token", "a"}, 2, "--id is missing"},
		{"long id", []string{"--server", server, "--token", "a", "--id", strings.Repeat("x", 257)}, 2, "--id is longer"},
		{"no token", to(server), 2, "the token is missing"},
		{"two tokens", to(server, "--token", "a", "--token-file", empty), 2, "both given"},
		{"empty token file", to(server, "--token-file", empty), 2, "--token-file is empty"},
		{"token of two lines", to(server, "--token", "a\nb"), 2, "a line break"},
		{"no token file", to(server, "--token-file", filepath.Join(dir, "none")), 1, "read the token"},
		{"host name instead of a URL", to("alerts.example.com", "--token", "a"), 2, "--server must begin with https://"},
		{"address instead of a URL", to("10.0.0.1:9093", "--token", "a"), 2, "--server is not a URL"},
		{"host and port instead of a URL", to("localhost:9093", "--token", "a"), 2, "--server must begin with https://"},
		{"wrong scheme", to("ftp://alerts.example.com", "--token", "a"), 2, "--server must begin with https://"},
		{"no host", to("https://", "--token", "a"), 2, "--server names no host"},
		{"port without a host", to("https://:9093", "--token", "a"), 2, "--server names no host"},
		{"path without a host", to("https:///agents", "--token", "a"), 2, "--server names no host"},
		{"port that is no number", to("https://alerts.example.com:http", "--token", "a"), 2, "--server is not a URL"},
		{"port that is too large", to("https://alerts.example.com:70000", "--token", "a"), 2, "--server has a port"},
		{"space in the host", to("https://alerts example.com", "--token", "a"), 2, "--server is not a URL"},
		{"password in the URL", to("https://u:p@alerts.example.com", "--token", "a"), 2, "without user"},
		{"buffer that is no size", to(server, "--token", "a", "--buffer", "many"), 2, "not a size"},
		{"buffer that is too small", to(server, "--token", "a", "--buffer", "1KiB"), 2, "--buffer is 1KiB"},
		{"argument", to(server, "--token", "a", "stats"), 2, "unexpected arguments"},
		{"state directory that is a file", []string{"--server", server, "--id", "web-1", "--token", "a", "--state", empty}, 1, "create the state directory"},
		{"status without an agent", []string{"status", "--state", dir}, 1, "no agent runs in"},
		{"status in an unknown format", []string{"status", "-o", "xml"}, 2, "must be table or json"},
		{"status with an argument", []string{"status", "now"}, 2, "unexpected arguments"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, out, errs := call(t, tt.args...)
			if status != tt.status || !strings.Contains(errs, tt.want) || out != "" {
				t.Errorf("got exit status %d and %q%q, want %d and %q", status, errs, out, tt.status, tt.want)
			}
			if strings.Contains(errs, "u:p") {
				t.Errorf("got %q, want no password in it", errs)
			}
		})
	}
}

// The help has each flag with its meaning, and an example that works.
func TestHelp(t *testing.T) {
	status, out, errs := call(t, "--help")
	for _, want := range []string{"--server", "--id", "--token", "--token-file", "--state", "--plugins", "--buffer", "64MiB", "Examples:\n  tocsin-agent --server https://"} {
		if status != 0 || errs != "" || !strings.Contains(out, want) {
			t.Errorf("got exit status %d and\n%s%s\nwant 0 and %q", status, out, errs, want)
		}
	}
	if status, out, _ := call(t, "--version"); status != 0 || out != "tocsin-agent version dev\n" {
		t.Errorf("got exit status %d and %q, want 0 and the version", status, out)
	}
}
