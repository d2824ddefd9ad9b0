package dingtalk

import (
	"fmt"
	"strings"
	"time"

	"tocsin/pkg/notify"
)

// denied is the answer of the limiter in front of the API: more than 10000 calls
// in 20 seconds shut the address they come from for five minutes. A function
// shares its address with neighbours.
func denied() *notify.Error {
	return &notify.Error{
		Class: notify.Rate, Code: "1111", RetryAfter: 5 * time.Minute,
		Message: "DingTalk takes nothing from this machine's address for some minutes: too many calls came from it, perhaps a neighbour's",
	}
}

// refusal turns an errcode into an error. The codes are those of
// open.dingtalk.com/document/orgapp/custom-robots-send-group-messages, and older
// ones that DingTalk still answers. Its text decides only where a code has
// several meanings; it is English or Chinese.
func refusal(code string, said *answer) *notify.Error {
	e := &notify.Error{Class: notify.Permanent, Code: code}
	text := strings.ToLower(said.Message + " " + said.SubMsg)
	switch code {
	case "-1":
		e.Class, e.Message = notify.Retry, "DingTalk is busy"
	case "130101", "410100":
		e.Class, e.RetryAfter, e.Message = notify.Rate, lockTime, "the robot has sent more than its 20 messages in a minute, and DingTalk shuts it for ten minutes"
	case "310000":
		e.Message = insecure(text)
	case "300001", "300005", "400101":
		e.Message = "the robot does not exist: copy its webhook address again, and put it under url"
		if code == "300001" && about(text, "too fast", "frequency", "频", "限流") {
			e.Class, e.RetryAfter, e.Message = notify.Rate, lockTime, "the robot has sent too much"
		}
	case "400013":
		e.Message = "the group was dissolved: add a robot to another one, and put its address under url"
	case "400102":
		e.Message = "the robot was stopped: have it started in the group's settings, or use another one"
	case "400106":
		e.Message = "the robot is not in the group any more: add one, and put its address under url"
	case "400105":
		e.Message = "DingTalk does not know this type of message"
	case "430101", "430102", "430103", "430104":
		// Once more as plain text without links.
		e.Class, e.Message = notify.TooLong, "DingTalk finds a link, a word or a picture in the message unsafe"
	case "460101", "101002":
		e.Class, e.Message = notify.TooLong, "the message is too long"
	case "40035":
		e.Message = "DingTalk misses a parameter: see that the address under url has an access_token"
	case "43002", "43004":
		e.Message = "DingTalk did not get a POST of JSON: see whether a proxy in between changes requests"
	case "88", "90018":
		e.Message = "DingTalk does not let the call through"
		if code == "90018" || strings.Trim(string(said.SubCode), `"`) == "90018" {
			e.Class, e.RetryAfter, e.Message = notify.Rate, time.Minute, "too many calls a second reach DingTalk"
		}
	default:
		// What is not known may pass, and is handed to the fallback if it does not.
		e.Class, e.Message = notify.Retry, "DingTalk refuses the message"
	}
	if said.SubMsg != "" {
		e.Message += fmt.Sprintf("; DingTalk says %q", said.SubMsg)
	} else if said.Message != "" {
		e.Message += fmt.Sprintf("; DingTalk says %q", said.Message)
	}
	return e
}

// insecure says which of the robot's security settings refused the message. The
// text about a wrong signature speaks of the time too, and so comes first.
func insecure(text string) string {
	switch {
	case about(text, "keyword", "关键词"):
		return "the message has none of the robot's keywords: put one into message, or let the robot check signatures (加签) and set secret"
	case about(text, "sign not match", "签名不匹配"):
		return "the signature does not match: copy the robot's secret (SEC…) again, and put it under secret"
	case about(text, "timestamp", "签名过期"):
		return "the signature's time is off: set the clock of this machine, DingTalk allows an hour"
	case about(text, "whitelist", "白名单"):
		return "this machine's address is not among those that the robot allows: add it, or let the robot check signatures (加签) and set secret, for a function's address changes"
	default:
		return "the robot's security settings refuse the message: see keywords, signature and addresses in the group's settings"
	}
}

func about(text string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
