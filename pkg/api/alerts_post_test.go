package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/store"
)

// TestPostAlerts compares with the recorded responses of Alertmanager 0.34.2. Comments
// mark deliberate deviations.
func TestPostAlerts(t *testing.T) {
	const parseError = `{"code":400,"message":"parsing alerts body from \"\" failed, because %s"}`
	required := func(message string) string { return `{"code":602,"message":"` + message + ` in body is required"}` }
	for _, tt := range []struct {
		body     string
		status   int
		response string
	}{
		{``, 422, required("alerts")},
		{`null`, 200, ``},
		{`[]`, 200, ``},
		{` [ ] ` + "\n", 200, ``},
		{`{}`, 400, fmt.Sprintf(parseError, "an array is expected")}, // Alertmanager has names of Go types
		{`"x"`, 400, fmt.Sprintf(parseError, "an array is expected")},
		{`[1]`, 400, fmt.Sprintf(parseError, "alert 0: number where an object is expected")},
		{`[{"labels":{"a":"x"}},{"labels":{"a":1}}]`, 400, fmt.Sprintf(parseError, "alert 1: labels: number where a string is expected")},
		{`[{"labels":"x"}]`, 400, fmt.Sprintf(parseError, "alert 0: labels: string where an object is expected")},
		{`[{"labels":[]}]`, 400, fmt.Sprintf(parseError, "alert 0: labels: array where an object is expected")},
		{`[{"labels":{"a":"x"},"annotations":{"a":5}}]`, 400, fmt.Sprintf(parseError, "alert 0: annotations: number where a string is expected")},
		{`[{"labels":{"a":"x"},"generatorURL":5}]`, 400, fmt.Sprintf(parseError, "alert 0: generatorURL: number where a string is expected")},
		{`[{"labels":{"a":"x"},"startsAt":5}]`, 400, fmt.Sprintf(parseError, "alert 0: startsAt: number where a string is expected")},
		{`[{"labels":{"a":"x"},"startsAt":"bogus"}]`, 400, fmt.Sprintf(parseError, `alert 0: \"bogus\" is not a time: write it like 2026-01-02T15:04:05Z`)},
		{`[{"labels":{"a":"x"},"endsAt":"2026-11-20T10:00:00+24:00"}]`, 400, fmt.Sprintf(parseError, `alert 0: \"2026-11-20T10:00:00+24:00\" is not a time: write it like 2026-01-02T15:04:05Z`)}, // zone offsets are less than a day
		{`[{"labels":{"a":"x"}}`, 400, fmt.Sprintf(parseError, "unexpected EOF")},
		{`[{"labels":{"a":"x"}`, 400, fmt.Sprintf(parseError, "alert 0: unexpected EOF")},
		{`[{"labels":{"a":"x"}} {"labels":{"a":"x"}}]`, 400, fmt.Sprintf(parseError, "alert 1: expected comma after array element")},
		{`[{"labels":{"a":"x"}}] x`, 400, fmt.Sprintf(parseError, "unexpected data after byte 22")}, // Alertmanager ignores it
		{`null null`, 400, fmt.Sprintf(parseError, "unexpected data after byte 4")},
		{"[{\"labels\":{\"a\":\"\xff\"}}]", 400, fmt.Sprintf(parseError, "it is not UTF-8")}, // Alertmanager replaces invalid bytes
		{"[{\"labels\":{\"a\xff\":\"x\"}}]", 400, fmt.Sprintf(parseError, "it is not UTF-8")},

		{`[{}]`, 422, required("0.labels")},
		{`[null]`, 422, required("0.labels")}, // Alertmanager closes the connection
		{`[{"labels":{"a":"x"}},{"annotations":{}}]`, 422, required("1.labels")},
		{`[{"labels":null}]`, 422, required("0.labels")},
		{`[{"labels":{"a":"x"},"generatorURL":"not a url"}]`, 422, `{"code":601,"message":"0.generatorURL in body must be of type uri: \"not a url\""}`},
		{`[{"labels":{"a":"x"},"generatorURL":"ht!tp://x"}]`, 422, `{"code":601,"message":"0.generatorURL in body must be of type uri: \"ht!tp://x\""}`},
		{`[{"generatorURL":"not a url"}]`, 422, `{"code":601,"message":"0.generatorURL in body must be of type uri: \"not a url\""}`},

		{`[{"labels":{}}]`, 400, `"at least one label pair required"`},
		{`[{"labels":{"a":""}}]`, 400, `"at least one label pair required"`},
		{`[{"labels":{"a":null}}]`, 400, `"at least one label pair required"`},
		{`[{"labels":{"":"x"}}]`, 400, `"invalid label set: invalid name \"\""`},
		{`[{"labels":{"a":"x"},"annotations":{"":"x"}}]`, 400, `"invalid annotations: invalid name \"\""`},
		{`[{"labels":{"a":"x"},"startsAt":"2026-11-20T10:00:00Z","endsAt":"2026-11-20T09:00:00Z"}]`, 400, `"start time must be before end time"`},
		{`[{"labels":{"":"x"}},{"labels":{"good":"1"}},{"labels":{}}]`, 400, `"invalid label set: invalid name \"\"\nat least one label pair required"`},

		{`[{"labels":{"a b":"x"}}]`, 200, ``},
		{`[{"labels":{"中文":"x"}}]`, 200, ``},
		{`[{"labels":{"a":"\ud800"}}]`, 200, ``},
		{`[{"Labels":{"a":"x"}}]`, 200, ``},
		{`[{"labels":{"a":"x"},"labels":{"b":"y"}}]`, 200, ``},
		{`[{"labels":{"a":"x"},"unknown":5,"status":{"state":"active"},"fingerprint":"x"}]`, 200, ``},
		{`[{"labels":{"a":"x"},"annotations":null,"startsAt":null,"endsAt":""}]`, 200, ``},
		{`[{"labels":{"a":"x"},"generatorURL":""},{"labels":{"b":"x"},"generatorURL":"/graph?x"}]`, 200, ``},
	} {
		t.Run(tt.body, func(t *testing.T) {
			status, response := newTestAPI(t).post("/api/v2/alerts", tt.body)
			if status != tt.status || response != tt.response {
				t.Errorf("got  %d %s\nwant %d %s", status, response, tt.status, tt.response)
			}
		})
	}
}

