package sms

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

// rule says what a code of SendSms means. It holds for the code and for those
// below it: LimitExceeded for LimitExceeded.AppDailyLimit.
type rule struct {
	code   string
	class  notify.Class
	after  time.Duration
	advice string
}

// rules are searched in order, for a number's code as well as for that of a
// whole call. A limit of the day is permanent: whoever must know today is told
// through the fallback.
var rules = []rule{
	{"LimitExceeded.PhoneNumberThirtySecondLimit", notify.Rate, 30 * time.Second, "the number was sent a message less than 30 seconds ago"},
	{"LimitExceeded.PhoneNumberOneHourLimit", notify.Rate, time.Hour, "the number was sent all that it may get in an hour: the limit is set in the SMS console"},
	{"LimitExceeded.DeliveryFrequencyLimit", notify.Rate, 5 * time.Minute, "the messages come too fast for the frequency limits in the SMS console"},
	{"LimitExceeded.GlobalSmsSendingRateLimit", notify.Rate, time.Minute, "there are too many messages to numbers outside mainland China"},
	{"LimitExceeded.PhoneNumberSameContentDailyLimit", notify.Permanent, 0, "the number was sent this very text too often today: let a parameter tell the time, or raise the limit in the SMS console"},
	{"LimitExceeded.PhoneNumberDailyLimit", notify.Permanent, 0, "the number was sent all that it may get today: the limit is set in the SMS console"},
	{"LimitExceeded.AppCountryOrRegionInBlacklist", notify.Permanent, 0, "the application may not send to this country: allow it in the SMS console"},
	{"LimitExceeded", notify.Permanent, 0, "the application has sent all that it may today: raise its limit in the SMS console"},
	{"RequestLimitExceeded", notify.Rate, time.Second, "the account makes too many requests a second"},

	{"FailedOperation.InsufficientBalanceInSmsPackage", notify.Permanent, 0, "the SMS package is used up: buy another one"},
	{"UnauthorizedOperation.ServiceSuspendDueToArrears", notify.Permanent, 0, "the service is suspended: the account has debts to pay"},
	{"UnauthorizedOperation.RequestIpNotInWhitelist", notify.Permanent, 0, "the address that the call comes from is not on the application's IP whitelist: give the function a fixed address, or clear the list in the SMS console"},
	{"UnauthorizedOperation.SdkAppIdIsDisabled", notify.Permanent, 0, "the application is disabled: enable it in the SMS console"},
	{"UnauthorizedOperation.SmsSdkAppIdVerifyFail", notify.Permanent, 0, "the application is not known to this account: check sdk_app_id"},
	{"InvalidParameterValue.SdkAppIdNotExist", notify.Permanent, 0, "the application does not exist: check sdk_app_id"},

	{"FailedOperation.TemplateParamSetNotMatchApprovedTemplate", notify.Permanent, 0, "params and the template's variables differ in number: give one parameter for each variable"},
	{"FailedOperation.TemplateIncorrectOrUnapproved", notify.Permanent, 0, "the template is not approved, or the values do not suit it: check template_id and params"},
	{"FailedOperation.TemplateUnapprovedOrNotExist", notify.Permanent, 0, "the template is not approved or does not exist: check template_id"},
	{"FailedOperation.TemplateIdNotExist", notify.Permanent, 0, "the template does not exist: check template_id"},
	{"FailedOperation.SignatureIncorrectOrUnapproved", notify.Permanent, 0, "the signature is wrong or not approved: check sign_name, which is the signature's text"},
	{"FailedOperation.MissingSignature", notify.Permanent, 0, "the signature is missing: check sign_name"},
	{"FailedOperation.ContainSensitiveWord", notify.Permanent, 0, "the text contains a word that may not be sent"},
	{"FailedOperation.MarketingSendTimeConstraint", notify.Permanent, 0, "marketing templates are sent from 8 to 22 o'clock only: use a notification template"},
	{"InvalidParameterValue.UnsupportedTemplateVariable", notify.Permanent, 0, "this account's templates may not have such variables: use one without, and no params"},
	{"InvalidParameterValue.TemplateParameterFormatError", notify.Permanent, 0, "a value does not suit the template's variable: check params"},
	{"InvalidParameterValue.TemplateParameterLengthLimit", notify.TooLong, 0, "a value is longer than this account's variables may be: set param_max_length to 12, or 6"},
	{"InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", notify.TooLong, 0, "a value looks like a link, which variables may not hold: check params"},
	{"InvalidParameterValue.ContentLengthLimit", notify.TooLong, 0, "the text is longer than 500 characters"},

	{"FailedOperation.PhoneNumberInBlacklist", notify.Permanent, 0, "the number is blacklisted, its owner wants no messages: take it off the list in the SMS console"},
	{"FailedOperation.PhoneNumberParseFail", notify.Permanent, 0, "the number is not valid"},
	{"InvalidParameterValue.IncorrectPhoneNumber", notify.Permanent, 0, "the number is not valid"},
	{"UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone", notify.Permanent, 0, "the template is for mainland China only: use one for international numbers in another entry of sms_configs"},
	{"UnsupportedOperation.GlobalTemplateToChineseMainlandPhone", notify.Permanent, 0, "the template is for international numbers only: use one for mainland China in another entry of sms_configs"},
	{"UnsupportedOperation.UnsupportedRegion", notify.Permanent, 0, "messages to this country are not supported"},
}

