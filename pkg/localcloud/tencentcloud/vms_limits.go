package tencentcloud

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The codes below have the names that SMS gives to the same faults, and
// CalledNumberVerifyFail, VoiceSdkAppidVerifyFail and …InVoicePackage where SMS
// has a word of its own. The vendor's documents tell the limits; which code goes
// with each is not confirmed.

// speech returns the text that is spoken, or why the request's content is
// refused.
func (a *voiceApp) speech(p *sendTtsVoice) (string, *Error) {
	if a == nil {
		return "", errorf("UnauthorizedOperation.VoiceSdkAppidVerifyFail", "verification failed for VoiceSdkAppid")
	}
	i := slices.IndexFunc(a.Templates, func(t VoiceTemplate) bool { return t.ID == *p.TemplateId })
	if i < 0 || len(p.TemplateParamSet) != len(variable.FindAllString(a.Templates[i].Text, -1)) {
		return "", errorf("FailedOperation.TemplateIncorrectOrUnapproved", "the template is not approved, or the content does not match it")
	}
	for _, param := range p.TemplateParamSet {
		switch {
		case link.MatchString(param):
			return "", errorf("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", "URLs are prohibited in template parameters")
		case strings.ContainsAny(param, "【】\r\n"):
			return "", errorf("FailedOperation.TemplateIncorrectOrUnapproved", "the content does not match the approved template")
		}
	}
	text := fill(a.Templates[i].Text, p.TemplateParamSet)
	if utf8.RuneCountInString(text) > 350 {
		return "", errorf("InvalidParameterValue.ContentLengthLimit", "the content is longer than 350 characters")
	}
	return text, nil
}

// admit decides whether a number is called now, and counts it. Calls that were
// refused do not count.
func (a *voiceApp) admit(called string, now time.Time) *Error {
	n := parseNumber(called)
	switch {
	case !strings.HasPrefix(called, "+") || !n.valid || !n.mainland():
		return errorf("InvalidParameterValue.CalledNumberVerifyFail", "the called number %s is not a number of mainland China as +8613800000000", called)
	case slices.Contains(a.Blacklist, called):
		return errorf("FailedOperation.PhoneNumberInBlacklist", "the called number %s is in the blacklist", called)
	case a.Balance < 1:
		return errorf("FailedOperation.InsufficientBalanceInVoicePackage", "insufficient balance in voice package")
	}
	var halfMinute, tenMinutes, today, tonight int
	for _, t := range a.called[called] {
		if now.Sub(t) < 30*time.Second {
			halfMinute++
		}
		if now.Sub(t) < 10*time.Minute {
			tenMinutes++
		}
		if day(t) == day(now) {
			today++
		}
		if night(now) != "" && night(t) == night(now) {
			tonight++
		}
	}
	switch {
	case today >= orDefault(a.PerDay, 3):
		return errorf("LimitExceeded.PhoneNumberDailyLimit", "the number %s was called as often as it may be on one day", called)
	case tonight >= orDefault(a.PerNight, 1):
		return errorf("LimitExceeded.DeliveryFrequencyLimit", "the number %s was called as often as it may be from 22:00 to 08:00", called)
	case tenMinutes >= orDefault(a.PerTenMinutes, 2):
		return errorf("LimitExceeded.PhoneNumberTenMinuteLimit", "the number %s was called as often as it may be in 10 minutes", called)
	case halfMinute >= orDefault(a.PerHalfMinute, 1):
		return errorf("LimitExceeded.PhoneNumberThirtySecondLimit", "the number %s was called as often as it may be in 30 seconds", called)
	}
	a.Balance--
	a.called[called] = remember(a.called[called], now)
	return nil
}

// night names the night in China, from 22:00 to 08:00, by the day on which it
// ends; "" is by day.
func night(t time.Time) string {
	// Two hours later, nights begin with a day and end at 10:00.
	later := t.In(time.FixedZone("UTC+10", 10*60*60))
	if later.Hour() >= 10 {
		return ""
	}
	return later.Format(time.DateOnly)
}
