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

// newApps returns the API of a company with one application.
func newApps() (*Apps, *clock) {
	c := &clock{time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC)}
	s := NewApps(c.Now)
	s.Add(App{CorpID: "ww1", Secret: "s1", AgentID: 2, Users: []string{"U1", "u2", "u3"}, Unlicensed: []string{"u3"}, Parties: []string{"7"}, Tags: []string{"9"}})
	return s, c
}

// request makes one request and returns the response.
func request(t *testing.T, s *Apps, method, address, body string) map[string]any {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, address, strings.NewReader(body)))
	var response map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &response); err != nil || w.Code != 200 {
		t.Fatalf("got status %d and %s, want 200 and JSON: %v", w.Code, w.Body, err)
	}
	return response
}

func token(t *testing.T, s *Apps) string {
	t.Helper()
	token, _ := request(t, s, "GET", TokenPath+"?corpid=ww1&corpsecret=s1", "")["access_token"].(string)
	return token
}

// appText returns a text of the application to users, with further keys.
func appText(to, content, more string) string {
	return fmt.Sprintf(`{"touser":%q,"msgtype":"text","agentid":2,"text":{"content":%q}%s}`, to, content, more)
}

func code(response map[string]any) int {
	n, ok := response["errcode"].(float64)
	if !ok {
		return -999
	}
	return int(n)
}

func TestTokens(t *testing.T) {
	s, clock := newApps()
	first := request(t, s, "GET", TokenPath+"?corpid=ww1&corpsecret=s1", "")
	if code(first) != 0 || len(first["access_token"].(string)) < 20 || first["expires_in"] != 7200.0 {
		t.Errorf("got %v, want a token for two hours", first)
	}
	clock.now = clock.now.Add(time.Hour)
	if again := request(t, s, "GET", TokenPath+"?corpid=ww1&corpsecret=s1", ""); again["access_token"] != first["access_token"] || again["expires_in"] != 3600.0 {
		t.Errorf("got %v while the token is valid, want the same one for an hour", again)
	}
	clock.now = clock.now.Add(time.Hour)
	second := token(t, s)
	if second == first["access_token"] || second == "" {
		t.Errorf("got %q after two hours, want another token", second)
	}
	for name, tt := range map[string]struct {
		token string
		code  int
	}{"none": {"", 41001}, "expired": {first["access_token"].(string), 42001}, "unknown": {"x", 40014}, "valid": {second, 0}} {
		t.Run(name, func(t *testing.T) {
			if got := code(request(t, s, "POST", SendPath+"?access_token="+tt.token, appText("u1", "x", ""))); got != tt.code {
				t.Errorf("got %d, want %d", got, tt.code)
			}
		})
	}
	s.Expire()
	if got := code(request(t, s, "POST", SendPath+"?access_token="+second, appText("u1", "x", ""))); got != 42001 {
		t.Errorf("got %d from a token that expired early, want 42001", got)
	}
	third := token(t, s)
	s.Revoke()
	if got := code(request(t, s, "POST", SendPath+"?access_token="+third, appText("u1", "x", ""))); got != 40014 || token(t, s) == third {
		t.Errorf("got %d from a revoked token, want 40014 and then another token", got)
	}
}

func TestTokenErrors(t *testing.T) {
	for address, want := range map[string]int{"?corpid=ww1&corpsecret=s2": 40001, "?corpid=ww2&corpsecret=s1": 40013, "": 40013} {
		t.Run(address, func(t *testing.T) {
			s, _ := newApps()
			if got := code(request(t, s, "GET", TokenPath+address, "")); got != want {
				t.Errorf("got %d, want %d", got, want)
			}
		})
	}
	s, clock := newApps()
	if got := code(request(t, s, "POST", TokenPath+"?corpid=ww1&corpsecret=s1", "")); got != 43001 {
		t.Errorf("got %d from POST, want 43001", got)
	}
	for range WrongSecrets {
		request(t, s, "GET", TokenPath+"?corpid=ww1&corpsecret=s2", "")
	}
	clock.now = clock.now.Add(time.Hour - 1)
	if got := token(t, s); got != "" {
		t.Error("got a token after wrong secrets, want the address blocked")
	}
	clock.now = clock.now.Add(1)
	for i := range TokensPerMinute + 1 {
		if got := token(t, s); (got != "") != (i < TokensPerMinute) {
			t.Errorf("request %d of a minute: got token %q", i+1, got)
		}
	}
	clock.now = clock.now.Add(time.Minute)
	if token(t, s) == "" {
		t.Error("got no token a minute later, want one")
	}
}

