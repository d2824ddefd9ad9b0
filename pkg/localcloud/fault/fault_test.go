package fault

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// newServer returns a queue in front of a server, the server's address, and the
// number of requests that reach it.
func newServer(t *testing.T) (q *Queue, address string, accepted *atomic.Int32) {
	t.Helper()
	q, accepted = &Queue{}, &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q.Handle(w, r, func() { accepted.Add(1); _, _ = io.WriteString(w, "own") })
	}))
	t.Cleanup(s.Close)
	return q, s.URL, accepted
}

func TestQueue(t *testing.T) {
	q, address, accepted := newServer(t)
	q.Inject(2, Respond(503, "text/html", "busy", "Retry-After", "7"))
	q.Inject(1, Pass)
	q.Inject(1, Respond(200, "application/json", "{}"))
	for i, want := range []string{"503 text/html 7 busy", "503 text/html 7 busy", "200 text/plain; charset=utf-8  own", "200 application/json  {}", "200 text/plain; charset=utf-8  own"} {
		resp, err := http.Post(address, "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := fmt.Sprintf("%d %s %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header.Get("Retry-After"), body); got != want || err != nil {
			t.Errorf("request %d: got %q, %v; want %q", i, got, err, want)
		}
	}
	if q.Calls() != 5 || accepted.Load() != 2 {
		t.Errorf("got %d requests of which %d were accepted, want 5 and 2", q.Calls(), accepted.Load())
	}
}

func TestBrokenConnections(t *testing.T) {
	for name, tt := range map[string]struct {
		fault    Handler
		body     string
		accepted int32
	}{
		"dropped after accept": {DropAfterAccept, "", 1},
		"truncated":            {Truncate(`{"errcode":0}`), `{"errc`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			q, address, accepted := newServer(t)
			q.Inject(1, tt.fault)
			resp, err := http.Post(address, "text/plain", strings.NewReader("x"))
			var body []byte
			if err == nil {
				body, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err == nil || string(body) != tt.body || accepted.Load() != tt.accepted {
				t.Errorf("got body %q, error %v, %d accepted; want %q, an error and %d", body, err, accepted.Load(), tt.body, tt.accepted)
			}
		})
	}
}
