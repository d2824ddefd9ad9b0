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

// overTLS returns a client of h over the network.
func overTLS(t *testing.T, h http.Handler) *client {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	log, _ := newLog()
	c, err := newClient(Options{Server: s.URL + "/tocsin", ID: "web/1 a", Token: testToken, Version: "1.2.3", Transport: s.Client().Transport, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What the client says over the network, and what it makes of a good answer.
func TestClient(t *testing.T) {
	c := overTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		if h.Get("Authorization") != "Bearer "+testToken || h.Get("User-Agent") != "tocsin-agent/1.2.3" {
			t.Errorf("header %v", h)
		}
		if date, err := http.ParseTime(h.Get("Date")); err != nil || time.Since(date) > time.Minute {
			t.Errorf("Date %q", h.Get("Date"))
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
				t.Errorf("%s, %v", body, h)
			}
			io.WriteString(w, `{"status":"ok"}`)
		default:
			t.Errorf("%s %s", r.Method, r.URL.EscapedPath())
		}
	}))
	if body, etag, err := c.config(t.Context(), ""); string(body) != `{"services":{}}` || etag != `"7"` || err != nil {
		t.Errorf("%s, %s, %v", body, etag, err)
	}
	if body, etag, err := c.config(t.Context(), `"7"`); body != nil || etag != `"7"` || err != nil {
		t.Errorf("unchanged: %s, %s, %v", body, etag, err)
	}
	if err := c.report(t.Context(), []byte(`{"a":1}`)); err != nil {
		t.Error(err)
	}
}

// What each answer means for the report, and that no error shows the token, not
// even one that the server sent back.
func TestClientRefused(t *testing.T) {
	tests := []struct {
		status           int
		retryAfter, body string
		final            bool
		after            time.Duration
		want             string
	}{
		{400, "", "data: bad\nnumber", true, refusedWait, "does not take it: 400 Bad Request data: bad number"},
		{401, "", "", false, refusedWait, "webhook.auth.tokens"},
		{403, "", testToken, false, refusedWait, `host "web/1 a"`},
		{404, "", "", false, refusedWait, "add it to hosts:"},
		{408, "", "", false, 0, "cannot take it now"},
		{409, "", "", true, refusedWait, "409"},
		{413, "", "", true, refusedWait, "413"},
		{422, "", "", true, refusedWait, "422"},
		{429, "17", "", false, 17 * time.Second, "429"},
		{429, "-3", "", false, 0, "429"},
		{429, "soon", "", false, 0, "429"},
		{500, "", strings.Repeat("x", 5000), false, 0, "more than 4096 bytes"},
		{503, "999999999999", "", false, time.Hour, "503"},
		{503, "86400", "", false, time.Hour, "503"},
		{503, "Sat, 01 Jan 2000 00:00:10 GMT", "", false, 10 * time.Second, "503"},
		{301, "", "", false, refusedWait, "another address"},
		{307, "", "", false, refusedWait, "another address"},
		{204, "", "", false, refusedWait, "not Tocsin"},
		{200, "", "<html>Log in</html>", false, 0, "not Tocsin"},
		{200, "", `{"status":"error"}`, false, 0, "not Tocsin"},
	}
	synctest.Test(t, func(t *testing.T) { // for the date: its clock begins at 2000-01-01 00:00:00 UTC
		for _, test := range tests {
			log, _ := newLog()
			c, err := newClient(Options{Server: "https://alerts.example.com", ID: "web/1 a", Token: testToken, Log: log, Transport: direct(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Host != "alerts.example.com" {
					t.Errorf("%d: the token went to %s", test.status, r.URL.Host)
					return
				}
				w.Header().Set("Location", "https://elsewhere.example.com/")
				if test.retryAfter != "" {
					w.Header().Set("Retry-After", test.retryAfter)
				}
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			})})
			if err != nil {
				t.Fatal(err)
			}
			err = c.report(t.Context(), []byte("{}"))
			var r *refusal
			if !errors.As(err, &r) || r.final != test.final || r.after != test.after || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), testToken) {
				t.Errorf("%d: %+v, want final %v, after %s, %q", test.status, err, test.final, test.after, test.want)
			}
			if _, _, err := c.config(t.Context(), `"1"`); test.status != 200 && !errors.As(err, &r) {
				t.Errorf("%d for a configuration: %v", test.status, err)
			}
		}
	})
}

// direct answers requests without a network.
type direct http.HandlerFunc

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// A server that nobody vouches for gets no token.
func TestClientVerifies(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	log, _ := newLog()
	s.Config.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelInfo)
	s.StartTLS()
	defer s.Close()
	c, err := newClient(Options{Server: s.URL, ID: "web-1", Token: testToken, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.report(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "SSL_CERT_FILE") || asRefusal(err).final {
		t.Errorf("%v; want a passing error that says what to do", err)
	}
	s.Close()
	if err := c.report(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "does not answer") || strings.Contains(err.Error(), "/agents/") || asRefusal(err).final {
		t.Errorf("nobody there: %v", err)
	}
}

func TestClientOptions(t *testing.T) {
	good := Options{Server: "https://alerts.example.com", ID: "web-1", Token: testToken}
	tests := []struct {
		name   string
		change func(*Options)
		want   string // in the error, or with ? in the log
	}{
		{"good", func(*Options) {}, ""},
		{"plain on loopback", func(o *Options) { o.Server = "http://127.0.0.1:9093" }, ""},
		{"plain on loopback by name", func(o *Options) { o.Server = "http://localhost:9093" }, ""},
		{"plain elsewhere", func(o *Options) { o.Server = "http://10.0.0.1" }, "?plain http"},
		{"no address", func(o *Options) { o.Server = "alerts.example.com" }, "--server is not an address"},
		{"another scheme", func(o *Options) { o.Server = "ftp://alerts.example.com" }, "--server is not an address"},
		{"a secret in it", func(o *Options) { o.Server = "https://u:hunter2@alerts.example.com" }, "without user"},
		{"a token in it", func(o *Options) { o.Server = "https://alerts.example.com/?token=hunter2" }, "without user"},
		{"no id", func(o *Options) { o.ID = "" }, "--id"},
		{"no token", func(o *Options) { o.Token = "" }, "--token-file"},
		{"a token of two lines", func(o *Options) { o.Token = "hunter2\nx" }, "no header"},
	}
	for _, test := range tests {
		o := good
		log, l := newLog()
		o.Log = log
		test.change(&o)
		_, err := newClient(o)
		text := l.String()
		if err != nil {
			text = err.Error()
		}
		want, logged := strings.CutPrefix(test.want, "?")
		if !strings.Contains(text, want) || want == "" && text != "" || logged != (err == nil && want != "") || strings.Contains(text, "hunter2") {
			t.Errorf("%s: %s; want %q", test.name, text, test.want)
		}
	}
}
