package feishu

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// hardLimit is the size above which others saw requests rejected with another code.
const hardLimit = 30 << 10

// request is the body of a request.
type request struct {
	Timestamp string          `json:"timestamp"`
	Sign      string          `json:"sign"`
	Type      string          `json:"msg_type"`
	Content   json.RawMessage `json:"content"`
	Card      json.RawMessage `json:"card"`
}

// parse returns a message that conforms to the robot's settings.
func parse(r *http.Request, robot Robot, now time.Time) (*Message, *apiError) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var req request
	switch {
	case len(body) > hardLimit:
		return nil, tooLarge
	case err != nil, r.Method != http.MethodPost, len(body) > MaxBody, !utf8.Valid(body), json.Unmarshal(body, &req) != nil:
		return nil, badRequest
	case robot.Secret != "" && !verify(&req, robot.Secret, now):
		return nil, badSignature
	}
	m := &Message{Type: req.Type}
	var bad *apiError
	switch req.Type {
	case "text":
		bad = m.parseText(req.Content, robot)
	case "interactive":
		bad = m.parseCard(req.Card, robot)
	default:
		bad = badParameters
	}
	if bad != nil {
		return nil, bad
	}
	contains := func(word string) bool { return strings.Contains(m.Title+"\n"+m.Content, word) }
	if len(robot.Keywords) > 0 && !slices.ContainsFunc(robot.Keywords, contains) {
		return nil, noKeyword
	}
	return m, nil
}

// verify reports whether a signature is valid: HMAC-SHA256 of nothing, with the time and
// the secret as its key.
func verify(req *request, secret string, now time.Time) bool {
	seconds, err := strconv.ParseInt(req.Timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > MaxClockSkew {
		return false
	}
	mac := hmac.New(sha256.New, []byte(req.Timestamp+"\n"+secret))
	return hmac.Equal([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), []byte(req.Sign))
}

func (r *Robot) trusts(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	return len(r.Addresses) == 0 || err == nil && slices.Contains(r.Addresses, host)
}

var textMention = regexp.MustCompile(`<at user_id="([^"]*)">[^<]*</at>`)

// parseText fills in the message from a text. An unknown id is shown as a name and
// does not mention.
func (m *Message) parseText(raw json.RawMessage, robot Robot) *apiError {
	var content struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(raw, &content) != nil || strings.TrimSpace(content.Text) == "" {
		return badParameters
	}
	m.Content = content.Text
	for _, at := range textMention.FindAllStringSubmatch(content.Text, -1) {
		if robot.canMention(at[1]) {
			m.Mentions = append(m.Mentions, at[1])
		}
	}
	return nil
}

// canMention reports whether an id can be mentioned: that of a member, or all where the
// group allows it.
func (r *Robot) canMention(id string) bool {
	return id == "all" && r.MentionAll || slices.Contains(r.Members, id)
}
