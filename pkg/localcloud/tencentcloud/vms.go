package tencentcloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// VoiceApp is an application for voice calls with what was approved for it.
type VoiceApp struct {
	// ID is the VoiceSdkAppid.
	ID        string
	Templates []VoiceTemplate
	// Balance is how many calls are left in the package.
	Balance int
	// Blacklist lists numbers, as +8613800000000, whose owners want no calls.
	Blacklist []string
	// PerHalfMinute, PerTenMinutes, PerDay and PerNight are how many calls one
	// number may get in 30 seconds, in 10 minutes, on one day in China, and there
	// between 22:00 and 08:00; 0 means 1, 2, 3 and 1.
	PerHalfMinute, PerTenMinutes, PerDay, PerNight int
}

// VoiceTemplate is an approved text with the variables {1}, {2}, …
type VoiceTemplate struct{ ID, Text string }

// VoiceCall is a call as it rang a phone.
type VoiceCall struct {
	Time     time.Time
	App      string
	Number   string
	Template string
	Params   []string
	// Text is what is spoken, PlayTimes times.
	Text           string
	PlayTimes      int
	SessionContext string
	CallID         string
}

// voiceApp is an application and when it called each number.
type voiceApp struct {
	VoiceApp
	called map[string][]time.Time
}

// AddVoiceApp adds an application, or replaces it.
func (c *Cloud) AddVoiceApp(a VoiceApp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.voiceApps[a.ID] = &voiceApp{VoiceApp: a, called: map[string][]time.Time{}}
}

// Calls returns the last thousand calls that rang phones.
func (c *Cloud) Calls() []VoiceCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// OnCall lets f see every call that rings a phone, one after another. f must not
// call the cloud.
func (c *Cloud) OnCall(f func(VoiceCall)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onCall = f
}

type sendTtsVoice struct {
	TemplateId, CalledNumber, VoiceSdkAppid, SessionContext *string
	TemplateParamSet                                        []string
	PlayTimes                                               *int
}

// sendTtsVoice makes one call. Unlike SendSms it has no code of the number's
// own: what is wrong with it is an error of the request.
func (c *Cloud) sendTtsVoice(call *call) (any, error) {
	var p sendTtsVoice
	if err := call.params(&p); err != nil {
		return nil, err
	}
	if err := p.check(call.body); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.voiceApps[*p.VoiceSdkAppid]
	text, refused := a.speech(&p)
	if refused != nil {
		return nil, refused
	}
	if refused := a.admit(*p.CalledNumber, c.now()); refused != nil {
		return nil, refused
	}
	c.serial++
	made := VoiceCall{
		Time: c.now(), App: a.ID, Number: *p.CalledNumber, Template: *p.TemplateId, Params: p.TemplateParamSet, Text: text,
		PlayTimes: p.playTimes(), SessionContext: value(p.SessionContext), CallID: fmt.Sprintf("call-%d", c.serial),
	}
	c.calls = remember(c.calls, made)
	if c.onCall != nil {
		c.onCall(made)
	}
	type sendStatus struct{ CallId, SessionContext string }
	return struct{ SendStatus sendStatus }{sendStatus{made.CallID, made.SessionContext}}, nil
}

// check refuses requests whose parameters are wrong by themselves.
func (p *sendTtsVoice) check(body []byte) error {
	for _, must := range []struct {
		name  string
		value *string
	}{{"TemplateId", p.TemplateId}, {"CalledNumber", p.CalledNumber}, {"VoiceSdkAppid", p.VoiceSdkAppid}} {
		if err := required(must.name, must.value); err != nil {
			return err
		}
	}
	// Names have their case; it is Appid here where SMS has AppId.
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
