package api_test

import (
	"bytes"
	"compress/gzip"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/api"
	"tocsin/pkg/host"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

const (
	webToken   = "0123456789abcdef-group-web"
	enrolToken = "0123456789abcdef-enrol"
)

// agents is an API whose hosts are web-1, web-2 and db-1, and the store behind it.
func newAgentAPI(t testing.TB) (*testAPI, *failingStore) {
	t.Helper()
	high := 90.0
	c := host.Config{
		Templates: []host.Template{{Name: "linux", Services: map[string]host.ServiceConfig{
			"LinuxCPU": {Plugin: "cpu", Interval: setting.Duration(15 * time.Second)}, "LinuxMemory": {Plugin: "memory", Interval: setting.Duration(time.Minute)},
		}}},
		Groups:   []host.Group{{Name: "web", Templates: []string{"linux"}, Labels: alert.Labels{"project": "oms"}, Tokens: []string{"web"}}},
		Hosts:    []host.InventoryEntry{{ID: "web-1", Groups: []string{"web"}}, {ID: "web-2", Groups: []string{"web"}}, {ID: "db-1", Templates: []string{"linux"}}},
		Rules:    []host.Rule{{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: &high}},
		Register: &host.Register{Tokens: []string{"enrol"}, Max: new(int)},
	}
	*c.Register.Max = 1
	st := &failingStore{Store: memory.New()}
	w := newTestAPI(t, withTokens, func(o *api.Options) {
		o.Webhook.Auth.Tokens = append(o.Webhook.Auth.Tokens,
			api.TokenConfig{Name: "web", Token: webToken, Paths: []string{"/agents"}},
			api.TokenConfig{Name: "enrol", Token: enrolToken, Paths: []string{"/agents"}})
		o.Hosts = &host.Registry{Store: st, Inventory: host.NewInventory(&c), Ingest: o.Engine.Ingest, Language: "en", Log: slog.New(slog.DiscardHandler)}
	})
	return w, st
}

// ask asks as who has a token.
func (w *testAPI) ask(token, method, path, body string, headers ...string) *http.Response {
	return w.request(method, path, strings.NewReader(body), append([]string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}, headers...)...)
}

const cpuReport = `{"client_id": "web-1", "service_name": "LinuxCPU", "data": {"usage_percent": 12.5}}`

// An agent asks what it must collect, and asks again for nothing but a header.
func TestAgentConfig(t *testing.T) {
	w, _ := newAgentAPI(t)
	r := w.ask(hostToken, http.MethodGet, "/agents/web-1/config", "")
	status, body := w.read(r)
	etag := r.Header.Get("ETag")
	if status != 200 || body != `{"services":{"LinuxCPU":["cpu",15],"LinuxMemory":["memory",60]}}` || etag == "" ||
		r.Header.Get("Cache-Control") != "no-cache" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s %v", status, body, r.Header)
	}
	for tag, want := range map[string]int{
		etag: 304, "W/" + etag: 304, `"other", ` + etag: 304, "*": 304,
		`"other"`: 200, strings.Trim(etag, `"`): 200, "": 200,
	} {
		r := w.ask(hostToken, http.MethodGet, "/agents/web-1/config", "", "If-None-Match", tag)
		if status, body := w.read(r); status != want || (body == "") != (want == 304) || r.Header.Get("ETag") != etag {
			t.Errorf("If-None-Match %s: %d %s %v", tag, status, body, r.Header)
		}
	}
	if r := w.ask(hostToken, http.MethodPost, "/agents/web-1/config", ""); r.StatusCode != 405 || r.Header.Get("Allow") != "GET" {
		t.Errorf("POST: %d, %v", r.StatusCode, r.Header)
	}
}

