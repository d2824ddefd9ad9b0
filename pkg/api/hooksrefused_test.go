package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"tocsin/pkg/api"
	"tocsin/pkg/store"
)

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

func manyLabels(n int) string {
	var b strings.Builder
	b.WriteString(`{"alertname":"A"`)
	for i := range n {
		fmt.Fprintf(&b, `,"l%d":"x"`, i)
	}
	return b.String() + "}"
}

// What is refused is answered with what is wrong, and nothing of it is stored.
func TestHookRefusals(t *testing.T) {
	good := grafana(`{"alertname":"A"}`)
	for _, tt := range []struct {
		name, path, media, body string
		headers                 []string
		status                  int
		want                    string
	}{
		{"an unknown hook", "/hooks/nagios", "application/json", good, nil, 404, "path /hooks/nagios was not found"},
		{"an unknown template", "/hooks/generic/nobody", "application/json", good, nil, 404, "was not found"},
		{"a form", "/hooks/grafana", form, "a=b", nil, 415, `unsupported media type \"application/x-www-form-urlencoded\", only [application/json] are allowed`},
		{"JSON for a form", "/hooks/open-falcon/im", "application/json", "{}", nil, 415, "only [application/x-www-form-urlencoded] are allowed"},
		{"a broken type", "/hooks/grafana", "a/b/c", good, nil, 400, "parsing Content-Type header"},
		{"another charset", "/hooks/grafana", "application/json; charset=gbk", good, nil, 415, `unsupported charset \"gbk\"`},
		{"another encoding", "/hooks/grafana", "application/json", good, []string{"Content-Encoding", "br"}, 415, `unsupported content encoding \"br\"`},
		{"twice packed", "/hooks/grafana", "application/json", gzipped(t, good), []string{"Content-Encoding", "gzip, gzip"}, 415, "unsupported content encoding"},
		{"not packed", "/hooks/grafana", "application/json", good, []string{"Content-Encoding", "gzip"}, 400, "is not gzip"},
		{"packed and cut", "/hooks/grafana", "application/json", gzipped(t, good)[:30], []string{"Content-Encoding", "gzip"}, 400, "reading the body failed: unexpected EOF"},
		{"too large", "/hooks/grafana", "application/json", strings.Repeat(" ", 10_001), nil, 413, "more than 10000 bytes"},
		{"too large once unpacked", "/hooks/grafana", "application/json", gzipped(t, strings.Repeat(" ", 5_000_000)), []string{"Content-Encoding", "gzip"}, 413, "more than 10000 bytes"},
		{"empty", "/hooks/grafana", "application/json", "", nil, 400, "the body is empty"},
		{"cut", "/hooks/grafana", "application/json", good[:20], nil, 400, "unexpected end of the JSON"},
		{"deep", "/hooks/grafana", "application/json", strings.Repeat("[", 1000), nil, 400, "nested more than 64 levels deep"},
		{"twice a name", "/hooks/grafana", "application/json", `{"alerts":[],"alerts":[]}`, nil, 400, `duplicate name \"alerts\"`},
		{"more behind", "/hooks/grafana", "application/json", good + "x", nil, 400, "unexpected data after the JSON value"},
		{"no UTF-8", "/hooks/grafana", "application/json", grafana("{\"a\":\"\xff\"}"), nil, 400, "invalid UTF-8"},
		{"no labels", "/hooks/grafana", "application/json", grafana(`{}`), nil, 400, "alert 0: at least one label pair required"},
		{"only hidden labels", "/hooks/grafana", "application/json", grafana(`{"__x__":"1"}`), nil, 400, "alert 0: at least one label pair required"},
		{"one bad of two", "/hooks/grafana", "application/json", grafana(`{"alertname":"A"}`, `{"":"x"}`), nil, 400, `alert 1: invalid label set: invalid name \"\"`},
		{"101 labels", "/hooks/grafana", "application/json", grafana(manyLabels(100)), nil, 400, "alert 0: invalid label set: 101 labels, at most 100 are allowed"},
		{"four alerts", "/hooks/grafana", "application/json", grafana(`{"a":"1"}`, `{"a":"2"}`, `{"a":"3"}`, `{"a":"4"}`), nil, 413, "4 alerts, at most 3 are allowed"},
		{"a label without a value", "/hooks/grafana?label=team", "application/json", good, nil, 400, `label \"team\" in the query is not a label: write it as name:value`},
		{"a label without a name", "/hooks/grafana?label=:x", "application/json", good, nil, 400, `label \":x\" in the query is not a label`},
		{"a label that is no UTF-8", "/hooks/grafana?label=a:%ff", "application/json", good, nil, 400, "a label in the query is not UTF-8"},
		{"101 added labels", "/hooks/grafana?" + strings.Repeat("label=a:b&", 101), "application/json", good, nil, 400, "101 labels in the query"},
		{"a broken query", "/hooks/grafana?a=%zz", "application/json", good, nil, 400, "invalid query: "},
		{"a template that fails", "/hooks/generic/ci", "application/json", `{"job":{"x":1}}`, nil, 400, "alerts[0].labels.alertname: an object where text is expected"},
		{"a forged message", "/hooks/sns", "text/plain", `{"Type":"Notification","TopicArn":"t","Message":"m","Timestamp":"2026-11-20T22:00:00Z","SignatureVersion":"2","Signature":"AAAA","SigningCertURL":"https://example.com/a.pem"}`, nil, 400, "SigningCertURL: is not an https address of Amazon SNS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newTestAPI(t, withGeneric, func(o *api.Options) { o.Webhook.MaxBody, o.Limits.Alerts = 10_000, 3 })
			headers := append([]string{"Content-Type", tt.media}, tt.headers...)
			status, answer := w.read(w.request(http.MethodPost, tt.path, strings.NewReader(tt.body), headers...))
			if status != tt.status || !strings.Contains(answer, tt.want) || !strings.HasPrefix(answer, fmt.Sprintf(`{"code":%d,"message":"`, tt.status)) {
				t.Errorf("%d %s, want %d %s", status, answer, tt.status, tt.want)
			}
			if all := w.alerts(); len(all) > 0 || w.flushes > 0 {
				t.Errorf("stored: %v, woken %d times", all, w.flushes)
			}
			if tt.status != 404 && !strings.Contains(w.logs.String(), "message rejected") {
				t.Error("the log does not tell")
			}
		})
	}
	w := newTestAPI(t)
	for path, allow := range map[string]string{"/hooks/grafana": "POST, PUT", "/hooks/open-falcon/callback": "GET"} {
		r := w.request(http.MethodDelete, path, nil)
		if r.StatusCode != 405 || r.Header.Get("Allow") != allow {
			t.Errorf("DELETE %s: %d, allow %q", path, r.StatusCode, r.Header.Get("Allow"))
		}
	}
}

