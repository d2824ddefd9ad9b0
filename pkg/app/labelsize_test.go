package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/metrics"
)

// TestLargestAcceptedLabelIsNotified posts labels of any length made of characters that
// take several times their size in the store. The largest that is accepted is notified,
// alone and in a group that is as large as an entry of the outbox.
func TestLargestAcceptedLabelIsNotified(t *testing.T) {
	for _, c := range []string{"x", `"`, `\`, "<", "\x01", "\u2028", "\u0080", "\U000e0001", "中"} {
		t.Run(strings.Trim(string(mustJSON(t, c)), `"`), func(t *testing.T) {
			ta := newTestApp(t)
			var got int
			if _, err := ta.cloud.Network.ServeHTTPS("hooks.example.com", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				var body struct{ Alerts []any }
				b, err := io.ReadAll(r.Body)
				if err == nil {
					err = json.Unmarshal(b, &body)
				}
				if err != nil {
					t.Error(err)
				}
				got += len(body.Alerts)
			})); err != nil {
				t.Fatal(err)
			}
			// a returns an application with an empty store, and a function that posts an alert.
			a := func() (*app.App, func(value, more string) bool) {
				cfg, _, err := config.Parse("tocsin.yaml", []byte("route: {receiver: w, group_by: [value], group_wait: 0s}\nreceivers: [{name: w, webhook_configs: [{url: \"https://hooks.example.com/\"}]}]\n"), func(string) (string, bool) { return "", false })
				if err != nil {
					t.Fatal(err)
				}
				o := ta.options()
				o.Store = "memory:"
				a, err := app.New(t.Context(), cfg, o)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { a.Close() })
				h, err := app.Handler(a, api.Options{Now: time.Now, Metrics: new(metrics.Registry)})
				if err != nil {
					t.Fatal(err)
				}
				return a, func(value, more string) bool {
					body := mustJSON(t, []any{map[string]any{"labels": map[string]string{"value": value, "more": more}}})
					r := httptest.NewRequest("POST", "http://127.0.0.1/api/v2/alerts", strings.NewReader(string(body)))
					r.Header.Set("Content-Type", "application/json")
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if w.Code != 200 && w.Code != 400 {
						t.Fatalf("%d bytes: got %d %.200s, want 200 or 400", len(value), w.Code, w.Body)
					}
					return w.Code == 200
				}
			}
			_, post := a()
			largest := sort.Search(1<<20/len(c), func(n int) bool { return !post(strings.Repeat(c, n+1), "a") })
			if size := largest * len(c); size < 30_000 {
				t.Errorf("got a largest label of %d bytes, want at least 30,000", size)
			}
			x, post := a()
			want := 0
			for _, more := range []string{"a", "b", "c", "d"} {
				if post(strings.Repeat(c, largest), more) {
					want++
				}
			}
			if _, err := x.Dispatch(t.Context(), time.Now()); err != nil {
				t.Error(err)
			}
			if want != 4 || got != want {
				t.Errorf("got notified of %d alerts with labels of %d × %q, want %d\n%.500s", got, largest, c, want, ta.logs)
			}
		})
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