// Who may ask what: a token speaks for the hosts that it is bound to.
func TestAgentAuth(t *testing.T) {
	w, _ := newAgentAPI(t)
	for _, tt := range []struct {
		name, token, path string
		want              int
	}{
		{"its host", hostToken, "/agents/web-1/config", 200},
		{"another host", hostToken, "/agents/web-2/config", 401},
		{"no token", "", "/agents/web-1/config", 401},
		{"a wrong token", "x", "/agents/web-1/config", 401},
		{"a host of its group", webToken, "/agents/web-2/config", 200},
		{"a host of no group of its", webToken, "/agents/db-1/config", 403},
		{"a token without bounds", prometheusToken, "/agents/db-1/config", 200},
		{"unknown", prometheusToken, "/agents/db-2/config", 404},
		{"unknown, of a group", webToken, "/agents/web-3/config", 404},
		{"one to enrol", enrolToken, "/agents/vm-1/config", 200},
		{"one to enrol that is there", enrolToken, "/agents/web-1/config", 403},
		{"none that can be", enrolToken, "/agents/vm%2F1/config", 404},
		{"hooks", hooksToken, "/agents/web-1/config", 401},
		{"nothing behind it", prometheusToken, "/agents/web-1/nothing", 404},
		{"nobody", prometheusToken, "/agents//config", 301},
	} {
		if r := w.ask(tt.token, http.MethodGet, tt.path, ""); r.StatusCode != tt.want && (tt.want != 301 || r.StatusCode/100 != 3) {
			t.Errorf("%s: %d, want %d", tt.name, r.StatusCode, tt.want)
		}
		report := strings.TrimSuffix(tt.path, "/config") + "/report"
		id, _ := url.PathUnescape(strings.Split(tt.path, "/")[2])
		r := w.ask(tt.token, http.MethodPost, report, strings.Replace(cpuReport, "web-1", id, 1))
		if status, body := w.read(r); strings.HasSuffix(tt.path, "/config") && tt.want != 301 && status != tt.want {
			t.Errorf("%s: a report: %d %s, want %d", tt.name, status, body, tt.want)
		}
	}
	if status, body := w.read(w.ask(enrolToken, http.MethodPost, "/agents/vm-2/report", strings.Replace(cpuReport, "web-1", "vm-2", 1))); status != 403 || !strings.Contains(body, "hosts.register.max") {
		t.Errorf("one too many: %d %s", status, body)
	}
}

// A report is taken as JSON, packed JSON, or as a form, and shown.
func TestReport(t *testing.T) {
	w, _ := newAgentAPI(t)
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	zip.Write([]byte(strings.Replace(cpuReport, "12.5", "13", 1)))
	zip.Close()
	form := url.Values{"client_id": {"web-1"}, "service_name": {"LinuxMemory"}, "data": {`{"used_percent": 71}`}, "at": {"2026-11-20T21:59:30Z"}}
	for _, tt := range []struct {
		name, body string
		headers    []string
		want       string // the services with their values
	}{
		{"JSON", cpuReport, nil, `"LinuxCPU":{"plugin":"cpu","interval":15,"at":"2026-11-20T22:00:00.123Z","data":{"usage_percent":12.5}}`},
		{"packed", packed.String(), []string{"Content-Encoding", "gzip"}, `"data":{"usage_percent":13}`},
		{"a form", form.Encode(), []string{"Content-Type", "application/x-www-form-urlencoded"}, `"LinuxMemory":{"plugin":"memory","interval":60,"at":"2026-11-20T21:59:30Z","data":{"used_percent":71}}`},
		{"a time", strings.Replace(cpuReport, "{", `{"at": "2026-11-21T06:00:00.5+08:00", "more": [1], `, 1), nil, `"at":"2026-11-20T22:00:00.123Z","data":{"usage_percent":12.5}`},
	} {
		if status, body := w.read(w.ask(hostToken, http.MethodPost, "/agents/web-1/report", tt.body, tt.headers...)); status != 200 || body != `{"status":"ok"}` {
			t.Errorf("%s: %d %s", tt.name, status, body)
		}
		if _, body := w.read(w.ask(hostToken, http.MethodGet, "/agents/web-1", "")); !strings.Contains(body, tt.want) {
			t.Errorf("%s: %s, want %s in it", tt.name, body, tt.want)
		}
	}
	_, body := w.read(w.ask(hostToken, http.MethodGet, "/agents/web-1", ""))
	if !strings.HasPrefix(body, `{"id":"web-1","name":"web-1","state":"online","groups":["web"],"labels":{"host":"web-1","hostname":"web-1","project":"oms"},"lastReport":"2026-11-20T22:00:00.123Z","upSince":"2026-11-20T22:00:00.123Z","address":"192.0.2.1","services":{`) {
		t.Error(body) // 192.0.2.1 is httptest's
	}
	if _, body = w.read(w.ask(prometheusToken, http.MethodGet, "/agents/db-1", "")); !strings.Contains(body, `"groups":[]`) {
		t.Errorf("a host in no group: %s", body)
	}
	_, body = w.read(w.ask(webToken, http.MethodGet, "/agents", ""))
	if want := `[{"id":"web-1","name":"web-1","state":"online","groups":["web"],"labels":{"host":"web-1","hostname":"web-1","project":"oms"},"lastReport":"2026-11-20T22:00:00.123Z","upSince":"2026-11-20T22:00:00.123Z","address":"192.0.2.1"},` +
		`{"id":"web-2","name":"web-2","state":"never","groups":["web"],"labels":{"host":"web-2","hostname":"web-2","project":"oms"}}]`; body != want {
		t.Errorf("%s, want %s", body, want)
	}
}

