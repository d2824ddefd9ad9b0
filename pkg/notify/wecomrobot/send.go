package wecomrobot

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/wecom"
)

// lockout is how long WeCom refuses a robot that has sent too much: until the
// window of one minute ends.
const lockout = time.Minute

// send delivers one message. Success is an errcode that is there and is zero:
// WeCom answers 200 whatever happened, and so may a proxy.
func send(ctx context.Context, client *http.Client, address string, payload []byte) error {
	answer, err := notify.PostJSON(ctx, client, address, nil, payload)
	if err != nil {
		return err
	}
	if err := answer.StatusError(); err != nil {
		return err
	}
	var body struct {
		Code    *int   `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if err := answer.Decode(&body); err != nil {
		return err
	}
	if body.Code == nil {
		return &notify.Error{
			Class:     notify.Retry,
			Message:   fmt.Sprintf("the answer has no errcode, it is not WeCom's: it says %q", answer.BodyExcerpt()),
			Ambiguous: true,
		}
	}
	if *body.Code == 0 {
		return nil
	}
	return refusal(*body.Code, answer.Sanitize(body.Message))
}

// refusal turns an errcode into an error; said is the vendor's errmsg, cleaned.
func refusal(code int, said string) *notify.Error {
	e := &notify.Error{Class: notify.Permanent}
	switch code {
	case 45009:
		e.Class, e.RetryAfter, e.Message = notify.Rate, lockout, "the robot has sent its 20 messages of this minute"
	case 45033:
		e.Class, e.Message = notify.Retry, "too many calls to the robot at the same time"
	case 93000:
		e.Message = "the robot does not exist, or was removed from its group: add one to the group and put its address under url"
	case 93004:
		e.Message = "the robot is disabled: have it enabled in the group, or use another one"
	case 93008:
		e.Message = "the robot is not in the group any more: add it again, or use another one"
	}
	wecom.Complete(e, code, said)
	return e
}
