// Package upgrade tests that this version continues from a store that an earlier
// version has written.
//
// The stores in testdata were written by commit 8a53987, the last one before packages were
// renamed, with testdata/tocsin.yaml. From 02:00 to 02:10 it received alerts, silences and
// reports of hosts, and polled a lagging Kafka cluster. One receiver responded with 503,
// one with 404, and the others accepted their notifications. The stores contain every
// kind of key of that version, except a lockout of DingTalk. tocsin.db.gz is the bolt
// file. tocsin.redis.gz has one Redis command per line, as a JSON array of words in
// base64.
package upgrade

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/store/redis/redistest"
)

// The tokens of testdata/tocsin.yaml.
const userToken = "prometheus-token"

var hostTokens = map[string]string{"web-1": "web-token-0123456789", "web-2": "web-token-0123456789", "db-9": "fleet-token-0123456789"}

// minutes returns a time after 02:00, when the state in testdata begins.
func minutes(m float64) time.Time {
	return time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC).Add(time.Duration(m * float64(time.Minute)))
}

// unzip returns the content of a file in testdata.
func unzip(t *testing.T, name string) []byte {
	t.Helper()
	packed, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func openBolt(t *testing.T) (url string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tocsin.db")
	if err := os.WriteFile(path, unzip(t, "tocsin.db.gz"), 0o600); err != nil {
		t.Fatal(err)
	}
	return "bolt:" + path
}

func openRedis(t *testing.T) (url string) {
	t.Helper()
	server := redistest.Start(t)
	c, err := redis.Dial("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	lines := bufio.NewScanner(bytes.NewReader(unzip(t, "tocsin.redis.gz")))
	for lines.Scan() {
		words := decode[[][]byte](t, lines.Bytes())
		args := make([]any, len(words)-1)
		for i, word := range words[1:] {
			args[i] = word
		}
		if _, err := c.Do(string(words[0]), args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return server.URL()
}

// instance is this version on a store, with the services that it uses. Every call opens
// the store and closes it again.
type instance struct {
	url     string
	cloud   *localcloud.Cloud
	hooks   *hooks
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	edit    *strings.Replacer // of the configuration
	silence string            // the id of the active silence
}

func newInstance(t *testing.T, url string, edit *strings.Replacer) *instance {
	t.Helper()
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "cloud-secret-key"})
	cloud.WeCom.Add("robot-secret-key")
	cloud.WeComApps.Add(wecom.App{CorpID: "ww0123456789abcdef", Secret: "app-secret-0123456789", AgentID: 1000002, Users: []string{"u1"}})
	hooks := &hooks{}
	server := httptest.NewServer(hooks)
	t.Cleanup(server.Close)
	in := &instance{url: url, cloud: cloud, hooks: hooks, edit: edit, dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "hooks.example.com:80" {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		}
		return cloud.Network.DialContext(ctx, network, addr)
	}}
	in.setLag(t, 5000)
	return in
}

func (in *instance) setLag(t *testing.T, n int64) {
	t.Helper()
	in.cloud.Tencent.AddInstance(lagOf(n))
}

func (in *instance) load() (*config.Config, error) {
	path := filepath.Join("testdata", "tocsin.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, _, err := config.Parse(path, []byte(in.edit.Replace(string(text))), func(string) (string, bool) { return "", false })
	return c, err
}

func (in *instance) options(t *testing.T, now time.Time) app.Options {
	return app.Options{
		Transport: app.Transport{Dial: in.dial, RootCAs: in.cloud.Network.RootCAs()},
		Lookup:    func(string) (string, bool) { return "", false },
		Now:       func() time.Time { return now },
		Log:       slog.New(slog.NewTextHandler(t.Output(), nil)),
		Store:     in.url,
	}
}

// caller sends a request with a token and returns the body of the response, whose status
// must be 200.
type caller func(method, path, token, body string) []byte

// serve calls do with a server at now.
func (in *instance) serve(t *testing.T, now time.Time, do func(caller)) {
	t.Helper()
	s, err := app.NewServer(t.Context(), app.ServerOptions{Options: in.options(t, now), Load: in.load, Name: "new", Address: "10.0.0.2:9093"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	do(func(method, path, token, body string) []byte {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatalf("%s %s: got %d %s, want 200", method, path, w.Code, w.Body)
		}
		return w.Body.Bytes()
	})
}

// post posts alerts.
func (in *instance) post(t *testing.T, now time.Time, alerts ...string) {
	t.Helper()
	in.serve(t, now, func(call caller) {
		call(http.MethodPost, "/api/v2/alerts", userToken, "["+strings.Join(alerts, ",")+"]")
	})
}

// report posts a host's CPU usage.
func (in *instance) report(t *testing.T, now time.Time, id string, cpu int) {
	t.Helper()
	in.serve(t, now, func(call caller) {
		call(http.MethodPost, "/agents/"+id+"/report", hostTokens[id],
			fmt.Sprintf(`{"client_id":%q,"service_name":"LinuxCPU","data":{"usage_percent":%d}}`, id, cpu))
	})
}

// application is an App at a time.
type application struct {
	*app.App
	now time.Time
}

// open calls do with an App at now.
func (in *instance) open(t *testing.T, now time.Time, do func(*application)) {
	t.Helper()
	cfg, err := in.load()
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), cfg, in.options(t, now))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	do(&application{a, now})
}

// tick runs the lag and the hosts function once, and returns how many messages were
// sent and how many notifications are pending.
func (in *instance) tick(t *testing.T, now time.Time) (sent, pending int) {
	t.Helper()
	in.open(t, now, func(a *application) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		lag, lagErr := a.Lag(ctx, now)
		hosts, hostsErr := a.Hosts(ctx, now)
		if err := errors.Join(lagErr, hostsErr); err != nil {
			t.Fatal(err)
		}
		sent, pending = lag.Sent+hosts.Sent, hosts.Pending
	})
	return sent, pending
}

// deadLetters returns the ids of the dead letters and a line about each.
func (a *application) deadLetters(t *testing.T) (ids, lines []string) {
	t.Helper()
	letters, err := a.DeadLetters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		ids = append(ids, l.ID)
		lines = append(lines, fmt.Sprintf("%s %s %s %s %q", l.Receiver, l.Channel, l.Group, l.Time.Format(time.TimeOnly), l.Cause))
	}
	return ids, lines
}

func (a *application) resend(t *testing.T, id string) {
	t.Helper()
	if err := a.Resend(t.Context(), a.now, id); err != nil {
		t.Fatal(err)
	}
}

// hooks receives webhooks and accepts them all.
type hooks struct {
	mu  sync.Mutex
	got []string
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Status      string
		GroupLabels map[string]string
		Alerts      []struct{}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, fmt.Sprintf("%s %s %s %d", strings.TrimPrefix(r.URL.Path, "/"), body.Status, body.GroupLabels["alertname"], len(body.Alerts)))
}

// take returns the webhooks since the last call, sorted: "receiver status group count".
func (h *hooks) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.got
	h.got = nil
	slices.Sort(got)
	return got
}
