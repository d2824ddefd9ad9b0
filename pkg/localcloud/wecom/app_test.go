package wecom

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// office returns the API of a company with one application.
func office() (*Apps, *clock) {
	c := &clock{time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC)}
	s := NewApps(c.Now)
	s.Add(App{CorpID: "ww1", Secret: "s1", AgentID: 2, Users: []string{"U1", "u2", "u3"}, Unlicensed: []string{"u3"}, Parties: []string{"7"}, Tags: []string{"9"}})
	return s, c
}

// ask makes one request and returns what WeCom answered.
func ask(t *testing.T, s *Apps, method, address, body string) map[string]any {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, address, strings.NewReader(body)))
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
		t.Fatalf("HTTP %d, %v: %s", w.Code, err, w.Body)
	}
	return answer
}

func token(t *testing.T, s *Apps) string {
	t.Helper()
	token, _ := ask(t, s, "GET", TokenPath+"?corpid=ww1&corpsecret=s1", "")["access_token"].(string)
	return token
}

// appText is a text of the application to users, with further keys.
func appText(to, content, more string) string {
	return fmt.Sprintf(`{"touser":%q,"msgtype":"text","agentid":2,"text":{"content":%q}%s}`, to, content, more)
}

func code(answer map[string]any) int {
	n, ok := answer["errcode"].(float64)
	if !ok {
		return -999
	}
	return int(n)
}

func TestTokens(t *testing.T) {
	s, clock := office()
	first := ask(t, s, "GET", TokenPath+"?corpid=ww1&corpsecret=s1", "")
	if code(first) != 0 || len(first["access_token"].(string)) < 20 || first["expires_in"] != 7200.0 {
		t.Errorf("%v", first)
	}
	clock.now = clock.now.Add(time.Hour)
	if again := ask(t, s, "GET", TokenPath+"?corpid=ww1&corpsecret=s1", ""); again["access_token"] != first["access_token"] || again["expires_in"] != 3600.0 {
		t.Errorf("while it holds: %v", again)
	}
	clock.now = clock.now.Add(time.Hour)
	second := token(t, s)
	if second == first["access_token"] || second == "" {
		t.Errorf("after two hours: %q", second)
	}
	for name, tt := range map[string]struct {
		token string
		code  int
	}{"none": {"", 41001}, "one of before": {first["access_token"].(string), 42001}, "another": {"x", 40014}, "this one": {second, 0}} {
		if got := code(ask(t, s, "POST", SendPath+"?access_token="+tt.token, appText("u1", "x", ""))); got != tt.code {
			t.Errorf("%s: %d, want %d", name, got, tt.code)
		}
	}
	s.Expire()
	if got := code(ask(t, s, "POST", SendPath+"?access_token="+second, appText("u1", "x", ""))); got != 42001 {
		t.Errorf("ended early: %d", got)
	}
	third := token(t, s)
	s.Revoke()
	if got := code(ask(t, s, "POST", SendPath+"?access_token="+third, appText("u1", "x", ""))); got != 40014 || token(t, s) == third {
		t.Errorf("revoked: %d", got)
	}
}

func TestTokenRefusals(t *testing.T) {
	for address, want := range map[string]int{"?corpid=ww1&corpsecret=s2": 40001, "?corpid=ww2&corpsecret=s1": 40013, "": 40013} {
		s, _ := office()
		if got := code(ask(t, s, "GET", TokenPath+address, "")); got != want {
			t.Errorf("%s: %d, want %d", address, got, want)
		}
	}
	s, clock := office()
	if got := code(ask(t, s, "POST", TokenPath+"?corpid=ww1&corpsecret=s1", "")); got != 43001 {
		t.Errorf("POST: %d", got)
	}
	for range WrongSecrets {
		ask(t, s, "GET", TokenPath+"?corpid=ww1&corpsecret=s2", "")
	}
	clock.now = clock.now.Add(time.Hour - 1)
	if got := token(t, s); got != "" {
		t.Error("wrong secrets did not block the address")
	}
	clock.now = clock.now.Add(1)
	for i := range TokensPerMinute + 1 {
		if got := token(t, s); (got != "") != (i < TokensPerMinute) {
			t.Errorf("call %d of a minute: %q", i+1, got)
		}
	}
	clock.now = clock.now.Add(time.Minute)
	if token(t, s) == "" {
		t.Error("a minute later")
	}
}

func TestAppRules(t *testing.T) {
	long := strings.Repeat("中", 683) // 2049 bytes
	tests := []struct {
		name, method, body string
		code               int
		says               string
	}{
		{"a text", "POST", appText("u1", "x", ""), 0, "ok"},
		{"a markdown", "POST", `{"touser":"u1","msgtype":"markdown","agentid":2,"markdown":{"content":"x"}}`, 0, "ok"},
		{"a markdown too long", "POST", `{"touser":"u1","msgtype":"markdown","agentid":2,"markdown":{"content":"` + long + `"}}`, 45002, "size"},
		{"GET", "GET", "", 43002, "POST"},
		{"no JSON", "POST", "{", 40058, "invalid Request Parameter"},
		{"an agent as text", "POST", `{"touser":"u1","msgtype":"text","agentid":"2","text":{"content":"x"}}`, 40056, "agentid"},
		{"another agent", "POST", `{"touser":"u1","msgtype":"text","agentid":3,"text":{"content":"x"}}`, 40056, "agentid"},
		{"an unknown type", "POST", `{"touser":"u1","msgtype":"poem","agentid":2}`, 40008, "type"},
		{"no content", "POST", `{"touser":"u1","msgtype":"text","agentid":2}`, 40063, "empty"},
		{"an empty content", "POST", appText("u1", " \n", ""), 44004, "empty content"},
		{"HTML escapes", "POST", `{"touser":"u1","msgtype":"text","agentid":2,"text":{"content":"\u003Cb"}}`, 40033, "illegal"},
		{"nobody", "POST", appText("", "x", ""), 82001, "empty"},
		{"nobody known", "POST", appText("ghost", "x", `,"toparty":"8"`), 81013, "all invalid"},
		{"too many", "POST", appText(strings.Repeat("u1|", 1001), "x", ""), 40058, "too many"},
		{"a window that is too long", "POST", appText("u1", "x", `,"duplicate_check_interval":14401`), 40058, "invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := office()
			answer := ask(t, s, tt.method, SendPath+"?access_token="+token(t, s), tt.body)
			if code(answer) != tt.code || !strings.Contains(answer["errmsg"].(string), tt.says) || (len(s.Inbox()) == 1) != (tt.code == 0) {
				t.Errorf("%v, want %d %s", answer, tt.code, tt.says)
			}
		})
	}
}

