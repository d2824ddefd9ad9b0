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

// An alert that is posted is in the group within the moment when its route does
// not wait; a reload changes what is said, a faulty one changes nothing; and the
// end is orderly.
func TestServer(t *testing.T) {
	w := newWorld(t)
	w.stop() // the world's own App: the server has the store now
	w.lag(nil)
	text := configuration
	load := func() (*config.Config, error) {
		cfg, _, err := config.Parse("tocsin.yaml", []byte(text), func(string) (string, bool) { return "", false })
		return cfg, err
	}
	messages := make(chan wecom.Message, 10)
	w.cloud.WeCom.OnMessage(func(m wecom.Message) { messages <- m })
	s, call, end := w.serve(load)
	said := func(want string) {
		t.Helper()
		select {
		case m := <-messages:
			if !strings.Contains(m.Content, want) {
				t.Errorf("said\n%s\nwant %s in it", m.Content, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing was said\n%s", w.logs)
		}
	}
	call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"DiskFull","cluster":"c1"}}]`)
	said("DiskFull")
	if status := call("GET", "/api/v2/status", ""); !strings.Contains(status, `"name":"one"`) || !strings.Contains(status, `smtp_auth_password: \u003csecret\u003e`) || strings.Contains(status, "mail-secret") {
		t.Errorf("status %s", status)
	}

	text = strings.Replace(configuration, "global:", "global:\n  language: en", 1)
	call("POST", "/-/reload", "")
	call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"DiskFull","cluster":"c2"}}]`)
	said("FIRING")

	text = "nonsense: 1\n"
	var faults config.Faults
	if err := s.Reload(t.Context()); !errors.As(err, &faults) {
		t.Errorf("a faulty configuration: %v", err)
	}
	call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"DiskFull","cluster":"c3"}}]`)
	said("FIRING")

	end()
	w.start() // for the world's own end
}

// serve starts a server and returns how to call it, and how to end it.
func (w *world) serve(load func() (*config.Config, error)) (s *app.Server, call func(method, path, body string) string, end func()) {
	t := w.t
	t.Helper()
	s, err := app.NewServer(t.Context(), app.ServerOptions{
		Options: app.Options{
			Outside: app.Outside{Dial: w.cloud.Network.DialContext, RootCAs: w.cloud.Network.RootCAs()},
			Lookup:  func(string) (string, bool) { return "", false },
			Now:     time.Now, Log: slog.New(slog.NewTextHandler(w.logs, nil)), Store: "bolt:" + w.path + ".served",
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
	end = func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the end: %v", err)
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
	return s, call, end
}

// While one channel does not answer, the others are told what is due meanwhile.
func TestSlowChannelHoldsNobodyUp(t *testing.T) {
	w := newWorld(t)
	w.stop()
	hangs, answers := make(chan struct{}, 1), make(chan struct{}, 1)
	release := make(chan struct{})
	if _, err := w.cloud.Network.ServeHTTPS("hooks.example.com", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
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
	_, call, end := w.serve(func() (*config.Config, error) {
		cfg, _, err := config.Parse("tocsin.yaml", []byte(text), func(string) (string, bool) { return "", false })
		return cfg, err
	})
	call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"Slow"}}]`)
	await := func(what string, happened <-chan struct{}) {
		t.Helper()
		select {
		case <-happened:
		case <-time.After(20 * time.Second):
			t.Errorf("waited in vain for %s\n%s", what, w.logs)
		}
	}
	await("the slow one", hangs)
	call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"Fast"}}]`)
	await("the fast one", answers)
	close(release)
	end()
	w.start()
}
