package prometheus

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A real Prometheus with the example's rules scrapes a host, and a real `tocsin serve`
// with the example's configuration notifies a WeCom group, firing and resolved.
// Between the two are TLS, a token and a path prefix. The waits of the examples are
// shortened to a second.
func TestEndToEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	host := newHost(t)
	group := newGroup(t)
	tocsin := startTocsin(ctx, t, group.url)
	startPrometheus(ctx, t, host.address(), tocsin.URL)

	host.available.Store(30)
	message := group.next(ctx, t)
	for _, want := range []string{"告警", "HostMemoryLow", "127.0.0.1 可用内存只剩 3.0%", "project：oms", "级别：critical", "/graph?g0.expr="} {
		if !strings.Contains(message, want) {
			t.Errorf("memory low: got message\n%s\nwant %q in it", message, want)
		}
	}
	labels := map[string]string{"alertname": "HostMemoryLow", "instance": "127.0.0.1", "job": "node", "project": "oms"}
	states := map[string]string{}
	for _, a := range alerts(ctx, t, tocsin) {
		states[a.Labels["severity"]] = a.Status.State
		delete(a.Labels, "severity")
		if !maps.Equal(a.Labels, labels) {
			t.Errorf("got labels %v, want %v and a severity", a.Labels, labels)
		}
		if age := time.Since(a.StartsAt); age < 0 || age > time.Minute {
			t.Errorf("got an alert that started %v ago, want less than a minute", age)
		}
	}
	if want := map[string]string{"critical": "active", "warning": "suppressed"}; !maps.Equal(states, want) {
		t.Errorf("got states by severity %v, want %v", states, want)
	}

	host.available.Store(500)
	if message := group.next(ctx, t); !strings.Contains(message, "恢复") || !strings.Contains(message, "HostMemoryLow") {
		t.Errorf("memory recovered: got\n%s\nwant 恢复 and HostMemoryLow", message)
	}
	host.down.Store(true)
	if message := group.next(ctx, t); !strings.Contains(message, "告警") || !strings.Contains(message, "127.0.0.1 失联") {
		t.Errorf("host down: got\n%s\nwant 告警 and 127.0.0.1 失联", message)
	}
	host.down.Store(false)
	if message := group.next(ctx, t); !strings.Contains(message, "恢复") || !strings.Contains(message, "HostDown") {
		t.Errorf("host up: got\n%s\nwant 恢复 and HostDown", message)
	}
}

// host is a fake node_exporter.
type host struct {
	*httptest.Server
	// available is the available memory, in thousandths.
	available atomic.Int64
	down      atomic.Bool
}

func newHost(t *testing.T) *host {
	h := &host{}
	h.available.Store(500)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.down.Load() {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintf(w, "node_memory_MemTotal_bytes 1000\nnode_memory_MemAvailable_bytes %d\n", h.available.Load())
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) address() string { return h.Listener.Addr().String() }

// group is a WeCom group with a robot.
type group struct {
	url      string
	messages chan string
}

func newGroup(t *testing.T) *group {
	g := &group{messages: make(chan string, 100)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		g.messages <- string(body)
		io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
	}))
	t.Cleanup(s.Close)
	g.url = s.URL
	return g
}

func (g *group) next(ctx context.Context, t *testing.T) string {
	t.Helper()
	select {
	case m := <-g.messages:
		return m
	case <-ctx.Done():
		t.Fatal("got no message, want one")
		return ""
	}
}

const token = "secret-hook-token"

// startTocsin starts Tocsin and a TLS proxy in front of it.
func startTocsin(ctx context.Context, t *testing.T, robot string) *httptest.Server {
	dir := t.TempDir()
	config := edit(t, string(read(t, examples+"tocsin.yaml")),
		`https://qyapi\.weixin\.qq\.com`, robot,
		`group_wait: 30s`, `group_wait: 1s`,
		`group_interval: 5m`, `group_interval: 1s`)
	listening := start(ctx, t, dir, []string{"HOOK_TOKEN=" + token, "WECOM_KEY=key"}, `Listening on address=(\S+)`,
		"tocsin", "serve", "--config.file="+write(t, dir, "tocsin.yaml", config), "--web.listen-address=127.0.0.1:0", "--web.route-prefix=/tocsin")
	proxy := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: listening}))
	t.Cleanup(proxy.Close)
	return proxy
}

// startPrometheus starts a Prometheus that trusts the certificate of httptest's
// servers.
func startPrometheus(ctx context.Context, t *testing.T, host, tocsin string) {
	dir := t.TempDir()
	server := httptest.NewTLSServer(nil)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	server.Close()
	write(t, dir, "tocsin.token", token)
	write(t, dir, "rules.yml", edit(t, string(read(t, examples+"rules.yml")), `for: [25]m`, `for: 1s`))
	config := edit(t, string(read(t, examples+"prometheus.yml")),
		`interval: 15s`, `interval: 1s`,
		`"web-1\.example\.com:9100", "web-2\.example\.com:9100"`, fmt.Sprintf("%q", host),
		`"db-1\.example\.com:9100"`, ``,
		`alerts\.example\.com`, strings.TrimPrefix(tocsin, "https://"),
		`path_prefix: / `, `path_prefix: /tocsin `)
	start(ctx, t, dir, []string{"SSL_CERT_FILE=" + write(t, dir, "ca.pem", string(ca)), "SSL_CERT_DIR=" + dir}, `Server is (ready)`,
		"prometheus", "--config.file="+write(t, dir, "prometheus.yml", config), "--web.listen-address=127.0.0.1:0", "--storage.tsdb.path="+filepath.Join(dir, "data"))
}

// edit replaces the matches of patterns; each must match.
func edit(t *testing.T, text string, patternsAndTexts ...string) string {
	t.Helper()
	for i := 0; i < len(patternsAndTexts); i += 2 {
		pattern := regexp.MustCompile(patternsAndTexts[i])
		if !pattern.MatchString(text) {
			t.Fatalf("got no match of %s in the example, want one", pattern)
		}
		text = pattern.ReplaceAllLiteralString(text, patternsAndTexts[i+1])
	}
	return text
}

// start starts one of the programs and returns the submatch of pattern in its log,
// once it appears.
func start(ctx context.Context, t *testing.T, dir string, env []string, pattern, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	matched := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			t.Logf("%s: %s", program, lines.Text())
			if m := regexp.MustCompile(pattern).FindStringSubmatch(lines.Text()); m != nil {
				matched <- m[1]
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		cmd.Wait()
	})
	select {
	case s := <-matched:
		return s
	case <-ended:
		t.Fatalf("%s: got its end, want a log line that matches %s", program, pattern)
		return ""
	}
}

// gettableAlert is an alert in the answer of API v2.
type gettableAlert struct {
	Labels   map[string]string
	StartsAt time.Time
	Status   struct{ State string }
}

func alerts(ctx context.Context, t *testing.T, tocsin *httptest.Server) (list []gettableAlert) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, tocsin.URL+"/tocsin/api/v2/alerts", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := tocsin.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s and error %v, want 200 and alerts", resp.Status, err)
	}
	return list
}
