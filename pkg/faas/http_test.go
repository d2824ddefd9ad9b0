package faas

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

const getHooks = `{"version":"2.0","rawPath":"/hooks/x","rawQueryString":"token=hush","requestContext":{"http":{"method":"GET"}}}`

// httpInstance is an instance of an HTTP function.
func httpInstance(log *bytes.Buffer, h http.HandlerFunc) *instance {
	logs := newLogs(log)
	in := newInstance(always(httpFunction{h, logs.Logger}.handle), log)
	in.logs = logs
	return in
}

func decodeAnswer(t *testing.T, b []byte, err error) (a struct {
	StatusCode int
	Body       string
}) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestHTTPContext(t *testing.T) {
	var log bytes.Buffer
	deadline := time.Now().Add(time.Hour)
	in := httpInstance(&log, func(w http.ResponseWriter, r *http.Request) {
		if d, ok := r.Context().Deadline(); !ok || !d.Equal(deadline) {
			t.Errorf("deadline %v, want %v", d, deadline)
		}
		if inv := FromContext(r.Context()); inv != (Invocation{"r1", "webhook", true}) {
			t.Errorf("invocation %+v", inv)
		}
		w.WriteHeader(http.StatusAccepted)
	})
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	b, err := in.invoke(ctx, Invocation{RequestID: "r1", Function: "webhook"}, []byte(getHooks))
	if a := decodeAnswer(t, b, err); a.StatusCode != 202 {
		t.Errorf("answer %+v", a)
	}
	l := lines(t, &log)
	if len(l) != 1 || l[0]["method"] != "GET" || l[0]["path"] != "/hooks/x" || l[0]["status"] != 202.0 || l[0]["level"] != "INFO" {
		t.Errorf("log %v", l)
	}
}

func TestHTTPPanic(t *testing.T) {
	for name, c := range map[string]struct {
		panics any
		logs   int
	}{"a panic": {"token hush", 2}, "an abort is no fault": {http.ErrAbortHandler, 1}} {
		var log bytes.Buffer
		in := httpInstance(&log, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "half=1")
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write([]byte("half an answer"))
			panic(c.panics)
		})
		for range 2 {
			log.Reset()
			b, err := in.invoke(t.Context(), Invocation{RequestID: "r1"}, []byte(getHooks))
			a := decodeAnswer(t, b, err)
			if a.StatusCode != 500 || a.Body != "the function panicked; the log of request \"r1\" has the stack\n" || strings.Contains(string(b), "half") {
				t.Errorf("%s: answer %s", name, b)
			}
			l := lines(t, &log)
			if len(l) != c.logs || l[len(l)-1]["status"] != 500.0 {
				t.Fatalf("%s: log %v", name, l)
			}
			if stack, _ := l[0]["stack"].(string); c.logs == 2 && (l[0]["panic"] != "token hush" || !strings.Contains(stack, "TestHTTPPanic")) {
				t.Errorf("%s: log %v", name, l)
			}
		}
	}
}

func TestHTTPAnswerTooLarge(t *testing.T) {
	var log bytes.Buffer
	in := httpInstance(&log, func(w http.ResponseWriter, r *http.Request) {
		if _, err := w.Write(make([]byte, 7<<20)); err == nil {
			t.Error("seven megabytes were taken")
		}
	})
	b, err := in.invoke(t.Context(), Invocation{}, []byte(getHooks))
	if a := decodeAnswer(t, b, err); a.StatusCode != 500 || a.Body != "the answer is too large\n" {
		t.Errorf("answer %+v", a)
	}
	l := lines(t, &log)
	if len(l) != 2 || l[0]["msg"] != "the answer was withheld" || l[0]["err"] != "the answer has more than 6291456 bytes" || l[1]["status"] != 500.0 {
		t.Errorf("log %v", l)
	}
}

// TestHTTPNotARequest: the handler is not called, and the platform is told.
func TestHTTPNotARequest(t *testing.T) {
	var log bytes.Buffer
	in := httpInstance(&log, func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })
	for _, name := range []string{"scf-timer", "unknown-aws-event", "unknown-authorizer"} {
		answer, err := in.invoke(t.Context(), Invocation{}, sample(t, name))
		if err == nil || answer != nil {
			t.Errorf("%s: answer %s", name, answer)
		}
		var unknown *unknownEvent
		if errors.As(err, &unknown) == (name == "scf-timer") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if l := lines(t, &log); len(l) != 3 || l[0]["level"] != "ERROR" || l[0]["path"] != nil {
		t.Errorf("log %v", l)
	}
}
