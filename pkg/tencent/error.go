package tencent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// Kind classifies errors. The values are stable.
type Kind string

const (
	// Credentials: the key is missing, wrong or expired, or the clock is off.
	Credentials Kind = "credentials"
	// Permission: the key may not perform the action.
	Permission Kind = "permission"
	// NotFound: the resource does not exist.
	NotFound Kind = "not_found"
	// Rate: too many requests.
	Rate Kind = "rate"
	// Network: the API could not be reached, or something else answered.
	Network Kind = "network"
	// Timeout: no answer came before the deadline.
	Timeout Kind = "timeout"
	// Vendor: the API failed, or refused for a reason not listed here.
	Vendor Kind = "vendor"
	// Config: the API does not accept the request.
	Config Kind = "config"
)

// Error is a failed request. It contains no secret.
type Error struct {
	Kind Kind
	// Action is the action called, such as "ckafka:DescribeGroup".
	Action string
	// Code is the API's error code, "" when the API did not answer.
	Code string
	// Message is the API's own message, redacted; "" without one.
	Message string
	// RequestID identifies the request to the vendor's support, "" without an
	// answer.
	RequestID string
	// Temporary reports that the same request may succeed later.
	Temporary bool
	// Ambiguous reports that the action may have been executed in spite of the error:
	// the request was sent, and no answer of the API came back.
	Ambiguous bool
	// Err is the cause when no answer came, such as context.DeadlineExceeded.
	Err error

	zh, en string
}

// Error returns Text("en").
func (e *Error) Error() string { return e.Text("en") }

