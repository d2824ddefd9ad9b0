package feishu

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// newServer returns a server with one robot without security settings.
func newServer() (*Server, *clock) {
	c := &clock{time.Unix(1700000000, 0)}
	s := New(c.Now)
	s.Add(Robot{Token: "t1", Members: []string{"ou_1"}, MentionAll: true})
	return s, c
}

// response is the result of a request.
type response struct {
	status, code int
	msg          string
}

func call(t *testing.T, s *Server, method, token, body string) response {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, Path+token, strings.NewReader(body)))
	var a struct {
		Code *int
		Msg  string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Code == nil {
		t.Fatalf("got status %d and %s, want JSON with a code: %v", w.Code, w.Body, err)
	}
	return response{w.Code, *a.Code, a.Msg}
}

// textMessage returns a text message.
func textMessage(s string) string { return fmt.Sprintf(`{"msg_type":"text","content":{"text":%q}}`, s) }

// v1 returns a card of schema 1.0 with elements, v2 one of schema 2.0.
func v1(elements string) string {
	return `{"msg_type":"interactive","card":{"config":{"wide_screen_mode":true},"unknown":1,"header":{"template":"red","title":{"tag":"plain_text","content":"T"}},"elements":[` + elements + `]}}`
}

func v2(elements, more string) string {
	return `{"msg_type":"interactive","card":{"schema":"2.0","header":{"template":"red","title":{"tag":"plain_text","content":"T"}},"body":{"elements":[` + elements + `]}` + more + `}}`
}

func markdown(s string) string { return fmt.Sprintf(`{"tag":"markdown","content":%q}`, s) }

// sized returns a text message of n bytes.
func sized(n int) string { return textMessage(strings.Repeat("a", n-len(textMessage("")))) }

func TestRules(t *testing.T) {
	mention := func(at string) string { return v1(markdown("x " + at)) }
	tests := []struct {
		name, body string
		code       int
		text       string
	}{
		{"a text", textMessage("hello"), 0, "success"},
		{"a card", v1(markdown("**x**") + `,{"tag":"hr"},{"tag":"div","text":{"tag":"lark_md","content":"y"}},{"tag":"note","elements":[{"tag":"plain_text","content":"z"}]},{"tag":"action","actions":[]}`), 0, "success"},
		{"a card of schema 2.0", v2(markdown("# x")+`,{"tag":"button"}`, `,"config":{"update_multi":true}`), 0, "success"},
		{"20 KB", sized(20480), 0, "success"},
		{"20 KB and a byte", sized(20481), 9499, "Bad Request"},
		{"30 KB", sized(30720), 9499, "Bad Request"},
		{"more than 30 KB", sized(30721), 19036, "exceeds the size limit"},
		{"no JSON", `{"msg_type"`, 9499, "Bad Request"},
		{"not UTF-8", "{\"msg_type\":\"text\",\"content\":{\"text\":\"\xff\"}}", 9499, "Bad Request"},
		{"a time that is a number", `{"timestamp":1700000000,"sign":"x","msg_type":"text","content":{"text":"x"}}`, 9499, "Bad Request"},
		{"an unknown type", `{"msg_type":"poem","content":{"text":"x"}}`, 19002, "params error"},
		{"no type", `{"content":{"text":"x"}}`, 19002, "params error"},
		{"an empty text", textMessage(" \n"), 19002, "params error"},
		{"no card", `{"msg_type":"interactive","content":{"text":"x"}}`, 19002, "params error"},
		{"a card that is a string", `{"msg_type":"interactive","card":"{}"}`, 19002, "params error"},
		{"no elements", v1(""), 11246, "ErrCode: 200621"},
		{"elements of the wrong type", v1(`"x"`), 11246, "ErrCode: 200621"},
		{"an unknown tag", v1(`{"tag":"poem"}`), 11246, "ErrCode: 200621"},
		{"an unknown color", strings.Replace(v1(markdown("x")), `"red"`, `"pink"`, 1), 11246, "ErrCode: 200621"},
		{"an action in schema 2.0", v2(`{"tag":"action"}`, ""), 11246, "ErrCode: 200861"},
		{"a note in schema 2.0", v2(`{"tag":"note"}`, ""), 11246, "cards of schema V2 no longer support this capability"},
		{"an unknown property in schema 2.0", v2(markdown("x"), `,"unknown":1`), 11246, "ErrCode: 200621"},
		{"five tables", v2(strings.Repeat(`{"tag":"table"},`, 4)+markdown("|a|b|\n|---|---|\n|1|2|"), ""), 0, "success"},
		{"six tables", v2(strings.Repeat(`{"tag":"table"},`, 5)+markdown("|a|b|\n|---|---|\n|1|2|"), ""), 11310, "card table number over limit"},
		{"a member", mention("<at id=ou_1></at>"), 0, "success"},
		{"a member, quoted", mention(`<at id="ou_1"></at>`), 0, "success"},
		{"everybody", mention("<at id=all></at>"), 0, "success"},
		{"an unknown person", mention("<at id=ou_2></at>"), 11246, "ErrCode: 100290; ErrMsg: there is an invalid user resource (at/person) in your card; ErrorValue: ou_2"},
		{"an e-mail", mention("<at email=a@example.com></at>"), 11246, "ErrCode: 100290"},
		{"an unknown person in a header", strings.Replace(v1(markdown("x")), `"T"`, `"<at id=ou_2></at>"`, 1), 0, "success"},
		{"an unknown person in a text", textMessage(`<at user_id="ou_2">x</at>`), 0, "success"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newServer()
			got := call(t, s, "POST", "t1", tt.body)
			status := map[bool]int{true: 400, false: 200}[tt.code == 9499]
			if got.code != tt.code || got.status != status || !strings.Contains(got.msg, tt.text) || (len(s.Inbox()) == 1) != (tt.code == 0) {
				t.Errorf("got %+v and %d messages, want %d %s", got, len(s.Inbox()), tt.code, tt.text)
			}
		})
	}
	s, _ := newServer()
	if got := call(t, s, "GET", "t1", ""); got.code != 9499 {
		t.Errorf("got %+v from GET, want 9499", got)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/open-apis/elsewhere", nil))
	if w.Code != 404 {
		t.Errorf("got %d from another path, want 404", w.Code)
	}
}

