package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/metrics"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// t0 is the time at the start of every test.
var t0 = time.Date(2026, 11, 20, 22, 0, 0, 123_456_789, time.UTC)

// testAPI is an API with its engine, store and clock.
type testAPI struct {
	t       testing.TB
	now     time.Time
	store   *failingStore
	engine  *dispatch.Engine
	api     http.Handler
	flushes int
	logs    logs
}

// newTestAPI returns an API with three receivers. The changes are applied to its
// options.
func newTestAPI(t testing.TB, changes ...func(*api.Options)) *testAPI {
	t.Helper()
	a := &testAPI{t: t, now: t0, store: &failingStore{Store: memory.New()}}
	log := slog.New(slog.NewTextHandler(&a.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	wait := setting.Duration(time.Second)
	all := route.TimeInterval{Name: "always", TimeIntervals: []route.TimesConfig{{Times: []route.TimeRangeConfig{{StartTime: "00:00", EndTime: "24:00"}}}}}
	var err error
	a.engine, err = dispatch.New(a.store, dispatch.Config{
		Route: &route.Config{
			Receiver: "ops", GroupBy: []string{"alertname"}, GroupWait: &wait, Labels: map[string]string{"tier": "a"},
			Routes: []*route.Config{
				{Receiver: "dba", Matchers: []string{`team="db"`}, Continue: true},
				{Receiver: "night", Matchers: []string{`team="db"`}, MuteTimeIntervals: []string{"always"}},
			},
		},
		Receivers:     []*outbox.Receiver{{Name: "ops"}, {Name: "dba"}, {Name: "night"}},
		InhibitRules:  []inhibit.Rule{{SourceMatchers: []string{`severity="critical"`}, TargetMatchers: []string{`severity="warning"`}, Equal: []string{"zone"}}},
		TimeIntervals: []route.TimeInterval{all},
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	o := api.Options{
		Engine: a.engine, Now: func() time.Time { return a.now }, Log: log, Metrics: &metrics.Registry{},
		Flush:     func(context.Context) error { a.flushes++; return nil },
		Receivers: []api.Receiver{{Name: "ops"}, {Name: "dba", Labels: map[string]string{"owner": "data"}}, {Name: "night"}},
		Started:   t0,
		// The host of requests by httptest.
		ExternalURL: "http://example.com",
	}
	for _, change := range changes {
		change(&o)
	}
	a.api = api.New(o)
	return a
}

// request sends a request. Headers are pairs of names and values.
func (a *testAPI) request(method, path string, body io.Reader, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, body)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return a.serve(r)
}

func (a *testAPI) serve(r *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	a.api.ServeHTTP(rec, r)
	return rec.Result()
}

func (a *testAPI) get(path string) (int, string) {
	a.t.Helper()
	return a.read(a.request(http.MethodGet, path, nil))
}

func (a *testAPI) post(path, body string) (int, string) {
	a.t.Helper()
	return a.read(a.request(http.MethodPost, path, strings.NewReader(body), "Content-Type", "application/json"))
}

// read returns the status and the body of a response.
func (a *testAPI) read(r *http.Response) (int, string) {
	a.t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return r.StatusCode, strings.TrimSuffix(string(body), "\n")
}

// mustPost posts a body that must be accepted.
func (a *testAPI) mustPost(path, body string) string {
	a.t.Helper()
	status, response := a.post(path, body)
	if status != http.StatusOK {
		a.t.Fatalf("POST %s %s: got %d %s, want 200", path, body, status, response)
	}
	return response
}

// hook posts a message to a hook.
func (a *testAPI) hook(path, media, body string) (int, string) {
	a.t.Helper()
	return a.read(a.request(http.MethodPost, path, strings.NewReader(body), "Content-Type", media))
}

// mustHook posts a message that a hook must accept.
func (a *testAPI) mustHook(path, media, body string) string {
	a.t.Helper()
	status, response := a.hook(path, media, body)
	if status != http.StatusOK {
		a.t.Fatalf("POST %s %s: got %d %s, want 200", path, body, status, response)
	}
	return response
}

// shownAlert is an alert in a response of API v2.
type shownAlert struct {
	Labels, Annotations map[string]string
	StartsAt, EndsAt    time.Time
}

// alerts returns the firing alerts.
func (a *testAPI) alerts() []shownAlert {
	a.t.Helper()
	var all []shownAlert
	_, body := a.get("/api/v2/alerts")
	decode(a.t, body, &all)
	return all
}

// expectAlerts compares the number of firing alerts, and returns them.
func (a *testAPI) expectAlerts(want int) []shownAlert {
	a.t.Helper()
	all := a.alerts()
	if len(all) != want {
		a.t.Fatalf("got %d firing alerts %+v, want %d", len(all), all, want)
	}
	return all
}

// silence creates a silence and returns its id.
func (a *testAPI) silence(body string) string {
	a.t.Helper()
	var response struct{ SilenceID string }
	decode(a.t, a.mustPost("/api/v2/silences", body), &response)
	return response.SilenceID
}

// expect compares the status of a response and a part of its body, and returns the
// body.
func (a *testAPI) expect(r *http.Response, status int, part string) string {
	a.t.Helper()
	got, body := a.read(r)
	if got != status || !strings.Contains(body, part) {
		a.t.Errorf("got %d %s, want %d with %s", got, body, status, part)
	}
	return body
}

// expectFlushes compares the number of flushes.
func (a *testAPI) expectFlushes(want int) {
	a.t.Helper()
	if a.flushes != want {
		a.t.Errorf("flushed %d times, want %d", a.flushes, want)
	}
}

func decode(t testing.TB, body string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
}

// sameJSON reports whether two texts are the same JSON apart from white space.
func sameJSON(t testing.TB, got, want string) bool {
	t.Helper()
	normalize := func(s string) string {
		var v any
		decode(t, s, &v)
		b, _ := json.Marshal(v)
		return string(b)
	}
	return normalize(got) == normalize(want)
}

// failingStore is a store whose reads fail with err or panic, once set.
type failingStore struct {
	store.Store
	err   error
	panic string
}

func (f *failingStore) failure() error {
	if f.panic != "" {
		panic(f.panic)
	}
	return f.err
}

func (f *failingStore) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := f.failure(); err != nil {
		return nil, err
	}
	return f.Store.Get(ctx, keys...)
}

func (f *failingStore) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	if err := f.failure(); err != nil {
		return nil, err
	}
	return f.Store.List(ctx, prefix, after, limit)
}

// logs is a log that can be read concurrently.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *logs) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }
