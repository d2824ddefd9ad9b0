package wecomrobot

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/notify"
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
			Message:   fmt.Sprintf("the answer has no errcode, it is not WeCom's: it says %q", answer.Excerpt()),
			Ambiguous: true,
		}
	}
	if *body.Code == 0 {
		return nil
	}
	return refusal(*body.Code, answer.Clean(body.Message))
}

// refusal turns an errcode into an error; said is the vendor's errmsg, cleaned.
// The codes are documented at developer.work.weixin.qq.com/document/path/90313.
// WeCom warns not to rely on errmsg: it decides only where a code is overloaded.
func refusal(code int, said string) *notify.Error {
	e := &notify.Error{Class: notify.Permanent, Code: strconv.Itoa(code)}
	switch code {
	case -1:
		e.Class, e.Message = notify.Retry, "WeCom is busy"
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
	case 45002:
		e.Class, e.Message = notify.TooLong, "the message is too long"
	case 40058:
		e.Message = "WeCom finds a parameter illegal"
		if aboutLength(said) {
			e.Class, e.Message = notify.TooLong, "the message is too long"
		}
	case 44004:
		e.Message = "the message is empty: see what the template under message prints"
	case 40063:
		e.Message = "a required field is empty"
	case 40008:
		e.Message = "WeCom does not know this type of message"
	case 40033:
		e.Message = `WeCom finds an illegal character, of the form \uxxxx`
	default:
		// What is not known may pass, and is handed to the fallback if it does not.
		e.Class, e.Message = notify.Retry, "WeCom refuses the message"
	}
	if said != "" {
		e.Message += fmt.Sprintf("; WeCom says %q", said)
	}
	return e
}

func aboutLength(said string) bool {
	said = strings.ToLower(said)
	return strings.Contains(said, "length") || strings.Contains(said, "too long") || strings.Contains(said, "长度")
}
