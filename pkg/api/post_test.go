package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/store"
)

// Bodies of POST /alerts and how Alertmanager 0.34.2 answers them: measured.
// Where Tocsin differs on purpose the reason stands beside it.
func TestPostedAlerts(t *testing.T) {
	const notParsed = `{"code":400,"message":"parsing alerts body from \"\" failed, because %s"}`
	unfit := func(message string) string { return `{"code":602,"message":"` + message + ` in body is required"}` }
	for _, tt := range []struct {
		body   string
		status int
		answer string
	}{
		{``, 422, unfit("alerts")},
		{`null`, 200, ``},
		{`[]`, 200, ``},
		{` [ ] ` + "\n", 200, ``},
		{`{}`, 400, fmt.Sprintf(notParsed, "an array is expected")}, // Alertmanager names Go types
		{`"x"`, 400, fmt.Sprintf(notParsed, "an array is expected")},
		{`[1]`, 400, fmt.Sprintf(notParsed, "alert 0: number where an object is expected")},
		{`[{"labels":{"a":"x"}},{"labels":{"a":1}}]`, 400, fmt.Sprintf(notParsed, "alert 1: labels: number where a string is expected")},
		{`[{"labels":"x"}]`, 400, fmt.Sprintf(notParsed, "alert 0: labels: string where an object is expected")},
		{`[{"labels":[]}]`, 400, fmt.Sprintf(notParsed, "alert 0: labels: array where an object is expected")},
		{`[{"labels":{"a":"x"},"annotations":{"a":5}}]`, 400, fmt.Sprintf(notParsed, "alert 0: annotations: number where a string is expected")},
		{`[{"labels":{"a":"x"},"generatorURL":5}]`, 400, fmt.Sprintf(notParsed, "alert 0: generatorURL: number where a string is expected")},
		{`[{"labels":{"a":"x"},"startsAt":5}]`, 400, fmt.Sprintf(notParsed, "alert 0: startsAt: number where a string is expected")},
		{`[{"labels":{"a":"x"},"startsAt":"bogus"}]`, 400, fmt.Sprintf(notParsed, `alert 0: \"bogus\" is not a time: write it like 2026-01-02T15:04:05Z`)},
		{`[{"labels":{"a":"x"},"endsAt":"2026-11-20T10:00:00+24:00"}]`, 400, fmt.Sprintf(notParsed, `alert 0: \"2026-11-20T10:00:00+24:00\" is not a time: write it like 2026-01-02T15:04:05Z`)}, // no zone is a day off
		{`[{"labels":{"a":"x"}}`, 400, fmt.Sprintf(notParsed, "unexpected EOF")},
		{`[{"labels":{"a":"x"}`, 400, fmt.Sprintf(notParsed, "alert 0: unexpected EOF")},
		{`[{"labels":{"a":"x"}} {"labels":{"a":"x"}}]`, 400, fmt.Sprintf(notParsed, "alert 1: expected comma after array element")},
		{`[{"labels":{"a":"x"}}] x`, 400, fmt.Sprintf(notParsed, "unexpected data after byte 22")}, // Alertmanager does not look
		{`null null`, 400, fmt.Sprintf(notParsed, "unexpected data after byte 4")},
		{"[{\"labels\":{\"a\":\"\xff\"}}]", 400, fmt.Sprintf(notParsed, "it is not UTF-8")}, // Alertmanager replaces what is not
		{"[{\"labels\":{\"a\xff\":\"x\"}}]", 400, fmt.Sprintf(notParsed, "it is not UTF-8")},

		{`[{}]`, 422, unfit("0.labels")},
		{`[null]`, 422, unfit("0.labels")}, // Alertmanager cuts the connection
		{`[{"labels":{"a":"x"}},{"annotations":{}}]`, 422, unfit("1.labels")},
		{`[{"labels":null}]`, 422, unfit("0.labels")},
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
		w := newTestAPI(t)
		status, answer := w.post("/api/v2/alerts", tt.body)
		if status != tt.status || answer != tt.answer {
			t.Errorf("%s\n got %d %s\nwant %d %s", tt.body, status, answer, tt.status, tt.answer)
		}
	}
}

