package feishu

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/notify"
)

// retreat is what may help against a refusal, at once.
type retreat uint8

const (
	none retreat = iota
	withoutMentions
	plainText
)

// maxPatience bounds what a header can make us wait.
const maxPatience = time.Hour

// refusal turns a code into an error, nil when the code is not known. said is
// the vendor's msg, cleaned; it decides only where a code has several meanings.
func refusal(code int, said string, header http.Header) (retreat, *notify.Error) {
	e := &notify.Error{Class: notify.Permanent, Code: strconv.Itoa(code)}
	then := none
	switch code {
	case 9499:
		e.Message = "Feishu cannot read the request, or finds it too big: see what the templates print"
		if aboutRate(said) {
			e.Class, e.Message = notify.Rate, "the robot has sent more than 5 messages in a second or 100 in a minute"
		}
	case 11232:
		// Feishu asks for retries with growing pauses; the caller makes them.
		e.Class, e.Message = notify.Rate, "Feishu is busy, or the robot has sent too much"
	case 99991400:
		e.Class, e.RetryAfter, e.Message = notify.Rate, reset(header), "Feishu asks to slow down"
	case 19001:
		e.Message = "the robot does not exist, or was removed from its group: add one to the group and put its address under url"
	case 19002:
		e.Message = "Feishu does not take a message of this form"
	case 19021:
		e.Message = "the signature is wrong: copy secret from the robot's security settings, and see whether this machine's clock is right"
	case 19022:
		e.Message = "the robot takes no messages from this address: change its IP whitelist, or use a signature instead"
	case 19024:
		e.Message = "the message has none of the robot's keywords: put one into title or message, or use a signature instead"
	case 19036:
		e.Class, e.Message = notify.TooLong, "the message is too long"
	case 11246:
		then = plainText
		e.Message = "Feishu refuses the card: see what the template under message prints"
		switch inner(said) {
		case "100000":
			then, e.Class, e.Message = none, notify.TooLong, "the message is too long"
		case "200621", "200861":
		default: // 100290, a mention; or not told
			then = withoutMentions
		}
	case 11310, 230099:
		then = plainText
		e.Message = "Feishu refuses what is in the card: see what the template under message prints"
	default:
		return none, nil
	}
	return then, says(e, said)
}

// unknown is the error of a code that is not in the table. It may pass, and is
// handed to the fallback if it does not.
func unknown(code int, said string) *notify.Error {
	return says(&notify.Error{Class: notify.Retry, Code: strconv.Itoa(code), Message: "Feishu refuses the message"}, said)
}

func says(e *notify.Error, said string) *notify.Error {
	if said != "" {
		e.Message += fmt.Sprintf("; Feishu says %q", said)
	}
	return e
}

func aboutRate(said string) bool {
	said = strings.ToLower(said)
	return strings.Contains(said, "too many") || strings.Contains(said, "frequency")
}

// inner returns the code that tells why a card was refused, "" if none does:
// "ErrCode: 100290; ErrMsg: …".
func inner(said string) string {
	_, after, _ := strings.Cut(said, "ErrCode:")
	code, _, _ := strings.Cut(strings.TrimSpace(after), ";")
	return strings.TrimSpace(code)
}

// reset reads how many seconds to wait from the header of the open API.
func reset(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("x-ogw-ratelimit-reset"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxPatience)
}
