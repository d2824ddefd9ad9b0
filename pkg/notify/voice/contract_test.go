package voice

import (
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

func TestContract(t *testing.T) {
	notifytest.Run(t, notifytest.Channel[*Config]{
		Start: startVendor,
		// The quotas are the vendor's short limits: one of the day or the night
		// would keep a notification waiting for hours.
		Kind: notify.Kind{
			Name: "voice", AtMostOnce: true, PerUnit: true,
			Quotas: []notify.Quota{{Messages: 1, Per: 30 * time.Second}, {Messages: 2, Per: 10 * time.Minute}},
		},
		Secrets: []string{notifytest.TencentSecretKey},
		Private: []string{notifytest.TencentSecretID, "13800000001"},
		Errors:  append(notifytest.TencentErrors[*Config](), vendorErrors()...),
		SeveralUnits: func(c *Config) {
			c.To = []string{"13800000001, 13800000002", "13800000003"}
		},
		Templates: []notifytest.TemplateCase[*Config]{
			{Key: "params", Set: func(c *Config, s string) { c.Params[1] = s }, OnFailure: notifytest.Placeholder, EmptyFails: true},
			{Key: "to", Set: func(c *Config, s string) { c.To[0] = s }, OnFailure: notifytest.Permanent},
		},
		Variants: []notifytest.Variant[*Config]{
			{Name: "half size", Change: func(*Config) {}, HalfSize: true},
		},
	})
}

// startVendor starts Tencent Cloud with an application that may call a number
// any number of times.
func startVendor(t *testing.T) *notifytest.Vendor[*Config] {
	t.Helper()
	cloud, env := startCloud(t, func(a *tencentcloud.VoiceApp) {
		a.PerHalfMinute, a.PerTenMinutes, a.PerDay, a.PerNight, a.Balance = 1e6, 1e6, 1e6, 1e6, 1e6
	})
	cloud.LimitRate(1e6)
	return &notifytest.Vendor[*Config]{
		Env: env, Config: newConfig("13800000001"),
		Inject: func(times int, h fault.Handler) {
			cloud.Inject(tencentcloud.Fault{Action: "SendTtsVoice", Times: times, Do: h})
		},
		Requests: func() int { return cloud.Count("") },
		Received: func(skip int) []notifytest.Received {
			var out []notifytest.Received
			for _, call := range cloud.VoiceCalls()[skip:] {
				out = append(out, notifytest.Received{Text: call.Text, Markup: map[string]int{
					"brackets": strings.Count(call.Text, "【"),
					"links":    strings.Count(call.Text, "://") + strings.Count(call.Text, "www."),
					"lines":    strings.Count(call.Text, "\n") + strings.Count(call.Text, "\r"),
				}})
			}
			return out
		},
	}
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
		errorCase{Name: "wrong key", Setup: func(_ *testing.T, v *notifytest.Vendor[*Config]) { v.Config.SecretKey = "another-key" },
			Want: &notify.Error{Class: notify.Permanent, Code: "AuthFailure.SignatureFailure"}},
		errorCase{Name: "no key", Setup: func(t *testing.T, v *notifytest.Vendor[*Config]) {
			v.Config.SecretID, v.Config.SecretKey = "", ""
			t.Setenv("TENCENTCLOUD_SECRETID", "")
		}, Want: &notify.Error{Class: notify.Permanent, Message: "there is no key to sign with"}},
	)
}
