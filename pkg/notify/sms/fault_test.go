package sms

import (
	"strings"
	"testing"
	"time"

	"tocsin/pkg/notify"
)

// The classes are those that the vendor's error codes ask for: the documents
// 382/59177 and 382/55981.
func TestNumberCodes(t *testing.T) {
	for _, tt := range []struct {
		code  string
		class notify.Class
		after time.Duration
	}{
		{"LimitExceeded.PhoneNumberThirtySecondLimit", notify.Rate, 30 * time.Second},
		{"LimitExceeded.PhoneNumberOneHourLimit", notify.Rate, time.Hour},
		{"LimitExceeded.DeliveryFrequencyLimit", notify.Rate, 5 * time.Minute},
		{"LimitExceeded.PhoneNumberDailyLimit", notify.Permanent, 0},
		{"LimitExceeded.PhoneNumberSameContentDailyLimit", notify.Permanent, 0},
		{"LimitExceeded.AppDailyLimit", notify.Permanent, 0},
		{"LimitExceeded.AppMainlandChinaDailyLimit", notify.Permanent, 0},
		{"FailedOperation.InsufficientBalanceInSmsPackage", notify.Permanent, 0},
		{"FailedOperation.TemplateIncorrectOrUnapproved", notify.Permanent, 0},
		{"FailedOperation.SignatureIncorrectOrUnapproved", notify.Permanent, 0},
		{"FailedOperation.ContainSensitiveWord", notify.Permanent, 0},
		{"FailedOperation.PhoneNumberInBlacklist", notify.Permanent, 0},
		{"UnauthorizedOperation.RequestIpNotInWhitelist", notify.Permanent, 0},
		{"InvalidParameterValue.IncorrectPhoneNumber", notify.Permanent, 0},
		{"InvalidParameterValue.TemplateParameterLengthLimit", notify.TooLong, 0},
		{"InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", notify.TooLong, 0},
		{"InvalidParameterValue.ContentLengthLimit", notify.TooLong, 0},
		{"InternalError.Timeout", notify.Retry, 0},
		{"InternalError.UnknownError", notify.Retry, 0},
		{"InternalError.RequestTimeException", notify.Permanent, 0},
		{"RequestLimitExceeded", notify.Rate, time.Second},
		{"FailedOperation.SomethingNew", notify.Permanent, 0},
		{"", notify.Permanent, 0},
	} {
		st := &sendStatus{Code: &tt.code, Message: "about\r\n+8613800000000, 13800000000"}
		f := numberFault(st, "+8613800000000")
		if f == nil {
			t.Errorf("%q is no error", tt.code)
			continue
		}
		if f.Class != tt.class || f.RetryAfter != tt.after || f.Code != tt.code {
			t.Errorf("%q: %v after %v, want %v after %v", tt.code, f.Class, f.RetryAfter, tt.class, tt.after)
		}
		if s := f.Error(); strings.Contains(s, "13800000000") || strings.ContainsAny(s, "\r\n") || !strings.HasPrefix(s, "+86138****0000: ") {
			t.Errorf("%q: %q", tt.code, s)
		}
	}
	if f := numberFault(&sendStatus{Code: new("Ok")}, "+8613800000000"); f != nil {
		t.Errorf("Ok: %v", f)
	}
}