// What a sender leaves out, as Alertmanager fills it in.
func TestTimesOfPostedAlerts(t *testing.T) {
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
		{`,"endsAt":"2030-01-01T10:00:00Z"`, "2030-01-01T10:00:00.000Z", "2030-01-01T10:00:00.000Z"}, // begins at its end
		{`,"startsAt":"2026-11-20T10:00:00Z","endsAt":"2026-11-20T22:00:01Z"`, "2026-11-20T10:00:00.000Z", "2026-11-20T22:00:01.000Z"},
	} {
		w := newTestAPI(t)
		w.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"A"}`+tt.posted+`}]`)
		_, body := w.get("/api/v2/alerts")
		var got []struct{ StartsAt, EndsAt, UpdatedAt string }
		decode(t, body, &got)
		if len(got) != 1 || got[0].StartsAt != tt.starts || got[0].EndsAt != tt.ends || got[0].UpdatedAt != now {
			t.Errorf("%s: %+v; want %s to %s", tt.posted, got, tt.starts, tt.ends)
		}
	}
}

// An alert that nobody says again ends by itself, one that came with an end
// holds until then, and each is woken for.
func TestResolveTimeout(t *testing.T) {
	w := newTestAPI(t, func(o *api.Options) { o.ResolveTimeout = time.Minute })
	w.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"A"}},{"labels":{"alertname":"B"},"startsAt":"2026-11-20T22:00:00Z","endsAt":"2026-11-20T22:02:00Z"}]`)
	firing := func(after time.Duration, want string) {
		t.Helper()
		w.now = t0.Add(after)
		if got := w.names("/api/v2/alerts"); got != want {
			t.Errorf("after %v: %q fire, want %q", after, got, want)
		}
	}
	firing(59*time.Second, "B A")
	w.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"A"}}]`) // said again
	firing(61*time.Second, "B A")
	firing(118*time.Second, "B A")
	firing(119*time.Second, "B")
	firing(120*time.Second, "")
	if w.flushes != 2 {
		t.Errorf("woken %d times, want once for each post", w.flushes)
	}
}

// What is good in a request is taken in, whatever else is in it.
func TestGoodAlertsAmongBadOnes(t *testing.T) {
	w := newTestAPI(t)
	status, _ := w.post("/api/v2/alerts", `[{"labels":{}},{"labels":{"alertname":"good"}},{"labels":{"":"x"}}]`)
	if got := w.names("/api/v2/alerts"); status != 400 || got != "good" || w.flushes != 1 {
		t.Errorf("%d, %q fire, woken %d times", status, got, w.flushes)
	}
	status, _ = w.post("/api/v2/alerts", `[{"labels":{"alertname":"other"}},{"labels":null}]`)
	if got := w.names("/api/v2/alerts"); status != 422 || got != "good" || w.flushes != 1 {
		t.Errorf("a request of the wrong form: %d, %q fire, woken %d times; want none of it taken", status, got, w.flushes)
	}
	var many strings.Builder
	for range 250 {
		many.WriteString(`,{"labels":{}}`)
	}
	_, answer := w.post("/api/v2/alerts", "["+many.String()[1:]+"]")
	if n := strings.Count(answer, "at least one label"); n != 100 || !strings.HasSuffix(answer, `\nand 150 more"`) {
		t.Errorf("250 faults are told as %d: …%s", n, answer[max(0, len(answer)-30):])
	}
}

