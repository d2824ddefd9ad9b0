package tencentcloud

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func newSMSClient(t *testing.T) *client {
	c := newClient(t)
	c.AddSMSApp(SMSApp{
		ID: "1400000000", Signs: []string{"示例"}, Balance: 300, ParamLimit: 12,
		Templates: []SMSTemplate{
			{ID: "1", Text: "告警{1}，共{2}条，请处理。"},
			{ID: "2", Text: "{1} alerts", International: true},
			{ID: "3", Text: strings.Repeat("长", 480) + "{1}"},
		},
		Blacklist: []string{"+8613900000000"},
	})
	return c
}

// smsBody returns the body of a request. Without params it has those of template 1.
func smsBody(template, sign string, params []string, numbers ...string) string {
	if params == nil {
		params = []string{"KafkaLag", "3"}
	}
	b, _ := json.Marshal(map[string]any{"SmsSdkAppId": "1400000000", "TemplateId": template, "SignName": sign, "TemplateParamSet": params, "PhoneNumberSet": numbers})
	return string(b)
}

// codes returns the codes of the numbers, or that of the whole request.
func (c *client) codes(t *testing.T, body string) []string {
	t.Helper()
	response, code, _ := c.call(t, "sms", "SendSms", body)
	if code != "" {
		return []string{"whole request: " + code}
	}
	var codes []string
	for _, s := range response["SendStatusSet"].([]any) {
		codes = append(codes, s.(map[string]any)["Code"].(string))
	}
	return codes
}

func TestSendSms(t *testing.T) {
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprintf("+86138%08d", i)
	}
	tests := []struct {
		name, body string
		want       []string
	}{
		{"two numbers", smsBody("1", "示例", nil, "+8613800000000", "+8613800000001"), []string{"Ok", "Ok"}},
		{"all forms of a number", smsBody("1", "示例", nil, "13800000001", "8613800000002", "008613800000003"), []string{"Ok", "Ok", "Ok"}},
		{"invalid numbers", smsBody("1", "示例", nil, "+8613800000000", "+861380000000", "+8612800000000"), []string{"Ok", "InvalidParameterValue.IncorrectPhoneNumber", "InvalidParameterValue.IncorrectPhoneNumber"}},
		{"number on the blacklist", smsBody("1", "示例", nil, "+8613900000000", "+8613800000000"), []string{"FailedOperation.PhoneNumberInBlacklist", "Ok"}},
		{"same number twice", smsBody("1", "示例", nil, "+8613800000000", "+8613800000000"), []string{"Ok", "LimitExceeded.PhoneNumberThirtySecondLimit"}},
		{"no numbers", smsBody("1", "示例", nil), []string{"whole request: MissingParameter.EmptyPhoneNumberSet"}},
		{"too many numbers", smsBody("1", "示例", nil, many...), []string{"whole request: LimitExceeded.PhoneNumberCountLimit"}},
		{"domestic and international numbers", smsBody("1", "示例", nil, "+8613800000000", "+12025550100"), []string{"whole request: UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber"}},
		{"international numbers", smsBody("2", "", []string{"3"}, "+12025550100", "+85261234567"), []string{"Ok", "Ok"}},
		{"international template for a domestic number", smsBody("2", "示例", []string{"3"}, "+8613800000000"), []string{"UnsupportedOperation.GlobalTemplateToChineseMainlandPhone"}},
		{"domestic template for an international number", smsBody("1", "", nil, "+12025550100"), []string{"UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone"}},
		{"other signature", smsBody("1", "其他", nil, "+8613800000000"), []string{"FailedOperation.SignatureIncorrectOrUnapproved"}},
		{"no signature", smsBody("1", "", nil, "+8613800000000"), []string{"FailedOperation.SignatureIncorrectOrUnapproved"}},
		{"unknown template", smsBody("9", "示例", nil, "+8613800000000"), []string{"FailedOperation.TemplateUnapprovedOrNotExist"}},
		{"a parameter too few", smsBody("1", "示例", []string{"a"}, "+8613800000000"), []string{"FailedOperation.TemplateParamSetNotMatchApprovedTemplate"}},
		{"a parameter too many", smsBody("1", "示例", []string{"a", "b", "c"}, "+8613800000000"), []string{"FailedOperation.TemplateParamSetNotMatchApprovedTemplate"}},
		{"twelve characters", smsBody("1", "示例", []string{"一二三四五六七八九十一二", "1"}, "+8613800000000"), []string{"Ok"}},
		{"thirteen characters", smsBody("1", "示例", []string{"一二三四五六七八九十一二三", "1"}, "+8613800000000"), []string{"InvalidParameterValue.TemplateParameterLengthLimit"}},
		{"URL", smsBody("1", "示例", []string{"http://a/b", "1"}, "+8613800000000"), []string{"InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"}},
		{"domain name", smsBody("1", "示例", []string{"db.example.com", "1"}, "+8613800000000"), []string{"InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"}},
		{"brackets", smsBody("1", "示例", []string{"【a】", "1"}, "+8613800000000"), []string{"FailedOperation.TemplateIncorrectOrUnapproved"}},
		{"other application", strings.Replace(smsBody("1", "示例", nil, "+8613800000000"), "1400000000", "1400000001", 1), []string{"UnauthorizedOperation.SmsSdkAppIdVerifyFail"}},
		{"parameters that are not strings", `{"SmsSdkAppId":"1400000000","TemplateId":"1","TemplateParamSet":[1,2],"PhoneNumberSet":["+8613800000000"]}`, []string{"whole request: InvalidParameter"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { equal(t, "codes", newSMSClient(t).codes(t, tt.body), tt.want) })
	}
}

