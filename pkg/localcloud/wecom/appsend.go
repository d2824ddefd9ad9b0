package wecom

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MemberPerMinute and MemberPerHour are how many messages of one application a
	// member receives. More are dropped, and the call succeeds (document/path/90236).
	MemberPerMinute = 30
	MemberPerHour   = 1000

	appContent    = 2048 // bytes
	maxUsers      = 1000
	maxGroups     = 100 // of parties, and of tags
	defaultRepeat = 1800
	maxRepeat     = 14400
)

// sendRequest is the body of a request.
type sendRequest struct {
	ToUser   string          `json:"touser"`
	ToParty  string          `json:"toparty"`
	ToTag    string          `json:"totag"`
	Type     string          `json:"msgtype"`
	AgentID  json.RawMessage `json:"agentid"`
	Check    int             `json:"enable_duplicate_check"`
	Interval int             `json:"duplicate_check_interval"`
	Text     *content        `json:"text"`
	Markdown *content        `json:"markdown"`
}

// sendResponse is the response to an accepted message.
type sendResponse struct {
	Code       int    `json:"errcode"`
	Message    string `json:"errmsg"`
	Users      string `json:"invaliduser,omitempty"`
	Parties    string `json:"invalidparty,omitempty"`
	Tags       string `json:"invalidtag,omitempty"`
	Unlicensed string `json:"unlicenseduser,omitempty"`
	ID         string `json:"msgid,omitempty"`
}

// serveSend serves SendPath.
func (s *Apps) serveSend(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		(&apiError{43002, "require POST method"}).write(w)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return
	}
	ip, _, _ := net.SplitHostPort(r.RemoteAddr)

	s.mu.Lock()
	response, delivered, bad := s.accept(r.URL.Query().Get("access_token"), ip, body)
	s.mu.Unlock()
	if bad != nil {
		bad.write(w)
		return
	}
	if delivered != nil {
		s.Deliver(*delivered)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(response)
}

// accept checks a message and counts it. delivered is nil when it has no recipient
// left.
func (s *Apps) accept(token, ip string, body []byte) (response *sendResponse, delivered *AppMessage, bad *apiError) {
	now := s.now()
	a, bad := s.appOf(token, now)
	switch {
	case bad != nil:
		return nil, nil, bad
	case len(a.Trusted) > 0 && !slices.Contains(a.Trusted, ip):
		return nil, nil, &apiError{60020, "not allow to access from your ip"}
	case a.disabled:
		return nil, nil, &apiError{50003, "app is disabled"}
	}
	req, text, bad := a.parse(body)
	if bad != nil {
		return nil, nil, bad
	}
	response = &sendResponse{Message: "ok", ID: "msgid"}
	m := &AppMessage{AgentID: a.AgentID, Type: req.Type, Content: text, At: now}
	if bad := a.resolve(req, m, response); bad != nil {
		return nil, nil, bad
	}
	if a.isDuplicate(req, body, now) {
		s.dropped++
		return response, nil, nil
	}
	requested := len(m.Users)
	m.Users = slices.DeleteFunc(m.Users, func(u string) bool { return a.overLimit(u, now) })
	s.dropped += requested - len(m.Users)
	if len(m.Users)+len(m.Parties)+len(m.Tags) == 0 {
		return response, nil, nil
	}
	return response, m, nil
}