// What is due with a report is said at once, and with most reports nothing is.
func TestReportThatFires(t *testing.T) {
	w, _ := newAgentAPI(t)
	w.ask(hostToken, http.MethodPost, "/agents/web-1/report", cpuReport)
	if w.flushes != 0 {
		t.Errorf("woken %d times by a report that says nothing", w.flushes)
	}
	w.ask(hostToken, http.MethodPost, "/agents/web-1/report", strings.Replace(cpuReport, "12.5", "95", 1))
	_, alerts := w.read(w.ask(prometheusToken, http.MethodGet, "/api/v2/alerts", ""))
	if w.flushes != 1 || !strings.Contains(alerts, `"alertname":"HostCPUHigh"`) {
		t.Errorf("woken %d times, alerts %s", w.flushes, alerts)
	}
}

func TestReportIsRefused(t *testing.T) {
	w, st := newAgentAPI(t)
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	report := func(data string) string {
		return `{"client_id": "web-1", "service_name": "LinuxCPU", "data": ` + data + `}`
	}
	for _, tt := range []struct {
		name, body string
		headers    []string
		status     int
		want       string
	}{
		{"another's id", strings.Replace(cpuReport, "web-1", "web-2", 1), nil, 400, `client_id is \"web-2\", but the path is that of \"web-1\"`},
		{"no id", `{"service_name": "x", "data": 1}`, nil, 400, "client_id is missing"},
		{"no service", `{"client_id": "web-1", "data": 1}`, nil, 400, "service_name is missing"},
		{"a long service", `{"client_id": "web-1", "service_name": "` + strings.Repeat("x", 129) + `", "data": 1}`, nil, 400, "more than 128 bytes"},
		{"no data", `{"client_id": "web-1", "service_name": "x"}`, nil, 400, "data is missing"},
		{"null", report("null"), nil, 400, "data is missing"},
		{"nothing", "", nil, 400, "invalid JSON"},
		{"no JSON", "{", nil, 400, "invalid JSON"},
		{"an array", "[]", nil, 400, "array where an object is expected"},
		{"more behind it", cpuReport + "{}", nil, 400, "unexpected data"},
		{"a name twice", strings.Replace(cpuReport, "{", `{"client_id": "x", `, 1), nil, 400, "duplicate"},
		{"a name twice within", report(`{"a": 1, "a": 2}`), nil, 400, "duplicate"},
		{"no UTF-8", report("\"\xff\""), nil, 400, "UTF-8"},
		{"deep", report(strings.Repeat("[", 40) + strings.Repeat("]", 40)), nil, 400, "nested more than 32 levels deep"},
		{"wide", report("[" + strings.Repeat("1,", 20_000) + "1]"), nil, 400, "more than 20000"},
		{"a number as id", strings.Replace(cpuReport, `"web-1"`, "7", 1), nil, 400, "client_id: number where a string is expected"},
		{"no time", strings.Replace(cpuReport, "{", `{"at": "yesterday", `, 1), nil, 400, "is not a time"},
		{"large data", report(`"` + strings.Repeat("x", host.MaxDataSize) + `"`), nil, 413, "64 KiB"},
		{"a large body", report(`"` + strings.Repeat("x", 1<<20) + `"`), nil, 413, "1048576 bytes"},
		{"another type", cpuReport, []string{"Content-Type", "text/plain"}, 415, "unsupported media type"},
		{"no form", "%zz", form, 400, "not a form"},
		{"a form without JSON", "client_id=web-1&service_name=x&data=%7B", form, 400, "data: invalid JSON"},
		{"a field twice", "client_id=web-1&client_id=web-1", form, 400, "repeated"},
		{"no time in a form", "client_id=web-1&service_name=x&data=1&at=x", form, 400, "at: "},
		{"a form that is not UTF-8", "client_id=web-1&service_name=%ff&data=1", form, 400, "UTF-8"},
	} {
		status, body := w.read(w.ask(hostToken, http.MethodPost, "/agents/web-1/report", tt.body, tt.headers...))
		if status != tt.status || !strings.Contains(body, tt.want) || !strings.HasPrefix(body, `{"code":`) {
			t.Errorf("%s: %d %s, want %d %s", tt.name, status, body, tt.status, tt.want)
		}
	}
	if items, _ := st.List(t.Context(), "host", "", 9); len(items) != 0 {
		t.Errorf("left in the store: %v", items)
	}
	if r := w.ask(hostToken, http.MethodGet, "/agents/web-1/report", ""); r.StatusCode != 405 {
		t.Errorf("GET: %d", r.StatusCode)
	}
	if logs := w.logs.String(); !strings.Contains(logs, "agent rejected") || strings.Contains(logs, hostToken) {
		t.Error(logs)
	}
	st.err = store.ErrUnavailable
	for _, path := range []string{"/agents", "/agents/web-1"} {
		if r := w.ask(prometheusToken, http.MethodGet, path, ""); r.StatusCode != 503 {
			t.Errorf("%s with the store away: %d", path, r.StatusCode)
		}
	}
	if r := w.ask(hostToken, http.MethodPost, "/agents/web-1/report", cpuReport); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("a report with the store away: %d, %v", r.StatusCode, r.Header)
	}
	// What must be collected is known without the store.
	if r := w.ask(hostToken, http.MethodGet, "/agents/web-1/config", ""); r.StatusCode != 200 {
		t.Errorf("the configuration with the store away: %d", r.StatusCode)
	}
}