func TestAppRules(t *testing.T) {
	long := strings.Repeat("中", 683) // 2049 bytes
	tests := []struct {
		name, method, body string
		code               int
		text               string
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
		{"no recipients", "POST", appText("", "x", ""), 82001, "empty"},
		{"only unknown recipients", "POST", appText("ghost", "x", `,"toparty":"8"`), 81013, "all invalid"},
		{"too many recipients", "POST", appText(strings.Repeat("u1|", 1001), "x", ""), 40058, "too many"},
		{"a duplicate interval too long", "POST", appText("u1", "x", `,"duplicate_check_interval":14401`), 40058, "invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newApps()
			response := request(t, s, tt.method, SendPath+"?access_token="+token(t, s), tt.body)
			if code(response) != tt.code || !strings.Contains(response["errmsg"].(string), tt.text) || (len(s.Inbox()) == 1) != (tt.code == 0) {
				t.Errorf("got %v and %d messages, want %d %s", response, len(s.Inbox()), tt.code, tt.text)
			}
		})
	}
}

func TestAppRecipients(t *testing.T) {
	s, clock := newApps()
	var seen []AppMessage
	s.OnMessage(func(m AppMessage) { seen = append(seen, m) })
	at := SendPath + "?access_token=" + token(t, s)
	// A text that is too long is silently cut: 682 of 683 characters fit.
	response := request(t, s, "POST", at, appText("u1|GHOST|u3", strings.Repeat("中", 683), `,"toparty":"7|8","totag":"9|10"`))
	if code(response) != 0 || response["invaliduser"] != "ghost" || response["unlicenseduser"] != "u3" || response["invalidparty"] != "8" || response["invalidtag"] != "10" {
		t.Errorf("got %v, want the invalid recipients in lower case", response)
	}
	request(t, s, "POST", at, appText("@all", "x", `,"toparty":"7"`))
	if len(seen) != 2 || len(s.Inbox()) != 2 {
		t.Fatalf("got %d calls of OnMessage and %d messages, want 2", len(seen), len(s.Inbox()))
	}
	if m := seen[0]; m.Content != strings.Repeat("中", 682) || m.AgentID != 2 || m.Type != "text" || !m.At.Equal(clock.now) ||
		!slices.Equal(m.Users, []string{"u1"}) || !slices.Equal(m.Parties, []string{"7"}) || !slices.Equal(m.Tags, []string{"9"}) {
		t.Errorf("got %+v, want the cut text to u1, party 7 and tag 9", m)
	}
	if m := seen[1]; !slices.Equal(m.Users, []string{"U1", "u2", "u3"}) || m.Parties != nil {
		t.Errorf("got %+v, want it to all users", m)
	}
}

// Messages above a member's limit are dropped, and duplicates if the sender asks for it,
// although the call succeeds.
func TestAppDrops(t *testing.T) {
	s, clock := newApps()
	at := SendPath + "?access_token=" + token(t, s)
	for i := range MemberPerMinute + 1 {
		if got := code(request(t, s, "POST", at, appText("u1", fmt.Sprint(i), ""))); got != 0 {
			t.Fatalf("message %d: got %d, want 0", i+1, got)
		}
	}
	if len(s.Inbox()) != MemberPerMinute || s.Dropped() != 1 {
		t.Errorf("got %d messages and %d dropped, want %d and 1", len(s.Inbox()), s.Dropped(), MemberPerMinute)
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
		if request(t, s, "POST", at, appText("u2", "x", tt.more)); (len(s.Inbox()) > before) != tt.got {
			t.Errorf("message %d: got %d messages after %d, want it delivered: %v", i, len(s.Inbox()), before, tt.got)
		}
	}
}

func TestAppFaults(t *testing.T) {
	s, _ := newApps()
	s.Fail(TokenPath, 1, Reject(-1, "system busy"))
	if token(t, s) != "" || token(t, s) == "" {
		t.Error("got another result than one rejected request, want exactly one")
	}
	at := SendPath + "?access_token=" + token(t, s)
	s.Fail(SendPath, 2, Reject(45009, "api freq out of limit"))
	for i, want := range []int{45009, 45009, 0} {
		if got := code(request(t, s, "POST", at, appText("u1", "x", ""))); got != want {
			t.Errorf("request %d: got %d, want %d", i+1, got, want)
		}
	}
	if s.Calls(TokenPath) != 3 || s.Calls(SendPath) != 3 {
		t.Errorf("got %d and %d requests, want 3 of each", s.Calls(TokenPath), s.Calls(SendPath))
	}
	s.Disable(2)
	if got := code(request(t, s, "POST", at, appText("u1", "x", ""))); got != 50003 {
		t.Errorf("got %d from a disabled application, want 50003", got)
	}
	s.Add(App{CorpID: "ww1", Secret: "s3", AgentID: 3, Users: []string{"u1"}, Trusted: []string{"203.0.113.7"}})
	untrusted, _ := request(t, s, "GET", TokenPath+"?corpid=ww1&corpsecret=s3", "")["access_token"].(string)
	response := request(t, s, "POST", SendPath+"?access_token="+untrusted, appText("u1", "x", ""))
	if code(response) != 60020 || !strings.Contains(response["errmsg"].(string), "from ip: 127.0.0.1") {
		t.Errorf("got %v from an untrusted address, want 60020 with the address", response)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/cgi-bin/elsewhere", nil))
	if w.Code != 404 {
		t.Errorf("got %d from another path, want 404", w.Code)
	}
}
