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

func TestWithTimeLimit(t *testing.T) {
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
			want  time.Time // zero without a deadline
		}{
			{"valid deadline is kept", at(now.Add(time.Second)), time.Minute, now.Add(time.Second)},
			{"epoch deadline is replaced by the limit", at(time.Unix(0, 0)), time.Minute, now.Add(time.Minute)},
			{"epoch deadline without a limit is removed", at(time.Unix(0, 0)), 0, time.Time{}},
			{"no deadline, with a limit", t.Context(), time.Minute, now.Add(time.Minute)},
			{"no deadline and no limit", t.Context(), 0, time.Time{}},
		} {
			ctx, cancel := withTimeLimit(c.ctx, c.limit)
			if got, _ := ctx.Deadline(); !got.Equal(c.want) {
				t.Errorf("%s: got deadline %v, want %v", c.name, got, c.want)
			}
			if err := ctx.Err(); err != nil {
				t.Errorf("%s: got context error %v, want none", c.name, err)
			}
			cancel()
		}
	})
}

// TestCustomRuntimeStopsOnPlatformErrors checks that the loop ends when the
// platform's interface fails, so that the platform starts another instance.
func TestCustomRuntimeStopsOnPlatformErrors(t *testing.T) {
	in := newInstance(fixedHandler(func(context.Context, []byte) (any, error) { return "ok", nil }), new(bytes.Buffer))
	for _, c := range []struct {
		name     string
		next     int
		response int
		want     string
	}{
		{"no event", http.StatusInternalServerError, http.StatusOK, "wait for an event: the platform responded with 500 Internal Server Error"},
		{"response rejected", http.StatusOK, http.StatusForbidden, "post to the platform: POST invocation/response was answered with 403 Forbidden"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					w.WriteHeader(c.next)
					return
				}
				w.WriteHeader(c.response)
			}))
			r := customRuntime{base: s.URL + "/runtime/", client: s.Client()}
			if err := r.serveOne(in); err == nil || err.Error() != c.want {
				t.Errorf("got error %v, want %s", err, c.want)
			}
			s.Close()
			if err := r.serveOne(in); err == nil || !strings.HasPrefix(err.Error(), "wait for an event: ") {
				t.Errorf("platform closed: got error %v, want one of waiting", err)
			}
		})
	}
}

// TestCustomRuntimeRejectsLargeEvents sends an event of one byte more than
// SCF's limit. It must be answered with an error without calling the handler.
func TestCustomRuntimeRejectsLargeEvents(t *testing.T) {
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
	in := newInstance(fixedHandler(func(context.Context, []byte) (any, error) {
		t.Error("handler was called, want it not to be")
		return nil, nil
	}), new(bytes.Buffer))
	r := customRuntime{base: s.URL + "/runtime/", client: s.Client()}
	if err := r.serveOne(in); err != nil {
		t.Fatal(err)
	}
	if path != "/runtime/invocation/error" || !strings.Contains(body, "the event has more than 6291456 bytes") {
		t.Errorf("got POST %s %s, want an error about the size", path, body)
	}
}
