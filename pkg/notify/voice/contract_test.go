package voice

import (
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

func TestContract(t *testing.T) {
	// The quotas are the vendor's short limits: a quota per day or per night would
	// make a notification wait for hours.
	kind := notify.Kind{
		Name: "voice", AtMostOnce: true, PerUnit: true,
		Quotas: []notify.Quota{{Messages: 1, Per: 30 * time.Second}, {Messages: 2, Per: 10 * time.Minute}},
	}
	notifytest.Run(t, notifytest.PhoneChannel(startVendor, kind, phoneKeys, vendorErrors()))
}

func phoneKeys(c *Config) notifytest.PhoneKeys {
	return notifytest.PhoneKeys{SecretID: &c.SecretID, SecretKey: &c.SecretKey, To: &c.To, Params: &c.Params}
}

// startVendor starts Tencent Cloud with an application that may call a number
// any number of times.
func startVendor(t *testing.T) *notifytest.Vendor[*Config] {
	t.Helper()
	cloud, env := startCloud(t, func(a *tencentcloud.VoiceApp) {
		a.PerHalfMinute, a.PerTenMinutes, a.PerDay, a.PerNight, a.Balance = 1e6, 1e6, 1e6, 1e6, 1e6
	})
	return notifytest.NewPhoneVendor(cloud, env, newConfig("13800000001"), "SendTtsVoice", cloud.Calls.Inbox, func(m tencentcloud.VoiceCall) string { return m.Text })
}

// vendorErrors are the vendor's codes, and the responses after which the phone
// may have rung.
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
		{"LimitExceeded.PhoneNumberTenMinuteLimit", notify.Rate, 10 * time.Minute, false, "twice in 10 minutes"},
		{"LimitExceeded.PhoneNumberDailyLimit", notify.Permanent, 0, false, "three a day"},
		{"LimitExceeded.DeliveryFrequencyLimit", notify.Permanent, 0, false, "from 22:00 to 08:00"},
		{"LimitExceeded.SomethingNew", notify.Permanent, 0, false, "three a day"},
		{"LimitExceeded", notify.Permanent, 0, false, "three a day"},
		{"RequestLimitExceeded", notify.Rate, time.Second, false, "too many requests"},
		{"RequestLimitExceeded.UinLimitExceeded", notify.Rate, time.Second, false, "too many requests"},

		{"FailedOperation.InsufficientBalanceInVoicePackage", notify.Permanent, 0, false, "buy another one"},
		{"UnauthorizedOperation.ServiceSuspendDueToArrears", notify.Permanent, 0, false, "debts"},
		{"UnauthorizedOperation.RequestIpNotInWhitelist", notify.Permanent, 0, false, "IP whitelist"},
		{"UnauthorizedOperation.SdkAppIdIsDisabled", notify.Permanent, 0, false, "enable it"},
		{"UnauthorizedOperation.VoiceSdkAppidVerifyFail", notify.Permanent, 0, false, "check sdk_app_id"},
		{"UnauthorizedOperation", notify.Permanent, 0, false, "allow it in CAM"},
		{"InvalidParameterValue.SdkAppIdNotExist", notify.Permanent, 0, false, "check sdk_app_id"},

		{"FailedOperation.TemplateIncorrectOrUnapproved", notify.Permanent, 0, false, "check template_id"},
		{"FailedOperation.ContainSensitiveWord", notify.Permanent, 0, false, "a word that may not be said"},
		{"FailedOperation.PhoneNumberInBlacklist", notify.Permanent, 0, false, "blacklisted"},
		{"FailedOperation.SomethingNew", notify.Permanent, 0, false, ""},
		{"InvalidParameterValue.CalledNumberVerifyFail", notify.Permanent, 0, false, "not valid"},
		{"InvalidParameterValue.TemplateParameterFormatError", notify.Permanent, 0, false, "check params"},
		{"InvalidParameterValue.TemplateParameterLengthLimit", notify.TooLong, 0, false, "set param_max_length"},
		{"InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", notify.TooLong, 0, false, "looks like a link"},
		{"InvalidParameterValue.ContentLengthLimit", notify.TooLong, 0, false, "350 characters"},
		{"InvalidParameterValue.SomethingNew", notify.Permanent, 0, false, ""},
		{"UnsupportedOperation", notify.Permanent, 0, false, ""},
		{"InvalidAction", notify.Permanent, 0, false, ""},

		{"InternalError.RequestTimeException", notify.Permanent, 0, false, "clock"},
		{"InternalError", notify.Retry, 0, false, ""},
		{"InternalError.SomethingNew", notify.Retry, 0, false, ""},
		{"InternalError.Timeout", notify.Retry, 0, true, ""},
		{"ResourceUnavailable", notify.Retry, 0, false, ""},
	} {
		cases = append(cases, errorCase{Name: c.code,
			Fault:    tencentcloud.Reject(c.code, "about\r\n+8613800000001, 13800000001"),
			Want:     &notify.Error{Class: c.class, Code: c.code, RetryAfter: c.retryAfter, Ambiguous: c.ambiguous, Message: c.advice},
			Contains: []string{"+86138****0001: voice: "},
		})
	}
	noCall := &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "has no call in it"}
	return append(cases,
		errorCase{Name: "response without a call", Fault: fault.Respond(200, "application/json", `{"Response":{"RequestId":"r"}}`), Want: noCall},
		errorCase{Name: "response with an empty call id", Fault: fault.Respond(200, "application/json", `{"Response":{"SendStatus":{"CallId":"","SessionContext":"1"},"RequestId":"r"}}`), Want: noCall},
		errorCase{Name: "response that is not JSON", Fault: fault.Respond(200, "application/json", "ok"),
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true}},
	)
}
