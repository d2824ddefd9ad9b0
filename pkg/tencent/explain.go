package tencent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
)

// rule says what an API code means. It holds for the code and those below it:
// AuthFailure for AuthFailure.TokenFailure. In its words %s is the action.
type rule struct {
	code      string
	kind      Kind
	temporary bool
	en, zh    string
}

// rules are searched in order. The codes are those that the vendor documents for
// all products, and those of DescribeGroup and DescribeGroupOffsets.
var rules = []rule{
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
		"what the request is about does not exist: check the ids in the configuration, and region",
		"请求的资源不存在：请检查配置中的各个 ID 和 region"},
	{"RequestLimitExceeded", Rate, true,
		"the account makes too many requests a second: if this stays, poll less often or raise the limit with the vendor",
		"账号的请求频率超过限制：如持续出现，请降低轮询频率或向腾讯云申请提高限额"},
	{"ResourceUnavailable", Vendor, true,
		"the resource cannot be asked now: look at its state in the console",
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

func (r rule) fits(code string) bool {
	return r.code == "" || code == r.code || strings.HasPrefix(code, r.code+".")
}

// explain says what an error of the SDK means. w is what was seen of the request.
func explain(err error, action string, w *witness) *Error {
	e := &Error{Action: action}
	answer, ok := errors.AsType[*sdk.TencentCloudSDKError](err)
	if ok {
		e.Code = answer.Code
	}
	if !ok || strings.HasPrefix(answer.Code, "ClientError") {
		e.noAnswer(err, w)
		return e
	}
	e.Message, e.RequestID = answer.Message, answer.RequestId
	for _, r := range rules {
		if r.fits(e.Code) {
			e.Kind, e.Temporary = r.kind, r.temporary
			e.en, e.zh = strings.ReplaceAll(r.en, "%s", action), strings.ReplaceAll(r.zh, "%s", action)
			break
		}
	}
	// The vendor itself waited in vain for the part behind its API.
	e.Ambiguous = e.Code == "InternalError.Timeout" || e.Code == "InternalError.SendAndRecvFail"
	return e
}

// noAnswer explains that the API gave no answer that could be understood.
func (e *Error) noAnswer(err error, w *witness) {
	e.Err, e.Ambiguous, e.Temporary = w.err, w.sent.Load(), true
	timeout, _ := errors.AsType[net.Error](w.err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](w.err)
	switch {
	case errors.Is(w.err, context.Canceled), timeout != nil && timeout.Timeout():
		e.Kind = Timeout
		e.en = fmt.Sprintf("%s did not answer in time: check that the function's network has a way to it", w.host)
		e.zh = fmt.Sprintf("%s 未在限定时间内应答：请检查函数网络是否可以访问它", w.host)
	case untrusted:
		e.Kind, e.Temporary = Config, false
		e.en = fmt.Sprintf("the certificate of %s is not trusted: check endpoint, and what stands between (%v)", w.host, w.err)
		e.zh = fmt.Sprintf("%s 的证书不受信任：请检查 endpoint 以及中间的代理（%v）", w.host, w.err)
	case w.err != nil:
		e.Kind = Network
		e.en = fmt.Sprintf("%s could not be reached: check endpoint and the function's network (%v)", w.host, w.err)
		e.zh = fmt.Sprintf("无法访问 %s：请检查 endpoint 和函数网络（%v）", w.host, w.err)
	case w.status == 0:
		e.Kind, e.Temporary = Config, false
		e.en = fmt.Sprintf("the request could not be made: check the configuration (%v)", err)
		e.zh = fmt.Sprintf("无法发出请求：请检查配置（%v）", err)
	default:
		e.Kind = Network
		e.Temporary = w.status == 200 || w.status == 429 || w.status >= 500
		e.en = fmt.Sprintf("%s gave an answer that is not the API's (HTTP status %d): check endpoint, and whether a proxy stands between", w.host, w.status)
		e.zh = fmt.Sprintf("%s 返回的不是 API 应答（HTTP 状态码 %d）：请检查 endpoint 以及是否经过代理", w.host, w.status)
	}
}
