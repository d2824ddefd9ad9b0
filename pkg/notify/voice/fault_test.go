package voice

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	cloudfault "tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/notify"
)

// What becomes of a call by the vendor's answer, and that nobody is asked twice.
func TestAnswers(t *testing.T) {
	type do = func(http.ResponseWriter, *http.Request, func())
	const json = "application/json"
	refuse := func(code string) do {
		return tencentcloud.Refuse(code, "about\r\n+8613800000001, 13800000001")
	}
	for _, tt := range []struct {
		name      string
		do        do
		class     notify.Class
		after     time.Duration
		ambiguous bool
	}{
		{"limit of 30 s", refuse("LimitExceeded.PhoneNumberThirtySecondLimit"), notify.Rate, 30 * time.Second, false},
		{"limit of 10 min", refuse("LimitExceeded.PhoneNumberTenMinuteLimit"), notify.Rate, 10 * time.Minute, false},
		{"limit of the day", refuse("LimitExceeded.PhoneNumberDailyLimit"), notify.Permanent, 0, false},
		{"limit of the night", refuse("LimitExceeded.DeliveryFrequencyLimit"), notify.Permanent, 0, false},
		{"limit unknown", refuse("LimitExceeded.SomethingNew"), notify.Permanent, 0, false},
		{"limit", refuse("LimitExceeded"), notify.Permanent, 0, false},
		{"requests", refuse("RequestLimitExceeded"), notify.Rate, time.Second, false},
		{"requests of an account", refuse("RequestLimitExceeded.UinLimitExceeded"), notify.Rate, time.Second, false},
		{"empty package", refuse("FailedOperation.InsufficientBalanceInVoicePackage"), notify.Permanent, 0, false},
		{"arrears", refuse("UnauthorizedOperation.ServiceSuspendDueToArrears"), notify.Permanent, 0, false},
		{"application", refuse("UnauthorizedOperation.VoiceSdkAppidVerifyFail"), notify.Permanent, 0, false},
		{"permission", refuse("UnauthorizedOperation"), notify.Permanent, 0, false},
		{"template", refuse("FailedOperation.TemplateIncorrectOrUnapproved"), notify.Permanent, 0, false},
		{"word", refuse("FailedOperation.ContainSensitiveWord"), notify.Permanent, 0, false},
		{"number", refuse("InvalidParameterValue.CalledNumberVerifyFail"), notify.Permanent, 0, false},
		{"long text", refuse("InvalidParameterValue.ContentLengthLimit"), notify.TooLong, 0, false},
		{"long value", refuse("InvalidParameterValue.TemplateParameterLengthLimit"), notify.TooLong, 0, false},
		{"link", refuse("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"), notify.TooLong, 0, false},
		{"operation unknown", refuse("FailedOperation.SomethingNew"), notify.Permanent, 0, false},
		{"value unknown", refuse("InvalidParameterValue.SomethingNew"), notify.Permanent, 0, false},
		{"unsupported", refuse("UnsupportedOperation"), notify.Permanent, 0, false},
		{"no such action", refuse("InvalidAction"), notify.Permanent, 0, false},
		{"clock", refuse("InternalError.RequestTimeException"), notify.Permanent, 0, false},
		{"broken", refuse("InternalError"), notify.Retry, 0, false},
		{"broken otherwise", refuse("InternalError.SomethingNew"), notify.Retry, 0, false},
		{"unavailable", refuse("ResourceUnavailable"), notify.Retry, 0, false},
		{"waited in vain", refuse("InternalError.Timeout"), notify.Retry, 0, true},
		{"half an answer", cloudfault.Truncate(`{"Response":{"Result":{"TotalCount":1}}}`), notify.Retry, 0, true},
		{"no call in it", cloudfault.Respond(200, json, `{"Response":{"RequestId":"r"}}`), notify.Retry, 0, true},
		{"an empty call", cloudfault.Respond(200, json, `{"Response":{"SendStatus":{"CallId":"","SessionContext":"n1"},"RequestId":"r"}}`), notify.Retry, 0, true},
		{"not JSON", cloudfault.Respond(200, json, `ok`), notify.Retry, 0, true},
		{"a proxy's error", cloudfault.Respond(502, "text/html", "<html>13800000001</html>"), notify.Retry, 0, true},
		{"a proxy's login", cloudfault.Respond(200, "text/html", "<html>please log in</html>"), notify.Retry, 0, true},
		{"a proxy's refusal", cloudfault.Respond(403, "text/html", "<html>no</html>"), notify.Permanent, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud, env := vendor(t, nil)
			cloud.Inject(tencentcloud.Fault{Do: tt.do})
			f := send(t.Context(), t, config("13800000001"), env, diskFull())["+8613800000001"]
			if f == nil || f.Class != tt.class || f.RetryAfter != tt.after || f.Ambiguous != tt.ambiguous {
				t.Fatalf("%+v, want class %v after %v, ambiguous %v", f, tt.class, tt.after, tt.ambiguous)
			}
			if s := f.Error(); strings.ContainsAny(s, "\r\n") || !strings.HasPrefix(s, "+86138****0001: voice: ") || len(s) > 1000 {
				t.Errorf("says %q", s)
			}
			if cloud.Count("") != 1 {
				t.Errorf("%d requests, want 1", cloud.Count(""))
			}
		})
	}
}

