package agent

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// newTLSClient returns a client of h over the network.
func newTLSClient(t *testing.T, h http.Handler) *client {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	log, _ := newTestLog()
	return newClient(Options{Server: s.URL + "/tocsin", ID: "web/1 a", Token: testToken, Version: "1.2.3", Transport: s.Client().Transport, Log: log})
}

func TestClient(t *testing.T) {
	c := newTLSClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		if h.Get("Authorization") != "Bearer "+testToken || h.Get("User-Agent") != "tocsin-agent/1.2.3" {
			t.Errorf("got header %v, want the token and the version", h)
		}
		if date, err := http.ParseTime(h.Get("Date")); err != nil || time.Since(date) > time.Minute {
			t.Errorf("got Date %q, want the current time", h.Get("Date"))
		}
		switch r.Method + " " + r.URL.EscapedPath() {
		case "GET /tocsin/agents/web%2F1%20a/config":
			if h.Get("If-None-Match") == `"7"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Header().Set("ETag", `"7"`)
			io.WriteString(w, `{"services":{}}`)
		case "POST /tocsin/agents/web%2F1%20a/report":
			if string(body) != `{"a":1}` || h.Get("Content-Type") != "application/json" {
				t.Errorf(`got body %s with header %v, want {"a":1} as JSON`, body, h)
			}
			io.WriteString(w, `{"status":"ok"}`)
		default:
			t.Errorf("got request %s %s, want a path of the API", r.Method, r.URL.EscapedPath())
		}
	}))
	if body, etag, err := c.config(t.Context(), ""); string(body) != `{"services":{}}` || etag != `"7"` || err != nil {
		t.Errorf(`config: got %s, %s, %v, want {"services":{}} with tag "7"`, body, etag, err)
	}
	if body, etag, err := c.config(t.Context(), `"7"`); body != nil || etag != `"7"` || err != nil {
		t.Errorf(`config that did not change: got %s, %s, %v, want tag "7" only`, body, etag, err)
	}
	if err := c.report(t.Context(), []byte(`{"a":1}`)); err != nil {
		t.Errorf("report: got %v, want nil", err)
	}
}

// Each response has an error with the right class and delay. No error contains the
// token, even if the server returned it.
func TestClientErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the virtual clock starts at 2000-01-01 00:00:00 UTC
		for _, tt := range []struct {
			status           int
			retryAfter, body string
			permanent        bool
			after            time.Duration
			want             string
		}{
			{400, "", "data: bad\nnumber", true, refusedBackoff, "rejects the request: 400 Bad Request data: bad number"},
			{401, "", "", false, refusedBackoff, "webhook.auth.tokens"},
			{403, "", testToken, false, refusedBackoff, `host "web/1 a"`},
			{404, "", "", false, refusedBackoff, "add it to hosts:"},
			{408, "", "", false, 0, "cannot accept requests now"},
			{409, "", "", true, refusedBackoff, "409"},
			{413, "", "", true, refusedBackoff, "413"},
			{422, "", "", true, refusedBackoff, "422"},
			{429, "17", "", false, 17 * time.Second, "429"},
			{429, "-3", "", false, 0, "429"},
			{429, "soon", "", false, 0, "429"},
			{500, "", strings.Repeat("x", 5000), false, 0, "more than 4096 bytes"},
			{503, "999999999999", "", false, time.Hour, "503"},
			{503, "86400", "", false, time.Hour, "503"},
			{503, "Sat, 01 Jan 2000 00:00:10 GMT", "", false, 10 * time.Second, "503"},
			{301, "", "", false, refusedBackoff, "another address"},
			{307, "", "", false, refusedBackoff, "another address"},
			{204, "", "", false, refusedBackoff, "not Tocsin"},
			{200, "", "<html>Log in</html>", false, 0, "not Tocsin"},
			{200, "", `{"status":"error"}`, false, 0, "not Tocsin"},
		} {
			log, _ := newTestLog()
			c := newClient(Options{Server: "https://alerts.example.com", ID: "web/1 a", Token: testToken, Log: log, Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host != "alerts.example.com" {
					t.Errorf("%d: got a request to %s, want none to another host", tt.status, r.URL.Host)
				}
				w := httptest.NewRecorder()
				w.Header().Set("Location", "https://elsewhere.example.com/")
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
				resp := w.Result()
				resp.Request = r
				return resp, nil
			})})
			err := c.report(t.Context(), []byte("{}"))
			var r *requestError
			if !errors.As(err, &r) || r.permanent != tt.permanent || r.retryAfter != tt.after || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d %q: got %+v, want permanent %v, retry after %s and %q", tt.status, tt.retryAfter, err, tt.permanent, tt.after, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), testToken) {
				t.Errorf("%d: got the token in the error %v", tt.status, err)
			}
			if _, _, err := c.config(t.Context(), `"1"`); tt.status != 200 && !errors.As(err, &r) {
				t.Errorf("%d for a configuration: got %v, want a *requestError", tt.status, err)
			}
		}
	})
}

// A server whose certificate is not trusted does not receive the token.
func TestClientVerifiesTheServer(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("got a request, want none") }))
	log, _ := newTestLog()
	s.Config.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelInfo)
	s.StartTLS()
	defer s.Close()
	c := newClient(Options{Server: s.URL, ID: "web-1", Token: testToken, Log: log})
	if err := c.report(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "SSL_CERT_FILE") || asRequestError(err).permanent {
		t.Errorf("untrusted: got %v, want an error that names SSL_CERT_FILE and is not permanent", err)
	}
	s.Close()
	if err := c.report(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "does not respond") || strings.Contains(err.Error(), "/agents/") || asRequestError(err).permanent {
		t.Errorf("stopped: got %v, want an error without the path that is not permanent", err)
	}
}

// Plain http is reported, except on loopback.
func TestClientWarnsOfPlainHTTP(t *testing.T) {
	for server, want := range map[string]int{
		"https://alerts.example.com": 0,
		"http://127.0.0.1:9093":      0,
		"http://localhost:9093":      0,
		"http://10.0.0.1":            1,
	} {
		log, l := newTestLog()
		newClient(Options{Server: server, ID: "web-1", Token: testToken, Log: log})
		if got := l.count("plain http"); got != want {
			t.Errorf("%s: got %d warnings, want %d", server, got, want)
		}
	}
}
