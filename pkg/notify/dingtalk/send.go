package dingtalk

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// send delivers one message, unless the robot is known to be locked out. Success is
// an errcode of zero: DingTalk responds with status 200 whatever happened, and so may
// a proxy.
func (r *robot) send(ctx context.Context, target, address string, payload []byte) error {
	if err := r.lockedOut(ctx, target); err != nil {
		return err
	}
	response, err := notify.PostJSON(ctx, r.env.HTTP, signed(address, r.secret, r.env.Now()), nil, payload)
	if err != nil {
		return err
	}
	e := checkResponse(response)
	if e == nil {
		return nil
	}
	if e.RetryAfter == lockout {
		r.recordLockout(ctx, target)
	}
	return e
}

// checkResponse returns nil when DingTalk accepted the message. The documentation has
// errcode as a number in some places and as a text in others; both are read.
func checkResponse(r *notify.Response) *notify.Error {
	var body struct {
		Code *json.Number `json:"errcode"`
		Text string       `json:"errmsg"`
		// SubCode and SubText are the actual error behind errcode 88.
		SubCode json.RawMessage `json:"sub_code"`
		SubText string          `json:"sub_msg"`
		// Punish is "deny" in a response of the limiter in front of the API, which
		// has no errcode.
		Punish string `json:"punish"`
	}
	undecoded := r.Decode(&body)
	code := "" // no errcode
	if undecoded == nil && body.Code != nil {
		code = body.Code.String()
	}
	switch {
	case undecoded == nil && body.Punish == "deny":
		// More than 10000 calls in 20 seconds lock out the address that they come
		// from for five minutes. A function shares its address with others.
		return &notify.Error{
			Class: notify.Rate, Code: "1111", RetryAfter: 5 * time.Minute,
			Message: "DingTalk takes nothing from this machine's address for some minutes: too many calls came from it, perhaps from others that share it",
		}
	case code != "" && code != "0":
		return findError(code, strings.Trim(string(body.SubCode), `"`), r.Sanitize(body.Text), r.Sanitize(body.SubText))
	}
	if e := r.StatusError(); e != nil {
		return e
	}
	switch {
	case undecoded != nil:
		return undecoded
	case code == "":
		return chat.ForeignResponse("DingTalk", "errcode", r)
	}
	return nil
}

func findError(code, subCode, text, subText string) *notify.Error {
	lookup := code
	if code == codeSubCode && subCode == codeQPS {
		lookup = subCode
	}
	e := errorTable.Find(lookup, text+" "+subText)
	if e == nil {
		e = chat.UnknownError("DingTalk", code)
	}
	e.Code = code
	return chat.WithVendorText(e, "DingTalk", cmp.Or(subText, text))
}

const (
	// lockout is for how long DingTalk locks out a robot that has sent too much
	// (open.dingtalk.com, custom-robots-send-group-messages).
	lockout = 10 * time.Minute

	codeSubCode = "88" // the actual code is in sub_code
	codeQPS     = "90018"

	noRobot = "the robot does not exist: copy its webhook address again, and put it under url"
)

