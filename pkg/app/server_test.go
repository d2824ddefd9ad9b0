package app_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
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
