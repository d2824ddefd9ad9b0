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
	"tocsin/pkg/metrics"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// t0 is when every test begins.
var t0 = time.Date(2026, 11, 20, 22, 0, 0, 123_456_789, time.UTC)

// world is an API on an engine on a store, and its clock.
type testAPI struct {
	t       testing.TB
	now     time.Time
	store   *failingStore
	engine  *dispatch.Engine
	api     http.Handler
	flushes int
	logs    logs
}

// newWorld builds the API; the changes are made to its options.
func newTestAPI(t testing.TB, changes ...func(*api.Options)) *testAPI {
	t.Helper()
	w := &testAPI{t: t, now: t0, store: &failingStore{Store: memory.New()}}
	log := slog.New(slog.NewTextHandler(&w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	wait := setting.Duration(time.Second)
	all := dispatch.TimeInterval{Name: "always", TimeIntervals: []dispatch.TimesConfig{{Times: []dispatch.TimeRangeConfig{{StartTime: "00:00", EndTime: "24:00"}}}}}
	var err error
	w.engine, err = dispatch.New(w.store, dispatch.Config{
		Route: &dispatch.RouteConfig{
			Receiver: "ops", GroupBy: []string{"alertname"}, GroupWait: &wait, Labels: map[string]string{"tier": "a"},
			Routes: []*dispatch.RouteConfig{
				{Receiver: "dba", Matchers: []string{`team="db"`}, Continue: true},
				{Receiver: "night", Matchers: []string{`team="db"`}, MuteTimeIntervals: []string{"always"}},
			},
		},
		Receivers:     []*dispatch.Receiver{{Name: "ops"}, {Name: "dba"}, {Name: "night"}},
		InhibitRules:  []dispatch.InhibitRule{{SourceMatchers: []string{`severity="critical"`}, TargetMatchers: []string{`severity="warning"`}, Equal: []string{"zone"}}},
		TimeIntervals: []dispatch.TimeInterval{all},
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	o := api.Options{
		Engine: w.engine, Now: func() time.Time { return w.now }, Log: log, Metrics: &metrics.Registry{},
		Flush:     func(context.Context) error { w.flushes++; return nil },
		Receivers: []api.Receiver{{Name: "ops"}, {Name: "dba", Labels: map[string]string{"owner": "data"}}, {Name: "night"}},
		Started:   t0,
	}
	for _, change := range changes {
		change(&o)
	}
	w.api = api.New(o)
	return w
}

// request asks the API. Headers are pairs of names and values.
func (w *testAPI) request(method, path string, body io.Reader, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, body)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return rec.Result()
}

func (w *testAPI) get(path string) (int, string) {
	w.t.Helper()
	return w.read(w.request(http.MethodGet, path, nil))
}

func (w *testAPI) post(path, body string) (int, string) {
	w.t.Helper()
	return w.read(w.request(http.MethodPost, path, strings.NewReader(body), "Content-Type", "application/json"))
}

func (w *testAPI) read(r *http.Response) (int, string) {
	w.t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.StatusCode, strings.TrimSuffix(string(body), "\n")
}

// must posts what has to be taken.
func (w *testAPI) mustPost(path, body string) string {
	w.t.Helper()
	status, answer := w.post(path, body)
	if status != http.StatusOK {
		w.t.Fatalf("POST %s %s: %d %s", path, body, status, answer)
	}
	return answer
}

// silence makes a silence and returns its id.
func (w *testAPI) silence(body string) string {
	w.t.Helper()
	var answer struct{ SilenceID string }
	decode(w.t, w.mustPost("/api/v2/silences", body), &answer)
	return answer.SilenceID
}

func decode(t testing.TB, body string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
}

// same tells whether two texts are the same JSON, whatever its layout.
func sameJSON(t testing.TB, got, want string) bool {
	t.Helper()
	norm := func(s string) string {
		var v any
		decode(t, s, &v)
		b, _ := json.Marshal(v)
		return string(b)
	}
	return norm(got) == norm(want)
}

// faulty is a store that fails, or panics, when it is told to.
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

// logs is a log that may be read while it is written.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *logs) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }
