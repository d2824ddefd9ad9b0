package feishu

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"tocsin/pkg/notify"
)

// send delivers a card. One that Feishu refuses goes out again at once with less
// in it, because the same card would be refused for ever: without its mentions,
// and then as a plain text.
func (r *robot) send(ctx context.Context, address string, c card) error {
	retreat, err := r.post(ctx, address, c.interactive())
	if retreat == withoutMentions {
		if bare, ids := cutMentions(c.markdown); len(ids) > 0 {
			c.markdown = bare + "\n\n" + notMentioned(r.env.Language)
			retreat, err = r.post(ctx, address, c.interactive())
		}
	}
	if retreat != none {
		_, err = r.post(ctx, address, c.text())
	}
	return err
}

// post makes one request. Success is a code that is there and is zero: Feishu
// answers 200 to most errors, and so may a proxy. Its older answers have
// StatusCode instead.
func (r *robot) post(ctx context.Context, address string, body request) (retreat, error) {
	if r.secret != "" {
		body.Timestamp, body.Sign = sign(r.env.Now(), r.secret)
	}
	payload, err := notify.EncodeJSON(body)
	if err != nil {
		return none, fmt.Errorf("encode the message: %w", err)
	}
	answer, err := notify.PostJSON(ctx, r.env.HTTP, address, nil, payload)
	if err != nil {
		return none, err
	}
	return judge(answer)
}

// judge reads an answer. The code comes before the status: 9499 arrives with
// status 400, and may mean that the robot is too fast.
func judge(answer *notify.Response) (retreat, error) {
	var body struct {
		Code    *int   `json:"code"`
		Old     *int   `json:"StatusCode"`
		Message string `json:"msg"`
	}
	undecoded := answer.Decode(&body)
	if body.Code == nil {
		body.Code = body.Old
	}
	if undecoded == nil && body.Code != nil && *body.Code != 0 {
		if retreat, e := refusal(*body.Code, answer.Sanitize(body.Message), answer.Header); e != nil {
			return retreat, e
		}
	}
	if e := answer.StatusError(); e != nil {
		return none, e
	}
	switch {
	case undecoded != nil:
		return none, undecoded
	case body.Code == nil:
		return none, &notify.Error{
			Class:     notify.Retry,
			Message:   fmt.Sprintf("the answer has no code, it is not Feishu's: it says %q", answer.BodyExcerpt()),
			Ambiguous: true,
		}
	case *body.Code != 0:
		return none, unknown(*body.Code, answer.Sanitize(body.Message))
	}
	return none, nil
}

// sign returns the time in seconds, and the signature for it: HMAC-SHA256 of
// nothing, with the time and the secret for its key. (DingTalk has it the other
// way round.) Feishu takes it for an hour.
func sign(now time.Time, secret string) (timestamp, signature string) {
	timestamp = strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(timestamp+"\n"+secret))
	return timestamp, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