// errorTable has the codes of
// open.dingtalk.com/document/orgapp/custom-robots-send-group-messages, and older
// ones that DingTalk still uses. Texts are English or Chinese.
var errorTable = chat.ErrorTable{
	{Codes: "-1", Class: notify.Retry, Message: "DingTalk is busy"},
	{Codes: "130101 410100", Class: notify.Rate, RetryAfter: lockout,
		Message: "the robot has sent more than its 20 messages in a minute, and DingTalk locks it out for ten minutes"},
	// The security settings. The text about a wrong signature has the time in it
	// too, and so comes first.
	{Codes: "310000", About: []string{"keyword", "关键词"}, Class: notify.Permanent,
		Message: "the message has none of the robot's keywords: put one into message, or let the robot check signatures (加签) and set secret"},
	{Codes: "310000", About: []string{"sign not match", "签名不匹配"}, Class: notify.Permanent,
		Message: "the signature does not match: copy the robot's secret (SEC…) again, and put it under secret"},
	{Codes: "310000", About: []string{"timestamp", "签名过期"}, Class: notify.Permanent,
		Message: "the signature's time is off: set the clock of this machine, DingTalk allows an hour"},
	{Codes: "310000", About: []string{"whitelist", "白名单"}, Class: notify.Permanent,
		Message: "this machine's address is not among those that the robot allows: add it, or let the robot check signatures (加签) and set secret, for a function's address changes"},
	{Codes: "310000", Class: notify.Permanent,
		Message: "the robot's security settings refuse the message: check keywords, signature and addresses in the group's settings"},
	{Codes: "300001", About: []string{"too fast", "frequency", "频", "限流"}, Class: notify.Rate, RetryAfter: lockout,
		Message: "the robot has sent too much"},
	{Codes: "300001 300005 400101", Class: notify.Permanent, Message: noRobot},
	{Codes: "400013", Class: notify.Permanent,
		Message: "the group was dissolved: add a robot to another one, and put its address under url"},
	{Codes: "400102", Class: notify.Permanent,
		Message: "the robot was stopped: have it started in the group's settings, or use another one"},
	{Codes: "400106", Class: notify.Permanent,
		Message: "the robot is not in the group any more: add one, and put its address under url"},
	{Codes: "400105", Class: notify.Permanent, Message: "DingTalk does not know this type of message"},
	// The next attempt is plain text without links.
	{Codes: "430101 430102 430103 430104", Class: notify.TooLong,
		Message: "DingTalk finds a link, a word or a picture in the message unsafe"},
	{Codes: "460101 101002", Class: notify.TooLong, Message: "the message is too long"},
	{Codes: "40035", Class: notify.Permanent,
		Message: "DingTalk misses a parameter: check that the address under url has an access_token"},
	{Codes: "43002 43004", Class: notify.Permanent,
		Message: "DingTalk did not get a POST of JSON: check whether a proxy in between changes requests"},
	{Codes: codeQPS, Class: notify.Rate, RetryAfter: time.Minute, Message: "too many calls a second reach DingTalk"},
	{Codes: codeSubCode, Class: notify.Permanent, Message: "DingTalk does not let the call through"},
}

// signed returns the address with a signature: base64 of the HMAC-SHA256, by the
// secret, of the time in milliseconds, a line break and the secret
// (open.dingtalk.com, customize-robot-security-settings). It is valid for an hour, so
// every attempt has its own. Without a secret the address is returned as it is.
func signed(address, secret string, now time.Time) string {
	u, err := url.Parse(address)
	if secret == "" || err != nil {
		return address
	}
	timestamp := strconv.FormatInt(now.UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "\n" + secret))
	query := u.Query()
	query.Set("timestamp", timestamp)
	query.Set("sign", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	u.RawQuery = query.Encode()
	return u.String()
}

// lockoutKey returns the key under which all instances find until when a robot is
// locked out.
func lockoutKey(target string) string { return keyspace.Channel + target + "/shut" }

// lockedOut returns an error while the robot is known to be locked out, so that no
// instance prolongs it. A store that is unavailable does not delay the message.
func (r *robot) lockedOut(ctx context.Context, target string) error {
	if r.env.Store == nil {
		return nil
	}
	var until time.Time
	items, err := r.env.Store.Get(ctx, lockoutKey(target))
	if err != nil || until.UnmarshalText(items[0].Value) != nil {
		return nil
	}
	wait := until.Sub(r.env.Now())
	if wait <= 0 || wait > lockout { // written by a wrong clock
		return nil
	}
	return &notify.Error{
		Class:      notify.Rate,
		Message:    "the robot sent more than its 20 messages in a minute, and DingTalk locks it out for another " + wait.Round(time.Second).String(),
		RetryAfter: wait,
	}
}

// recordLockout lets all instances know that the robot is locked out from now on.
func (r *robot) recordLockout(ctx context.Context, target string) {
	if r.env.Store == nil {
		return
	}
	now := r.env.Now()
	until, err := now.Add(lockout).MarshalText()
	if err != nil {
		return
	}
	_ = r.env.Store.Commit(ctx, now, store.Change{Key: lockoutKey(target), Value: until, Expires: now.Add(lockout)})
}
