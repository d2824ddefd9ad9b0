package sms

import (
	"fmt"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

func TestContract(t *testing.T) {
	kind := notify.Kind{Name: "sms", AtMostOnce: true, PerUnit: true}
	notifytest.Run(t, notifytest.PhoneChannel(startVendor, kind, phoneKeys, vendorErrors()))
}

func phoneKeys(c *Config) notifytest.PhoneKeys {
	return notifytest.PhoneKeys{SecretID: &c.SecretID, SecretKey: &c.SecretKey, To: &c.To, Params: &c.Params}
}

// startVendor starts Tencent Cloud with an application that may send any number
// of messages of any length to a number.
func startVendor(t *testing.T) *notifytest.Vendor[*Config] {
	t.Helper()
	cloud, env := startCloud(t, func(a *tencentcloud.SMSApp) {
		a.PerHalfMinute, a.PerDay, a.Balance, a.ParamLimit = 1e6, 1e6, 1e6, 1e6
	})
	return notifytest.NewPhoneVendor(cloud, env, newConfig("13800000001"), "SendSms", cloud.SMS.Inbox, func(m tencentcloud.SMS) string { return m.Text })
}

// vendorErrors are the codes in the vendor's documents 382/59177 and 382/55981,
// and the responses after which a message may have been sent. Every code may be
// the whole call's or one number's.
func vendorErrors() []notifytest.ErrorCase[*Config] {
	type errorCase = notifytest.ErrorCase[*Config]
	var cases []errorCase
	for _, c := range []struct {
		code       string
		class      notify.Class
		retryAfter time.Duration
		ambiguous  bool
		advice     string
	}{
		{"LimitExceeded.PhoneNumberThirtySecondLimit", notify.Rate, 30 * time.Second, false, "less than 30 seconds ago"},
		{"LimitExceeded.PhoneNumberOneHourLimit", notify.Rate, time.Hour, false, "in an hour"},
		{"LimitExceeded.DeliveryFrequencyLimit", notify.Rate, 5 * time.Minute, false, "too fast"},
		{"LimitExceeded.GlobalSmsSendingRateLimit", notify.Rate, time.Minute, false, "outside mainland China"},
		{"LimitExceeded.PhoneNumberSameContentDailyLimit", notify.Permanent, 0, false, "too often today"},
		{"LimitExceeded.PhoneNumberDailyLimit", notify.Permanent, 0, false, "all that it may get today"},
		{"LimitExceeded.AppCountryOrRegionInBlacklist", notify.Permanent, 0, false, "may not send to this country"},
		{"LimitExceeded.AppDailyLimit", notify.Permanent, 0, false, "raise its limit"},
		{"LimitExceeded.AppMainlandChinaDailyLimit", notify.Permanent, 0, false, "raise its limit"},
		{"RequestLimitExceeded", notify.Rate, time.Second, false, "too many requests"},
		{"RequestLimitExceeded.UinLimitExceeded", notify.Rate, time.Second, false, "too many requests"},

		{"FailedOperation.InsufficientBalanceInSmsPackage", notify.Permanent, 0, false, "buy another one"},
		{"UnauthorizedOperation.ServiceSuspendDueToArrears", notify.Permanent, 0, false, "debts"},
		{"UnauthorizedOperation.RequestIpNotInWhitelist", notify.Permanent, 0, false, "IP whitelist"},
		{"UnauthorizedOperation.SdkAppIdIsDisabled", notify.Permanent, 0, false, "enable it"},
		{"UnauthorizedOperation.SmsSdkAppIdVerifyFail", notify.Permanent, 0, false, "check sdk_app_id"},
		{"InvalidParameterValue.SdkAppIdNotExist", notify.Permanent, 0, false, "check sdk_app_id"},

		{"FailedOperation.TemplateParamSetNotMatchApprovedTemplate", notify.Permanent, 0, false, "differ in number"},
		{"FailedOperation.TemplateIncorrectOrUnapproved", notify.Permanent, 0, false, "check template_id"},
		{"FailedOperation.TemplateUnapprovedOrNotExist", notify.Permanent, 0, false, "check template_id"},
		{"FailedOperation.TemplateIdNotExist", notify.Permanent, 0, false, "check template_id"},
		{"FailedOperation.SignatureIncorrectOrUnapproved", notify.Permanent, 0, false, "check sign_name"},
		{"FailedOperation.MissingSignature", notify.Permanent, 0, false, "check sign_name"},
		{"FailedOperation.ContainSensitiveWord", notify.Permanent, 0, false, "a word that may not be sent"},
		{"FailedOperation.MarketingSendTimeConstraint", notify.Permanent, 0, false, "use a notification template"},
		{"InvalidParameterValue.UnsupportedTemplateVariable", notify.Permanent, 0, false, "no params"},
		{"InvalidParameterValue.TemplateParameterFormatError", notify.Permanent, 0, false, "check params"},
		{"InvalidParameterValue.TemplateParameterLengthLimit", notify.TooLong, 0, false, "set param_max_length"},
		{"InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", notify.TooLong, 0, false, "looks like a link"},
		{"InvalidParameterValue.ContentLengthLimit", notify.TooLong, 0, false, "500 characters"},

		{"FailedOperation.PhoneNumberInBlacklist", notify.Permanent, 0, false, "blacklisted"},
		{"FailedOperation.PhoneNumberParseFail", notify.Permanent, 0, false, "not valid"},
		{"InvalidParameterValue.IncorrectPhoneNumber", notify.Permanent, 0, false, "not valid"},
		{"UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone", notify.Permanent, 0, false, "international numbers"},
		{"UnsupportedOperation.GlobalTemplateToChineseMainlandPhone", notify.Permanent, 0, false, "mainland China"},
		{"UnsupportedOperation.UnsupportedRegion", notify.Permanent, 0, false, "this country"},

		{"InternalError.Timeout", notify.Retry, 0, true, ""},
		{"InternalError.SendAndRecvFail", notify.Retry, 0, true, ""},
		{"InternalError.UnknownError", notify.Retry, 0, false, ""},
		{"InternalError.RequestTimeException", notify.Permanent, 0, false, "clock"},
		{"FailedOperation.SomethingNew", notify.Permanent, 0, false, ""},
	} {
		want := &notify.Error{Class: c.class, Code: c.code, RetryAfter: c.retryAfter, Ambiguous: c.ambiguous, Message: c.advice}
		const text = "about\r\n+8613800000001, 13800000001"
		cases = append(cases,
			errorCase{Name: "call refused with " + c.code, Want: want, Contains: []string{"138****0001"}, Fault: tencentcloud.Reject(c.code, text)},
			errorCase{Name: "number refused with " + c.code, Want: want, Contains: []string{"+86138****0001: SMS: "}, Fault: statusResponse("+8613800000001", c.code, text)},
		)
	}
	ambiguous := &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "does not mention the number"}
	return append(cases,
		errorCase{Name: "number refused with InternalError.SigFieldMissing", Fault: statusResponse("+8613800000001", "InternalError.SigFieldMissing", ""),
			Want: &notify.Error{Class: notify.Permanent, Code: "InternalError.SigFieldMissing", Message: "check secret_id"}},
		errorCase{Name: "number refused with InternalError.SigVerificationFail", Fault: statusResponse("+8613800000001", "InternalError.SigVerificationFail", ""),
			Want: &notify.Error{Class: notify.Permanent, Code: "InternalError.SigVerificationFail", Message: "check secret_id"}},
		errorCase{Name: "number refused without a code", Fault: statusResponse("+8613800000001", "", ""), Want: &notify.Error{Class: notify.Permanent}},
		errorCase{Name: "response about another number", Fault: statusResponse("+8613900000000", "Ok", ""), Want: ambiguous},
		errorCase{Name: "response without a status", Fault: fault.Respond(200, "application/json", `{"Response":{"RequestId":"r"}}`), Want: ambiguous},
	)
}

// statusResponse answers SendSms with the status of one number.
func statusResponse(number, code, message string) fault.Handler {
	return fault.Respond(200, "application/json", fmt.Sprintf(
		`{"Response":{"SendStatusSet":[{"SerialNo":"1","PhoneNumber":%q,"Fee":1,"Code":%q,"Message":%q}],"RequestId":"r"}}`, number, code, message))
}
