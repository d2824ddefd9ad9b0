package api

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestPanicDuringResponse checks that a panic after a part of the response closes the
// connection, as net/http's own does.
func TestPanicDuringResponse(t *testing.T) {
	a := &api{Options: Options{Now: func() time.Time { return time.Time{} }, Log: slog.New(slog.DiscardHandler), Limits: Limits{Body: 10}}}
	server := httptest.NewTLSServer(a.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/half":
			w.Header().Set("Content-Length", "4")
			_, _ = io.WriteString(w, "ha")
			panic("oh")
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/early":
			panic("oh")
		}
	})))
	defer server.Close()
	for path, want := range map[string]int{"/half": 0, "/abort": 0, "/early": 500, "/": 200} {
		t.Run(path, func(t *testing.T) {
			got := 0
			if r, err := server.Client().Get(server.URL + path); err == nil {
				if _, err := io.ReadAll(r.Body); err == nil {
					got = r.StatusCode
				}
				r.Body.Close()
			}
			if got != want {
				t.Errorf("got %d, want %d (0 is a closed connection)", got, want)
			}
		})
	}
}
