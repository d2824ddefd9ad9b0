//go:build !lambda

package faas

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWithLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		at := func(d time.Time) context.Context {
			ctx, cancel := context.WithDeadline(t.Context(), d)
			t.Cleanup(cancel)
			return ctx
		}
		for _, c := range []struct {
			name  string
			ctx   context.Context
			limit time.Duration
			want  time.Time // zero for none
		}{
			{"a real deadline stays", at(now.Add(time.Second)), time.Minute, now.Add(time.Second)},
			{"none sent, with a limit", at(time.Unix(0, 0)), time.Minute, now.Add(time.Minute)},
			{"none sent, no limit", at(time.Unix(0, 0)), 0, time.Time{}},
			{"no deadline, with a limit", t.Context(), time.Minute, now.Add(time.Minute)},
			{"neither", t.Context(), 0, time.Time{}},
		} {
			ctx, cancel := withLimit(c.ctx, c.limit)
			if got, _ := ctx.Deadline(); !got.Equal(c.want) {
				t.Errorf("%s: deadline %v, want %v", c.name, got, c.want)
			}
			if ctx.Err() != nil {
				t.Errorf("%s: the context has ended: %v", c.name, ctx.Err())
			}
			cancel()
		}
	})
}

// TestCustomRuntimeGivesUp: when the platform's interface misbehaves the loop
// ends, and the platform starts another instance.
func TestCustomRuntimeGivesUp(t *testing.T) {
	in := newInstance(always(func(context.Context, []byte) (any, error) { return "ok", nil }), new(bytes.Buffer))
	for _, c := range []struct {
		name     string
		next     int
		response int
		want     string
	}{
		{"no event", http.StatusInternalServerError, http.StatusOK, "waiting for an event: the platform answered 500 Internal Server Error"},
		{"answer refused", http.StatusOK, http.StatusForbidden, "answering the platform: POST invocation/response was answered 403 Forbidden"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				w.WriteHeader(c.next)
				return
			}
			w.WriteHeader(c.response)
		}))
		r := customRuntime{base: s.URL + "/runtime/", client: s.Client()}
		if err := r.serveOne(in); err == nil || err.Error() != c.want {
			t.Errorf("%s: error is %v, want %s", c.name, err, c.want)
		}
		s.Close()
		if err := r.serveOne(in); err == nil || !strings.HasPrefix(err.Error(), "waiting for an event: ") {
			t.Errorf("%s: the platform is gone: %v", c.name, err)
		}
	}
}

// TestCustomRuntimeRefusesHugeEvents: one byte more than SCF sends is answered
// with an error, and the handler is not called.
func TestCustomRuntimeRefusesHugeEvents(t *testing.T) {
	var path, body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = w.Write(bytes.Repeat([]byte(" "), 6<<20+1))
			return
		}
		b, _ := io.ReadAll(r.Body)
		path, body = r.URL.Path, string(b)
	}))
	defer s.Close()
	in := newInstance(always(func(context.Context, []byte) (any, error) {
		t.Error("the handler was called")
		return nil, nil
	}), new(bytes.Buffer))
	r := customRuntime{base: s.URL + "/runtime/", client: s.Client()}
	if err := r.serveOne(in); err != nil {
		t.Fatal(err)
	}
	if path != "/runtime/invocation/error" || !strings.Contains(body, "the event has more than 6291456 bytes") {
		t.Errorf("answered %s %s", path, body)
	}
}