func TestClassicMode(t *testing.T) {
	w := newTestAPI(t, func(o *api.Options) { o.Classic = true })
	w.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"中文"},"annotations":{"a_1":"é"}}]`)
	for body, want := range map[string]string{
		`[{"labels":{"中文":"x"}}]`:                                        `"invalid label set: invalid name \"中文\""`,
		`[{"labels":{"z.z":"x","a.a":"x","a":"x"}}]`:                     `"invalid label set: invalid name \"a.a\""`,
		`[{"labels":{"alertname":"x"},"annotations":{"a b":"x"}}]`:       `"invalid annotations: invalid name \"a b\""`,
		`[{"labels":{"0a":"x"}}]`:                                        `"invalid label set: invalid name \"0a\""`,
		`[{"labels":{"` + strings.Repeat("长", 1000) + `":"x","a":"x"}}]`: `"invalid label set: invalid name \"` + strings.Repeat("长", 33) + `…\""`,
	} {
		if status, answer := w.post("/api/v2/alerts", body); status != 400 || answer != want {
			t.Errorf("%s: %d %s, want %s", body, status, answer, want)
		}
	}
	if status, answer := w.post("/api/v2/silences", silence(`{"name":"中文","value":"b","isRegex":false}`)); status != 400 ||
		answer != `"invalid silence: invalid label matcher 0: invalid label name \"中文\""` {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer := w.get("/api/v2/alerts?filter=%22a.b%22%3Dc"); status != 400 {
		t.Errorf("a matcher of the new kind: %d %s", status, answer)
	}
}

func TestMediaTypes(t *testing.T) {
	for header, want := range map[string]struct {
		status int
		answer string
	}{
		"application/json":                  {200, ""},
		"APPLICATION/JSON":                  {200, ""},
		"application/json; charset=utf-8":   {200, ""},
		"":                                  {415, `{"code":415,"message":"unsupported media type \"application/octet-stream\", only [application/json] are allowed"}`},
		"text/plain":                        {415, `{"code":415,"message":"unsupported media type \"text/plain\", only [application/json] are allowed"}`},
		"application/x-www-form-urlencoded": {415, `{"code":415,"message":"unsupported media type \"application/x-www-form-urlencoded\", only [application/json] are allowed"}`},
		";;;":                               {400, `{"code":400,"message":"parsing Content-Type header from \";;;\" failed, because mime: no media type"}`},
	} {
		w := newTestAPI(t)
		status, answer := w.read(w.request("POST", "/api/v2/alerts", strings.NewReader("[]"), "Content-Type", header))
		if status != want.status || answer != want.answer {
			t.Errorf("%q: %d %s, want %d %s", header, status, answer, want.status, want.answer)
		}
	}
	// Nothing has no type.
	w := newTestAPI(t)
	if status, answer := w.read(w.request("POST", "/api/v2/silences", nil)); status != 422 || answer != `{"code":602,"message":"silence in body is required"}` {
		t.Errorf("%d %s", status, answer)
	}
}

func TestLimits(t *testing.T) {
	w := newTestAPI(t, func(o *api.Options) { o.Limits = api.Limits{Body: 2000, Alerts: 3, Labels: 4, AlertSize: 100} })
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
		answer     string
	}{
		{"just fits", "[" + labels(4) + strings.Repeat(`,{"labels":{"a":"x"}}`, 2) + "]", 200, ""},
		{"empty labels do not count", `[{"labels":{"a":"","b":"","c":"","d":"","e":"x"}}]`, 200, ""},
		{"one alert too many", "[" + labels(1) + strings.Repeat(`,{"labels":{"a":"x"}}`, 3) + "]", 413, `{"code":413,"message":"alerts body has more than 3 of them: send less in one request"}`},
		{"one label too many", "[" + labels(5) + "]", 400, `"invalid label set: 5 labels, at most 4 are allowed"`},
		{"100 bytes", `[{"labels":{"a":"x"},"annotations":{"b":"` + strings.Repeat("y", 97) + `"}}]`, 200, ""},
		{"101 bytes", `[{"labels":{"a":"x"},"annotations":{"b":"` + strings.Repeat("y", 94) + `"},"generatorURL":"/abc"}]`, 400, `"invalid alert: 101 bytes of labels and annotations, at most 100 are allowed"`},
		{"2000 bytes", "[]" + strings.Repeat(" ", 1998), 200, ""},
		{"2001 bytes", "[]" + strings.Repeat(" ", 1999), 413, `{"code":413,"message":"alerts body has more than 2000 bytes: send less in one request"}`},
	} {
		if status, answer := w.post("/api/v2/alerts", tt.body); status != tt.status || answer != tt.answer {
			t.Errorf("%s: %d %s, want %d %s", tt.name, status, answer, tt.status, tt.answer)
		}
		// A body of unknown length.
		r := httptest.NewRequest("POST", "/api/v2/alerts", strings.NewReader(tt.body))
		r.ContentLength = -1
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		w.api.ServeHTTP(rec, r)
		if rec.Code != tt.status {
			t.Errorf("%s, of unknown length: %d, want %d", tt.name, rec.Code, tt.status)
		}
	}
}

// The limits that hold when none are given.
func TestStandardLimits(t *testing.T) {
	w := newTestAPI(t)
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
		{"deep", strings.Repeat("[", 1<<20), 400},
		{"deep in an alert", `[{"x":` + strings.Repeat("[", 1<<20), 400},
	} {
		status, answer := w.post("/api/v2/alerts", tt.body)
		if status != tt.status || len(answer) > 1000 {
			t.Errorf("%s: %d %.200s, want %d", tt.name, status, answer, tt.status)
		}
	}
}

// The sender is told to come back when the store is away, and nothing of why.
func TestStoreOutOfReach(t *testing.T) {
	id := "00000000-0000-0000-0000-000000000000"
	for _, tt := range []struct {
		err    error
		status int
		answer string
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
			w := newTestAPI(t)
			w.store.err = tt.err
			r := w.request(call.method, call.path, strings.NewReader(call.body), "Content-Type", "application/json")
			status, answer := w.read(r)
			if status != tt.status || answer != tt.answer || (r.Header.Get("Retry-After") == "5") != (tt.status == 503) {
				t.Errorf("%v: %s %s: %d %s, Retry-After %q", tt.err, call.method, call.path, status, answer, r.Header.Get("Retry-After"))
			}
			if !strings.Contains(w.logs.String(), tt.err.Error()) {
				t.Errorf("the log does not say %q: %s", tt.err, w.logs.String())
			}
			if w.flushes != 0 {
				t.Error("woken for what is not there")
			}
		}
	}
}

// A fault of ours is an answer and a line in the log, and the next request works.
func TestPanic(t *testing.T) {
	w := newTestAPI(t)
	w.store.panic = "hunter2"
	r := w.request("GET", "/api/v2/alerts", nil)
	status, body := w.read(r)
	if status != 500 || body != `{"code":500,"message":"internal error: see the log of Tocsin"}` || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", status, body)
	}
	if log := w.logs.String(); !strings.Contains(log, "panic=hunter2") || !strings.Contains(log, "failingStore") || !strings.Contains(log, "status=500") {
		t.Errorf("the log lacks the panic, its stack or the access line: %s", log)
	}
	w.store.panic = ""
	if status, _ := w.get("/api/v2/alerts"); status != 200 {
		t.Errorf("afterwards: %d", status)
	}
}
