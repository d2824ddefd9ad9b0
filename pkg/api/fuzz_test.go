package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"
)

// checkResponse checks that a response has an expected status and is JSON of at most 64
// KiB.
func checkResponse(t *testing.T, status int, response string) {
	t.Helper()
	switch status {
	case 200, 400, 404, 413, 422:
	default:
		t.Fatalf("got %d %s, want 200, 400, 404, 413 or 422", status, response)
	}
	if status != 200 && (!json.Valid([]byte(response)) || len(response) > 64<<10) {
		t.Fatalf("got %d with %d bytes %.200s, want at most 64 KiB of JSON", status, len(response), response)
	}
}

// FuzzAlerts checks the responses to any body, and that stored alerts can be read and
// posted again.
func FuzzAlerts(f *testing.F) {
	for _, body := range []string{
		``, `null`, `[]`, `[null]`, `[{}]`, `{}`, scene,
		`[{"labels":{"a":"x"},"startsAt":"2026-11-20T10:00:00.123456789+08:00","endsAt":"2026-11-20"}]`,
		`[{"labels":{"a":"\ud800","b":null},"annotations":{"":"x"}}]`,
		`[{"labels":{"a":"x"},"startsAt":"0000-01-01T00:00:00+23:59"},{"labels":{"b":"x"},"endsAt":"9999-12-31T23:59:59-23:59"}]`,
		`[{"labels":{"a":"x"},"startsAt":"2026-11-20T10:00:00+24:00"}]`,
		"[{\"labels\":{\"a\":\"\xff\"}}]",
		`[{"labels":{"team":"db","severity":"warning","zone":""},"generatorURL":"/x"}] `,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		a := newTestAPI(t)
		status, response := a.post("/api/v2/alerts", body)
		checkResponse(t, status, response)
		for _, path := range []string{"/api/v2/alerts", "/api/v2/alerts/groups"} {
			if status, shown := a.get(path); status != 200 || !utf8.ValidString(shown) || !json.Valid([]byte(shown)) {
				t.Fatalf("GET %s: got %d %s, want 200 with JSON", path, status, shown)
			}
		}
		_, shown := a.get("/api/v2/alerts")
		if status, response := a.post("/api/v2/alerts", shown); status != 200 {
			t.Fatalf("posting the response again: got %d %s, want 200: %s", status, response, shown)
		}
	})
}

// FuzzSilences checks the responses to any body, and that a created silence can be read,
// updated and expired.
func FuzzSilences(f *testing.F) {
	for _, body := range []string{
		``, `null`, `{}`, silence(``), silence(`null`), silence(`{}`),
		silence(`{"name":"a","value":"b","isRegex":false}`),
		silence(`{"name":"中","value":"(a|b)+","isRegex":true,"isEqual":false},{"name":"a","value":"b","isRegex":false}`, `"annotations":{"a":"b"}`),
		silence(`{"name":"a","value":"((((((a{10}){10}){10}","isRegex":true}`),
		silence(`{"name":"a","value":"b","isRegex":false}`, `"endsAt":"9999-12-31T23:59:59-23:59"`),
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		a := newTestAPI(t)
		status, response := a.post("/api/v2/silences", body)
		checkResponse(t, status, response)
		if status != 200 {
			return
		}
		var created struct{ SilenceID string }
		decode(t, response, &created)
		path := "/api/v2/silence/" + created.SilenceID
		status, shown := a.get(path)
		if status != 200 || !utf8.ValidString(shown) {
			t.Fatalf("GET: got %d %s, want 200 with UTF-8", status, shown)
		}
		if status, response := a.post("/api/v2/silences", shown); status != 200 {
			t.Fatalf("posting the response again: got %d %s, want 200: %s", status, response, shown)
		}
		if status, response := a.read(a.request(http.MethodDelete, path, nil)); status != 200 {
			t.Fatalf("DELETE: got %d %s, want 200", status, response)
		}
	})
}

// FuzzFilter checks the responses to any query, and that a filter is rejected if both of
// Alertmanager's parsers reject it.
func FuzzFilter(f *testing.F) {
	for _, text := range []string{`alertname="A"`, `a=b`, `a=~"("`, `{a="b"}`, `"中 文"!~"x"`, ``, `a=`, `=`, "\xff=a", `a="\xff"`, `zone=~"z.*"`, `a=~(((((a{9}){9}){9}`} {
		f.Add(text)
	}
	shared := newTestAPI(f)
	shared.mustPost("/api/v2/alerts", scene)
	shared.silence(silence(`{"name":"a","value":"b","isRegex":false}`))
	f.Fuzz(func(t *testing.T, text string) {
		a := shared
		a.t = t
		for _, path := range []string{"/api/v2/alerts?filter=", "/api/v2/alerts?receiver=", "/api/v2/alerts?active=", "/api/v2/alerts/groups?filter=", "/api/v2/silences?filter=", "/api/v2/receivers?receiver_matchers="} {
			status, response := a.get(path + url.QueryEscape(text))
			checkResponse(t, status, response)
			if !strings.HasSuffix(path, "filter=") || status != 200 {
				continue
			}
			_, classic := labels.ParseMatcher(text)
			_, utf8 := parse.Matcher(text)
			if classic != nil && utf8 != nil {
				t.Fatalf("%q: got 200, want an error", text)
			}
		}
	})
}