// refusals are the rules for a single number's code that has none above.
var numberRules = []rule{
	{"InternalError.RequestTimeException", notify.Permanent, 0, "this machine's clock is too far off: set it right"},
	{"InternalError.SigFieldMissing", notify.Permanent, 0, "the signature of the request is not accepted: check secret_id and secret_key"},
	{"InternalError.SigVerificationFail", notify.Permanent, 0, "the signature of the request is not accepted: check secret_id and secret_key"},
	{"InternalError", notify.Retry, 0, "Tencent Cloud has an internal error"},
	{"", notify.Permanent, 0, "Tencent Cloud refused the message"},
}

func findRule(rules []rule, code string) (rule, bool) {
	for _, r := range rules {
		if r.code == "" || code == r.code || strings.HasPrefix(code, r.code+".") {
			return r, true
		}
	}
	return rule{}, false
}

func (r rule) newError(code, said string) *notify.Error {
	f := &notify.Error{Class: r.class, Code: code, Message: "SMS: " + r.advice, RetryAfter: r.after}
	if said = render.CleanLine(said, maxMessage); said != "" {
		f.Message += "; " + said
	}
	// The vendor itself waited in vain for the part that sends.
	f.Ambiguous = code == "InternalError.Timeout" || code == "InternalError.SendAndRecvFail"
	return f
}

// callFault explains why a whole call failed, without naming the numbers.
func callError(err error, numbers []string) *notify.Error {
	var e *tencent.Error
	if !errors.As(err, &e) {
		return &notify.Error{Class: notify.Retry, Message: phone.MaskIn(err.Error(), numbers...)}
	}
	if r, ok := findRule(rules, e.Code); ok {
		return r.newError(e.Code, phone.MaskIn(e.Message, numbers...)+" "+e.RequestID)
	}
	f := &notify.Error{Class: notify.Permanent, Code: e.Code, Message: phone.MaskIn(e.Error(), numbers...), Ambiguous: e.Ambiguous}
	if e.Temporary {
		f.Class = notify.Retry
	}
	return f
}

// outcomes reads a call's answer. Only "Ok" is success, and a number that the
// answer does not mention may have been sent a message or not.
func outcomes(numbers []string, answer []sendStatus) []notify.Outcome {
	statuses := map[string]*sendStatus{}
	for i := range answer {
		st := &answer[i]
		if number, err := phone.Parse(st.PhoneNumber); err == nil && st.Code != nil {
			statuses[number] = st
		}
	}
	out := make([]notify.Outcome, len(numbers))
	for i, number := range numbers {
		out[i] = notify.Outcome{Unit: number}
		if f := numberError(statuses[number], number); f != nil {
			out[i].Err = f
		}
	}
	return out
}

func numberError(st *sendStatus, number string) *notify.Error {
	var f *notify.Error
	switch {
	case st == nil:
		f = &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "SMS: the answer of Tencent Cloud does not mention the number"}
	case *st.Code == "Ok":
		return nil
	default:
		r, ok := findRule(rules, *st.Code)
		if !ok {
			r, _ = findRule(numberRules, *st.Code)
		}
		f = r.newError(*st.Code, phone.MaskIn(st.Message, number))
	}
	f.Message = phone.Mask(number) + ": " + f.Message
	return f
}

// refuse is the outcome for what is not a phone number.
func invalidOutcomes(units []string) []notify.Outcome {
	out := make([]notify.Outcome, len(units))
	for i, unit := range units {
		out[i] = notify.Outcome{Unit: unit, Err: &notify.Error{Class: notify.Permanent, Message: "SMS: " + phone.InvalidError(unit).Error()}}
	}
	return out
}
