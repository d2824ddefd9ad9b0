package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/setting"
)

const (
	prometheusToken = "0123456789abcdef-prometheus"
	hooksToken      = "0123456789abcdef-hooks"
	hostToken       = "0123456789abcdef-web-1"
	bothToken       = "0123456789abcdef-both"
)

func withTokens(o *api.Options) {
	o.Webhook.Auth.Tokens = []api.TokenConfig{
		{Name: "prometheus", Token: prometheusToken},
		{Name: "hooks", Token: hooksToken, Paths: []string{"/hooks/"}},
		{Name: "one-hook", Token: "0123456789abcdef-one", Paths: []string{"/hooks/grafana"}},
		{Name: "web-1", Token: hostToken, Hosts: []string{"web-1"}},
		{Name: "api", Token: "0123456789abcdef-api", Paths: []string{"/api/"}},
		{Name: "both", Token: bothToken, Hosts: []string{"a/b"}, Paths: []string{"/metrics"}},
	}
}

func TestAuth(t *testing.T) {
	a := newTestAPI(t, withTokens)
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	basic := func(user, password string) []string {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(user, password)
		return []string{"Authorization", r.Header.Get("Authorization")}
	}
	for _, tt := range []struct {
		name, path string
		headers    []string
		want       int
	}{
		{"health", "/-/healthy", nil, 200},
		{"readiness", "/-/ready", nil, 200},
		{"a path below health", "/-/healthy/", nil, 401},
		{"no token", "/api/v2/alerts", nil, 401},
		{"no token for metrics", "/metrics", nil, 401},
		{"no token for an unknown path", "/nowhere", nil, 401},
		{"bearer", "/api/v2/alerts", bearer(prometheusToken), 200},
		{"bearer in lower case", "/api/v2/alerts", []string{"Authorization", "bearer  " + prometheusToken}, 200},
		{"basic", "/api/v2/alerts", basic("any", prometheusToken), 200},
		{"token as the user name", "/api/v2/alerts", basic(prometheusToken, "x"), 401},
		{"query", "/api/v2/alerts?token=" + prometheusToken, nil, 200},
		{"query with another header", "/api/v2/alerts?token=" + prometheusToken, bearer("x"), 200},
		{"a part of the token", "/api/v2/alerts", bearer(prometheusToken[:20]), 401},
		{"more than the token", "/api/v2/alerts", bearer(prometheusToken + "x"), 401},
		{"empty token", "/api/v2/alerts", bearer(""), 401},
		{"empty query", "/api/v2/alerts?token=", nil, 401},
		{"another scheme", "/api/v2/alerts", []string{"Authorization", "Digest " + prometheusToken}, 401},

		{"a path below its own", "/hooks/nowhere", bearer(hooksToken), 404},
		{"a path above its own", "/hooks", bearer(hooksToken), 401},
		{"another path", "/api/v2/alerts", bearer(hooksToken), 401},
		{"a path with dots", "/hooks/%2e%2e/api/v2/alerts", bearer(hooksToken), 404},
		{"its path", "/hooks/grafana", bearer("0123456789abcdef-one"), 405},
		{"a path with the same prefix", "/hooks/grafana2", bearer("0123456789abcdef-one"), 401},

		{"its host", "/agents/web-1/config", bearer(hostToken), 404},
		{"another host", "/agents/web-10/config", bearer(hostToken), 401},
		{"all hosts", "/agents/", bearer(hostToken), 401},
		{"alerts with a host's token", "/api/v2/alerts", bearer(hostToken), 401},
		{"a host with a slash", "/agents/a%2Fb/config", bearer(bothToken), 404},
		{"a host with an unescaped slash", "/agents/a/b/config", bearer(bothToken), 401},
		{"the path of a host's token", "/metrics", bearer(bothToken), 200},

		{"the API for programs", "/api/tocsin/v1/dead", bearer(prometheusToken), 200},
		{"the API for programs without a token", "/api/tocsin/v1/dead", nil, 401},
		{"the API for programs with a token for its path", "/api/tocsin/v1/dead", bearer("0123456789abcdef-api"), 401},
		{"the API for programs, escaped", "/api/tocsin/%76%31/dead", bearer("0123456789abcdef-api"), 401},
		{"the API for programs with a host's token", "/api/tocsin/v1/dead", bearer(hostToken), 401},
		{"an unknown path of the API for programs", "/api/tocsin/v1/", bearer("0123456789abcdef-api"), 401},
		{"API v2 with a token for all APIs", "/api/v2/alerts", bearer("0123456789abcdef-api"), 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := a.request(http.MethodGet, tt.path, nil, tt.headers...)
			if r.StatusCode != tt.want {
				t.Errorf("got %d, want %d", r.StatusCode, tt.want)
			}
			challenge := strings.Join(r.Header.Values("WWW-Authenticate"), ", ")
			if got := strings.HasPrefix(challenge, `Basic realm="Tocsin"`) && strings.Contains(challenge, "Bearer"); got != (tt.want == 401) {
				t.Errorf("WWW-Authenticate: got %q, want a challenge: %v", challenge, tt.want == 401)
			}
			want := `{"code":401,"message":"a token for this path is required`
			if _, body := a.read(r); tt.want == 401 && !strings.HasPrefix(body, want) {
				t.Errorf("got body %s, want the prefix %s", body, want)
			}
		})
	}
	logs := a.logs.String()
	for _, token := range []string{prometheusToken, hooksToken, hostToken, bothToken} {
		if strings.Contains(logs, token) {
			t.Errorf("the log contains the token %s", token)
		}
	}
	if !strings.Contains(logs, "path=/api/v2/alerts status=200 bytes=3 token=prometheus") {
		t.Errorf("got the log %s, want the name of the token in the access log", logs)
	}
}

