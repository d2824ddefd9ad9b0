package tencentcloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// VoiceApp is an application for voice calls with its approved templates.
type VoiceApp struct {
	// ID is the VoiceSdkAppid.
	ID        string
	Templates []VoiceTemplate
	// Balance is how many calls are left in the package.
	Balance int
	// Blacklist lists numbers, as +8613800000000, that may get no calls.
	Blacklist []string
	// PerHalfMinute, PerTenMinutes, PerDay and PerNight are how many calls a number
	// may get in 30 seconds, in 10 minutes, on a calendar day in China, and in a night
	// there, from 22:00 to 08:00; 0 means 1, 2, 3 and 1.
	PerHalfMinute, PerTenMinutes, PerDay, PerNight int
}

// VoiceTemplate is an approved text with the variables {1}, {2}, …
type VoiceTemplate struct{ ID, Text string }

// VoiceCall is a call that was made.
type VoiceCall struct {
	Time     time.Time
	App      string
	Number   string
	Template string
	Params   []string
	// Text is played PlayTimes times.
	Text           string
	PlayTimes      int
	SessionContext string
	CallID         string
}

// voiceApp is an application with the times of its calls to each number.
type voiceApp struct {
	VoiceApp
	calls map[string][]time.Time
}

// AddVoiceApp adds or replaces an application.
func (c *Cloud) AddVoiceApp(a VoiceApp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.voiceApps[a.ID] = &voiceApp{VoiceApp: a, calls: map[string][]time.Time{}}
}

type sendTtsVoice struct {
	TemplateId, CalledNumber, VoiceSdkAppid, SessionContext *string
	TemplateParamSet                                        []string
	PlayTimes                                               *int
}

// sendTtsVoice makes one call. Unlike SendSms it has no status per number: an error of
// the number is an error of the request.
func (c *Cloud) sendTtsVoice(call *call) (any, error) {
	var p sendTtsVoice
	if err := call.params(&p); err != nil {
		return nil, err
	}
	if err := p.check(call.body); err != nil {
		return nil, err
	}
	made, err := c.makeCall(&p)
	if err != nil {
		return nil, err
	}
	c.Calls.Deliver(made)
	type sendStatus struct{ CallId, SessionContext string }
	return struct{ SendStatus sendStatus }{sendStatus{made.CallID, made.SessionContext}}, nil
}

// makeCall returns the call of a request, and counts it.
func (c *Cloud) makeCall(p *sendTtsVoice) (VoiceCall, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.voiceApps[*p.VoiceSdkAppid]
	text, rejected := a.render(p)
	if rejected != nil {
		return VoiceCall{}, rejected
	}
	if rejected := a.admit(*p.CalledNumber, c.now()); rejected != nil {
		return VoiceCall{}, rejected
	}
	c.serial++
	return VoiceCall{
		Time: c.now(), App: a.ID, Number: *p.CalledNumber, Template: *p.TemplateId, Params: p.TemplateParamSet, Text: text,
		PlayTimes: p.playTimes(), SessionContext: orEmpty(p.SessionContext), CallID: fmt.Sprintf("call-%d", c.serial),
	}, nil
}

// check returns the error of a parameter that is wrong for any application.
func (p *sendTtsVoice) check(body []byte) error {
	for _, parameter := range []struct {
		name  string
		value *string
	}{{"TemplateId", p.TemplateId}, {"CalledNumber", p.CalledNumber}, {"VoiceSdkAppid", p.VoiceSdkAppid}} {
		if err := required(parameter.name, parameter.value); err != nil {
			return err
		}
	}
	// encoding/json ignores case, the vendor does not: it is Appid here, AppId in SMS.
	var names map[string]json.RawMessage
	if err := json.Unmarshal(body, &names); err != nil || names["VoiceSdkAppid"] == nil {
		return errorf("MissingParameter", "The request is missing a required parameter `VoiceSdkAppid`.")
	}
	if n := p.playTimes(); n < 1 || n > 3 {
		return errorf("InvalidParameterValue", "The value of the parameter `PlayTimes` is not valid: %d is not from 1 to 3.", n)
	}
	return nil
}

func (p *sendTtsVoice) playTimes() int {
	if p.PlayTimes == nil {
		return 2
	}
	return *p.PlayTimes
}

// render returns the text of a call, or an error in the content of the request.
//
// The vendor documents the limits but not their codes. Here and in admit they have the
// codes of the same errors in SMS, except for CalledNumberVerifyFail,
// VoiceSdkAppidVerifyFail and …InVoicePackage, because the codes of SMS contain the names
// of its parameters.
func (a *voiceApp) render(p *sendTtsVoice) (string, *Error) {
	if a == nil {
		return "", errorf("UnauthorizedOperation.VoiceSdkAppidVerifyFail", "verification failed for VoiceSdkAppid")
	}
	i := slices.IndexFunc(a.Templates, func(t VoiceTemplate) bool { return t.ID == *p.TemplateId })
	if i < 0 || len(p.TemplateParamSet) != len(variablePattern.FindAllString(a.Templates[i].Text, -1)) {
		return "", errorf("FailedOperation.TemplateIncorrectOrUnapproved", "the template is not approved, or the content does not match it")
	}
	for _, param := range p.TemplateParamSet {
		if e := checkParam(param); e != nil {
			return "", e
		}
	}
	text := fillTemplate(a.Templates[i].Text, p.TemplateParamSet)
	if utf8.RuneCountInString(text) > 350 {
		return "", errorf("InvalidParameterValue.ContentLengthLimit", "the content is longer than 350 characters")
	}
	return text, nil
}

// admit counts a call to a number, or returns why it may not be called now. Rejected
// calls do not count.
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
	for _, t := range a.calls[called] {
		if now.Sub(t) < 30*time.Second {
			halfMinute++
		}
		if now.Sub(t) < 10*time.Minute {
			tenMinutes++
		}
		if dayInChina(t) == dayInChina(now) {
			today++
		}
		if nightInChina(now) != "" && nightInChina(t) == nightInChina(now) {
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
	a.calls[called] = remember(a.calls[called], now)
	return nil
}

// nightInChina returns the day on which the night of t ends, or "" if t is not at night.
// Nights in China are from 22:00 to 08:00.
func nightInChina(t time.Time) string {
	// In this zone nights start at midnight and end at 10:00.
	shifted := t.In(time.FixedZone("UTC+10", 10*60*60))
	if shifted.Hour() >= 10 {
		return ""
	}
	return shifted.Format(time.DateOnly)
}
