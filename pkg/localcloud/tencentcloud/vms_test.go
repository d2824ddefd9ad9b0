package tencentcloud

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"
)

func voiceClient(t *testing.T) *client {
	c := newClient(t) // whose clock begins at 16:00 in China
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

// voice is the body of a valid request, changed.
func voice(change map[string]any) string {
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
		code   string // "" when the phone rings
	}{
		{"valid", nil, ""},
		{"without variables", m{"TemplateId": "2", "TemplateParamSet": nil}, ""},
		{"once", m{"PlayTimes": 1}, ""},
		{"three times", m{"PlayTimes": 3}, ""},
		{"as often as usual", m{"PlayTimes": nil}, ""},
		{"350 characters", long(10), ""},
		{"351 characters", long(11), "InvalidParameterValue.ContentLengthLimit"},
		{"never", m{"PlayTimes": 0}, "InvalidParameterValue"},
		{"four times", m{"PlayTimes": 4}, "InvalidParameterValue"},
		{"times that are no number", m{"PlayTimes": "2"}, "InvalidParameter"},
		{"no application", m{"VoiceSdkAppid": nil}, "MissingParameter"},
		{"the name of SMS", m{"VoiceSdkAppid": nil, "VoiceSdkAppId": "1400000001"}, "MissingParameter"},
		{"no template", m{"TemplateId": nil}, "MissingParameter"},
		{"no number", m{"CalledNumber": ""}, "MissingParameter"},
		{"a list of numbers", m{"CalledNumber": []string{"+8613800000000"}}, "InvalidParameter"},
		{"two numbers", m{"CalledNumber": "+8613800000000,+8613800000001"}, "InvalidParameterValue.CalledNumberVerifyFail"},
		{"a foreign number", m{"CalledNumber": "+85290000000"}, "InvalidParameterValue.CalledNumberVerifyFail"},
		{"no country code", m{"CalledNumber": "13800000000"}, "InvalidParameterValue.CalledNumberVerifyFail"},
		{"a digit short", m{"CalledNumber": "+861380000000"}, "InvalidParameterValue.CalledNumberVerifyFail"},
		{"wants no calls", m{"CalledNumber": "+8613900000000"}, "FailedOperation.PhoneNumberInBlacklist"},
		{"another application", m{"VoiceSdkAppid": "1400000002"}, "UnauthorizedOperation.VoiceSdkAppidVerifyFail"},
		{"unknown template", m{"TemplateId": "9"}, "FailedOperation.TemplateIncorrectOrUnapproved"},
		{"a parameter missing", m{"TemplateParamSet": []string{"a"}}, "FailedOperation.TemplateIncorrectOrUnapproved"},
		{"brackets", m{"TemplateParamSet": []string{"【a】", "1"}}, "FailedOperation.TemplateIncorrectOrUnapproved"},
		{"a URL", m{"TemplateParamSet": []string{"http://a/b", "1"}}, "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"},
		{"unknown parameter", m{"SignName": "示例"}, "UnknownParameter"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := voiceClient(t)
			_, code, _ := c.call(t, "vms", "SendTtsVoice", voice(tt.change))
			equal(t, "code", code, tt.code)
			equal(t, "the phone rang", len(c.Calls()) == 1, tt.code == "")
		})
	}
}

func TestCalls(t *testing.T) {
	c := voiceClient(t)
	var seen []string
	c.OnCall(func(v VoiceCall) { seen = append(seen, v.Number) })
	answer, _, _ := c.call(t, "vms", "SendTtsVoice", voice(nil))
	equal(t, "status", answer["SendStatus"], any(map[string]any{"CallId": "call-1", "SessionContext": "n1"}))
	equal(t, "calls", c.Calls(), []VoiceCall{{
		Time: c.clock.now(), App: "1400000001", Number: "+8613800000000", Template: "1", Params: []string{"KafkaLag", "3"},
		Text: "告警KafkaLag，共3条，请处理。", PlayTimes: 2, SessionContext: "n1", CallID: "call-1",
	}})
	equal(t, "seen", seen, []string{"+8613800000000"})
	_, code, _ := c.call(t, "sms", "SendTtsVoice", voice(nil))
	equal(t, "another product", code, "InvalidAction")
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
		china string // when it is called, month-day and time in China
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
			c := voiceClient(t)
			for _, s := range tt.steps {
				at, err := time.Parse("2006-01-02 15:04:05 -0700", "2026-"+s.china+" +0800")
				if err != nil {
					t.Fatal(err)
				}
				c.add(at.Sub(c.clock.now()))
				_, code, _ := c.call(t, "vms", "SendTtsVoice", voice(nil))
				equal(t, "at "+s.china, code, s.want)
			}
			_, code, _ := c.call(t, "vms", "SendTtsVoice", voice(map[string]any{"CalledNumber": "+8613800000001"}))
			equal(t, "another number", code, ok)
		})
	}
}

func TestVoiceBalance(t *testing.T) {
	c := voiceClient(t)
	c.AddVoiceApp(VoiceApp{ID: "1400000001", Balance: 1, Templates: []VoiceTemplate{{ID: "1", Text: "{1}，{2}"}}})
	for _, want := range []string{"", "FailedOperation.InsufficientBalanceInVoicePackage"} {
		_, code, _ := c.call(t, "vms", "SendTtsVoice", voice(nil))
		equal(t, "code", code, want)
		c.add(time.Hour)
	}
}

func TestVoiceRate(t *testing.T) {
	c := voiceClient(t)
	for i := range 21 {
		want := "LimitExceeded.PhoneNumberThirtySecondLimit"
		switch i {
		case 0:
			want = ""
		case 20:
			want = "RequestLimitExceeded"
		}
		_, code, _ := c.call(t, "vms", "SendTtsVoice", voice(nil))
		equal(t, "code", code, want)
	}
}
