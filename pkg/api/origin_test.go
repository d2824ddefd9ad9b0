package api_test

import (
	"context"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
)

func onLoopback(o *api.Options) { o.Address = "127.0.0.1:9093" }

// TestHost checks that an open server answers only to its own names, so that a page whose
// name was rebound to its address cannot use it.
func TestHost(t *testing.T) {
	everywhere := func(o *api.Options) { o.Address = "[::]:9093" }
	lan := func(o *api.Options) { o.Address = "10.0.0.5:9093" }
	for _, tt := range []struct {
		name   string
		option func(*api.Options)
		host   string
		want   int
	}{
		{"loopback", onLoopback, "127.0.0.1:9093", 200},
		{"loopback on another port", onLoopback, "127.0.0.1:8080", 200},
		{"loopback in IPv6", onLoopback, "[::1]:9093", 200},
		{"localhost", onLoopback, "localhost:9093", 200},
		{"localhost in capitals with a dot", onLoopback, "LOCALHOST.", 200},
		{"external_url", onLoopback, "example.com", 200},
		{"external_url on another port", onLoopback, "EXAMPLE.com:9093", 200},
		{"no host", onLoopback, "", 200},
		{"another name", onLoopback, "evil.example", 403},
		{"a name with the prefix of external_url", onLoopback, "example.com.evil.example", 403},
		{"a name that looks like loopback", onLoopback, "127.0.0.1.evil.example", 403},
		{"another name without a dot", onLoopback, "evil", 403},
		{"another address", onLoopback, "10.0.0.5:9093", 403},
		{"not a host", onLoopback, "[", 403},

		{"the address listened on", lan, "10.0.0.5:9093", 200},
		{"loopback when listening elsewhere", lan, "localhost:9093", 200},
		{"a name of the local network", lan, "tocsin:9093", 200},
		{"another name when listening on the network", lan, "evil.example:9093", 403},
		{"an address when listening on all", everywhere, "192.168.1.7:9093", 200},
		{"another name when listening on all", everywhere, "evil.example:9093", 403},

		{"any name with tokens", func(o *api.Options) { withTokens(o); onLoopback(o) }, "evil.example", 401},
		{"any name of a public API", func(o *api.Options) { o.Webhook.Auth.Public = true; onLoopback(o) }, "evil.example", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newTestAPI(t, tt.option)
			for _, path := range []string{"/api/v2/alerts", "/metrics"} {
				r := httptest.NewRequest("GET", path, nil)
				r.Host = tt.host
				if got := a.serve(r).StatusCode; got != tt.want {
					t.Errorf("%s: got %d, want %d", path, got, tt.want)
				}
			}
		})
	}
}

// TestHostOfEveryPath checks that no path is open to other names.
func TestHostOfEveryPath(t *testing.T) {
	a := newTestAPI(t, onLoopback, func(o *api.Options) { o.RoutePrefix = "/tocsin" })
	for _, path := range []string{"/", "/tocsin/", "/tocsin/-/healthy", "/tocsin/metrics", "/tocsin/hooks/grafana", "/tocsin/api/tocsin/v1/dead", "/tocsin/nowhere", "/elsewhere"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Host = "evil.example"
		status, body := a.read(a.serve(r))
		if status != 403 || !strings.Contains(body, `Host \"evil.example\"`) || !strings.Contains(body, "external_url") {
			t.Errorf("%s: got %d %s, want 403 with the host and the remedy", path, status, body)
		}
	}
}

