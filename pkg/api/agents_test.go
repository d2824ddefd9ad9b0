package api_test

import (
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

// newAgentAPI returns an API with the hosts web-1, web-2 and db-1, and their store.
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
	a := newTestAPI(t, withTokens, func(o *api.Options) {
		o.Webhook.Auth.Tokens = append(o.Webhook.Auth.Tokens,
			api.TokenConfig{Name: "web", Token: webToken, Paths: []string{"/agents"}},
			api.TokenConfig{Name: "enrol", Token: enrolToken, Paths: []string{"/agents"}})
		o.Hosts = &host.Registry{Store: st, Inventory: host.NewInventory(&c), Ingest: o.Engine.Ingest, Language: "en", Log: slog.New(slog.DiscardHandler)}
	})
	return a, st
}

// requestAs sends a request with a token.
func (a *testAPI) requestAs(token, method, path, body string, headers ...string) *http.Response {
	return a.request(method, path, strings.NewReader(body), append([]string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}, headers...)...)
}

const cpuReport = `{"client_id": "web-1", "service_name": "LinuxCPU", "data": {"usage_percent": 12.5}}`

func TestAgentConfig(t *testing.T) {
	a, _ := newAgentAPI(t)
	r := a.requestAs(hostToken, http.MethodGet, "/agents/web-1/config", "")
	status, body := a.read(r)
	etag := r.Header.Get("ETag")
	if status != 200 || body != `{"services":{"LinuxCPU":["cpu",15],"LinuxMemory":["memory",60]}}` || etag == "" ||
		r.Header.Get("Cache-Control") != "no-cache" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s with headers %v, want the configuration with an ETag", status, body, r.Header)
	}
	for tag, want := range map[string]int{
		etag: 304, "W/" + etag: 304, `"other", ` + etag: 304, "*": 304,
		`"other"`: 200, strings.Trim(etag, `"`): 200, "": 200,
	} {
		t.Run("If-None-Match "+tag, func(t *testing.T) {
			r := a.requestAs(hostToken, http.MethodGet, "/agents/web-1/config", "", "If-None-Match", tag)
			if status, body := a.read(r); status != want || (body == "") != (want == 304) || r.Header.Get("ETag") != etag {
				t.Errorf("got %d %s with ETag %q, want %d with %q", status, body, r.Header.Get("ETag"), want, etag)
			}
		})
	}
	if r := a.requestAs(hostToken, http.MethodPost, "/agents/web-1/config", ""); r.StatusCode != 405 || r.Header.Get("Allow") != "GET" {
		t.Errorf("POST: got %d, Allow %q, want 405 and GET", r.StatusCode, r.Header.Get("Allow"))
	}
}

// TestAgentAuth checks which hosts a token allows.
func TestAgentAuth(t *testing.T) {
	a, _ := newAgentAPI(t)
	for _, tt := range []struct {
		name, token, path string
		want              int
	}{
		{"its host", hostToken, "/agents/web-1/config", 200},
		{"another host", hostToken, "/agents/web-2/config", 401},
		{"no token", "", "/agents/web-1/config", 401},
		{"a wrong token", "x", "/agents/web-1/config", 401},
		{"a host of its group", webToken, "/agents/web-2/config", 200},
		{"a host of another group", webToken, "/agents/db-1/config", 403},
		{"an unrestricted token", prometheusToken, "/agents/db-1/config", 200},
		{"an unknown host", prometheusToken, "/agents/db-2/config", 404},
		{"an unknown host with a group's token", webToken, "/agents/web-3/config", 404},
		{"a host that enrols", enrolToken, "/agents/vm-1/config", 200},
		{"a configured host with the enrol token", enrolToken, "/agents/web-1/config", 403},
		{"an invalid id", enrolToken, "/agents/vm%2F1/config", 404},
		{"a token for hooks", hooksToken, "/agents/web-1/config", 401},
		{"an unknown path", prometheusToken, "/agents/web-1/nothing", 404},
		{"an empty id", prometheusToken, "/agents//config", 301},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := a.requestAs(tt.token, http.MethodGet, tt.path, ""); r.StatusCode != tt.want && (tt.want != 301 || r.StatusCode/100 != 3) {
				t.Errorf("GET: got %d, want %d", r.StatusCode, tt.want)
			}
			if !strings.HasSuffix(tt.path, "/config") || tt.want == 301 {
				return
			}
			report := strings.TrimSuffix(tt.path, "/config") + "/report"
			id, _ := url.PathUnescape(strings.Split(tt.path, "/")[2])
			if r := a.requestAs(tt.token, http.MethodPost, report, strings.Replace(cpuReport, "web-1", id, 1)); r.StatusCode != tt.want {
				t.Errorf("POST of a report: got %d, want %d", r.StatusCode, tt.want)
			}
		})
	}
	t.Run("more enrolled hosts than hosts.register.max", func(t *testing.T) {
		a.t = t
		a.expect(a.requestAs(enrolToken, http.MethodPost, "/agents/vm-2/report", strings.Replace(cpuReport, "web-1", "vm-2", 1)), 403, "hosts.register.max")
	})
}