// The signatures were computed with Python's hmac: for the time 1700000000 and
// the key demo, with its parts in Feishu's order and in DingTalk's.
func TestSignature(t *testing.T) {
	const good, dingtalkOrder = "8oT2n3SMKFfEnDoiwer8BUM/SjKLwe9SqoEIHlhDTKo=", "Jo+BcIpYOGJCAvpJ++qSw87Rqhi9JUu1uVQKqanKycY="
	signed := func(timestamp, sign string) string {
		return fmt.Sprintf(`{"timestamp":%q,"sign":%q,"msg_type":"text","content":{"text":"x"}}`, timestamp, sign)
	}
	for _, tt := range []struct {
		name string
		late time.Duration
		body string
		code int
	}{
		{"now", 0, signed("1700000000", good), 0},
		{"an hour later", time.Hour, signed("1700000000", good), 0},
		{"more than an hour later", time.Hour + time.Second, signed("1700000000", good), 19021},
		{"an hour before", -time.Hour, signed("1700000000", good), 0},
		{"more than an hour before", -time.Hour - time.Second, signed("1700000000", good), 19021},
		{"another time", 0, signed("1700000001", good), 19021},
		{"DingTalk's order", 0, signed("1700000000", dingtalkOrder), 19021},
		{"none", 0, textMessage("x"), 19021},
		{"no time", 0, signed("", good), 19021},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, clock := newServer()
			s.Add(Robot{Token: "t1", Secret: "demo"})
			clock.now = clock.now.Add(tt.late)
			if got := call(t, s, "POST", "t1", tt.body); got.code != tt.code {
				t.Errorf("got %+v, want %d", got, tt.code)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	s, _ := newServer()
	s.Add(Robot{Token: "words", Keywords: []string{"告警", "恢复"}})
	s.Add(Robot{Token: "far", Addresses: []string{"203.0.113.7"}})
	s.Add(Robot{Token: "near", Addresses: []string{"203.0.113.7", "192.0.2.1"}}) // as httptest calls
	s.Add(Robot{Token: "quiet"})
	for _, tt := range []struct {
		token, body string
		code        int
	}{
		{"words", textMessage("[恢复] x"), 0},
		{"words", textMessage("x"), 19024},
		{"words", strings.Replace(v1(markdown("x")), `"T"`, `"[告警]"`, 1), 0},
		{"far", textMessage("x"), 19022},
		{"near", textMessage("x"), 0},
		{"quiet", v1(markdown("<at id=all></at>")), 11246},
		{"unknown", textMessage("x"), 19001},
		{"", textMessage("x"), 19001},
	} {
		t.Run(tt.token+" "+tt.body, func(t *testing.T) {
			if got := call(t, s, "POST", tt.token, tt.body); got.code != tt.code {
				t.Errorf("got %+v, want %d", got, tt.code)
			}
		})
	}
	s.Remove("words")
	if got := call(t, s, "POST", "words", textMessage("告警")); got.code != 19001 {
		t.Errorf("got %+v from a removed robot, want 19001", got)
	}
}

func TestRates(t *testing.T) {
	s, clock := newServer()
	s.Add(Robot{Token: "t2"})
	for i := range PerSecond {
		if got := call(t, s, "POST", "t1", textMessage("x")); got.code != 0 {
			t.Fatalf("message %d: got %+v, want 0", i+1, got)
		}
	}
	tooMany := response{400, 9499, "too many request"}
	if got := call(t, s, "POST", "t1", textMessage("x")); got != tooMany {
		t.Errorf("message 6 of a second: got %+v, want %+v", got, tooMany)
	}
	if got := call(t, s, "POST", "t2", textMessage("x")); got.code != 0 {
		t.Errorf("another robot: got %+v, want 0", got)
	}
	clock.now = clock.now.Add(time.Second - 1)
	if got := call(t, s, "POST", "t1", textMessage("x")); got != tooMany {
		t.Errorf("just before the second ends: got %+v, want %+v", got, tooMany)
	}
	clock.now = clock.now.Add(1)
	for i := PerSecond; i < PerMinute; i++ {
		if got := call(t, s, "POST", "t1", textMessage("x")); got.code != 0 {
			t.Fatalf("message %d: got %+v, want 0", i+1, got)
		}
		clock.now = clock.now.Add(200 * time.Millisecond)
	}
	if got := call(t, s, "POST", "t1", textMessage("x")); got.code != 11232 || got.status != 200 || !strings.Contains(got.msg, "frequency limited psm") {
		t.Errorf("message 101 of a minute: got %+v, want 11232", got)
	}
	clock.now = time.Unix(1700000060, -1)
	if got := call(t, s, "POST", "t1", textMessage("x")); got.code != 11232 {
		t.Errorf("just before the minute ends: got %+v, want 11232", got)
	}
	clock.now = time.Unix(1700000060, 0)
	if got := call(t, s, "POST", "t1", textMessage("x")); got.code != 0 {
		t.Errorf("after the minute: got %+v, want 0", got)
	}
}

func TestInboxAndFaults(t *testing.T) {
	s, clock := newServer()
	var seen []Message
	s.OnMessage(func(m Message) { seen = append(seen, m) })
	s.Inject(2, Reject(200, 230099, "x"))
	s.Inject(1, fault.Pass)
	s.Inject(1, fault.Respond(502, "application/json", `{"code":1,"msg":"y"}`, "Server", "z"))
	bodies := []string{textMessage("x"), textMessage("x"), textMessage(`a <at user_id="ou_1">b</at><at user_id="ou_2"></at>`), textMessage("x"), v1(markdown("c <at id=ou_1></at>") + `,{"tag":"div","text":{"tag":"plain_text","content":"<at id=ou_2></at>"}}`)}
	for i, want := range []response{{200, 230099, "x"}, {200, 230099, "x"}, {200, 0, "success"}, {502, 1, "y"}, {200, 0, "success"}} {
		if got := call(t, s, "POST", "t1", bodies[i]); got != want {
			t.Errorf("request %d: got %+v, want %+v", i+1, got, want)
		}
	}
	want := []Message{
		{Token: "t1", Type: "text", Content: `a <at user_id="ou_1">b</at><at user_id="ou_2"></at>`, Mentions: []string{"ou_1"}, At: clock.now},
		{Token: "t1", Type: "interactive", Title: "T", Color: "red", Content: "c <at id=ou_1></at>\n<at id=ou_2></at>", Mentions: []string{"ou_1"}, At: clock.now},
	}
	same := func(a, b Message) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
	if !slices.EqualFunc(s.Inbox(), want, same) || !slices.EqualFunc(seen, want, same) || s.Calls() != 5 {
		t.Errorf("got %d requests, inbox %+v\nand OnMessage %+v\nwant 5 requests and %+v", s.Calls(), s.Inbox(), seen, want)
	}
}