// TestPostedTimes checks that missing times get Alertmanager's defaults.
func TestPostedTimes(t *testing.T) {
	const now, timeout = "2026-11-20T22:00:00.123Z", "2026-11-20T22:05:00.123Z"
	for _, tt := range []struct{ posted, starts, ends string }{
		{``, now, timeout},
		{`,"startsAt":"2026-11-20T10:00:00Z"`, "2026-11-20T10:00:00.000Z", timeout},
		{`,"startsAt":"2026-11-20T10:00:00.123456789+08:00"`, "2026-11-20T10:00:00.123+08:00", timeout},
		{`,"startsAt":"2026-11-20T10:00:00+0800"`, "2026-11-20T10:00:00.000+08:00", timeout},
		{`,"startsAt":"2026-11-20T10:00:00,5Z"`, "2026-11-20T10:00:00.500Z", timeout},
		{`,"startsAt":"2026-11-20T10:00:00"`, "2026-11-20T10:00:00.000Z", timeout},
		{`,"startsAt":"2026-11-20 10:00:00"`, "2026-11-20T10:00:00.000Z", timeout},
		{`,"startsAt":"2026-11-20T10:00Z"`, "2026-11-20T10:00:00.000Z", timeout},
		{`,"startsAt":"2026-11-20T10:00"`, "2026-11-20T10:00:00.000Z", timeout},
		{`,"startsAt":"2026-11-20"`, "2026-11-20T00:00:00.000Z", timeout},
		{`,"startsAt":"0001-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00.000Z"`, now, timeout},
		{`,"endsAt":"2030-01-01T10:00:00Z"`, "2030-01-01T10:00:00.000Z", "2030-01-01T10:00:00.000Z"}, // starts at its end
		{`,"startsAt":"2026-11-20T10:00:00Z","endsAt":"2026-11-20T22:00:01Z"`, "2026-11-20T10:00:00.000Z", "2026-11-20T22:00:01.000Z"},
	} {
		t.Run(tt.posted, func(t *testing.T) {
			a := newTestAPI(t)
			a.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"A"}`+tt.posted+`}]`)
			_, body := a.get("/api/v2/alerts")
			var got []struct{ StartsAt, EndsAt, UpdatedAt string }
			decode(t, body, &got)
			if len(got) != 1 || got[0].StartsAt != tt.starts || got[0].EndsAt != tt.ends || got[0].UpdatedAt != now {
				t.Errorf("got %+v, want one from %s to %s, updated %s", got, tt.starts, tt.ends, now)
			}
		})
	}
}

// TestResolveTimeout checks that an alert without an end expires unless it is sent again,
// and that one with an end lasts until then.
func TestResolveTimeout(t *testing.T) {
	a := newTestAPI(t, func(o *api.Options) { o.ResolveTimeout = time.Minute })
	a.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"A"}},{"labels":{"alertname":"B"},"startsAt":"2026-11-20T22:00:00Z","endsAt":"2026-11-20T22:02:00Z"}]`)
	firing := func(after time.Duration, want string) {
		t.Helper()
		a.now = t0.Add(after)
		if got := a.names("/api/v2/alerts"); got != want {
			t.Errorf("firing after %v: got %q, want %q", after, got, want)
		}
	}
	firing(59*time.Second, "B A")
	a.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"A"}}]`)
	firing(61*time.Second, "B A")
	firing(118*time.Second, "B A")
	firing(119*time.Second, "B")
	firing(120*time.Second, "")
	a.expectFlushes(2) // one for each post
}

// TestPostValidAndInvalidAlerts checks that the valid alerts of a request are stored,
// unless the body violates the schema.
func TestPostValidAndInvalidAlerts(t *testing.T) {
	a := newTestAPI(t)
	status, _ := a.post("/api/v2/alerts", `[{"labels":{}},{"labels":{"alertname":"good"}},{"labels":{"":"x"}}]`)
	if got := a.names("/api/v2/alerts"); status != 400 || got != "good" || a.flushes != 1 {
		t.Errorf("invalid labels: got %d, firing %q, flushed %d times; want 400, good, once", status, got, a.flushes)
	}
	status, _ = a.post("/api/v2/alerts", `[{"labels":{"alertname":"other"}},{"labels":null}]`)
	if got := a.names("/api/v2/alerts"); status != 422 || got != "good" || a.flushes != 1 {
		t.Errorf("missing labels: got %d, firing %q, flushed %d times; want 422 and no change", status, got, a.flushes)
	}
	var many strings.Builder
	for range 250 {
		many.WriteString(`,{"labels":{}}`)
	}
	_, response := a.post("/api/v2/alerts", "["+many.String()[1:]+"]")
	if n := strings.Count(response, "at least one label"); n != 100 || !strings.HasSuffix(response, `\nand 150 more"`) {
		t.Errorf("250 errors: got %d of them and …%s, want 100 and 150 more", n, response[max(0, len(response)-30):])
	}
}

