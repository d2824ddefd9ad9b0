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
		{Name: "both", Token: bothToken, Hosts: []string{"a/b"}, Paths: []string{"/metrics"}},
	}
}

func TestAuth(t *testing.T) {
	w := newTestAPI(t, withTokens)
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
		{"health's neighbour", "/-/healthy/", nil, 401},
		{"nothing", "/api/v2/alerts", nil, 401},
		{"nothing, for metrics", "/metrics", nil, 401},
		{"nothing, for what is not there", "/nowhere", nil, 401},
		{"bearer", "/api/v2/alerts", bearer(prometheusToken), 200},
		{"bearer, in small letters", "/api/v2/alerts", []string{"Authorization", "bearer  " + prometheusToken}, 200},
		{"basic", "/api/v2/alerts", basic("anybody", prometheusToken), 200},
		{"the name is no password", "/api/v2/alerts", basic(prometheusToken, "x"), 401},
		{"query", "/api/v2/alerts?token=" + prometheusToken, nil, 200},
		{"query, beside another header", "/api/v2/alerts?token=" + prometheusToken, bearer("x"), 200},
		{"a part", "/api/v2/alerts", bearer(prometheusToken[:20]), 401},
		{"more", "/api/v2/alerts", bearer(prometheusToken + "x"), 401},
		{"empty", "/api/v2/alerts", bearer(""), 401},
		{"empty query", "/api/v2/alerts?token=", nil, 401},
		{"another scheme", "/api/v2/alerts", []string{"Authorization", "Digest " + prometheusToken}, 401},

		{"below its path", "/hooks/nowhere", bearer(hooksToken), 404},
		{"above its path", "/hooks", bearer(hooksToken), 401},
		{"beside its path", "/api/v2/alerts", bearer(hooksToken), 401},
		{"out of its path", "/hooks/%2e%2e/api/v2/alerts", bearer(hooksToken), 404},
		{"its path", "/hooks/grafana", bearer("0123456789abcdef-one"), 405},
		{"a path that begins like it", "/hooks/grafana2", bearer("0123456789abcdef-one"), 401},

		{"its host", "/agents/web-1/config", bearer(hostToken), 404},
		{"another host", "/agents/web-10/config", bearer(hostToken), 401},
		{"no host", "/agents/", bearer(hostToken), 401},
		{"a host has no alerts", "/api/v2/alerts", bearer(hostToken), 401},
		{"a host with a slash", "/agents/a%2Fb/config", bearer(bothToken), 404},
		{"a host with half a slash", "/agents/a/b/config", bearer(bothToken), 401},
		{"or its path", "/metrics", bearer(bothToken), 200},
	} {
		r := w.request(http.MethodGet, tt.path, nil, tt.headers...)
		if r.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, r.StatusCode, tt.want)
		}
		challenge := strings.Join(r.Header.Values("WWW-Authenticate"), ", ")
		if asks := strings.HasPrefix(challenge, `Basic realm="Tocsin"`) && strings.Contains(challenge, "Bearer"); asks != (tt.want == 401) {
			t.Errorf("%s: WWW-Authenticate: %s", tt.name, challenge)
		}
		if _, body := w.read(r); tt.want == 401 && !strings.HasPrefix(body, `{"code":401,"message":"a token for this path is required`) {
			t.Errorf("%s: %s", tt.name, body)
		}
	}
	logs := w.logs.String()
	for _, token := range []string{prometheusToken, hooksToken, hostToken, bothToken} {
		if strings.Contains(logs, token) {
			t.Errorf("the log shows %s", token)
		}
	}
	if !strings.Contains(logs, "path=/api/v2/alerts status=200 bytes=3 token=prometheus") {
		t.Errorf("the access log does not name the token:\n%s", logs)
	}
}

// Behind a route prefix, paths of tokens are meant without it.
func TestAuthBehindPrefix(t *testing.T) {
	w := newTestAPI(t, withTokens, func(o *api.Options) { o.RoutePrefix = "/tocsin" })
	for path, want := range map[string]int{"/tocsin/hooks/grafana": 405, "/tocsin/api/v2/alerts": 401, "/tocsin/-/healthy": 200} {
		if r := w.request(http.MethodGet, path, nil, "Authorization", "Bearer "+hooksToken); r.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
		}
	}
}

// A token has its own measure; who sends too much with one takes nothing from
// another.
func TestRateLimit(t *testing.T) {
	w := newTestAPI(t, withTokens, func(o *api.Options) { o.Webhook.RateLimit = 2 })
	ask := func(token string) *http.Response {
		return w.request(http.MethodGet, "/metrics", nil, "Authorization", "Bearer "+token)
	}
	for i, want := range []int{200, 200, 429, 429} {
		r := ask(prometheusToken)
		if r.StatusCode != want || want == 429 && r.Header.Get("Retry-After") != "1" {
			t.Errorf("request %d: %d, Retry-After %q", i, r.StatusCode, r.Header.Get("Retry-After"))
		}
	}
	if r := ask(bothToken); r.StatusCode != 200 {
		t.Errorf("with another token: %d", r.StatusCode)
	}
	w.now = w.now.Add(time.Second)
	if r := ask(prometheusToken); r.StatusCode != 200 {
		t.Errorf("a second later: %d", r.StatusCode)
	}
}

func TestAuthConfig(t *testing.T) {
	token := func(name, value string) api.TokenConfig {
		return api.TokenConfig{Name: name, Token: setting.Secret(value)}
	}
	for _, tt := range []struct {
		config api.AuthConfig
		open   bool
		want   []string
	}{
		{api.AuthConfig{}, true, nil},
		{api.AuthConfig{Public: true}, false, nil},
		{api.AuthConfig{Tokens: []api.TokenConfig{token("a", prometheusToken)}}, false, nil},
		{api.AuthConfig{Tokens: []api.TokenConfig{token("", prometheusToken)}}, false, []string{"is missing: it identifies the token in logs"}},
		{api.AuthConfig{Tokens: []api.TokenConfig{token("a", "")}}, false, []string{"is missing: the sender authenticates by it"}},
		{api.AuthConfig{Tokens: []api.TokenConfig{token("a", "short")}}, false, []string{"can be guessed"}},
		{api.AuthConfig{Tokens: []api.TokenConfig{token("a", prometheusToken+"\n")}}, false, []string{"white space"}},
		{api.AuthConfig{Tokens: []api.TokenConfig{token("a", prometheusToken), token("a", hooksToken)}}, false, []string{"is taken by another token"}},
		{api.AuthConfig{Tokens: []api.TokenConfig{token("a", hooksToken), token("b", hooksToken)}}, false, []string{"is the same as another token"}},
		{api.AuthConfig{Tokens: []api.TokenConfig{{Name: "a", Token: hooksToken, Hosts: []string{""}, Paths: []string{"hooks"}}}}, false, []string{"is empty", "is not a path"}},
		{api.AuthConfig{Public: true, Tokens: []api.TokenConfig{token("a", hooksToken)}}, false, []string{"remove one of the two"}},
	} {
		var f setting.Faults
		tt.config.Validate(&f)
		list := f.List()
		if len(list) != len(tt.want) || tt.config.Open() != tt.open {
			t.Errorf("%+v: open %v, %v", tt.config, tt.config.Open(), list)
			continue
		}
		for i, want := range tt.want {
			if !strings.Contains(list[i].Message, want) || strings.Contains(list[i].Message, hooksToken) {
				t.Errorf("%q, want %q", list[i].Message, want)
			}
		}
	}
}