// The first call hangs until the time is over: what came of it is not known. The
// second was not begun, and may be tried again.
func TestTimeIsOver(t *testing.T) {
	cloud, env := vendor(t, nil)
	cloud.Inject(tencentcloud.Fault{Do: cloudfault.Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	out := send(ctx, t, config("13800000001", "13800000002"), env, diskFull())
	for number, ambiguous := range map[string]bool{"+8613800000001": true, "+8613800000002": false} {
		if f := out[number]; f == nil || f.Class != notify.Retry || f.Ambiguous != ambiguous {
			t.Errorf("%s: %+v, want it ambiguous: %v", number, f, ambiguous)
		}
	}
	if cloud.Count("") != 1 {
		t.Errorf("%d requests, want 1", cloud.Count(""))
	}
}

func TestUnreachableIsCertain(t *testing.T) {
	_, env := vendor(t, nil)
	c := config("13800000001")
	c.Endpoint = "https://127.0.0.1:1"
	f := send(t.Context(), t, c, env, diskFull())["+8613800000001"]
	if f == nil || f.Class != notify.Retry || f.Ambiguous {
		t.Errorf("%v, want a failure that nothing came of", f)
	}
}

func TestOtherErrorsPass(t *testing.T) {
	f := fault(errors.New("about 13800000001"), "+8613800000001")
	if want := "+86138****0001: voice: about 138****0001"; f.Class != notify.Retry || f.Error() != want {
		t.Errorf("%v %q, want %q", f.Class, f.Error(), want)
	}
}

func TestKeys(t *testing.T) {
	t.Run("wrong", func(t *testing.T) {
		cloud, env := vendor(t, nil)
		c := config("13800000001")
		c.SecretKey = "another-key"
		f := send(t.Context(), t, c, env, diskFull())["+8613800000001"]
		if f == nil || f.Class != notify.Permanent || f.Code != "AuthFailure.SignatureFailure" || len(cloud.Calls()) != 0 {
			t.Errorf("%v, want a wrong signature", f)
		}
	})
	t.Run("may not call", func(t *testing.T) {
		cloud, env := vendor(t, nil)
		cloud.SetKey(secretID, tencentcloud.Key{Secret: secretKey, Deny: []string{"vms:SendTtsVoice"}})
		f := send(t.Context(), t, config("13800000001"), env, diskFull())["+8613800000001"]
		if f == nil || f.Class != notify.Permanent || !strings.Contains(f.Message, "vms:SendTtsVoice: allow it in CAM") {
			t.Errorf("%v, want a missing permission", f)
		}
	})
	t.Run("the function's role", func(t *testing.T) {
		cloud, env := vendor(t, nil)
		cloud.SetKey("AKIDrole", tencentcloud.Key{Secret: "role-key", Token: "role-token"})
		c := config("13800000001")
		c.SecretID, c.SecretKey = "", ""
		t.Setenv("TENCENTCLOUD_SECRETID", "AKIDrole")
		t.Setenv("TENCENTCLOUD_SECRETKEY", "role-key")
		t.Setenv("TENCENTCLOUD_SESSIONTOKEN", "role-token")
		rang(t, send(t.Context(), t, c, env, diskFull()), "+8613800000001")
	})
	t.Run("none", func(t *testing.T) {
		_, env := vendor(t, nil)
		c := config("13800000001")
		c.SecretID, c.SecretKey = "", ""
		t.Setenv("TENCENTCLOUD_SECRETID", "")
		f := send(t.Context(), t, c, env, diskFull())["+8613800000001"]
		if f == nil || f.Class != notify.Permanent || f.Ambiguous {
			t.Errorf("%v, want a permanent error", f)
		}
	})
}