func TestClassicMode(t *testing.T) {
	a := newTestAPI(t, func(o *api.Options) { o.Classic = true })
	a.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"中文"},"annotations":{"a_1":"é"}}]`)
	for body, want := range map[string]string{
		`[{"labels":{"中文":"x"}}]`:                                        `"invalid label set: invalid name \"中文\""`,
		`[{"labels":{"z.z":"x","a.a":"x","a":"x"}}]`:                     `"invalid label set: invalid name \"a.a\""`,
		`[{"labels":{"alertname":"x"},"annotations":{"a b":"x"}}]`:       `"invalid annotations: invalid name \"a b\""`,
		`[{"labels":{"0a":"x"}}]`:                                        `"invalid label set: invalid name \"0a\""`,
		`[{"labels":{"` + strings.Repeat("长", 1000) + `":"x","a":"x"}}]`: `"invalid label set: invalid name \"` + strings.Repeat("长", 33) + `…\""`,
	} {
		t.Run(fmt.Sprintf("%.100s", body), func(t *testing.T) {
			if status, response := a.post("/api/v2/alerts", body); status != 400 || response != want {
				t.Errorf("got %d %s, want 400 %s", status, response, want)
			}
		})
	}
	status, response := a.post("/api/v2/silences", silence(`{"name":"中文","value":"b","isRegex":false}`))
	if want := `"invalid silence: invalid label matcher 0: invalid label name \"中文\""`; status != 400 || response != want {
		t.Errorf("a silence: got %d %s, want 400 %s", status, response, want)
	}
	if status, response := a.get("/api/v2/alerts?filter=%22a.b%22%3Dc"); status != 400 {
		t.Errorf("a UTF-8 matcher: got %d %s, want 400", status, response)
	}
}

func TestMediaTypes(t *testing.T) {
	for header, want := range map[string]struct {
		status   int
		response string
	}{
		"application/json":                  {200, ""},
		"APPLICATION/JSON":                  {200, ""},
		"application/json; charset=utf-8":   {200, ""},
		"":                                  {415, `{"code":415,"message":"unsupported media type \"application/octet-stream\", only [application/json] are allowed"}`},
		"text/plain":                        {415, `{"code":415,"message":"unsupported media type \"text/plain\", only [application/json] are allowed"}`},
		"application/x-www-form-urlencoded": {415, `{"code":415,"message":"unsupported media type \"application/x-www-form-urlencoded\", only [application/json] are allowed"}`},
		";;;":                               {400, `{"code":400,"message":"parsing Content-Type header from \";;;\" failed, because mime: no media type"}`},
	} {
		t.Run(header, func(t *testing.T) {
			a := newTestAPI(t)
			status, response := a.read(a.request("POST", "/api/v2/alerts", strings.NewReader("[]"), "Content-Type", header))
			if status != want.status || response != want.response {
				t.Errorf("got %d %s, want %d %s", status, response, want.status, want.response)
			}
		})
	}
	t.Run("without a body", func(t *testing.T) {
		a := newTestAPI(t)
		a.expect(a.request("POST", "/api/v2/silences", nil), 422, `{"code":602,"message":"silence in body is required"}`)
	})
}

func TestLimits(t *testing.T) {
	a := newTestAPI(t, func(o *api.Options) { o.Limits = api.Limits{Body: 2000, Alerts: 3, Labels: 4, AlertSize: 100} })
	labels := func(n int) string {
		var s []string
		for i := range n {
			s = append(s, fmt.Sprintf(`"l%d":"v"`, i))
		}
		return `{"labels":{` + strings.Join(s, ",") + `}}`
	}
	for _, tt := range []struct {
		name, body string
		status     int
		response   string
	}{
		{"at the limits", "[" + labels(4) + strings.Repeat(`,{"labels":{"a":"x"}}`, 2) + "]", 200, ""},
		{"empty labels", `[{"labels":{"a":"","b":"","c":"","d":"","e":"x"}}]`, 200, ""},
		{"one alert too many", "[" + labels(1) + strings.Repeat(`,{"labels":{"a":"x"}}`, 3) + "]", 413, `{"code":413,"message":"alerts body has more than 3 of them: send less in one request"}`},
		{"one label too many", "[" + labels(5) + "]", 400, `"invalid label set: 5 labels, at most 4 are allowed"`},
		{"100 bytes", `[{"labels":{"a":"x"},"annotations":{"b":"` + strings.Repeat("y", 97) + `"}}]`, 200, ""},
		{"101 bytes", `[{"labels":{"a":"x"},"annotations":{"b":"` + strings.Repeat("y", 94) + `"},"generatorURL":"/abc"}]`, 400, `"invalid alert: 101 bytes of labels and annotations, at most 100 are allowed"`},
		{"2000 bytes", "[]" + strings.Repeat(" ", 1998), 200, ""},
		{"2001 bytes", "[]" + strings.Repeat(" ", 1999), 413, `{"code":413,"message":"alerts body has more than 2000 bytes: send less in one request"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if status, response := a.post("/api/v2/alerts", tt.body); status != tt.status || response != tt.response {
				t.Errorf("got %d %s, want %d %s", status, response, tt.status, tt.response)
			}
			r := httptest.NewRequest("POST", "/api/v2/alerts", strings.NewReader(tt.body))
			r.ContentLength = -1
			r.Header.Set("Content-Type", "application/json")
			if got := a.serve(r).StatusCode; got != tt.status {
				t.Errorf("with unknown length: got %d, want %d", got, tt.status)
			}
		})
	}
}

