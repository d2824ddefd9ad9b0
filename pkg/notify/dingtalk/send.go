package dingtalk

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"tocsin/pkg/notify"
)

// answer is what DingTalk says. Its documentation has errcode as a number in some
// places and as a text in others; both are read.
type answer struct {
	Code    *json.Number `json:"errcode"`
	Message string       `json:"errmsg"`
	// SubCode and SubMsg are the true reason behind errcode 88.
	SubCode json.RawMessage `json:"sub_code"`
	SubMsg  string          `json:"sub_msg"`
	// Punish is "deny" in an answer of the limiter in front of the API, which has
	// no errcode.
	Punish string `json:"punish"`
}

// send delivers one message, unless the robot is known to be shut. Success is an
// errcode that is there and is zero: DingTalk answers 200 whatever happened, and
// so may a proxy.
func (r *robot) send(ctx context.Context, target, address string, payload []byte) error {
	if err := r.shut(ctx, target); err != nil {
		return err
	}
	got, err := notify.PostJSON(ctx, r.env.HTTP, signed(address, r.secret, r.env.Now()), nil, payload)
	if err != nil {
		return err
	}
	var said answer
	unknown := got.Decode(&said)
	code := "" // no errcode
	if unknown == nil && said.Code != nil {
		code = said.Code.String()
	}
	said.Message, said.SubMsg = got.Sanitize(said.Message), got.Sanitize(said.SubMsg)
	switch {
	case unknown == nil && said.Punish == "deny":
		return denied()
	case code != "" && code != "0":
		e := refusal(code, &said)
		if e.RetryAfter == lockTime {
			r.lock(ctx, target)
		}
		return e
	}
	if err := got.StatusError(); err != nil {
		return err
	}
	switch {
	case unknown != nil:
		return unknown
	case code == "":
		return &notify.Error{
			Class:     notify.Retry,
			Message:   fmt.Sprintf("the answer has no errcode, it is not DingTalk's: it says %q", got.BodyExcerpt()),
			Ambiguous: true,
		}
	}
	return nil
}

// signed adds the signature to the address: base64 of the HMAC-SHA256, by the
// secret, of the time in milliseconds, a line break and the secret
// (open.dingtalk.com, customize-robot-security-settings). It holds for an hour,
// so every attempt has its own. Without a secret the address stays as it is.
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
