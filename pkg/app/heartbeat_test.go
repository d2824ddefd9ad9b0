package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// transportFunc is a transport.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestHeartbeatLogsNoPartOfItsURL(t *testing.T) {
	answer := func(status int, location string) transportFunc {
		return func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			if location != "" {
				w.Header().Set("Location", location)
			}
			w.WriteHeader(status)
			fmt.Fprintf(w, "no check %s", r.URL.Path)
			return w.Result(), nil
		}
	}
	for _, tt := range []struct {
		name      string
		url       string
		transport transportFunc
	}{
		{"the path as the address of a redirect", "https://beats.test/ping/s3cr3t", answer(302, "https://%zz/ping/s3cr3t")},
		{"the path in the body", "https://beats.test/ping/s3cr3t", answer(404, "")},
		{"the path in an error", "https://beats.test/ping/s3cr3t", func(r *http.Request) (*http.Response, error) {
			return nil, errors.New("proxy refuses " + r.URL.String())
		}},
		{"an address that is no URL", "https://beats.test/%zz/s3cr3t", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log strings.Builder
			h := &heartbeat{url: tt.url, http: &http.Client{Transport: tt.transport}, log: slog.New(slog.NewTextHandler(&log, nil))}
			h.send(context.Background(), time.Unix(1e9, 0))
			if got := log.String(); strings.Count(got, "\n") != 1 || strings.Contains(got, "s3cr3t") || strings.Contains(got, "/ping") {
				t.Errorf("got log %q, want one line without s3cr3t and /ping", got)
			}
		})
	}
}
