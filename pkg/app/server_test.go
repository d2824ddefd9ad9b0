package app_test

import (
	"context"
	"crypto/md5"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/localcloud/wecom"
)

// A posted alert is notified at once if its route has no group_wait; a reload
// changes the language, a faulty configuration changes nothing; the server stops in
// order.
func TestServer(t *testing.T) {
	ta := newTestApp(t)
	ta.stop() // the server opens the store
	ta.setLag(nil)
	text := configuration
	load := func() (*config.Config, error) {
		cfg, _, err := config.Parse("tocsin.yaml", []byte(text), func(string) (string, bool) { return "", false })
		return cfg, err
	}
	messages := make(chan wecom.Message, 10)
	ta.cloud.WeCom.OnMessage(func(m wecom.Message) { messages <- m })
	s, call, stop := ta.serve(load)
	wantMessage := func(want string) {
		t.Helper()
		select {
		case m := <-messages:
			if !strings.Contains(m.Content, want) {
				t.Errorf("got message\n%s\nwant %s in it", m.Content, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("got no message, want %s\n%s", want, ta.logs)
		}
	}
	call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"DiskFull","cluster":"c1"}}]`)
	wantMessage("DiskFull")
	if status := call("GET", "/api/v2/status", ""); !strings.Contains(status, `"name":"one"`) || !strings.Contains(status, `smtp_auth_password: \u003csecret\u003e`) || strings.Contains(status, "mail-secret") {
		t.Errorf("got status %s, want the name one and a masked password", status)
	}

	text = strings.Replace(configuration, "global:", "global:\n  language: en", 1)
	call("POST", "/-/reload", "")
	if got, want := ta.logs.String(), `msg="configuration reloaded"`; !strings.Contains(got, want) {
		t.Errorf("after a reload by HTTP: got logs\n%s\nwant %s in them", got, want)
	}
	call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"DiskFull","cluster":"c2"}}]`)
	wantMessage("FIRING")

	text = "nonsense: 1\n"
	var faults config.Faults
	if err := s.Reload(t.Context()); !errors.As(err, &faults) {
		t.Errorf("faulty configuration: got error %v, want config.Faults", err)
	}
	call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"DiskFull","cluster":"c3"}}]`)
	wantMessage("FIRING")

	stop()
	ta.start() // for the cleanup
}

// TestServerMetrics checks that reloads, polls and ticks are in the metrics of a server.
func TestServerMetrics(t *testing.T) {
	ta := newTestApp(t)
	ta.stop()
	ta.setLag(nil)
	text := configuration
	load := func() (*config.Config, error) {
		cfg, _, err := config.Parse("tocsin.yaml", []byte(text), func(string) (string, bool) { return "", false })
		return cfg, err
	}
	s, call, stop := ta.serve(load)
	defer ta.start() // for the cleanup
	defer stop()
	value := func(name string) string {
		t.Helper()
		for line := range strings.Lines(call("GET", "/metrics", "")) {
			if value, ok := strings.CutPrefix(line, name+" "); ok {
				return strings.TrimSpace(value)
			}
		}
		return "missing"
	}
	expect := func(when string, want map[string]string) {
		t.Helper()
		for name, want := range want {
			if got := value(name); got != want {
				t.Errorf("%s: got %s %s, want %s", when, name, got, want)
			}
		}
	}
	sum := md5.Sum([]byte(configuration)) // the first six bytes, the lowest first
	hash := 0.0
	for i := range 6 {
		hash = hash*256 + float64(sum[5-i])
	}
	wantHash := strconv.FormatFloat(hash, 'g', -1, 64)
	expect("at the start", map[string]string{
		"alertmanager_config_last_reload_successful": "1", "alertmanager_config_hash": wantHash,
		"alertmanager_cluster_enabled": "1", "alertmanager_cluster_members": "1",
	})
	for _, name := range []string{"alertmanager_config_last_reload_success_timestamp_seconds", "tocsin_last_tick_timestamp_seconds", `tocsin_poll_duration_seconds_count{cluster="orders"}`} {
		got := value(name)
		for end := time.Now().Add(10 * time.Second); got == "missing" && time.Now().Before(end); {
			got = value(name) // the first round runs alongside
		}
		if got == "missing" {
			t.Errorf("got no %s, want it after the first round", name)
		}
	}

	text = "nonsense: 1\n"
	if err := s.Reload(t.Context()); err == nil {
		t.Error("faulty configuration: got no error, want one")
	}
	expect("after a failed reload", map[string]string{"alertmanager_config_last_reload_successful": "0", "alertmanager_config_hash": wantHash})

	text = configuration + "\n# changed\n"
	if err := s.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	expect("after a reload", map[string]string{"alertmanager_config_last_reload_successful": "1"})
	if got := value("alertmanager_config_hash"); got == wantHash {
		t.Errorf("after a reload: got the hash %s of the old file, want another", got)
	}
}

// serve starts a Server and returns functions that call and stop it.
func (ta *testApp) serve(load func() (*config.Config, error)) (s *app.Server, call func(method, path, body string) string, stop func()) {
	t := ta.t
	t.Helper()
	s, err := app.NewServer(t.Context(), app.ServerOptions{
		Options: app.Options{
			Transport: app.Transport{Dial: ta.cloud.Network.DialContext, RootCAs: ta.cloud.Network.RootCAs()},
			Lookup:    func(string) (string, bool) { return "", false },
			Now:       time.Now, Log: slog.New(slog.NewTextHandler(ta.logs, nil)), Store: "bolt:" + ta.path + ".served",
		},
		Load: load, Name: "one", Address: "127.0.0.1:1",
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx, l) }()
	stop = func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stop: got error %v, want none", err)
		}
	}
	call = func(method, path, body string) string {
		t.Helper()
		r, err := http.NewRequest(method, "http://"+l.Addr().String()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, b, err)
		}
		return string(b)
	}
	return s, call, stop
}

// A channel that hangs does not delay the others.
func TestHangingChannelDelaysNoOther(t *testing.T) {
	ta := newTestApp(t)
	ta.stop()
	hangs, answers := make(chan struct{}, 1), make(chan struct{}, 1)
	release := make(chan struct{})
	if _, err := ta.cloud.Network.ServeHTTPS("hooks.example.com", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			hangs <- struct{}{}
			<-release
			return
		}
		answers <- struct{}{}
	})); err != nil {
		t.Fatal(err)
	}
	text := `
route:
  receiver: fast
  group_wait: 0s
  routes: [{receiver: slow, matchers: [alertname="Slow"]}]
receivers:
  - {name: slow, webhook_configs: [{url: "https://hooks.example.com/slow"}]}
  - {name: fast, webhook_configs: [{url: "https://hooks.example.com/fast"}]}
`
	_, call, stop := ta.serve(func() (*config.Config, error) {
		cfg, _, err := config.Parse("tocsin.yaml", []byte(text), func(string) (string, bool) { return "", false })
		return cfg, err
	})
	call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"Slow"}}]`)
	await := func(name string, happened <-chan struct{}) {
		t.Helper()
		select {
		case <-happened:
		case <-time.After(20 * time.Second):
			t.Errorf("got no request to %s, want one\n%s", name, ta.logs)
		}
	}
	await("/slow", hangs)
	call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"Fast"}}]`)
	await("/fast", answers)
	close(release)
	stop()
	ta.start()
}