func TestAppDelivers(t *testing.T) {
	s, clock := office()
	var seen []AppMessage
	s.OnMessage(func(m AppMessage) { seen = append(seen, m) })
	at := SendPath + "?access_token=" + token(t, s)
	// A text that is too long is cut without a word: 682 of 683 characters fit.
	answer := ask(t, s, "POST", at, appText("u1|GHOST|u3", strings.Repeat("中", 683), `,"toparty":"7|8","totag":"9|10"`))
	if code(answer) != 0 || answer["invaliduser"] != "ghost" || answer["unlicenseduser"] != "u3" || answer["invalidparty"] != "8" || answer["invalidtag"] != "10" {
		t.Errorf("%v", answer)
	}
	ask(t, s, "POST", at, appText("@all", "x", `,"toparty":"7"`))
	if len(seen) != 2 || len(s.Inbox()) != 2 {
		t.Fatalf("%+v", seen)
	}
	if m := seen[0]; m.Content != strings.Repeat("中", 682) || m.AgentID != 2 || m.Type != "text" || !m.At.Equal(clock.now) ||
		!slices.Equal(m.Users, []string{"u1"}) || !slices.Equal(m.Parties, []string{"7"}) || !slices.Equal(m.Tags, []string{"9"}) {
		t.Errorf("%+v", m)
	}
	if m := seen[1]; !slices.Equal(m.Users, []string{"U1", "u2", "u3"}) || m.Parties != nil {
		t.Errorf("%+v", m)
	}
}

// What a member gets too much of is dropped, and so is what was said a moment
// ago if the sender asks for it; the call succeeds all the same.
func TestAppDrops(t *testing.T) {
	s, clock := office()
	at := SendPath + "?access_token=" + token(t, s)
	for i := range MemberPerMinute + 1 {
		if got := code(ask(t, s, "POST", at, appText("u1", fmt.Sprint(i), ""))); got != 0 {
			t.Fatal(got)
		}
	}
	if len(s.Inbox()) != MemberPerMinute || s.Dropped() != 1 {
		t.Errorf("%d messages, %d dropped", len(s.Inbox()), s.Dropped())
	}
	clock.now = clock.now.Add(time.Minute)
	for i, tt := range []struct {
		later time.Duration
		more  string
		got   bool
	}{{0, `,"enable_duplicate_check":1,"duplicate_check_interval":60`, true}, {59 * time.Second, `,"enable_duplicate_check":1,"duplicate_check_interval":60`, false},
		{0, "", true}, {time.Second, `,"enable_duplicate_check":1,"duplicate_check_interval":60`, true},
		{0, `,"enable_duplicate_check":1`, true}, {30*time.Minute - 1, `,"enable_duplicate_check":1`, false}, {1, `,"enable_duplicate_check":1`, true}} {
		clock.now = clock.now.Add(tt.later)
		before := len(s.Inbox())
		if ask(t, s, "POST", at, appText("u2", "x", tt.more)); (len(s.Inbox()) > before) != tt.got {
			t.Errorf("message %d: %d messages after %d", i, len(s.Inbox()), before)
		}
	}
}

func TestAppFaults(t *testing.T) {
	s, _ := office()
	s.Fail(TokenPath, 1, Reject(-1, "system busy"))
	if token(t, s) != "" || token(t, s) == "" {
		t.Error("the fault did not befall one call")
	}
	at := SendPath + "?access_token=" + token(t, s)
	s.Fail(SendPath, 2, Reject(45009, "api freq out of limit"))
	for i, want := range []int{45009, 45009, 0} {
		if got := code(ask(t, s, "POST", at, appText("u1", "x", ""))); got != want {
			t.Errorf("call %d: %d, want %d", i, got, want)
		}
	}
	if s.Calls(TokenPath) != 3 || s.Calls(SendPath) != 3 {
		t.Errorf("%d and %d calls", s.Calls(TokenPath), s.Calls(SendPath))
	}
	s.Disable(2)
	if got := code(ask(t, s, "POST", at, appText("u1", "x", ""))); got != 50003 {
		t.Errorf("disabled: %d", got)
	}
	s.Add(App{CorpID: "ww1", Secret: "s3", AgentID: 3, Users: []string{"u1"}, Trusted: []string{"203.0.113.7"}})
	stranger, _ := ask(t, s, "GET", TokenPath+"?corpid=ww1&corpsecret=s3", "")["access_token"].(string)
	answer := ask(t, s, "POST", SendPath+"?access_token="+stranger, appText("u1", "x", ""))
	if code(answer) != 60020 || !strings.Contains(answer["errmsg"].(string), "from ip: 127.0.0.1") {
		t.Errorf("an address that is not trusted: %v", answer)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/cgi-bin/elsewhere", nil))
	if w.Code != 404 {
		t.Errorf("another path: %d", w.Code)
	}
}