// Text returns what went wrong and how to fix it, in the language "zh" or "en".
func (e *Error) Text(lang string) string {
	text, request := e.en, "request"
	if lang == "zh" {
		text, request = e.zh, "请求 ID"
	}
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
	text = e.Action + ": " + text
	if len(details) > 0 {
		text += " (" + strings.Join(details, "; ") + ")"
	}
	return text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func missingKeyError(a Action) *Error {
	return &Error{
		Kind: Credentials, Action: a.String(),
		en: "there is no key to sign with: set secret_id and secret_key (or global tencent_secret_id and tencent_secret_key), or give the function a run role",
		zh: "没有可用的密钥：请填写 secret_id 和 secret_key（或 global 下的 tencent_secret_id 和 tencent_secret_key），或为函数配置运行角色",
	}
}

// DeadlineError returns the error of a request that was not sent because a Limiter
// did not admit it before the end of its context, which is cause.
func DeadlineError(a Action, cause error) *Error {
	return &Error{
		Kind: Timeout, Action: a.String(), Err: cause,
		en: "no time was left for the request: give the function a longer timeout, or watch fewer groups",
		zh: "剩余时间不足，未能查询：请延长函数超时时间，或减少监控的消费组",
	}
}

// errorRule classifies and explains an API code and the codes below it: the rule of
// AuthFailure is also for AuthFailure.MFAFailure. In its texts %s is the action.
type errorRule struct {
	code      string
	kind      Kind
	temporary bool
	en, zh    string
}

// errorRules are searched in order; the first that matches applies. The codes are those
// that the vendor documents for all products, and for DescribeGroup and
// DescribeGroupOffsets.
var errorRules = []errorRule{
	{"AuthFailure.SecretIdNotFound", Credentials, false,
		"the key id is not known: check secret_id, and whether the key was deleted or disabled",
		"密钥 ID 不存在：请检查 secret_id，以及密钥是否已被删除或停用"},
	{"AuthFailure.SignatureFailure", Credentials, false,
		"the signature is wrong: check secret_key, it does not belong to secret_id",
		"签名错误：请检查 secret_key，它与 secret_id 不匹配"},
	{"AuthFailure.TokenFailure", Credentials, false,
		"the temporary key has expired or its token is wrong: check the function's run role; a key that is written into the configuration must be a permanent one",
		"临时密钥已过期或令牌错误：请检查函数的运行角色；写在配置中的密钥必须是永久密钥"},
	{"AuthFailure.SignatureExpire", Credentials, false, clockEn, clockZh},
	{"InternalError.RequestTimeException", Credentials, false, clockEn, clockZh},
	{"AuthFailure.UnauthorizedOperation", Permission, false, permissionEn, permissionZh},
	{"AuthFailure", Credentials, false,
		"the key is not accepted: check secret_id and secret_key",
		"密钥未被接受：请检查 secret_id 和 secret_key"},
	{"UnauthorizedOperation", Permission, false, permissionEn, permissionZh},
	{"InvalidParameterValue.InstanceNotExist", NotFound, false,
		"the instance does not exist in this region: check instance_id and region",
		"该地域下没有这个实例：请检查 instance_id 和 region"},
	{"ResourceNotFound", NotFound, false,
		"the resource does not exist: check the ids in the configuration, and region",
		"请求的资源不存在：请检查配置中的各个 ID 和 region"},
	{"RequestLimitExceeded", Rate, true,
		"the account makes too many requests a second: if this stays, poll less often or raise the limit with the vendor",
		"账号的请求频率超过限制：如持续出现，请降低轮询频率或向腾讯云申请提高限额"},
	{"ResourceUnavailable", Vendor, true,
		"the resource is not available now: check its state in the console",
		"资源暂不可用：请在控制台查看其状态"},
	{"InternalError", Vendor, true,
		"Tencent Cloud has an internal error: if it stays, open a ticket with the request id",
		"腾讯云内部错误：如持续出现，请凭请求 ID 提交工单"},
	{"UnsupportedRegion", Config, false,
		"this product does not know the region: check region",
		"该产品不支持此地域：请检查 region"},
	{"InvalidParameterValue", Config, false, requestEn, requestZh},
	{"InvalidParameter", Config, false, requestEn, requestZh},
	{"MissingParameter", Config, false, requestEn, requestZh},
	{"UnknownParameter", Config, false, requestEn, requestZh},
	{"InvalidAction", Config, false, endpointEn, endpointZh},
	{"NoSuchProduct", Config, false, endpointEn, endpointZh},
	{"NoSuchVersion", Config, false, endpointEn, endpointZh},
	{"", Vendor, false, "Tencent Cloud refused the request", "腾讯云拒绝了请求"},
}

const (
	clockEn      = "this machine's clock is more than five minutes off: set it right"
	clockZh      = "本机时钟误差超过五分钟：请校准时间"
	permissionEn = "the key may not perform %s: allow it in CAM for the user who owns the key, or for the function's run role"
	permissionZh = "密钥没有 %s 权限：请在访问管理 CAM 中为密钥所属用户或函数的运行角色授权"
	requestEn    = "the request is not accepted: check the values in the configuration"
	requestZh    = "请求未被接受：请检查配置中的取值"
	endpointEn   = "the endpoint does not offer %s: check endpoint"
	endpointZh   = "该接入地址不提供 %s：请检查 endpoint"
)

func (r errorRule) matches(code string) bool {
	return r.code == "" || code == r.code || strings.HasPrefix(code, r.code+".")
}

// apiError returns the error of a request that the API refused.
func apiError(a Action, code, message, requestID string) *Error {
	e := &Error{Action: a.String(), Code: code, Message: message, RequestID: requestID}
	for _, r := range errorRules {
		if r.matches(code) {
			e.Kind, e.Temporary = r.kind, r.temporary
			e.en, e.zh = strings.ReplaceAll(r.en, "%s", e.Action), strings.ReplaceAll(r.zh, "%s", e.Action)
			break
		}
	}
	// These codes mean that the vendor's backend did not answer its API in time.
	e.Ambiguous = code == "InternalError.Timeout" || code == "InternalError.SendAndRecvFail"
	return e
}

// requestError returns the error of a request that could not be built.
func (x *exchange) requestError(a Action, err error) *Error {
	return &Error{
		Kind: Config, Action: a.String(), Err: err,
		en: fmt.Sprintf("the request could not be made: check the configuration (%v)", err),
		zh: fmt.Sprintf("无法发出请求：请检查配置（%v）", err),
	}
}

// noAnswerError returns the error of a request to which no valid answer of the API
// came back.
func (x *exchange) noAnswerError(a Action) *Error {
	e := &Error{Action: a.String(), Err: x.err, Ambiguous: x.sent.Load(), Temporary: true}
	timeout, _ := errors.AsType[net.Error](x.err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](x.err)
	switch {
	case errors.Is(x.err, context.Canceled), timeout != nil && timeout.Timeout():
		e.Kind = Timeout
		e.en = fmt.Sprintf("%s did not answer in time: check that the function's network has a way to it", x.host)
		e.zh = fmt.Sprintf("%s 未在限定时间内应答：请检查函数网络是否可以访问它", x.host)
	case untrusted:
		e.Kind, e.Temporary = Config, false
		e.en = fmt.Sprintf("the certificate of %s is not trusted: check endpoint, and what stands between (%v)", x.host, x.err)
		e.zh = fmt.Sprintf("%s 的证书不受信任：请检查 endpoint 以及中间的代理（%v）", x.host, x.err)
	case x.err != nil:
		e.Kind = Network
		e.en = fmt.Sprintf("%s could not be reached: check endpoint and the function's network (%v)", x.host, x.err)
		e.zh = fmt.Sprintf("无法访问 %s：请检查 endpoint 和函数网络（%v）", x.host, x.err)
	default:
		e.Kind = Network
		e.Temporary = x.status == 200 || x.status == 429 || x.status >= 500
		e.en = fmt.Sprintf("%s gave an answer that is not the API's (HTTP status %d): check endpoint, and whether a proxy stands between", x.host, x.status)
		e.zh = fmt.Sprintf("%s 返回的不是 API 应答（HTTP 状态码 %d）：请检查 endpoint 以及是否经过代理", x.host, x.status)
	}
	return e
}

// secretID matches the vendor's key ids.
var secretID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`AKID[0-9A-Za-z_-]{4,}`) })

// maxMessage bounds the API's own message in characters.
const maxMessage = 300

// redact returns a message of the API as one line of bounded length, with every part of
// the key masked.
func redact(message string, key Key) string {
	for _, secret := range []string{key.Token, key.Secret, key.ID} {
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

// mask returns the replacement of a secret. That of a key id keeps its prefix.
func mask(secret string) string {
	if strings.HasPrefix(secret, "AKID") {
		return "AKID***"
	}
	return "***"
}