// TestOrigin checks which requests of browsers may change something.
func TestOrigin(t *testing.T) {
	const self, external = "http://127.0.0.1:9093", "https://alerts.example.com"
	for _, tt := range []struct {
		name         string
		origin, site string // "" for no header
		allowed      bool
	}{
		{"not a browser", "", "", true},
		{"this server", self, "same-origin", true},
		{"this server, by an old browser", self, "", true},
		{"external_url", external, "same-origin", true},
		{"external_url with its port", external + ":443", "same-origin", true},
		{"external_url in capitals", "HTTPS://Alerts.Example.com", "same-origin", true},
		{"typed by the user", "", "none", true},
		{"a page without an origin, from this server", "null", "same-origin", true},
		{"a page without an origin, by an old browser", "null", "", true},

		{"another site", "https://evil.example", "cross-site", false},
		{"another site, by an old browser", "https://evil.example", "", false},
		{"another site without an origin", "", "cross-site", false},
		{"another site with the header of this server", self, "cross-site", false},
		{"another port of this host", "http://127.0.0.1:8080", "same-site", false},
		{"another host of the site", "https://www.example.com", "same-site", false},
		{"external_url without TLS", "http://alerts.example.com", "cross-site", false},
		{"a page without an origin", "null", "cross-site", false},
		{"a page without an origin, from the site", "null", "same-site", false},
		{"not an origin", "://", "", false},
	} {
		for _, request := range []struct {
			name, method, path, body string
			changes                  bool
		}{
			{"alerts", "POST", "/api/v2/alerts", `[{"labels":{"alertname":"A"}}]`, true},
			{"a hook", "POST", "/hooks/alertmanager", `{"alerts":[]}`, true},
			{"a hook by GET", "GET", "/hooks/open-falcon/callback?endpoint=e&metric=cpu&status=PROBLEM&step=60&priority=0&time=1795212000&tpl_id=1&exp_id=0&stra_id=7&tags=", "", true},
			{"a test notification", "POST", "/api/tocsin/v1/receivers/ops/test", "", true},
			{"reading", "GET", "/api/v2/alerts", "", false},
			{"reading dead letters", "GET", "/api/tocsin/v1/dead", "", false},
		} {
			t.Run(tt.name+"/"+request.name, func(t *testing.T) {
				a := newTestAPI(t, onLoopback, func(o *api.Options) {
					o.ExternalURL = external + "/tocsin"
					o.SendTest = func(context.Context, string, time.Time, func(api.TestMessage)) error { return nil }
				})
				r := httptest.NewRequest(request.method, request.path, strings.NewReader(request.body))
				r.Host = "127.0.0.1:9093"
				r.Header.Set("Content-Type", "application/json")
				if tt.origin != "" {
					r.Header.Set("Origin", tt.origin)
				}
				if tt.site != "" {
					r.Header.Set("Sec-Fetch-Site", tt.site)
				}
				want := 200
				if request.changes && !tt.allowed {
					want = 403
				}
				if status, body := a.read(a.serve(r)); status != want {
					t.Errorf("got %d %s, want %d", status, body, want)
				}
			})
		}
	}
}

// TestOriginWithTokens checks that a browser that holds a token cannot be used by
// another page, and that reading the status needs no origin.
func TestOriginWithTokens(t *testing.T) {
	a := newTestAPI(t, withTokens)
	r := a.request("POST", "/api/v2/alerts", strings.NewReader("[]"), "Content-Type", "application/json", "Authorization", "Bearer "+prometheusToken, "Origin", "https://evil.example")
	a.expect(r, 403, "https://evil.example")
}

// TestCORS checks that a configured origin may use API v2 and no other path, as with
// Alertmanager's --web.cors.origin.
func TestCORS(t *testing.T) {
	const allowed = "https://a.example.com"
	with := func(o *api.Options) { o.CORSOrigin = regexp.MustCompile(`^(?:https://a\.example\.com)$`) }
	for _, tt := range []struct {
		name, path, origin string
		options            []func(*api.Options)
		want               string // Access-Control-Allow-Origin of the preflight
		post               int    // status of a POST
	}{
		{"API v2", "/api/v2/alerts", allowed, []func(*api.Options){with}, allowed, 200},
		{"API v2 under a prefix", "/am/api/v2/alerts", allowed, []func(*api.Options){with, func(o *api.Options) { o.RoutePrefix = "/am" }}, allowed, 200},
		{"API v2 with tokens", "/api/v2/alerts", allowed, []func(*api.Options){with, withTokens}, allowed, 401},
		{"a suffixed origin", "/api/v2/alerts", allowed + ".evil.net", []func(*api.Options){with}, "", 403},
		{"another origin", "/api/v2/alerts", "https://b.example.com", []func(*api.Options){with}, "", 403},
		{"the API for programs", "/api/tocsin/v1/receivers/ops/test", allowed, []func(*api.Options){with}, "", 403},
		{"metrics", "/metrics", allowed, []func(*api.Options){with}, "", 403},
		{"reload", "/-/reload", allowed, []func(*api.Options){with}, "", 403},
		{"hooks", "/hooks/alertmanager", allowed, []func(*api.Options){with}, "", 403},
		{"not configured", "/api/v2/alerts", allowed, nil, "", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newTestAPI(t, tt.options...)
			r := a.request("OPTIONS", tt.path, nil, "Origin", tt.origin, "Access-Control-Request-Method", "POST")
			if got := r.Header.Get("Access-Control-Allow-Origin"); got != tt.want {
				t.Errorf("preflight: got Access-Control-Allow-Origin %q, want %q", got, tt.want)
			}
			r = a.request("POST", tt.path, strings.NewReader("[]"), "Content-Type", "application/json", "Origin", tt.origin, "Sec-Fetch-Site", "cross-site")
			if r.StatusCode != tt.post || r.Header.Get("Access-Control-Allow-Origin") != tt.want {
				t.Errorf("POST: got %d, Access-Control-Allow-Origin %q; want %d, %q", r.StatusCode, r.Header.Get("Access-Control-Allow-Origin"), tt.post, tt.want)
			}
		})
	}
}
