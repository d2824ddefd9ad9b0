package voice

import (
	"errors"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/phone"
	"tocsin/pkg/render"
	"tocsin/pkg/tencent"
)

// maxMessage bounds the vendor's words in an error, in bytes.
const maxMessage = 300

// rule says what a code of SendTtsVoice means. It holds for the code and for
// those below it: LimitExceeded for LimitExceeded.DeliveryFrequencyLimit.
type rule struct {
	code   string
	class  notify.Class
	after  time.Duration
	advice string
}

// rules are searched in order. The names are those that SMS has, where voice calls
// have no word of their own; the vendor may use others. A code that is not listed
// means what all codes of its family mean to tencent.Error.
//
// A limit that does not tell its time is taken for one of a day or a night: the
// short ones are kept here already (Kind). Those are permanent, because whoever
// must know now is told through the fallback.
var rules = []rule{
	{"LimitExceeded.PhoneNumberThirtySecondLimit", notify.Rate, 30 * time.Second, "the number was called less than 30 seconds ago"},
	{"LimitExceeded.PhoneNumberTenMinuteLimit", notify.Rate, 10 * time.Minute, "the number was called twice in 10 minutes"},
	{"LimitExceeded", notify.Permanent, 0, "the number has had all the calls that it may for now, three a day and one from 22:00 to 08:00: let the fallback call somebody else, or ask the vendor for more"},
	{"RequestLimitExceeded", notify.Rate, time.Second, "the account makes too many requests a second"},

	{"FailedOperation.InsufficientBalanceInVoicePackage", notify.Permanent, 0, "the voice package is used up: buy another one"},
	{"UnauthorizedOperation.ServiceSuspendDueToArrears", notify.Permanent, 0, "the service is suspended: the account has debts to pay"},
	{"UnauthorizedOperation.RequestIpNotInWhitelist", notify.Permanent, 0, "the address that the request comes from is not on the application's IP whitelist: give the function a fixed address, or clear the list in the console"},
	{"UnauthorizedOperation.SdkAppIdIsDisabled", notify.Permanent, 0, "the application is disabled: enable it in the console"},
	{"UnauthorizedOperation.VoiceSdkAppidVerifyFail", notify.Permanent, 0, "the application is not known to this account: check sdk_app_id"},
	{"InvalidParameterValue.SdkAppIdNotExist", notify.Permanent, 0, "the application does not exist: check sdk_app_id"},

	{"FailedOperation.TemplateIncorrectOrUnapproved", notify.Permanent, 0, "the template is not approved, or params do not suit it: check template_id, and that there is one parameter for each variable"},
	{"FailedOperation.ContainSensitiveWord", notify.Permanent, 0, "the text contains a word that may not be said"},
	{"FailedOperation.PhoneNumberInBlacklist", notify.Permanent, 0, "the number is blacklisted, its owner wants no calls: take it off the list in the console"},
	{"InvalidParameterValue.TemplateParameterFormatError", notify.Permanent, 0, "a value does not suit the template's variable: check params"},
	{"InvalidParameterValue.TemplateParameterLengthLimit", notify.TooLong, 0, "a value is longer than this account's variables may be: set param_max_length to 12, or 6"},
	{"InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", notify.TooLong, 0, "a value looks like a link, which variables may not hold: check params"},
	{"InvalidParameterValue.ContentLengthLimit", notify.TooLong, 0, "the text is longer than 350 characters"},
	{"InvalidParameterValue.CalledNumberVerifyFail", notify.Permanent, 0, "the number is not valid"},
}

// fault explains why a number was not called, or may not have been, without
// naming it.
func callError(err error, number string) *notify.Error {
	f := &notify.Error{Class: notify.Retry, Message: "voice: " + phone.MaskIn(err.Error(), number)}
	var e *tencent.Error
	if errors.As(err, &e) {
		f.Code, f.Ambiguous = e.Code, e.Ambiguous
		if !e.Temporary {
			f.Class = notify.Permanent
		}
		if r, ok := findRule(e.Code); ok {
			f.Class, f.RetryAfter, f.Message = r.class, r.after, "voice: "+r.advice
			if said := render.CleanLine(phone.MaskIn(e.Message, number)+" "+e.RequestID, maxMessage); said != "" {
				f.Message += "; " + said
			}
		}
	}
	f.Message = phone.Mask(number) + ": " + f.Message
	return f
}

func findRule(code string) (rule, bool) {
	for _, r := range rules {
		if code == r.code || strings.HasPrefix(code, r.code+".") {
			return r, true
		}
	}
	return rule{}, false
}

// refusal is about a unit that nobody was asked to call.
func permanentError(why error) *notify.Error {
	return &notify.Error{Class: notify.Permanent, Message: "voice: " + why.Error()}
}
