package tencent

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// Kind is what sort of thing went wrong. The values are stable.
type Kind string

const (
	// Credentials: the key is missing, wrong or expired, or the clock is.
	Credentials Kind = "credentials"
	// Permission: the key may not do this.
	Permission Kind = "permission"
	// NotFound: what the request is about does not exist.
	NotFound Kind = "not_found"
	// Rate: too many requests.
	Rate Kind = "rate"
	// Network: the API could not be reached, or something else answered.
	Network Kind = "network"
	// Timeout: no answer came before the deadline.
	Timeout Kind = "timeout"
	// Vendor: the API failed, or refused for a reason not listed here.
	Vendor Kind = "vendor"
	// Config: the API does not accept the request as it is.
	Config Kind = "config"
)

// Error is a request that failed. It contains no secret.
type Error struct {
	Kind Kind
	// Action is what was asked for, such as "ckafka:DescribeGroup".
	Action string
	// Code is the API's code, or the SDK's (ClientError.…) when no answer of
	// the API was understood; "" when nothing was asked.
	Code string
	// Message is the API's own message, "" for none.
	Message string
	// RequestID is what the vendor's support asks for, "" for none.
	RequestID string
	// Temporary tells that the same request may succeed later.
	Temporary bool
	// Ambiguous tells that the request may have been carried out all the same:
	// it went out and no answer of the API came back.
	Ambiguous bool
	// Err is why no answer came, such as context.DeadlineExceeded; nil when one
	// came.
	Err error

	zh, en string
}

// Error says in English what went wrong and what to do about it.
func (e *Error) Error() string { return e.Text("en") }

// Text says in a language, "zh" or "en", what went wrong and what to do about it.
func (e *Error) Text(lang string) string {
	words, request := e.en, "request"
	if lang == "zh" {
		words, request = e.zh, "请求 ID"
	}
	var b strings.Builder
	b.WriteString(e.Action + ": " + words)
	var details []string
	if e.Code != "" {
		details = append(details, e.Code)
	}
	if e.Message != "" {
		details = append(details, e.Message)
	}
	if e.RequestID != "" {
		details = append(details, request+" "+e.RequestID)
	}
	if len(details) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(details, "; "))
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func missingKey(action string) *Error {
	return &Error{
		Kind: Credentials, Action: action,
		en: "there is no key to sign with: set secret_id and secret_key (or global tencent_secret_id and tencent_secret_key), or give the function a run role",
		zh: "没有可用的密钥：请填写 secret_id 和 secret_key（或 global 下的 tencent_secret_id 和 tencent_secret_key），或为函数配置运行角色",
	}
}

// OutOfTime is the error of a request that was not made, because cause, the end of
// a context, comes before its turn.
func OutOfTime(action string, cause error) *Error {
	return &Error{
		Kind: Timeout, Action: action, Err: cause,
		en: "no time was left to ask: give the function a longer timeout, or watch fewer groups",
		zh: "剩余时间不足，未能查询：请延长函数超时时间，或减少监控的消费组",
	}
}

// secretID is the form of the vendor's key ids.
var secretID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`AKID[0-9A-Za-z_-]{4,}`) })

// maxMessage bounds the API's own message in characters.
const maxMessage = 300

// tidy makes a message of the API fit for people to see: one line of bounded
// length in which nothing can be read of the secrets.
func tidy(message string, id, key, token string) string {
	for _, secret := range []string{token, key, id} {
		if secret != "" {
			message = strings.ReplaceAll(message, secret, mask(secret))
		}
	}
	message = secretID().ReplaceAllStringFunc(message, mask)
	message = strings.Join(strings.FieldsFunc(message, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if r := []rune(message); len(r) > maxMessage {
		message = string(r[:maxMessage]) + "…"
	}
	return message
}

// mask shows so much of a key id that its owner knows which one it is.
func mask(secret string) string {
	if strings.HasPrefix(secret, "AKID") {
		return "AKID***"
	}
	return "***"
}