func TestDefaultLimits(t *testing.T) {
	a := newTestAPI(t)
	labels := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"l%d":"v"`, i)
		}
		return `[{"labels":{` + b.String()[1:] + `}}]`
	}
	for _, tt := range []struct {
		name, body string
		status     int
	}{
		{"100 labels", labels(100), 200},
		{"10,000 labels", labels(10_000), 400},
		{"an annotation of 200 KB", `[{"labels":{"a":"x"},"annotations":{"b":"` + strings.Repeat("中", 70_000) + `"}}]`, 200},
		{"an annotation of 1 MB", `[{"labels":{"a":"x"},"annotations":{"b":"` + strings.Repeat("y", 1<<20) + `"}}]`, 400},
		{"10,001 alerts", "[" + strings.Repeat(`{"labels":{"a":"x"}},`, 10_000) + `{"labels":{"a":"x"}}]`, 413},
		{"33 MiB", strings.Repeat(" ", 33<<20), 413},
		{"nested too deep", strings.Repeat("[", 1<<20), 400},
		{"nested too deep in an alert", `[{"x":` + strings.Repeat("[", 1<<20), 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, response := a.post("/api/v2/alerts", tt.body)
			if status != tt.status || len(response) > 1000 {
				t.Errorf("got %d %.200s, want %d and at most 1000 bytes", status, response, tt.status)
			}
		})
	}
}

// TestStoreErrors checks that the response asks the sender to retry, and that only the
// log has the cause.
func TestStoreErrors(t *testing.T) {
	id := "00000000-0000-0000-0000-000000000000"
	for _, tt := range []struct {
		err      error
		status   int
		response string
	}{
		{fmt.Errorf("%w: dial tcp 10.0.0.5:6379: refused", store.ErrUnavailable), 503, `"the store is out of reach: try again"`},
		{store.ErrConflict, 503, `"the store is out of reach: try again"`},
		{context.DeadlineExceeded, 503, `"the store is out of reach: try again"`},
		{errors.New("hunter2 is broken"), 500, `"internal error: see the log of Tocsin"`},
	} {
		for _, call := range []struct{ method, path, body string }{
			{"POST", "/api/v2/alerts", `[{"labels":{"a":"x"}},{"labels":{}}]`},
			{"GET", "/api/v2/alerts", ""},
			{"GET", "/api/v2/alerts/groups", ""},
			{"GET", "/api/v2/silences", ""},
			{"POST", "/api/v2/silences", silence(`{"name":"a","value":"b","isRegex":false}`, `"id":"x"`)},
			{"GET", "/api/v2/silence/" + id, ""},
			{"DELETE", "/api/v2/silence/" + id, ""},
		} {
			t.Run(tt.err.Error()+" "+call.method+" "+call.path, func(t *testing.T) {
				a := newTestAPI(t)
				a.store.err = tt.err
				r := a.request(call.method, call.path, strings.NewReader(call.body), "Content-Type", "application/json")
				status, response := a.read(r)
				if status != tt.status || response != tt.response || (r.Header.Get("Retry-After") == "5") != (tt.status == 503) {
					t.Errorf("got %d %s, Retry-After %q; want %d %s", status, response, r.Header.Get("Retry-After"), tt.status, tt.response)
				}
				if !strings.Contains(a.logs.String(), tt.err.Error()) {
					t.Errorf("got the log %s, want %q in it", a.logs.String(), tt.err)
				}
				a.expectFlushes(0)
			})
		}
	}
}

// TestPanic checks that a panic is logged, and that the next request works.
func TestPanic(t *testing.T) {
	a := newTestAPI(t)
	a.store.panic = "hunter2"
	r := a.request("GET", "/api/v2/alerts", nil)
	status, body := a.read(r)
	if status != 500 || body != `{"code":500,"message":"internal error: see the log of Tocsin"}` || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %s, want an internal error that is not cached", status, body)
	}
	if log := a.logs.String(); !strings.Contains(log, "panic=hunter2") || !strings.Contains(log, "failingStore") || !strings.Contains(log, "status=500") {
		t.Errorf("got the log %s, want the panic, its stack and the access line", log)
	}
	a.store.panic = ""
	if status, _ := a.get("/api/v2/alerts"); status != 200 {
		t.Errorf("after the panic: got %d, want 200", status)
	}
}

// poison are values of a label that take several times their size in the store, where
// they are part of the group's key, too.
var poison = map[string]string{
	"quotes":             strings.Repeat(`"`, 250_000),
	"line separators":    strings.Repeat("\u2028", 80_000),
	"angle brackets":     strings.Repeat("<", 200_000),
	"control characters": strings.Repeat("\x01", 200_000),
}

// TestPoisonousLabels checks that an alert which the store cannot keep, or its group, is
// refused by its index, and that the others are stored.
func TestPoisonousLabels(t *testing.T) {
	for name, value := range poison {
		t.Run(name, func(t *testing.T) {
			quoted, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			a := newTestAPI(t)
			status, response := a.post("/api/v2/alerts", `[{"labels":{"alertname":"A"}},{"labels":{"alertname":`+string(quoted)+`}},{"labels":{"alertname":"C"}}]`)
			if want := `"alert 1: invalid label set: `; status != 400 || !strings.HasPrefix(response, want) || len(response) > 300 {
				t.Errorf("API v2: got %d %.300s, want 400 with the prefix %s", status, response, want)
			}
			if got := a.names("/api/v2/alerts"); got != "A C" && got != "C A" {
				t.Errorf("API v2: got firing %.100q, want A and C", got)
			}

			a = newTestAPI(t, func(o *api.Options) { o.Webhook.MaxBody = 4 << 20 })
			status, response = a.hook("/hooks/grafana", "application/json", grafana(`{"alertname":"A"}`, `{"alertname":`+string(quoted)+`}`, `{"alertname":"C"}`))
			if want := `{"code":400,"message":"alert 1: invalid label set: `; status != 400 || !strings.HasPrefix(response, want) || !strings.HasSuffix(response, `,"alerts":2,"rejected":[1]}`) {
				t.Errorf("hook: got %d %.300s, want 400 with the prefix %s and the rejected alert", status, response, want)
			}
			a.expectAlerts(2)
			a.expectFlushes(1)
		})
	}
	t.Run("200 KB of letters are accepted", func(t *testing.T) {
		newTestAPI(t).mustPost("/api/v2/alerts", `[{"labels":{"alertname":"`+strings.Repeat("x", 200_000)+`"}}]`)
	})
}