func TestContentLength(t *testing.T) {
	c := newSMSClient(t)
	c.AddSMSApp(SMSApp{ID: "1400000000", Signs: []string{"示例"}, Balance: 300, ParamLimit: 20, Templates: []SMSTemplate{{ID: "3", Text: strings.Repeat("长", 480) + "{1}"}}})
	// The signature and its brackets are four characters.
	equal(t, "500 characters", c.codes(t, smsBody("3", "示例", []string{strings.Repeat("长", 16)}, "+8613800000000")), []string{"Ok"})
	equal(t, "501 characters", c.codes(t, smsBody("3", "示例", []string{strings.Repeat("长", 17)}, "+8613800000001")), []string{"InvalidParameterValue.ContentLengthLimit"})
}

func TestSMSRateLimits(t *testing.T) {
	c := newSMSClient(t)
	send := func() string { return c.codes(t, smsBody("1", "示例", nil, "+8613800000000"))[0] }
	equal(t, "first", send(), "Ok")
	c.add(29 * time.Second)
	equal(t, "after 29 s", send(), "LimitExceeded.PhoneNumberThirtySecondLimit")
	c.add(time.Second)
	equal(t, "after 30 s", send(), "Ok")
	for range 8 {
		c.add(time.Minute)
		equal(t, "later", send(), "Ok")
	}
	c.add(time.Minute)
	equal(t, "the eleventh of a day", send(), "LimitExceeded.PhoneNumberDailyLimit")
	// The clock started at 16:00 in China; the day ends eight hours later.
	c.add(8 * time.Hour)
	equal(t, "the next day", send(), "Ok")
}

func TestSMSBalance(t *testing.T) {
	c := newSMSClient(t)
	c.AddSMSApp(SMSApp{ID: "1400000000", Signs: []string{"示例"}, Balance: 1, ParamLimit: 12, Templates: []SMSTemplate{{ID: "1", Text: "{1}{2}"}}})
	equal(t, "codes", c.codes(t, smsBody("1", "示例", nil, "+8613800000000", "+8613800000001")), []string{"Ok", "FailedOperation.InsufficientBalanceInSmsPackage"})
}

func TestDeliveredSMS(t *testing.T) {
	c := newSMSClient(t)
	var seen []string
	c.SMS.OnMessage(func(m SMS) { seen = append(seen, m.Number) })
	response, _, _ := c.call(t, "sms", "SendSms", smsBody("1", "示例", nil, "13800000000", "+8613900000000"))
	set := response["SendStatusSet"].([]any)
	equal(t, "first status", set[0], map[string]any{"SerialNo": "5000:1", "PhoneNumber": "+8613800000000", "Fee": 1.0, "SessionContext": "", "Code": "Ok", "Message": "send success", "IsoCode": "CN"})
	equal(t, "delivered messages", c.SMS.Inbox(), []SMS{{Time: c.clock.now(), App: "1400000000", Number: "+8613800000000", Template: "1", Params: []string{"KafkaLag", "3"}, Text: "【示例】告警KafkaLag，共3条，请处理。", SerialNo: "5000:1"}})
	equal(t, "numbers from OnMessage", seen, []string{"+8613800000000"})
}

func TestSegments(t *testing.T) {
	for n, want := range map[int]int{1: 1, 70: 1, 71: 2, 134: 2, 135: 3} {
		equal(t, fmt.Sprint(n, " characters"), segments(strings.Repeat("长", n)), want)
	}
}
