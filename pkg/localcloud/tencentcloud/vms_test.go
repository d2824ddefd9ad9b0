package tencentcloud

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"
)

func newVoiceClient(t *testing.T) *client {
	c := newClient(t) // whose clock starts at 16:00 in China
	c.AddVoiceApp(VoiceApp{
		ID: "1400000001", Balance: 100, Blacklist: []string{"+8613900000000"},
		Templates: []VoiceTemplate{
			{ID: "1", Text: "告警{1}，共{2}条，请处理。"},
			{ID: "2", Text: "有新的告警，请处理。"},
			{ID: "3", Text: strings.Repeat("长", 340) + "{1}"},
		},
	})
	return c
}

// voiceBody returns the body of a valid request with changed parameters; nil removes
// one.
func voiceBody(change map[string]any) string {
	body := map[string]any{"VoiceSdkAppid": "1400000001", "TemplateId": "1", "CalledNumber": "+8613800000000", "TemplateParamSet": []string{"KafkaLag", "3"}, "PlayTimes": 2, "SessionContext": "n1"}
	maps.Copy(body, change)
	maps.DeleteFunc(body, func(_ string, v any) bool { return v == nil })
	b, _ := json.Marshal(body)
	return string(b)
}

func TestSendTtsVoice(t *testing.T) {
	type m = map[string]any
	long := func(n int) m {
		return m{"TemplateId": "3", "TemplateParamSet": []string{strings.Repeat("长", n)}}
	}
	for _, tt := range []struct {
		name   string
		change m
		code   string // "" for none
	}{
		{"valid", nil, ""},
		{"without variables", m{"TemplateId": "2", "TemplateParamSet": nil}, ""},
		{"played once", m{"PlayTimes": 1}, ""},
		{"played three times", m{"PlayTimes": 3}, ""},
		{"default play times", m{"PlayTimes": nil}, ""},
		{"350 characters", long(10), ""},
		{"351 characters", long(11), "InvalidParameterValue.ContentLengthLimit"},
		{"played 0 times", m{"PlayTimes": 0}, "InvalidParameterValue"},
		{"played four times", m{"PlayTimes": 4}, "InvalidParameterValue"},
		{"play times is not a number", m{"PlayTimes": "2"}, "InvalidParameter"},
		{"no application", m{"VoiceSdkAppid": nil}, "MissingParameter"},
		{"application named as for SMS", m{"VoiceSdkAppid": nil, "VoiceSdkAppId": "1400000001"}, "MissingParameter"},
		{"no template", m{"TemplateId": nil}, "MissingParameter"},
		{"no number", m{"CalledNumber": ""}, "MissingParameter"},
		{"list of numbers", m{"CalledNumber": []string{"+8613800000000"}}, "InvalidParameter"},
		{"two numbers", m{"CalledNumber": "+8613800000000,+8613800000001"}, "InvalidParameterValue.CalledNumberVerifyFail"},
		{"foreign number", m{"CalledNumber": "+85290000000"}, "InvalidParameterValue.CalledNumberVerifyFail"},
		{"no country code", m{"CalledNumber": "13800000000"}, "InvalidParameterValue.CalledNumberVerifyFail"},
		{"a digit too few", m{"CalledNumber": "+861380000000"}, "InvalidParameterValue.CalledNumberVerifyFail"},
		{"number on the blacklist", m{"CalledNumber": "+8613900000000"}, "FailedOperation.PhoneNumberInBlacklist"},
		{"other application", m{"VoiceSdkAppid": "1400000002"}, "UnauthorizedOperation.VoiceSdkAppidVerifyFail"},
		{"unknown template", m{"TemplateId": "9"}, "FailedOperation.TemplateIncorrectOrUnapproved"},
		{"a parameter too few", m{"TemplateParamSet": []string{"a"}}, "FailedOperation.TemplateIncorrectOrUnapproved"},
		{"brackets", m{"TemplateParamSet": []string{"【a】", "1"}}, "FailedOperation.TemplateIncorrectOrUnapproved"},
		{"URL", m{"TemplateParamSet": []string{"http://a/b", "1"}}, "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"},
		{"unknown parameter", m{"SignName": "示例"}, "UnknownParameter"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newVoiceClient(t)
			_, code, _ := c.call(t, "vms", "SendTtsVoice", voiceBody(tt.change))
			equal(t, "code", code, tt.code)
			equal(t, "call made", len(c.Calls.Inbox()) == 1, tt.code == "")
		})
	}
}

