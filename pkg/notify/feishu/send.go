package feishu

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
)

// degradeStep is how to change a card that Feishu rejected, before it is sent again.
type degradeStep uint8

const (
	keepCard degradeStep = iota
	removeMentions
	sendText
)

// send delivers a card. One that Feishu rejects is sent again at once with less in
// it, because the same card would be rejected in every attempt: without its mentions,
// and then as plain text.
func (r *robot) send(ctx context.Context, address string, c card) error {
	step, err := r.post(ctx, address, c.interactive())
	if step == removeMentions {
		if bare, ids := cutMentions(c.markdown); len(ids) > 0 {
			c.markdown = bare + "\n\n" + mentionsRemoved(r.env.Language)
			step, err = r.post(ctx, address, c.interactive())
		}
	}
	if step != keepCard {
		_, err = r.post(ctx, address, c.text())
	}
	return err
}

func (r *robot) post(ctx context.Context, address string, body request) (degradeStep, error) {
	if r.secret != "" {
		body.Timestamp, body.Sign = sign(r.env.Now(), r.secret)
	}
	payload, err := notify.EncodeJSON(body)
	if err != nil {
		return keepCard, fmt.Errorf("encode the message: %w", err)
	}
	response, err := notify.PostJSON(ctx, r.env.HTTP, address, nil, payload)
	if err != nil {
		return keepCard, err
	}
	if step, e := checkResponse(response); e != nil {
		return step, e
	}
	return keepCard, nil
}

// checkResponse returns nil when Feishu accepted the message: when the code is zero.
// Feishu responds with status 200 to most errors, and so may a proxy. Its older
// responses have StatusCode instead of code. A known code comes before the status:
// 9499 arrives with status 400, and may mean that the robot is too fast.
func checkResponse(r *notify.Response) (degradeStep, *notify.Error) {
	var body struct {
		Code *int   `json:"code"`
		Old  *int   `json:"StatusCode"`
		Text string `json:"msg"`
	}
	undecoded := r.Decode(&body)
	code, text := "", r.Sanitize(body.Text)
	if c := cmp.Or(body.Code, body.Old); undecoded == nil && c != nil {
		code = strconv.Itoa(*c)
	}
	if step, e := findError(code, text, r); e != nil {
		return step, chat.WithVendorText(e, "Feishu", text)
	}
	if e := r.StatusError(); e != nil {
		return keepCard, e
	}
	switch {
	case undecoded != nil:
		return keepCard, undecoded
	case code == "":
		return keepCard, chat.ForeignResponse("Feishu", "code", r)
	case code != "0":
		return keepCard, chat.WithVendorText(chat.UnknownError("Feishu", code), "Feishu", text)
	}
	return keepCard, nil
}

// findError returns the error of a known code and what to do about it at once.
func findError(code, text string, r *notify.Response) (degradeStep, *notify.Error) {
	e := errorTable.Find(code, text)
	switch code {
	case "99991400":
		e.RetryAfter = r.Wait("x-ogw-ratelimit-reset")
	case "11310", "230099":
		return sendText, e
	case "11246":
		switch innerCode(text) {
		case "100000":
			e.Class, e.Message = notify.TooLong, "the message is too long"
		case "200621", "200861":
			return sendText, e
		default: // 100290, a mention; or no reason
			return removeMentions, e
		}
	}
	return keepCard, e
}

var errorTable = chat.ErrorTable{
	{Codes: "9499", About: []string{"too many", "frequency"}, Class: notify.Rate,
		Message: "the robot has sent more than 5 messages in a second or 100 in a minute"},
	{Codes: "9499", Class: notify.Permanent,
		Message: "Feishu cannot parse the request, or finds it too big: check what the templates print"},
	// Feishu asks for retries with growing pauses, which the outbox makes.
	{Codes: "11232", Class: notify.Rate, Message: "Feishu is busy, or the robot has sent too much"},
	{Codes: "99991400", Class: notify.Rate, Message: "Feishu asks to slow down"},
	{Codes: "19001", Class: notify.Permanent,
		Message: "the robot does not exist, or was removed from its group: add one to the group and put its address under url"},
	{Codes: "19002", Class: notify.Permanent, Message: "Feishu does not take a message of this form"},
	{Codes: "19021", Class: notify.Permanent,
		Message: "the signature is wrong: copy secret from the robot's security settings, and check this machine's clock"},
	{Codes: "19022", Class: notify.Permanent,
		Message: "the robot takes no messages from this address: change its IP whitelist, or use a signature instead"},
	{Codes: "19024", Class: notify.Permanent,
		Message: "the message has none of the robot's keywords: put one into title or message, or use a signature instead"},
	{Codes: "19036", Class: notify.TooLong, Message: "the message is too long"},
	{Codes: "11246", Class: notify.Permanent,
		Message: "Feishu refuses the card: check what the template under message prints"},
	{Codes: "11310 230099", Class: notify.Permanent,
		Message: "Feishu refuses the content of the card: check what the template under message prints"},
}

// innerCode returns the code that explains why a card was rejected, "" if there is
// none: "ErrCode: 100290; ErrMsg: …".
func innerCode(text string) string {
	_, after, _ := strings.Cut(text, "ErrCode:")
	code, _, _ := strings.Cut(strings.TrimSpace(after), ";")
	return strings.TrimSpace(code)
}

// sign returns the time in seconds and the signature for it: HMAC-SHA256 of nothing,
// with the time and the secret as its key. (DingTalk has it the other way round.)
// Feishu accepts it for an hour.
func sign(now time.Time, secret string) (timestamp, signature string) {
	timestamp = strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(timestamp+"\n"+secret))
	return timestamp, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
