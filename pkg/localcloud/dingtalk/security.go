package dingtalk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// signatureLife is how far a signature's time may be from the server's.
	signatureLife = time.Hour

	// More than floodCalls calls within floodWindow ban the address that they come from
	// for floodBan.
	floodCalls  = 10000
	floodWindow = 20 * time.Second
	floodBan    = 5 * time.Minute
)

// checkSecurity checks a message against the robot's security settings. A keyword in
// the title alone does not count: the documentation requires it in the message.
func (r *robot) checkSecurity(req *http.Request, m *Message, now time.Time) *apiError {
	if r.Secret != "" {
		if bad := r.verify(req, now); bad != nil {
			return bad
		}
	}
	if len(r.Keywords) > 0 && !slices.ContainsFunc(r.Keywords, func(word string) bool { return strings.Contains(m.Text, word) }) {
		return withSolution(310000, "关键词不匹配", "请联系群管理员查看此机器人的关键词，并在发送的信息中包含此关键词")
	}
	if len(r.From) > 0 {
		from, err := netip.ParseAddrPort(req.RemoteAddr)
		if err != nil || !slices.ContainsFunc(r.From, func(p netip.Prefix) bool { return p.Contains(from.Addr().Unmap()) }) {
			return withSolution(310000, "ip 不在白名单中", "请联系对应群的管理员，设置机器人安全ip地址段")
		}
	}
	return nil
}

// verify checks the signature in the query.
func (r *robot) verify(req *http.Request, now time.Time) *apiError {
	query := req.URL.Query()
	mismatch := withSolution(310000, "机器人发送签名不匹配", "请确认签名和生成签名的时间戳必须都放在调用的网址中，请确认机器人的密钥加密和填写正确")
	timestamp := query.Get("timestamp")
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return mismatch
	}
	if now.Sub(time.UnixMilli(ms)).Abs() > signatureLife {
		return withSolution(310000, "机器人发送签名过期", "签名生成时间和发送时间请保持在 timestampms 以内")
	}
	mac := hmac.New(sha256.New, []byte(r.Secret))
	mac.Write([]byte(timestamp + "\n" + r.Secret))
	if sign, err := base64.StdEncoding.DecodeString(query.Get("sign")); err != nil || !hmac.Equal(sign, mac.Sum(nil)) {
		return mismatch
	}
	return nil
}

// caller is an address and its calls.
type caller struct {
	calls       []time.Time // within the window
	bannedUntil time.Time
}

// flooded counts a call and reports whether its address has made too many.
func (s *Server) flooded(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, address := s.now(), from.Addr().String()
	c := s.callers[address]
	if c == nil {
		c = &caller{}
		s.callers[address] = c
	}
	if now.Before(c.bannedUntil) {
		return true
	}
	gone := 0
	for gone < len(c.calls) && now.Sub(c.calls[gone]) >= floodWindow {
		gone++
	}
	c.calls = append(c.calls[gone:], now)
	if len(c.calls) > floodCalls {
		c.calls, c.bannedUntil = nil, now.Add(floodBan)
		return true
	}
	return false
}
