package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"tocsin/pkg/api"
	"tocsin/pkg/intake"
	"tocsin/pkg/store"
)

// gzipped returns a compressed body.
func gzipped(t testing.TB, body string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// manyLabels returns n labels and an alertname as JSON.
func manyLabels(n int) string {
	var b strings.Builder
	b.WriteString(`{"alertname":"A"`)
	for i := range n {
		fmt.Fprintf(&b, `,"l%d":"x"`, i)
	}
	return b.String() + "}"
}

// TestHookErrors checks that a rejected message is logged and not stored.
func TestHookErrors(t *testing.T) {
	good := grafana(`{"alertname":"A"}`)
	for _, tt := range []struct {
		name, path, media, body string
		headers                 []string
		status                  int
		want                    string
	}{
		{"an unknown hook", "/hooks/nagios", "application/json", good, nil, 404, "path /hooks/nagios was not found"},
		{"an unknown template", "/hooks/generic/unknown", "application/json", good, nil, 404, "was not found"},
		{"a form", "/hooks/grafana", form, "a=b", nil, 415, `unsupported media type \"application/x-www-form-urlencoded\", only [application/json text/plain] are allowed`},
		{"JSON for a form", "/hooks/open-falcon/im", "application/json", "{}", nil, 415, "only [application/x-www-form-urlencoded] are allowed"},
		{"a message of another system", "/hooks/grafana", "application/json", `{"event_name":"n"}`, nil, 400, "alerts: is missing; /hooks/grafana takes webhooks of Grafana, of unified and of legacy alerting (docs/webhook.md#hooks)"},
		{"a form of another system", "/hooks/aliyun", form, "tos=a", nil, 400, "/hooks/aliyun takes threshold callbacks, event subscriptions and event callbacks"},
		{"an invalid Content-Type", "/hooks/grafana", "a/b/c", good, nil, 400, "parsing Content-Type header"},
		{"another charset", "/hooks/grafana", "application/json; charset=gbk", good, nil, 415, `unsupported charset \"gbk\"`},
		{"another encoding", "/hooks/grafana", "application/json", good, []string{"Content-Encoding", "br"}, 415, `unsupported content encoding \"br\"`},
		{"two encodings", "/hooks/grafana", "application/json", gzipped(t, good), []string{"Content-Encoding", "gzip, gzip"}, 415, "unsupported content encoding"},
		{"not gzip", "/hooks/grafana", "application/json", good, []string{"Content-Encoding", "gzip"}, 400, "is not gzip"},
		{"incomplete gzip", "/hooks/grafana", "application/json", gzipped(t, good)[:30], []string{"Content-Encoding", "gzip"}, 400, "reading the body failed, because unexpected EOF"},
		{"too large", "/hooks/grafana", "application/json", strings.Repeat(" ", 10_001), nil, 413, "more than 10000 bytes"},
		{"too large after decompression", "/hooks/grafana", "application/json", gzipped(t, strings.Repeat(" ", 5_000_000)), []string{"Content-Encoding", "gzip"}, 413, "more than 10000 bytes"},
		{"empty", "/hooks/grafana", "application/json", "", nil, 400, "the body is empty"},
		{"incomplete", "/hooks/grafana", "application/json", good[:20], nil, 400, "unexpected end of the JSON"},
		{"nested too deep", "/hooks/grafana", "application/json", strings.Repeat("[", 1000), nil, 400, "nested more than 64 levels deep"},
		{"a duplicate name", "/hooks/grafana", "application/json", `{"alerts":[],"alerts":[]}`, nil, 400, `duplicate name \"alerts\"`},
		{"data after the JSON", "/hooks/grafana", "application/json", good + "x", nil, 400, "unexpected data after the JSON value"},
		{"invalid UTF-8", "/hooks/grafana", "application/json", grafana("{\"a\":\"\xff\"}"), nil, 400, "invalid UTF-8"},
		{"no labels", "/hooks/grafana", "application/json", grafana(`{}`), nil, 400, "alert 0: at least one label pair required"},
		{"only internal labels", "/hooks/grafana", "application/json", grafana(`{"__x__":"1"}`), nil, 400, "alert 0: at least one label pair required"},
		{"a label without a name in the message", "/hooks/grafana", "application/json", grafana(`{"":"x"}`), nil, 400, "alerts[0].labels: a name is empty"},
		{"101 labels", "/hooks/grafana", "application/json", grafana(manyLabels(100)), nil, 400, "alert 0: invalid label set: 101 labels, at most 100 are allowed"},
		{"four alerts", "/hooks/grafana", "application/json", grafana(`{"a":"1"}`, `{"a":"2"}`, `{"a":"3"}`, `{"a":"4"}`), nil, 413, "4 alerts, at most 3 are allowed"},
		{"a label without a value", "/hooks/grafana?label=team", "application/json", good, nil, 400, `label \"team\" in the query is not a label: write it as name:value`},
		{"a label without a name", "/hooks/grafana?label=:x", "application/json", good, nil, 400, `label \":x\" in the query is not a label`},
		{"a label that is not UTF-8", "/hooks/grafana?label=a:%ff", "application/json", good, nil, 400, "a label in the query is not UTF-8"},
		{"101 labels in the query", "/hooks/grafana?" + strings.Repeat("label=a:b&", 101), "application/json", good, nil, 400, "101 labels in the query"},
		{"an invalid query", "/hooks/grafana?a=%zz", "application/json", good, nil, 400, "invalid query: "},
		{"a template that fails", "/hooks/generic/ci", "application/json", `{"job":{"x":1}}`, nil, 400, "alerts[0].labels.alertname: an object where text is expected"},
		{"a forged message", "/hooks/sns", "text/plain", `{"Type":"Notification","TopicArn":"t","Message":"m","Timestamp":"2026-11-20T22:00:00Z","SignatureVersion":"2","Signature":"AAAA","SigningCertURL":"https://example.com/a.pem"}`, nil, 400, "SigningCertURL: is not an https address of Amazon SNS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newTestAPI(t, withGeneric, func(o *api.Options) { o.Webhook.MaxBody, o.Limits.Alerts = 10_000, 3 })
			headers := append([]string{"Content-Type", tt.media}, tt.headers...)
			body := a.expect(a.request(http.MethodPost, tt.path, strings.NewReader(tt.body), headers...), tt.status, tt.want)
			if want := fmt.Sprintf(`{"code":%d,"message":"`, tt.status); !strings.HasPrefix(body, want) {
				t.Errorf("got body %s, want the prefix %s", body, want)
			}
			a.expectAlerts(0)
			a.expectFlushes(0)
			if log := a.logs.String(); tt.status != 404 && !strings.Contains(log, "message rejected") {
				t.Errorf("got the log %s, want the rejection", log)
			}
		})
	}
}