// parse returns a message and its content, which is cut if it is a long text.
func (a *app) parse(body []byte) (*sendRequest, string, *apiError) {
	var req sendRequest
	lower := bytes.ToLower(body)
	switch {
	case !utf8.Valid(body) || json.Unmarshal(body, &req) != nil:
		return nil, "", &apiError{40058, "invalid Request Parameter"}
	case bytes.Contains(lower, []byte(`\u003c`)), bytes.Contains(lower, []byte(`\u003e`)), bytes.Contains(lower, []byte(`\u0026`)):
		return nil, "", &apiError{40033, `illegal characters, no \uxxxx form`}
	case string(req.AgentID) != strconv.Itoa(a.AgentID):
		return nil, "", &apiError{40056, "invalid agentid"}
	case req.Interval < 0 || req.Interval > maxRepeat || req.Check < 0 || req.Check > 1:
		return nil, "", &apiError{40058, "invalid Request Parameter"}
	}
	c := map[string]*content{"text": req.Text, "markdown": req.Markdown}[req.Type]
	switch {
	case req.Type != "text" && req.Type != "markdown":
		return nil, "", &apiError{40008, "invalid message type"}
	case c == nil:
		return nil, "", &apiError{40063, "some parameters are empty"}
	case strings.TrimSpace(c.Content) == "":
		return nil, "", &apiError{44004, "empty content"}
	case len(c.Content) > appContent && req.Type == "markdown":
		return nil, "", &apiError{45002, "content size out of limit"}
	}
	text := c.Content
	if len(text) > appContent {
		text = strings.ToValidUTF8(text[:appContent], "")
	}
	return &req, text, nil
}

// resolve fills in the recipients of m, and the invalid ones of the response.
func (a *app) resolve(req *sendRequest, m *AppMessage, response *sendResponse) *apiError {
	users, parties, tags := split(req.ToUser), split(req.ToParty), split(req.ToTag)
	if len(users)+len(parties)+len(tags) == 0 {
		return &apiError{82001, "all touser & toparty & totag are empty"}
	}
	if len(users) > maxUsers || len(parties) > maxGroups || len(tags) > maxGroups {
		return &apiError{40058, "invalid Request Parameter, too many receivers"}
	}
	if req.ToUser == "@all" {
		m.Users = slices.Clone(a.Users)
		return nil
	}
	var invalid, unlicensed []string
	m.Users, invalid = partition(users, a.Users)
	m.Users, unlicensed = partition(m.Users, slices.DeleteFunc(slices.Clone(a.Users), func(u string) bool { return slices.Contains(a.Unlicensed, u) }))
	response.Users, response.Unlicensed = strings.ToLower(strings.Join(invalid, "|")), strings.ToLower(strings.Join(unlicensed, "|"))
	m.Parties, invalid = partition(parties, a.Parties)
	response.Parties = strings.Join(invalid, "|")
	m.Tags, invalid = partition(tags, a.Tags)
	response.Tags = strings.Join(invalid, "|")
	if len(m.Users)+len(m.Parties)+len(m.Tags) == 0 {
		return &apiError{81013, "user & party & tag all invalid"}
	}
	return nil
}

// isDuplicate reports whether the same request was made within its interval.
func (a *app) isDuplicate(req *sendRequest, body []byte, now time.Time) bool {
	if req.Check == 0 {
		return false
	}
	if now.Before(a.bodies[string(body)]) {
		return true
	}
	seconds := req.Interval
	if seconds == 0 {
		seconds = defaultRepeat
	}
	a.bodies[string(body)] = now.Add(time.Duration(seconds) * time.Second)
	return false
}

// overLimit counts a message to a member and reports whether it is above the limits.
func (a *app) overLimit(user string, now time.Time) bool {
	sent := within(a.sent[user], now, time.Hour)
	minute := len(within(slices.Clone(sent), now, time.Minute))
	if len(sent) >= MemberPerHour || minute >= MemberPerMinute {
		return true
	}
	a.sent[user] = append(sent, now)
	return false
}

// partition splits names into those that are in all, ignoring case, and the others.
func partition(names, all []string) (valid, invalid []string) {
	for _, name := range names {
		if slices.ContainsFunc(all, func(s string) bool { return strings.EqualFold(s, name) }) {
			valid = append(valid, name)
		} else {
			invalid = append(invalid, name)
		}
	}
	return valid, invalid
}

func split(list string) []string {
	return slices.DeleteFunc(strings.Split(list, "|"), func(s string) bool { return s == "" })
}