// Without hosts the paths do not exist.
func TestNoAgents(t *testing.T) {
	w := newTestAPI(t)
	for _, path := range []string{"/agents", "/agents/web-1", "/agents/web-1/config"} {
		if status, _ := w.get(path); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// The address is that of the connection, without the port.
func TestReportAddress(t *testing.T) {
	w, _ := newAgentAPI(t)
	for remote, want := range map[string]string{"10.0.0.7:1234": "10.0.0.7", "[2001:db8::1]:1": "2001:db8::1", "[::ffff:10.0.0.8]:1": "10.0.0.8", "10.0.0.9": "10.0.0.9"} {
		r := httptest.NewRequest(http.MethodPost, "/agents/web-1/report", strings.NewReader(cpuReport))
		r.RemoteAddr = remote
		r.Header.Set("Authorization", "Bearer "+hostToken)
		w.api.ServeHTTP(httptest.NewRecorder(), r)
		if _, body := w.read(w.ask(hostToken, http.MethodGet, "/agents/web-1", "")); !strings.Contains(body, `"address":"`+want+`"`) {
			t.Errorf("%s: %s", remote, body)
		}
	}
}

// A host whose clock is wrong tells what it is at: what counts is how old its
// reports are. Without that, its word is taken.
func TestReportOfWrongClock(t *testing.T) {
	for _, tt := range []struct{ name, at, date, want string }{
		{"slow by an hour, new", "2026-11-20T20:59:58.9Z", "Fri, 20 Nov 2026 20:59:59 GMT", "2026-11-20T22:00:00.023Z"},
		{"slow by an hour, old", "2026-11-20T20:29:59Z", "Fri, 20 Nov 2026 20:59:59 GMT", "2026-11-20T21:30:00.123Z"},
		{"fast by an hour, new", "2026-11-20T23:00:00.9Z", "Fri, 20 Nov 2026 23:00:00 GMT", "2026-11-20T22:00:00.123Z"},
		{"fast by an hour, old", "2026-11-20T22:30:00Z", "Fri, 20 Nov 2026 23:00:00 GMT", "2026-11-20T21:30:00.123Z"},
		{"slow, and does not say so", "2026-11-20T20:59:59Z", "", "2026-11-20T20:59:59Z"},
		{"fast, and does not say so", "2026-11-20T23:00:00Z", "", "2026-11-20T22:00:00.123Z"},
		{"a date that is none", "2026-11-20T20:59:59Z", "yesterday", "2026-11-20T20:59:59Z"},
	} {
		w, _ := newAgentAPI(t)
		body := strings.Replace(cpuReport, "{", `{"at": "`+tt.at+`", `, 1)
		w.ask(hostToken, http.MethodPost, "/agents/web-1/report", body, "Date", tt.date)
		if _, body := w.read(w.ask(hostToken, http.MethodGet, "/agents/web-1", "")); !strings.Contains(body, `"lastReport":"`+tt.want+`"`) {
			t.Errorf("%s: %s, want %s", tt.name, body, tt.want)
		}
	}
}

func FuzzReport(f *testing.F) {
	f.Add(cpuReport, false)
	f.Add("client_id=web-1&service_name=LinuxCPU&data=%7B%22usage_percent%22%3A95%7D&at=2026-11-20T21:59:30Z", true)
	f.Add(`{"client_id":"web-1","service_name":"LinuxCPU","data":[[{"a":1e999}]],"at":"0000-01-01T00:00:00Z"}`, false)
	w, _ := newAgentAPI(f)
	f.Fuzz(func(t *testing.T, body string, form bool) {
		w.t = t
		w.now = w.now.Add(time.Second) // a token's rate is bounded
		media := "application/json"
		if form {
			media = "application/x-www-form-urlencoded"
		}
		r := w.ask(hostToken, http.MethodPost, "/agents/web-1/report", body, "Content-Type", media)
		if status, answer := w.read(r); status != 200 && status != 400 && status != 413 {
			t.Errorf("%d %s", status, answer)
		}
		if status, answer := w.read(w.ask(hostToken, http.MethodGet, "/agents/web-1", "")); status != 200 {
			t.Errorf("%d %s", status, answer)
		}
	})
}