// TestHookWithInvalidAlerts checks that the invalid alerts of a message are named by
// their position, and that the others are stored.
func TestHookWithInvalidAlerts(t *testing.T) {
	ci := func(o *api.Options) {
		o.Webhook.Generic = []intake.GenericConfig{{Name: "ci", Alerts: "{{ .Body | toJson }}"}}
	}
	for _, tt := range []struct {
		name, path, body string
		want             string
	}{
		{"invalid labels", "/hooks/grafana", grafana(`{"alertname":"A"}`, `{"__x__":"1"}`, `{"alertname":"C"}`),
			`{"code":400,"message":"alert 1: at least one label pair required","alerts":2,"rejected":[1]}`},
		{"invalid values", "/hooks/alertmanager", `{"alerts":[{"status":"odd","labels":{"a":"x"}},{"status":"firing","labels":{"alertname":"A"}},{"status":"firing","labels":{"a":{}}},{"status":"firing","labels":{"alertname":"C"}}]}`,
			`{"code":400,"message":"alerts[0].status: \"odd\" is neither firing nor resolved\nalerts[2].labels.a: an object where text is expected","alerts":2,"rejected":[0,2]}`},
		{"both", "/hooks/generic/ci", `[{"labels":{"alertname":"A"}},{},{"labels":{"a":""}},{"labels":{"alertname":"C"}}]`,
			`{"code":400,"message":"alerts[1].labels: is missing\nalert 2: at least one label pair required","alerts":2,"rejected":[1,2]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newTestAPI(t, ci)
			if status, got := a.hook(tt.path, "application/json", tt.body); status != 400 || got != tt.want {
				t.Errorf("got  %d %s\nwant 400 %s", status, got, tt.want)
			}
			if got := a.names("/api/v2/alerts"); got != "A C" && got != "C A" {
				t.Errorf("got firing %q, want A and C", got)
			}
			a.expectFlushes(1)
			if log := a.logs.String(); !strings.Contains(log, "message rejected") {
				t.Errorf("got the log %s, want the rejection", log)
			}
		})
	}
}

func TestHookMethods(t *testing.T) {
	a := newTestAPI(t)
	for path, allow := range map[string]string{"/hooks/grafana": "POST, PUT", "/hooks/open-falcon/callback": "GET"} {
		t.Run(path, func(t *testing.T) {
			r := a.request(http.MethodDelete, path, nil)
			if r.StatusCode != 405 || r.Header.Get("Allow") != allow {
				t.Errorf("DELETE: got %d, Allow %q; want 405, %q", r.StatusCode, r.Header.Get("Allow"), allow)
			}
		})
	}
}

// TestHookUnlimitedBody checks that reading stops at the limit.
func TestHookUnlimitedBody(t *testing.T) {
	a := newTestAPI(t)
	body := &endlessReader{}
	a.expect(a.request(http.MethodPost, "/hooks/grafana", body, "Content-Type", "application/json"), 413, "")
	if body.n > 2<<20 {
		t.Errorf("read %d bytes, want at most 2 MiB", body.n)
	}
}

// endlessReader reads spaces and counts them.
type endlessReader struct{ n int }

func (r *endlessReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	r.n += len(p)
	return len(p), nil
}

// TestHookGzipBomb checks that decompression stops at the limit.
func TestHookGzipBomb(t *testing.T) {
	a := newTestAPI(t)
	bomb := gzipped(t, strings.Repeat(" ", 30<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	status, response := a.read(a.request(http.MethodPost, "/hooks/grafana", strings.NewReader(bomb), "Content-Encoding", "gzip"))
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; status != 413 || allocated > 10<<20 {
		t.Errorf("got %d %s with %d MiB allocated, want 413 with at most 10", status, response, allocated>>20)
	}
}

func TestHookTooManyLabels(t *testing.T) {
	a := newTestAPI(t, func(o *api.Options) { o.Webhook.MaxBody = 32 << 20 })
	for path, body := range map[string]string{"/hooks/grafana": grafana(manyLabels(99_999)), "/hooks/alertmanager": `{"alerts":[{"status":"firing","labels":` + manyLabels(50_000) + `}]}`} {
		t.Run(path, func(t *testing.T) {
			if status, response := a.hook(path, "application/json", body); status != 400 || len(response) > 1000 {
				t.Errorf("got %d %.200s, want 400 with at most 1000 bytes", status, response)
			}
		})
	}
	a.expectAlerts(0)
}

func TestHookWithoutStore(t *testing.T) {
	a := newTestAPI(t)
	a.store.err = store.ErrUnavailable
	r := a.request(http.MethodPost, "/hooks/grafana", strings.NewReader(grafana(`{"a":"b"}`)), "Content-Type", "application/json")
	if r.StatusCode != 503 || r.Header.Get("Retry-After") != "5" {
		t.Errorf("got %d, Retry-After %q; want 503, 5", r.StatusCode, r.Header.Get("Retry-After"))
	}
	a.expectFlushes(0)
}

// FuzzHooks checks that every response is valid JSON, and that rejected messages are not
// stored.
func FuzzHooks(f *testing.F) {
	paths := []string{"alertmanager", "grafana", "tencent-monitor", "zabbix", "aliyun", "sns", "generic/ci", "open-falcon/im", "open-falcon/sms", "open-falcon/mail"}
	f.Add(uint8(1), false, grafana(`{"alertname":"A","a":"\u0000"}`), "label=a:b")
	f.Add(uint8(7), true, "tos=a&content=%5BP3%5D%5BOK%5D+1+m", "label=:")
	f.Add(uint8(6), false, `{"job":"x"}`, "a=%zz")
	f.Fuzz(func(t *testing.T, which uint8, isForm bool, body, query string) {
		a := newTestAPI(t, withGeneric)
		media := "application/json"
		if isForm {
			media = form
		}
		r, err := http.NewRequest(http.MethodPost, "/hooks/"+paths[int(which)%len(paths)], strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", media)
		status, response := a.read(a.serve(r))
		switch status {
		case 200:
		case 400, 413, 415:
			a.expectAlerts(0)
		default:
			t.Errorf("got %d %s, want 200, 400, 413 or 415", status, response)
		}
		if !json.Valid([]byte(response)) || len(response) > 64<<10 {
			t.Errorf("got %d bytes %.200s, want at most 64 KiB of JSON", len(response), response)
		}
	})
}
