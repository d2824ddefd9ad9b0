package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/app"
)

// TestLargestAcceptedLabelIsNotified posts labels of any length made of characters that
// take several times their size in the store. The largest that is accepted is notified,
// alone and in a group of several.
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
				a, h := ta.webhookApp("route: {receiver: w, group_by: [value], group_wait: 0s}\nreceivers: [{name: w, webhook_configs: [{url: \"https://hooks.example.com/\"}]}]\n")
				return a, func(value, more string) bool {
					w := postAlerts(t, h, map[string]any{"labels": map[string]string{"value": value, "more": more}})
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