// A body of unknown length is measured while it is read.
func TestHookEndlessBody(t *testing.T) {
	w := newTestAPI(t)
	read := &counted{}
	status, answer := w.read(w.request(http.MethodPost, "/hooks/grafana", read, "Content-Type", "application/json"))
	if status != 413 || read.n > 2<<20 {
		t.Errorf("%d %s after %d bytes", status, answer, read.n)
	}
}

type counted struct{ n int }

func (c *counted) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	c.n += len(p)
	return len(p), nil
}

// A body that is thirty times too large once it is unpacked costs at most
// what is allowed.
func TestHookBomb(t *testing.T) {
	w := newTestAPI(t)
	bomb := gzipped(t, strings.Repeat(" ", 30<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	status, answer := w.read(w.request(http.MethodPost, "/hooks/grafana", strings.NewReader(bomb), "Content-Encoding", "gzip"))
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; status != 413 || took > 10<<20 {
		t.Errorf("%d %s: %d MiB were used", status, answer, took>>20)
	}
}

// 100,000 labels are too many, wherever they come.
func TestHookManyLabels(t *testing.T) {
	w := newTestAPI(t, func(o *api.Options) { o.Webhook.MaxBody = 32 << 20 })
	for path, body := range map[string]string{"/hooks/grafana": grafana(manyLabels(99_999)), "/hooks/alertmanager": `{"alerts":[{"status":"firing","labels":` + manyLabels(50_000) + `}]}`} {
		if status, answer := w.hook(path, "application/json", body); status != 400 || len(answer) > 1000 {
			t.Errorf("%s: %d %.200s", path, status, answer)
		}
	}
	if all := w.alerts(); len(all) > 0 {
		t.Error("they were stored")
	}
}

// A store that is away is the sender's to wait for.
func TestHookWithoutStore(t *testing.T) {
	w := newTestAPI(t)
	w.store.err = store.ErrUnavailable
	r := w.request(http.MethodPost, "/hooks/grafana", strings.NewReader(grafana(`{"a":"b"}`)), "Content-Type", "application/json")
	if r.StatusCode != 503 || r.Header.Get("Retry-After") != "5" || w.flushes != 0 {
		t.Errorf("%d, Retry-After %q, woken %d times", r.StatusCode, r.Header.Get("Retry-After"), w.flushes)
	}
}

// Whatever comes, the answer is sound, and what is refused is not stored.
func FuzzHooks(f *testing.F) {
	paths := []string{"alertmanager", "grafana", "tencent-monitor", "zabbix", "aliyun", "sns", "generic/ci", "open-falcon/im", "open-falcon/sms", "open-falcon/mail"}
	f.Add(uint8(1), false, grafana(`{"alertname":"A","a":"\u0000"}`), "label=a:b")
	f.Add(uint8(7), true, "tos=a&content=%5BP3%5D%5BOK%5D+1+m", "label=:")
	f.Add(uint8(6), false, `{"job":"x"}`, "a=%zz")
	f.Fuzz(func(t *testing.T, which uint8, isForm bool, body, query string) {
		w := newTestAPI(t, withGeneric)
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
		status, answer := w.read(w.serve(r))
		switch status {
		case 200:
		case 400, 413, 415:
			if n := len(w.alerts()); n > 0 {
				t.Errorf("%d alerts of a message that was refused", n)
			}
		default:
			t.Errorf("%d %s", status, answer)
		}
		if !json.Valid([]byte(answer)) || len(answer) > 64<<10 {
			t.Errorf("%d bytes: %.200s", len(answer), answer)
		}
	})
}

func (w *testAPI) serve(r *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return rec.Result()
}
