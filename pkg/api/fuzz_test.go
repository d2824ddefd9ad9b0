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

// sound checks what holds for every answer: a status that says whose fault it
// is, and JSON, never of great size.
func checkResponse(t *testing.T, status int, answer string) {
	t.Helper()
	switch status {
	case 200, 400, 404, 413, 422:
	default:
		t.Fatalf("%d %s", status, answer)
	}
	if status != 200 && (!json.Valid([]byte(answer)) || len(answer) > 64<<10) {
		t.Fatalf("%d with %d bytes: %.200s", status, len(answer), answer)
	}
}

// Whatever is posted, the answer is sound; and what was taken is shown as UTF-8
// JSON that can be posted again.
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
		w := newTestAPI(t)
		status, answer := w.post("/api/v2/alerts", body)
		checkResponse(t, status, answer)
		for _, path := range []string{"/api/v2/alerts", "/api/v2/alerts/groups"} {
			if status, shown := w.get(path); status != 200 || !utf8.ValidString(shown) || !json.Valid([]byte(shown)) {
				t.Fatalf("GET %s: %d %s", path, status, shown)
			}
		}
		_, shown := w.get("/api/v2/alerts")
		if status, answer := w.post("/api/v2/alerts", shown); status != 200 {
			t.Fatalf("what was shown is not taken again: %d %s: %s", status, answer, shown)
		}
	})
}

// Likewise for silences; one that was made can be shown, changed and ended.
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
		w := newTestAPI(t)
		status, answer := w.post("/api/v2/silences", body)
		checkResponse(t, status, answer)
		if status != 200 {
			return
		}
		var made struct{ SilenceID string }
		decode(t, answer, &made)
		path := "/api/v2/silence/" + made.SilenceID
		status, shown := w.get(path)
		if status != 200 || !utf8.ValidString(shown) {
			t.Fatalf("%d %s", status, shown)
		}
		if status, answer := w.post("/api/v2/silences", shown); status != 200 {
			t.Fatalf("what was shown is not taken again: %d %s: %s", status, answer, shown)
		}
		if status, answer := w.read(w.request(http.MethodDelete, path, nil)); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
	})
}

// A query is answered or refused, and a filter that both of Alertmanager's
// parsers refuse is not taken.
func FuzzFilter(f *testing.F) {
	for _, text := range []string{`alertname="A"`, `a=b`, `a=~"("`, `{a="b"}`, `"中 文"!~"x"`, ``, `a=`, `=`, "\xff=a", `a="\xff"`, `zone=~"z.*"`, `a=~(((((a{9}){9}){9}`} {
		f.Add(text)
	}
	shared := newTestAPI(f)
	shared.mustPost("/api/v2/alerts", scene)
	shared.silence(silence(`{"name":"a","value":"b","isRegex":false}`))
	f.Fuzz(func(t *testing.T, text string) {
		w := shared
		w.t = t
		for _, path := range []string{"/api/v2/alerts?filter=", "/api/v2/alerts?receiver=", "/api/v2/alerts?active=", "/api/v2/alerts/groups?filter=", "/api/v2/silences?filter=", "/api/v2/receivers?receiver_matchers="} {
			status, answer := w.get(path + url.QueryEscape(text))
			checkResponse(t, status, answer)
			if !strings.HasSuffix(path, "filter=") || status != 200 {
				continue
			}
			_, classic := labels.ParseMatcher(text)
			_, utf8 := parse.Matcher(text)
			if classic != nil && utf8 != nil {
				t.Fatalf("%q was taken for a matcher", text)
			}
		}
	})
}