func TestReport(t *testing.T) {
	a, _ := newAgentAPI(t)
	form := url.Values{"client_id": {"web-1"}, "service_name": {"LinuxMemory"}, "data": {`{"used_percent": 71}`}, "at": {"2026-11-20T21:59:30Z"}}
	for _, tt := range []struct {
		name, body string
		headers    []string
		want       string // part of the host's status
	}{
		{"JSON", cpuReport, nil, `"LinuxCPU":{"plugin":"cpu","interval":15,"at":"2026-11-20T22:00:00.123Z","data":{"usage_percent":12.5}}`},
		{"gzip", gzipped(t, strings.Replace(cpuReport, "12.5", "13", 1)), []string{"Content-Encoding", "gzip"}, `"data":{"usage_percent":13}`},
		{"a form", form.Encode(), []string{"Content-Type", "application/x-www-form-urlencoded"}, `"LinuxMemory":{"plugin":"memory","interval":60,"at":"2026-11-20T21:59:30Z","data":{"used_percent":71}}`},
		{"a time", strings.Replace(cpuReport, "{", `{"at": "2026-11-21T06:00:00.5+08:00", "more": [1], `, 1), nil, `"at":"2026-11-20T22:00:00.123Z","data":{"usage_percent":12.5}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.t = t
			a.expect(a.requestAs(hostToken, http.MethodPost, "/agents/web-1/report", tt.body, tt.headers...), 200, `{"status":"ok"}`)
			a.expect(a.requestAs(hostToken, http.MethodGet, "/agents/web-1", ""), 200, tt.want)
		})
	}
	a.t = t
	_, body := a.read(a.requestAs(hostToken, http.MethodGet, "/agents/web-1", ""))
	if want := (`{"id":"web-1","name":"web-1","state":"online","groups":["web"],"labels":{"host":"web-1","hostname":"web-1","project":"oms"},"lastReport":"2026-11-20T22:00:00.123Z","upSince":"2026-11-20T22:00:00.123Z","address":"192.0.2.1","services":{`); !strings.HasPrefix(body, want) { // 192.0.2.1 is httptest's
		t.Errorf("status of web-1: got %s, want the prefix %s", body, want)
	}
	a.expect(a.requestAs(prometheusToken, http.MethodGet, "/agents/db-1", ""), 200, `"groups":[]`)
	_, body = a.read(a.requestAs(webToken, http.MethodGet, "/agents", ""))
	if want := `[{"id":"web-1","name":"web-1","state":"online","groups":["web"],"labels":{"host":"web-1","hostname":"web-1","project":"oms"},"lastReport":"2026-11-20T22:00:00.123Z","upSince":"2026-11-20T22:00:00.123Z","address":"192.0.2.1"},` +
		`{"id":"web-2","name":"web-2","state":"never","groups":["web"],"labels":{"host":"web-2","hostname":"web-2","project":"oms"}}]`; body != want {
		t.Errorf("list of hosts: got %s, want %s", body, want)
	}
}

// TestReportThatFires checks that only a report that changes alerts is flushed.
func TestReportThatFires(t *testing.T) {
	a, _ := newAgentAPI(t)
	a.requestAs(hostToken, http.MethodPost, "/agents/web-1/report", cpuReport)
	a.expectFlushes(0)
	a.requestAs(hostToken, http.MethodPost, "/agents/web-1/report", strings.Replace(cpuReport, "12.5", "95", 1))
	a.expectFlushes(1)
	a.expect(a.requestAs(prometheusToken, http.MethodGet, "/api/v2/alerts", ""), 200, `"alertname":"HostCPUHigh"`)
}

// The id of the agent's run, in JSON or in a form, is stored with the heartbeat.
func TestReportOfARun(t *testing.T) {
	a, st := newAgentAPI(t)
	form := url.Values{"client_id": {"web-1"}, "service_name": {"LinuxCPU"}, "data": {"1"}, "run_id": {"bbbb"}}
	for media, body := range map[string]string{
		"application/json":                  strings.Replace(cpuReport, "{", `{"run_id": "aaaa", `, 1),
		"application/x-www-form-urlencoded": form.Encode(),
	} {
		if status, text := a.read(a.request(http.MethodPost, "/agents/web-1/report", strings.NewReader(body), "Authorization", "Bearer "+hostToken, "Content-Type", media)); status != 200 {
			t.Errorf("%s: got %d %s, want 200", media, status, text)
		}
	}
	items, err := st.Get(t.Context(), "host/web-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"id":"aaaa"`, `"id":"bbbb"`} {
		if got := string(items[0].Value); !strings.Contains(got, want) {
			t.Errorf("got heartbeat %s, want one with %s", got, want)
		}
	}
}

func TestReportErrors(t *testing.T) {
	a, st := newAgentAPI(t)
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
		{"another host's id", strings.Replace(cpuReport, "web-1", "web-2", 1), nil, 400, `client_id is \"web-2\", but the path is that of \"web-1\"`},
		{"no id", `{"service_name": "x", "data": 1}`, nil, 400, "client_id is missing"},
		{"no service", `{"client_id": "web-1", "data": 1}`, nil, 400, "service_name is missing"},
		{"a long run", `{"client_id": "web-1", "service_name": "LinuxCPU", "data": 1, "run_id": "` + strings.Repeat("x", 65) + `"}`, nil, 400, "run_id has more than 64 bytes"},
		{"a long service", `{"client_id": "web-1", "service_name": "` + strings.Repeat("x", 129) + `", "data": 1}`, nil, 400, "more than 128 bytes"},
		{"no data", `{"client_id": "web-1", "service_name": "x"}`, nil, 400, "data is missing"},
		{"null", report("null"), nil, 400, "data is missing"},
		{"an empty body", "", nil, 400, "invalid JSON"},
		{"incomplete JSON", "{", nil, 400, "invalid JSON"},
		{"an array", "[]", nil, 400, "array where an object is expected"},
		{"data after the JSON", cpuReport + "{}", nil, 400, "unexpected data"},
		{"a duplicate name", strings.Replace(cpuReport, "{", `{"client_id": "x", `, 1), nil, 400, "duplicate"},
		{"a duplicate name in the data", report(`{"a": 1, "a": 2}`), nil, 400, "duplicate"},
		{"invalid UTF-8", report("\"\xff\""), nil, 400, "UTF-8"},
		{"nested too deep", report(strings.Repeat("[", 40) + strings.Repeat("]", 40)), nil, 400, "nested more than 32 levels deep"},
		{"too many values", report("[" + strings.Repeat("1,", 20_000) + "1]"), nil, 400, "more than 20000"},
		{"a number as id", strings.Replace(cpuReport, `"web-1"`, "7", 1), nil, 400, "client_id: number where a string is expected"},
		{"an invalid time", strings.Replace(cpuReport, "{", `{"at": "yesterday", `, 1), nil, 400, "is not a time"},
		{"large data", report(`"` + strings.Repeat("x", host.MaxDataSize) + `"`), nil, 413, "64 KiB"},
		{"a large body", report(`"` + strings.Repeat("x", 1<<20) + `"`), nil, 413, "1048576 bytes"},
		{"another media type", cpuReport, []string{"Content-Type", "text/plain"}, 415, "unsupported media type"},
		{"an invalid form", "%zz", form, 400, "not a form"},
		{"a form with invalid JSON", "client_id=web-1&service_name=x&data=%7B", form, 400, "data: invalid JSON"},
		{"a repeated field", "client_id=web-1&client_id=web-1", form, 400, "repeated"},
		{"an invalid time in a form", "client_id=web-1&service_name=x&data=1&at=x", form, 400, "at: "},
		{"a form that is not UTF-8", "client_id=web-1&service_name=%ff&data=1", form, 400, "UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.t = t
			if body := a.expect(a.requestAs(hostToken, http.MethodPost, "/agents/web-1/report", tt.body, tt.headers...), tt.status, tt.want); !strings.HasPrefix(body, `{"code":`) {
				t.Errorf("got body %s, want an error with a code", body)
			}
		})
	}
	if items, _ := st.List(t.Context(), "host", "", 9); len(items) != 0 {
		t.Errorf("got %v in the store, want nothing", items)
	}
	if r := a.requestAs(hostToken, http.MethodGet, "/agents/web-1/report", ""); r.StatusCode != 405 {
		t.Errorf("GET: got %d, want 405", r.StatusCode)
	}
	if logs := a.logs.String(); !strings.Contains(logs, "agent rejected") || strings.Contains(logs, hostToken) {
		t.Errorf("got the log %s, want the rejections without the token", logs)
	}
}

func TestAgentsWithoutStore(t *testing.T) {
	a, st := newAgentAPI(t)
	st.err = store.ErrUnavailable
	for _, path := range []string{"/agents", "/agents/web-1"} {
		if r := a.requestAs(prometheusToken, http.MethodGet, path, ""); r.StatusCode != 503 {
			t.Errorf("GET %s: got %d, want 503", path, r.StatusCode)
		}
	}
	if r := a.requestAs(hostToken, http.MethodPost, "/agents/web-1/report", cpuReport); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("POST of a report: got %d, Retry-After %q, want 503 and a time", r.StatusCode, r.Header.Get("Retry-After"))
	}
	// The configuration of an agent is not in the store.
	if r := a.requestAs(hostToken, http.MethodGet, "/agents/web-1/config", ""); r.StatusCode != 200 {
		t.Errorf("GET of the configuration: got %d, want 200", r.StatusCode)
	}
}

func TestAgentsWithoutHosts(t *testing.T) {
	a := newTestAPI(t)
	for _, path := range []string{"/agents", "/agents/web-1", "/agents/web-1/config"} {
		if status, _ := a.get(path); status != 404 {
			t.Errorf("%s: got %d, want 404", path, status)
		}
	}
}

func TestReportAddress(t *testing.T) {
	a, _ := newAgentAPI(t)
	for remote, want := range map[string]string{"10.0.0.7:1234": "10.0.0.7", "[2001:db8::1]:1": "2001:db8::1", "[::ffff:10.0.0.8]:1": "10.0.0.8", "10.0.0.9": "10.0.0.9"} {
		r := httptest.NewRequest(http.MethodPost, "/agents/web-1/report", strings.NewReader(cpuReport))
		r.RemoteAddr = remote
		r.Header.Set("Authorization", "Bearer "+hostToken)
		a.serve(r)
		a.expect(a.requestAs(hostToken, http.MethodGet, "/agents/web-1", ""), 200, `"address":"`+want+`"`)
	}
}

// TestReportWithWrongClock checks that the header Date corrects the times of a host whose
// clock is wrong.
func TestReportWithWrongClock(t *testing.T) {
	for _, tt := range []struct{ name, at, date, want string }{
		{"slow by an hour, new", "2026-11-20T20:59:58.9Z", "Fri, 20 Nov 2026 20:59:59 GMT", "2026-11-20T22:00:00.023Z"},
		{"slow by an hour, old", "2026-11-20T20:29:59Z", "Fri, 20 Nov 2026 20:59:59 GMT", "2026-11-20T21:30:00.123Z"},
		{"fast by an hour, new", "2026-11-20T23:00:00.9Z", "Fri, 20 Nov 2026 23:00:00 GMT", "2026-11-20T22:00:00.123Z"},
		{"fast by an hour, old", "2026-11-20T22:30:00Z", "Fri, 20 Nov 2026 23:00:00 GMT", "2026-11-20T21:30:00.123Z"},
		{"slow, without a date", "2026-11-20T20:59:59Z", "", "2026-11-20T20:59:59Z"},
		{"fast, without a date", "2026-11-20T23:00:00Z", "", "2026-11-20T22:00:00.123Z"},
		{"an invalid date", "2026-11-20T20:59:59Z", "yesterday", "2026-11-20T20:59:59Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := newAgentAPI(t)
			body := strings.Replace(cpuReport, "{", `{"at": "`+tt.at+`", `, 1)
			a.requestAs(hostToken, http.MethodPost, "/agents/web-1/report", body, "Date", tt.date)
			a.expect(a.requestAs(hostToken, http.MethodGet, "/agents/web-1", ""), 200, `"lastReport":"`+tt.want+`"`)
		})
	}
}

func FuzzReport(f *testing.F) {
	f.Add(cpuReport, false)
	f.Add("client_id=web-1&service_name=LinuxCPU&data=%7B%22usage_percent%22%3A95%7D&at=2026-11-20T21:59:30Z", true)
	f.Add(`{"client_id":"web-1","service_name":"LinuxCPU","data":[[{"a":1e999}]],"at":"0000-01-01T00:00:00Z"}`, false)
	a, _ := newAgentAPI(f)
	f.Fuzz(func(t *testing.T, body string, form bool) {
		a.t = t
		a.now = a.now.Add(time.Second) // because of the rate limit
		media := "application/json"
		if form {
			media = "application/x-www-form-urlencoded"
		}
		r := a.requestAs(hostToken, http.MethodPost, "/agents/web-1/report", body, "Content-Type", media)
		if status, response := a.read(r); status != 200 && status != 400 && status != 413 {
			t.Errorf("POST: got %d %s, want 200, 400 or 413", status, response)
		}
		a.expect(a.requestAs(hostToken, http.MethodGet, "/agents/web-1", ""), 200, "")
	})
}
