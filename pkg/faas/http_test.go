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

const hooksEvent = `{"version":"2.0","rawPath":"/hooks/x","rawQueryString":"token=hush","requestContext":{"http":{"method":"GET"}}}`

// newHTTPInstance returns an instance of an HTTP function.
func newHTTPInstance(log *bytes.Buffer, h http.HandlerFunc) *instance {
	logs := newEventLogger(log)
	in := newInstance(fixedHandler(httpFunction{h, logs.Logger}.handle), log)
	in.logs = logs
	return in
}

func decodeResponse(t *testing.T, b []byte, err error) (a struct {
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

func TestHTTPHandlerContext(t *testing.T) {
	var log bytes.Buffer
	deadline := time.Now().Add(time.Hour)
	in := newHTTPInstance(&log, func(w http.ResponseWriter, r *http.Request) {
		if d, ok := r.Context().Deadline(); !ok || !d.Equal(deadline) {
			t.Errorf("deadline: got %v, want %v", d, deadline)
		}
		if inv := FromContext(r.Context()); inv != (Invocation{"r1", "webhook", true}) {
			t.Errorf("invocation: got %+v, want request r1 of webhook, cold", inv)
		}
		w.WriteHeader(http.StatusAccepted)
	})
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	b, err := in.invoke(ctx, Invocation{RequestID: "r1", Function: "webhook"}, []byte(hooksEvent))
	if a := decodeResponse(t, b, err); a.StatusCode != 202 {
		t.Errorf("got %+v, want status 202", a)
	}
	l := decodeLog(t, &log)
	if len(l) != 1 || l[0]["method"] != "GET" || l[0]["path"] != "/hooks/x" || l[0]["status"] != 202.0 || l[0]["level"] != "INFO" {
		t.Errorf("log: got %v, want one line with method, path and status", l)
	}
}

func TestHTTPHandlerPanics(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		lines int
	}{"panic is logged": {"token hush", 2}, "http.ErrAbortHandler is not logged": {http.ErrAbortHandler, 1}} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			in := newHTTPInstance(&log, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Set-Cookie", "half=1")
				w.WriteHeader(http.StatusOK)
				_, _ = w.Write([]byte("half a response"))
				panic(c.value)
			})
			for range 2 {
				log.Reset()
				b, err := in.invoke(t.Context(), Invocation{RequestID: "r1"}, []byte(hooksEvent))
				a := decodeResponse(t, b, err)
				if a.StatusCode != 500 || a.Body != "the function panicked; the log of request \"r1\" has the stack\n" || strings.Contains(string(b), "half") {
					t.Errorf("got %s, want status 500 and nothing of the handler's response", b)
				}
				l := decodeLog(t, &log)
				if len(l) != c.lines || l[len(l)-1]["status"] != 500.0 {
					t.Fatalf("log: got %v, want %d lines, the last with status 500", l, c.lines)
				}
				if stack, _ := l[0]["stack"].(string); c.lines == 2 && (l[0]["panic"] != "token hush" || !strings.Contains(stack, "TestHTTPHandlerPanics")) {
					t.Errorf("log: got %v, want the panic with its stack trace", l)
				}
			}
		})
	}
}

func TestHTTPResponseTooLarge(t *testing.T) {
	var log bytes.Buffer
	in := newHTTPInstance(&log, func(w http.ResponseWriter, r *http.Request) {
		if _, err := w.Write(make([]byte, 7<<20)); err == nil {
			t.Error("Write of 7 MiB: got no error, want one")
		}
	})
	b, err := in.invoke(t.Context(), Invocation{}, []byte(hooksEvent))
	if a := decodeResponse(t, b, err); a.StatusCode != 500 || a.Body != "the answer is too large\n" {
		t.Errorf("got %+v, want status 500", a)
	}
	l := decodeLog(t, &log)
	if len(l) != 2 || l[0]["msg"] != "response replaced by an error" || l[0]["err"] != "the response has more than 6291456 bytes" || l[1]["status"] != 500.0 {
		t.Errorf("log: got %v, want the error and status 500", l)
	}
}

func TestHTTPRejectsOtherEvents(t *testing.T) {
	var log bytes.Buffer
	in := newHTTPInstance(&log, func(http.ResponseWriter, *http.Request) { t.Error("handler was called, want it not to be") })
	for _, name := range []string{"scf-timer", "unknown-aws-event", "unknown-authorizer"} {
		t.Run(name, func(t *testing.T) {
			result, err := in.invoke(t.Context(), Invocation{}, readSample(t, name))
			if err == nil || result != nil {
				t.Errorf("got result %s, error %v; want an error", result, err)
			}
			var unknown *unknownEvent
			if got, want := errors.As(err, &unknown), name != "scf-timer"; got != want {
				t.Errorf("got error %v, want an unknown event: %v", err, want)
			}
		})
	}
	if l := decodeLog(t, &log); len(l) != 3 || l[0]["level"] != "ERROR" || l[0]["path"] != nil {
		t.Errorf("log: got %v, want three errors without a path", l)
	}
}
