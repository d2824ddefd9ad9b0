package api_test

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/store/memory"
)

// silence returns the body of a silence with these matchers that started two hours
// before t0 and lasts for years. More fields are added or replace its own.
func silence(matchers string, more ...string) string {
	return `{"startsAt":"2026-11-20T20:00:00Z","endsAt":"2036-11-20T10:00:00Z","createdBy":"me","comment":"c","matchers":[` + matchers + `]` +
		strings.Join(append([]string{""}, more...), ",") + `}`
}

// TestPostSilences compares with the recorded responses of Alertmanager 0.34.2, except
// for some shorter texts of the engine. An empty response stands for an id.
func TestPostSilences(t *testing.T) {
	const (
		matcher    = `"matchers":[{"name":"a","value":"b","isRegex":false}]`
		times      = `"startsAt":"2026-11-20T20:00:00Z","endsAt":"2036-11-20T10:00:00Z"`
		who        = `"createdBy":"me","comment":"c"`
		parseError = `{"code":400,"message":"parsing silence body from \"\" failed, because %s"}`
	)
	required := func(field string) string { return `{"code":602,"message":"` + field + ` in body is required"}` }
	for _, tt := range []struct {
		body     string
		status   int
		response string
	}{
		{``, 422, required("silence")},
		{`null`, 422, required("comment")},
		{`{}`, 422, required("comment")},
		{`[]`, 400, fmt.Sprintf(parseError, "array where an object is expected")},
		{`{` + matcher + `,` + times + `}`, 422, required("comment")},
		{`{` + matcher + `,` + times + `,"createdBy":null,"comment":"c"}`, 422, required("createdBy")},
		{`{` + matcher + `,` + who + `,"startsAt":"2026-11-20T20:00:00Z"}`, 422, required("endsAt")},
		{`{` + times + `,` + who + `}`, 422, required("matchers")},
		{`{"matchers":null,` + times + `,` + who + `}`, 422, required("matchers")},
		{`{` + matcher + `,` + who + `,"endsAt":"2036-11-20T10:00:00Z"}`, 422, required("startsAt")},
		{silence(``), 422, `{"code":612,"message":"matchers in body should have at least 1 items"}`},
		{silence(`{}`), 422, required("matchers.0.isRegex")},
		{silence(`null`), 422, required("matchers.0.isRegex")}, // Alertmanager closes the connection
		{silence(`{"name":"a","value":"b"}`), 422, required("matchers.0.isRegex")},
		{silence(`{"value":"b","isRegex":false}`), 422, required("matchers.0.name")},
		{silence(`{"name":"a","value":"b","isRegex":false},{"name":"a","isRegex":false}`), 422, required("matchers.1.value")},

		{silence(`{"name":"a","value":"b","isRegex":"x"}`), 400, fmt.Sprintf(parseError, "matchers.isRegex: string where a boolean is expected")},
		{`{"matchers":{},` + times + `,` + who + `}`, 400, fmt.Sprintf(parseError, "matchers: object where an array is expected")},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"id":5`), 400, fmt.Sprintf(parseError, "id: number where a string is expected")},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"annotations":{"a":5}`), 400, fmt.Sprintf(parseError, "annotations: number where a string is expected")},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"startsAt":"bogus"`), 400, fmt.Sprintf(parseError, `\"bogus\" is not a time: write it like 2026-01-02T15:04:05Z`)},
		{`{` + matcher, 400, fmt.Sprintf(parseError, "unexpected EOF")},
		{silence(`{"name":"a","value":"b","isRegex":false}`) + "{}", 400, fmt.Sprintf(parseError, fmt.Sprint("unexpected data after byte ", len(silence(`{"name":"a","value":"b","isRegex":false}`))))},
		{silence("{\"name\":\"a\",\"value\":\"\xff\",\"isRegex\":false}"), 400, fmt.Sprintf(parseError, "it is not UTF-8")},

		{silence(`{"name":"a","value":"(abcdefghij){1000}","isRegex":true}`), 400, `"invalid silence: regular expressions too large: about 12003 instructions (limit: 10000)"`},
		{silence(`{"name":"","value":"b","isRegex":false}`), 400, `"invalid silence: invalid label matcher 0: invalid label name \"\""`},
		{silence(`{"name":"a","value":"b","isRegex":false},{"name":"","value":"b","isRegex":false}`), 400, `"invalid silence: invalid label matcher 1: invalid label name \"\""`},
		{silence(`{"name":"a","value":"","isRegex":false}`), 400, `"invalid silence: at least one matcher must not match the empty string"`},
		{silence(`{"name":"a","value":".*","isRegex":true}`), 400, `"invalid silence: at least one matcher must not match the empty string"`},
		{silence(`{"name":"a","value":"(","isRegex":true}`), 400, "\"invalid silence: invalid label matcher 0: error parsing regexp: missing closing ): `^(?:()$`\""},
		{silence(`{"name":"a","value":"(a{500}){500}","isRegex":true}`), 400, "\"invalid silence: invalid label matcher 0: error parsing regexp: invalid repeat count: `{500}`\""},
		{silence(`{"name":"a","value":"` + strings.Repeat("x", 8192) + `","isRegex":true}`), 400, `"invalid silence: invalid label matcher 0: more than 8192 bytes"`},
		{silence(strings.Repeat(`{"name":"a","value":"b","isRegex":false},`, 100) + `{"name":"a","value":"b","isRegex":false}`), 400, `"invalid silence: 101 matchers, at most 100 are allowed"`},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"comment":"`+strings.Repeat("x", 256<<10)+`"`), 400, `"invalid silence: 262148 bytes of text, at most 262144 are allowed"`},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"comment":"`+strings.Repeat(`\u0001`, 200_000)+`"`), 400, `"invalid silence: more than 1044480 bytes as stored"`},

		{silence(`{"name":"a","value":"b","isRegex":false}`, `"startsAt":"2037-11-20T10:00:00Z"`), 400, `"Failed to create silence: start time must be before end time"`},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"startsAt":"2036-11-20T10:00:00Z"`), 400, `"Failed to create silence: start time must be before end time"`},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"startsAt":""`, `"endsAt":""`), 400, `"Failed to create silence: start time must be before end time"`},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"endsAt":"2026-11-20T22:00:00Z"`), 400, `"Failed to create silence: end time can't be in the past"`},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"id":"xyz"`), 404, `"silence not found"`},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"id":"00000000-0000-0000-0000-000000000000"`), 404, `"silence not found"`},

		{silence(`{"name":"a","value":"b","isRegex":false}`, `"id":""`), 200, ``},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"id":null`, `"annotations":null`, `"status":{"state":"active"}`, `"updatedAt":"x"`), 200, ``},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"createdBy":""`, `"comment":""`), 200, ``},
		{silence(`{"name":"a","value":"b","isRegex":false}`, `"startsAt":"0001-01-01T00:00:00Z"`), 200, ``},
		{silence(`{"name":"中文","value":"b","isRegex":false}`), 200, ``},
		{silence(`{"name":"a","value":"b","isRegex":false,"isEqual":false}`), 200, ``},
		{silence(`{"name":"a","value":"b","isRegex":true,"isEqual":false}`), 200, ``},
	} {
		t.Run(fmt.Sprintf("%.200s", tt.body), func(t *testing.T) {
			status, response := newTestAPI(t).post("/api/v2/silences", tt.body)
			if tt.response == "" {
				var got struct{ SilenceID string }
				decode(t, response, &got)
				if len(got.SilenceID) == 36 {
					response = ""
				}
			}
			if status != tt.status || response != tt.response {
				t.Errorf("got  %d %.300s\nwant %d %s", status, response, tt.status, tt.response)
			}
		})
	}
}

// TestSilenceLimits checks that the answers are Alertmanager's.
func TestSilenceLimits(t *testing.T) {
	engine, err := dispatch.New(memory.New(), dispatch.Config{
		Route: &route.Config{Receiver: "ops"}, Receivers: []*outbox.Receiver{{Name: "ops"}},
		MaxSilences: 1, MaxSilenceSizeBytes: 1000,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a := newTestAPI(t, func(o *api.Options) { o.Engine = engine })
	post := func(comment string, status int, pattern string) {
		t.Helper()
		got, body := a.post("/api/v2/silences", silence(`{"name":"a","value":"b","isRegex":false}`, `"comment":"`+comment+`"`))
		if got != status || !regexp.MustCompile(pattern).MatchString(body) {
			t.Errorf("got %d %s, want %d %s", got, body, status, pattern)
		}
	}
	post(strings.Repeat("x", 1000), 400, `^"silence exceeded maximum size: 1\d\d\d bytes \(limit: 1000 bytes\)"$`)
	post("x", 200, `silenceID`)
	post("x", 400, `^"exceeded maximum number of silences: 1 \(limit: 1\)"$`)
}

func TestSilenceLifecycle(t *testing.T) {
	a := newTestAPI(t)
	const matchers = `{"name":"a","value":"b","isRegex":false},{"name":"c","value":"d|e","isRegex":true},{"name":"f","value":"g","isRegex":true,"isEqual":false}`
	id := a.silence(silence(matchers, `"annotations":{"ticket":"42"}`))
	gettable := func(state, ends, updated string) string {
		return `{"id":"` + id + `","status":{"state":"` + state + `"},"updatedAt":"` + updated + `","comment":"c","createdBy":"me","annotations":{"ticket":"42"},
			"startsAt":"2026-11-20T22:00:00.123Z","endsAt":"` + ends + `","matchers":[{"name":"a","value":"b","isRegex":false,"isEqual":true},
			{"name":"c","value":"d|e","isRegex":true,"isEqual":true},{"name":"f","value":"g","isRegex":true,"isEqual":false}]}`
	}
	expect := func(want string) {
		t.Helper()
		if status, body := a.get("/api/v2/silence/" + id); status != 200 || !sameJSON(t, body, want) {
			t.Errorf("silence: got %d %s\nwant %s", status, body, want)
		}
		if status, body := a.get("/api/v2/silences"); status != 200 || !sameJSON(t, body, "["+want+"]") {
			t.Errorf("list: got %d %s\nwant %s", status, body, want)
		}
	}
	expect(gettable("active", "2036-11-20T10:00:00.000Z", "2026-11-20T22:00:00.123Z")) // a start in the past becomes now

	a.now = t0.Add(time.Minute)
	if again := a.silence(silence(matchers, `"annotations":{"ticket":"42"}`, `"id":"`+id+`"`, `"startsAt":"2026-11-20T22:00:00.123Z"`, `"endsAt":"2026-11-21T00:00:00Z"`)); again != id {
		t.Errorf("id after an update: got %s, want %s", again, id)
	}
	expect(gettable("active", "2026-11-21T00:00:00.000Z", "2026-11-20T22:01:00.123Z"))

	for range 2 { // expiring it again changes nothing
		a.now = a.now.Add(time.Minute)
		if body := a.expect(a.request("DELETE", "/api/v2/silence/"+id, nil), 200, ""); body != "" {
			t.Errorf("DELETE: got body %s, want none", body)
		}
	}
	expect(gettable("expired", "2026-11-20T22:02:00.123Z", "2026-11-20T22:02:00.123Z"))

	if next := a.silence(silence(matchers, `"id":"`+id+`"`)); next == id {
		t.Error("updating an expired silence: got the same id, want a new silence")
	}
}

func TestSilenceList(t *testing.T) {
	a := newTestAPI(t)
	ids := map[string]string{}
	add := func(name, starts, ends, matcher string) {
		ids[a.silence(silence(matcher, `"startsAt":"`+starts+`"`, `"endsAt":"`+ends+`"`))] = name
	}
	const equal, regex = `{"name":"a","value":"b","isRegex":false}`, `{"name":"a","value":"b","isRegex":true}`
	const now = "2026-11-20T22:00:01Z"
	add("pending2", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z", regex)
	add("expired1", now, "2026-11-20T22:10:00Z", equal)
	add("active2", now, "2026-12-02T00:00:00Z", equal)
	add("pending1", "2026-11-21T00:00:00Z", "2026-11-25T00:00:00Z", equal+`,{"name":"c","value":"d","isRegex":false,"isEqual":false}`)
	add("expired2", now, "2026-11-20T22:05:00Z", regex)
	add("active1", now, "2026-12-01T00:00:00Z", regex+`,`+equal)
	a.now = t0.Add(time.Hour)
	for query, want := range map[string]string{
		"":                                       "active1 active2 pending1 pending2 expired1 expired2",
		"expired=false":                          "active1 active2 pending1 pending2",
		"active=false":                           "pending1 pending2 expired1 expired2",
		"pending=no":                             "active1 active2 expired1 expired2",
		"active=false&pending=false&expired=x":   "",
		`filter=a="b"`:                           "active1 active2 pending1 expired1",
		`filter=a=b`:                             "active1 active2 pending1 expired1",
		`filter=a=~"b"`:                          "active1 pending2 expired2", // equal matchers, not matching values
		`filter=a="b"&filter=a=~"b"`:             "active1",
		`filter=c!="d"`:                          "pending1",
		`filter=c!~"d"`:                          "",
		`filter=a="c"`:                           "",
		`filter=a=b&expired=false&pending=false`: "active1 active2",
	} {
		t.Run(query, func(t *testing.T) {
			_, body := a.get("/api/v2/silences?" + escapeQuery(query))
			var list []struct{ ID string }
			decode(t, body, &list)
			var got []string
			for _, s := range list {
				got = append(got, ids[s.ID])
			}
			if strings.Join(got, " ") != want {
				t.Errorf("got %v, want %s", got, want)
			}
		})
	}
}
