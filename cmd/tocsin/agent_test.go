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

const agentToken = "0123456789abcdef-agent-token"

// agentServer is the server of the agents, over TLS, at an address to which it
// comes back.
type agentServer struct {
	t        *testing.T
	address  string
	server   *httptest.Server
	services string

	mu      sync.Mutex
	numbers []int // what Count reported
	arrived chan int
}

func (s *agentServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+agentToken {
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
		s.t.Errorf("%s: %v", r.URL, err)
	}
	s.mu.Lock()
	if report.ServiceName == "Count" {
		s.numbers = append(s.numbers, report.Data.N)
		s.arrived <- report.Data.N
	}
	s.mu.Unlock()
	io.WriteString(w, `{"status":"ok"}`)
}

// plug starts the server, at the address that it had before.
func (s *agentServer) plug() {
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

func (s *agentServer) unplug() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// The real program, over TLS: the server goes away, the agent is killed while it
// keeps reports, another one goes on, the server comes back. Nothing is lost but
// what was being collected at that moment, and the order is kept. A plugin that
// hangs disturbs nothing. SIGTERM ends it in order.
func TestAgentIsKilled(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "tocsin")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := &agentServer{t: t, services: `{"Count": ["count", 1], "Hang": ["hang", 1], "LinuxLoad": ["load", 1]}`, arrived: make(chan int, 1000)}
	s.plug()
	defer func() { s.unplug() }()

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
	write("plugins/count", "#!/bin/sh\nn=$(($(cat last) + 1)); echo $n >last; echo n=$n; echo $n >made\n", 0o700)
	write("plugins/last", "0\n", 0o600)
	write("plugins/hang", "#!/bin/sh\nsleep 1000\n", 0o700)
	token := write("token", agentToken+"\n", 0o600)
	certificate := write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})), 0o600)
	fifo := filepath.Join(plugins, "made")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	numbers := bufio.NewScanner(made)
	// next waits until the plugin has run again: what it made before is with the
	// agent, as it never runs twice at a time.
	next := func() int {
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
		cmd := exec.Command(binary, "agent", "--server", "https://"+s.address, "--id", "web-1", "--token-file", token, "--state", state, "--plugins", plugins)
		cmd.Env, cmd.Stderr = []string{"SSL_CERT_FILE=" + certificate}, &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}

	a := start()
	for <-s.arrived < 2 {
	}
	s.unplug()
	last := 0
	for range 4 {
		last = next()
	}
	if err := a.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = a.Wait()
	kept := last - 1

	a = start()
	for range 3 {
		last = next()
	}
	status, err := agent.QueryStatus(t.Context(), state)
	if err != nil || status.Waiting < 4 || status.ReportError == "" {
		t.Errorf("status while the server is away: %+v, %v", status, err)
	}
	s.plug()
	for <-s.arrived < last {
	}
	if err := a.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.IsSorted(s.numbers) {
		t.Errorf("%v are not in order", s.numbers)
	}
	for n := 1; n <= last; n++ {
		if !slices.Contains(s.numbers, n) && n != kept+1 {
			t.Errorf("%d is lost of %v; the agent was killed after %d", n, s.numbers, kept)
		}
	}
	if twice := len(s.numbers) - len(slices.Compact(slices.Clone(s.numbers))); twice > 1 {
		t.Errorf("%d came twice of %v", twice, s.numbers)
	}
	if text := log.String(); strings.Contains(text, agentToken) || !strings.Contains(text, "reports are kept") || !strings.Contains(text, "reports are sent again") {
		t.Errorf("the log:\n%s", text)
	}
	if t.Failed() {
		t.Logf("the log:\n%s", &log)
	}
}

// The status of a running agent as a person and as a program sees it.
func TestAgentStatus(t *testing.T) {
	s := &agentServer{t: t, services: `{"LinuxLoad": ["load", 1], "Other": ["other", 60]}`}
	server := httptest.NewServer(s)
	defer server.Close()
	state := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	log := &watchWriter{want: "in force", found: func() {
		defer cancel()
		r := runTool(t, "agent", "status", "--state", state)
		status, out, errs := r.status, r.stdout, r.stderr
		for _, want := range []string{"web-1 reports to " + server.URL, "LinuxLoad", "load", "1s", "Other", "--plugins"} {
			if status != 0 || errs != "" || !strings.Contains(out, want) || strings.Contains(out, agentToken) {
				t.Errorf("exit %d; it does not say %q:\n%s%s", status, want, out, errs)
			}
		}
		var parsed agent.Status
		if text := runTool(t, "agent", "status", "--state", state, "-o", "json").stdout; json.Unmarshal([]byte(text), &parsed) != nil || parsed.ID != "web-1" || len(parsed.Services) != 2 {
			t.Errorf("as JSON: %s", text)
		}
	}}
	args := []string{"agent", "--server", server.URL, "--id", "web-1", "--state", state}
	env := map[string]string{"TOCSIN_AGENT_TOKEN": agentToken}
	if status := run(ctx, args, io.Discard, log, lookupIn(env)); status != 0 || !log.seen {
		t.Errorf("exit %d\n%s", status, &log.text)
	}
}

func TestAgentUsage(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	where := []string{"--server", "https://alerts.example.com", "--id", "web-1", "--state", filepath.Join(dir, "state")}
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "--server"},
		{where[:2], 2, "--id"},
		{where, 2, "--token-file"},
		{append(where, "--token", "a", "--token-file", file), 2, "both given"},
		{append(where, "--token-file", file), 1, "no token"},
		{append(where, "--token-file", filepath.Join(dir, "none")), 1, "read the token"},
		{append(where, "--token", "a", "--buffer", "many"), 2, "not a size"},
		{append(where, "--token", "a", "--buffer", "1KiB"), 1, "--buffer"},
		{append(where, "--token", "a", "stats"), 2, "arguments"},
		{[]string{"status", "--state", dir}, 1, "no agent answers"},
		{[]string{"status", "-o", "xml"}, 2, "table or json"},
	} {
		r := runTool(t, append([]string{"agent"}, test.args...)...)
		status, out, errs := r.status, r.stdout, r.stderr
		if status != test.status || !strings.Contains(errs, test.want) || out != "" {
			t.Errorf("%q: exit %d, %s%s; want %d and %q", test.args, status, out, errs, test.status, test.want)
		}
	}
}

// What the start of the program needed is given back, and is there again when it
// is needed.
func TestUnmapProgram(t *testing.T) {
	if err := unmapProgram(); err != nil {
		t.Error(err)
	}
	TestAgentUsage(t)
}
