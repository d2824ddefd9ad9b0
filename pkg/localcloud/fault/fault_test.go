package fault

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// start returns a queue in front of a server that counts what it takes, and its
// address.
func start(t *testing.T) (q *Queue, address string, taken *atomic.Int32) {
	t.Helper()
	q, taken = &Queue{}, &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q.Handle(w, r, func() { taken.Add(1); _, _ = io.WriteString(w, "own") })
	}))
	t.Cleanup(s.Close)
	return q, s.URL, taken
}

func TestQueue(t *testing.T) {
	q, address, taken := start(t)
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
		if got := resp.Status[:3] + " " + resp.Header.Get("Content-Type") + " " + resp.Header.Get("Retry-After") + " " + string(body); got != want || err != nil {
			t.Errorf("call %d: %q, %v; want %q", i, got, err, want)
		}
	}
	if q.Calls() != 5 || taken.Load() != 2 {
		t.Errorf("%d calls, %d taken", q.Calls(), taken.Load())
	}
}

// The connection breaks: before an answer when it is forgotten, amid one when
// half of it is sent.
func TestBrokenAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		do    Handler
		got   string
		taken int32
	}{"forgotten": {DropAfterAccept, "", 1}, "half": {Truncate(`{"errcode":0}`), `{"errc`, 0}} {
		q, address, taken := start(t)
		q.Inject(1, tt.do)
		resp, err := http.Post(address, "text/plain", strings.NewReader("x"))
		var body []byte
		if err == nil {
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil || string(body) != tt.got || taken.Load() != tt.taken {
			t.Errorf("%s: %q, %v, %d taken", name, body, err, taken.Load())
		}
	}
}