// TestAuthWithRoutePrefix checks that the paths of tokens are without the prefix.
func TestAuthWithRoutePrefix(t *testing.T) {
	a := newTestAPI(t, withTokens, func(o *api.Options) { o.RoutePrefix = "/tocsin" })
	for path, want := range map[string]int{"/tocsin/hooks/grafana": 405, "/tocsin/api/v2/alerts": 401, "/tocsin/-/healthy": 200} {
		t.Run(path, func(t *testing.T) {
			if r := a.request(http.MethodGet, path, nil, "Authorization", "Bearer "+hooksToken); r.StatusCode != want {
				t.Errorf("got %d, want %d", r.StatusCode, want)
			}
		})
	}
}

// TestRateLimit checks that each token has its own limit.
func TestRateLimit(t *testing.T) {
	a := newTestAPI(t, withTokens, func(o *api.Options) { o.Webhook.RateLimit = 2 })
	request := func(token string) *http.Response {
		return a.request(http.MethodGet, "/metrics", nil, "Authorization", "Bearer "+token)
	}
	for i, want := range []int{200, 200, 429, 429} {
		r := request(prometheusToken)
		if r.StatusCode != want || want == 429 && r.Header.Get("Retry-After") != "1" {
			t.Errorf("request %d: got %d, Retry-After %q; want %d, and 1 after 429", i, r.StatusCode, r.Header.Get("Retry-After"), want)
		}
	}
	if r := request(bothToken); r.StatusCode != 200 {
		t.Errorf("with another token: got %d, want 200", r.StatusCode)
	}
	a.now = a.now.Add(time.Second)
	if r := request(prometheusToken); r.StatusCode != 200 {
		t.Errorf("a second later: got %d, want 200", r.StatusCode)
	}
}

func TestAuthConfig(t *testing.T) {
	token := func(name, value string) api.TokenConfig {
		return api.TokenConfig{Name: name, Token: setting.Secret(value)}
	}
	for _, tt := range []struct {
		name   string
		config api.AuthConfig
		open   bool
		want   []string
	}{
		{"nothing", api.AuthConfig{}, true, nil},
		{"public", api.AuthConfig{Public: true}, false, nil},
		{"a token", api.AuthConfig{Tokens: []api.TokenConfig{token("a", prometheusToken)}}, false, nil},
		{"no name", api.AuthConfig{Tokens: []api.TokenConfig{token("", prometheusToken)}}, false, []string{"is missing: it identifies the token in logs"}},
		{"no token", api.AuthConfig{Tokens: []api.TokenConfig{token("a", "")}}, false, []string{"is missing: the sender authenticates by it"}},
		{"a short token", api.AuthConfig{Tokens: []api.TokenConfig{token("a", "short")}}, false, []string{"can be guessed"}},
		{"white space", api.AuthConfig{Tokens: []api.TokenConfig{token("a", prometheusToken+"\n")}}, false, []string{"white space"}},
		{"equal names", api.AuthConfig{Tokens: []api.TokenConfig{token("a", prometheusToken), token("a", hooksToken)}}, false, []string{"is taken by another token"}},
		{"equal tokens", api.AuthConfig{Tokens: []api.TokenConfig{token("a", hooksToken), token("b", hooksToken)}}, false, []string{"is the same as another token"}},
		{"a path of the API for programs", api.AuthConfig{Tokens: []api.TokenConfig{{Name: "a", Token: hooksToken, Paths: []string{"/api/tocsin/v1"}}}}, false, []string{"without hosts and paths"}},
		{"invalid hosts and paths", api.AuthConfig{Tokens: []api.TokenConfig{{Name: "a", Token: hooksToken, Hosts: []string{""}, Paths: []string{"hooks"}}}}, false, []string{"is empty", "is not a path"}},
		{"public with tokens", api.AuthConfig{Public: true, Tokens: []api.TokenConfig{token("a", hooksToken)}}, false, []string{"remove one of the two"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f setting.Faults
			tt.config.Validate(&f)
			list := f.List()
			if len(list) != len(tt.want) || tt.config.Open() != tt.open {
				t.Fatalf("got open %v and faults %v, want %v and %q", tt.config.Open(), list, tt.open, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(list[i].Message, want) || strings.Contains(list[i].Message, hooksToken) {
					t.Errorf("got %q, want %q without the token", list[i].Message, want)
				}
			}
		})
	}
}