func TestMadeCalls(t *testing.T) {
	c := newVoiceClient(t)
	var seen []string
	c.Calls.OnMessage(func(v VoiceCall) { seen = append(seen, v.Number) })
	response, _, _ := c.call(t, "vms", "SendTtsVoice", voiceBody(nil))
	equal(t, "status", response["SendStatus"], any(map[string]any{"CallId": "call-1", "SessionContext": "n1"}))
	equal(t, "calls", c.Calls.Inbox(), []VoiceCall{{
		Time: c.clock.now(), App: "1400000001", Number: "+8613800000000", Template: "1", Params: []string{"KafkaLag", "3"},
		Text: "告警KafkaLag，共3条，请处理。", PlayTimes: 2, SessionContext: "n1", CallID: "call-1",
	}})
	equal(t, "numbers from OnMessage", seen, []string{"+8613800000000"})
	_, code, _ := c.call(t, "sms", "SendTtsVoice", voiceBody(nil))
	equal(t, "code of another product", code, "InvalidAction")
}

func TestCallLimits(t *testing.T) {
	const (
		ok         = ""
		halfMinute = "LimitExceeded.PhoneNumberThirtySecondLimit"
		tenMinutes = "LimitExceeded.PhoneNumberTenMinuteLimit"
		daily      = "LimitExceeded.PhoneNumberDailyLimit"
		nightly    = "LimitExceeded.DeliveryFrequencyLimit"
	)
	type step struct {
		china string // month-day and time in China
		want  string
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"half a minute", []step{{"11-20 12:00:00", ok}, {"11-20 12:00:29", halfMinute}, {"11-20 12:00:30", ok}}},
		{"ten minutes", []step{{"11-20 12:00:00", ok}, {"11-20 12:01:00", ok}, {"11-20 12:09:59", tenMinutes}, {"11-20 12:10:00", ok}}},
		{"a day", []step{{"11-20 08:00:00", ok}, {"11-20 12:00:00", ok}, {"11-20 16:00:00", ok}, {"11-20 21:59:59", daily}, {"11-21 00:00:00", ok}}},
		{"a night", []step{{"11-20 21:59:00", ok}, {"11-20 22:00:00", ok}, {"11-20 23:59:59", nightly}, {"11-21 00:00:00", nightly}, {"11-21 07:59:59", nightly}, {"11-21 08:00:00", ok}}},
		{"two nights", []step{{"11-20 23:00:00", ok}, {"11-21 22:00:00", ok}, {"11-22 07:00:00", nightly}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newVoiceClient(t)
			for _, s := range tt.steps {
				at, err := time.Parse("2006-01-02 15:04:05 -0700", "2026-"+s.china+" +0800")
				if err != nil {
					t.Fatal(err)
				}
				c.add(at.Sub(c.clock.now()))
				_, code, _ := c.call(t, "vms", "SendTtsVoice", voiceBody(nil))
				equal(t, "at "+s.china, code, s.want)
			}
			_, code, _ := c.call(t, "vms", "SendTtsVoice", voiceBody(map[string]any{"CalledNumber": "+8613800000001"}))
			equal(t, "code of another number", code, ok)
		})
	}
}

func TestVoiceBalance(t *testing.T) {
	c := newVoiceClient(t)
	c.AddVoiceApp(VoiceApp{ID: "1400000001", Balance: 1, Templates: []VoiceTemplate{{ID: "1", Text: "{1}，{2}"}}})
	for _, want := range []string{"", "FailedOperation.InsufficientBalanceInVoicePackage"} {
		_, code, _ := c.call(t, "vms", "SendTtsVoice", voiceBody(nil))
		equal(t, "code", code, want)
		c.add(time.Hour)
	}
}

func TestVoiceRate(t *testing.T) {
	c := newVoiceClient(t)
	for i := range 21 {
		want := "LimitExceeded.PhoneNumberThirtySecondLimit"
		switch i {
		case 0:
			want = ""
		case 20:
			want = "RequestLimitExceeded"
		}
		_, code, _ := c.call(t, "vms", "SendTtsVoice", voiceBody(nil))
		equal(t, "code", code, want)
	}
}
