package tencentcloud

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// SMSApp is an SMS application with its approved signatures and templates.
type SMSApp struct {
	// ID is the SmsSdkAppId.
	ID        string
	Signs     []string
	Templates []SMSTemplate
	// Balance is how many messages are left in the package.
	Balance int
	// ParamLimit is how many characters a template's variable may hold; 0 means
	// 6, the vendor's limit for accounts opened after January 2024.
	ParamLimit int
	// PerHalfMinute and PerDay are how many messages a number may get in 30 seconds
	// and on a calendar day in China; 0 means 1 and 10.
	PerHalfMinute, PerDay int
	// Blacklist lists numbers, as +8613800000000, that may get no messages.
	Blacklist []string
}

// SMSTemplate is an approved text with the variables {1}, {2}, …
type SMSTemplate struct {
	ID, Text string
	// International templates are for numbers outside mainland China, all others for
	// numbers inside.
	International bool
}

// SMS is a message as a phone shows it.
type SMS struct {
	Time     time.Time
	App      string
	Number   string
	Template string
	Params   []string
	Text     string
	SerialNo string
}

// smsApp is an application with the times of its messages to each number.
type smsApp struct {
	SMSApp
	sent map[string][]time.Time
}

// AddSMSApp adds or replaces an application.
func (c *Cloud) AddSMSApp(a SMSApp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apps[a.ID] = &smsApp{SMSApp: a, sent: map[string][]time.Time{}}
}

type sendSms struct {
	PhoneNumberSet, TemplateParamSet                                        []string
	SmsSdkAppId, TemplateId, SignName, ExtendCode, SessionContext, SenderId *string
}

type sendStatus struct {
	SerialNo       string
	PhoneNumber    string
	Fee            int
	SessionContext string
	Code           string
	Message        string
	IsoCode        string
}

func (c *Cloud) sendSms(call *call) (any, error) {
	var p sendSms
	if err := call.params(&p); err != nil {
		return nil, err
	}
	numbers, err := p.check()
	if err != nil {
		return nil, err
	}
	var delivered []SMS
	defer func() { // after the lock is released
		for _, m := range delivered {
			c.SMS.Deliver(m)
		}
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.apps[*p.SmsSdkAppId]
	text, rejected := a.render(&p, numbers)
	set := make([]sendStatus, len(numbers))
	for i, n := range numbers {
		set[i] = sendStatus{PhoneNumber: n.String(), SessionContext: orEmpty(p.SessionContext), IsoCode: n.isoCode(), Code: "Ok", Message: "send success"}
		e := rejected
		if e == nil {
			e = a.admit(n, text, c.now())
		}
		if e != nil {
			set[i].Code, set[i].Message = e.Code, e.Message
			continue
		}
		c.serial++
		set[i].Fee, set[i].SerialNo = segments(text), fmt.Sprintf("5000:%d", c.serial)
		delivered = append(delivered, SMS{Time: c.now(), App: a.ID, Number: n.String(), Template: *p.TemplateId, Params: p.TemplateParamSet, Text: text, SerialNo: set[i].SerialNo})
	}
	return struct{ SendStatusSet []sendStatus }{set}, nil
}

// check returns the phone numbers, or an error that concerns the whole request.
func (p *sendSms) check() ([]number, error) {
	if len(p.PhoneNumberSet) == 0 {
		return nil, errorf("MissingParameter.EmptyPhoneNumberSet", "The list of phone numbers is empty.")
	}
	if len(p.PhoneNumberSet) > 200 {
		return nil, errorf("LimitExceeded.PhoneNumberCountLimit", "The number of phone numbers %d exceeds the limit 200 of one request.", len(p.PhoneNumberSet))
	}
	if err := required("SmsSdkAppId", p.SmsSdkAppId); err != nil {
		return nil, err
	}
	if err := required("TemplateId", p.TemplateId); err != nil {
		return nil, err
	}
	var inside, outside bool
	numbers := make([]number, len(p.PhoneNumberSet))
	for i, text := range p.PhoneNumberSet {
		n := parseNumber(text)
		numbers[i] = n
		inside = inside || n.valid && n.mainland()
		outside = outside || n.valid && !n.mainland()
	}
	if inside && outside {
		return nil, errorf("UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber", "The request contains both Chinese mainland and international phone numbers.")
	}
	return numbers, nil
}

// admit counts a message to a number, or returns why it may not get one now.
func (a *smsApp) admit(n number, text string, now time.Time) *Error {
	switch {
	case !n.valid:
		return errorf("InvalidParameterValue.IncorrectPhoneNumber", "incorrect phone number")
	case slices.Contains(a.Blacklist, n.String()):
		return errorf("FailedOperation.PhoneNumberInBlacklist", "the phone number is in the blacklist")
	case a.Balance < segments(text):
		return errorf("FailedOperation.InsufficientBalanceInSmsPackage", "insufficient balance in SMS package")
	}
	halfMinute, today := 0, 0
	for _, t := range a.sent[n.String()] {
		if now.Sub(t) < 30*time.Second {
			halfMinute++
		}
		if dayInChina(t) == dayInChina(now) {
			today++
		}
	}
	if halfMinute >= orDefault(a.PerHalfMinute, 1) {
		return errorf("LimitExceeded.PhoneNumberThirtySecondLimit", "the number of SMS messages sent from a single mobile number within 30 seconds exceeds the upper limit")
	}
	if today >= orDefault(a.PerDay, 10) {
		return errorf("LimitExceeded.PhoneNumberDailyLimit", "the number of sms messages sent from a single mobile number every day exceeds the upper limit")
	}
	a.Balance -= segments(text)
	a.sent[n.String()] = remember(a.sent[n.String()], now)
	return nil
}

// dayInChina returns the calendar day in China, by which the vendor counts.
func dayInChina(t time.Time) string {
	return t.In(time.FixedZone("UTC+8", 8*60*60)).Format(time.DateOnly)
}

func orDefault(n, fallback int) int {
	if n == 0 {
		return fallback
	}
	return n
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// checkParam returns the error of a parameter with content that no variable may have.
func checkParam(param string) *Error {
	switch {
	case linkPattern.MatchString(param):
		return errorf("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", "URLs are prohibited in template parameters")
	case strings.ContainsAny(param, "【】\r\n"):
		return errorf("FailedOperation.TemplateIncorrectOrUnapproved", "the content does not match the approved template")
	default:
		return nil
	}
}

// fillTemplate replaces the variables of a template's text.
func fillTemplate(text string, params []string) string {
	pairs := make([]string, 0, 2*len(params))
	for i, p := range params {
		pairs = append(pairs, "{"+strconv.Itoa(i+1)+"}", p)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

var (
	variablePattern = regexp.MustCompile(`\{\d+\}`)
	// linkPattern matches URLs and texts that phones show as links.
	linkPattern = regexp.MustCompile(`(?i)https?:|www\.|[a-z0-9]\.(com|cn|net|org|io|top|cc|me)\b`)
	// mobilePattern matches a number in mainland China after the country code.
	mobilePattern = regexp.MustCompile(`^1[3-9]\d{9}$`)
	// internationalPattern matches a number by E.164 without its plus sign.
	internationalPattern = regexp.MustCompile(`^[1-9]\d{6,14}$`)
)

// render returns the text of a message, or an error in the content of the request. The
// vendor reports such an error for each number.
func (a *smsApp) render(p *sendSms, numbers []number) (string, *Error) {
	if a == nil {
		return "", errorf("UnauthorizedOperation.SmsSdkAppIdVerifyFail", "verification failed for SmsSdkAppId")
	}
	mainland := slices.ContainsFunc(numbers, number.mainland)
	sign := orEmpty(p.SignName)
	if !slices.Contains(a.Signs, sign) && (mainland || sign != "") {
		return "", errorf("FailedOperation.SignatureIncorrectOrUnapproved", "the signature is incorrect or unapproved")
	}
	i := slices.IndexFunc(a.Templates, func(t SMSTemplate) bool { return t.ID == *p.TemplateId })
	if i < 0 {
		return "", errorf("FailedOperation.TemplateUnapprovedOrNotExist", "the template is not approved or does not exist")
	}
	t := a.Templates[i]
	switch {
	case t.International && mainland:
		return "", errorf("UnsupportedOperation.GlobalTemplateToChineseMainlandPhone", "an international template cannot be sent to Chinese mainland numbers")
	case !t.International && !mainland:
		return "", errorf("UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone", "a Chinese mainland template cannot be sent to international numbers")
	case len(p.TemplateParamSet) != len(variablePattern.FindAllString(t.Text, -1)):
		return "", errorf("FailedOperation.TemplateParamSetNotMatchApprovedTemplate", "the number of template parameters does not match the approved template")
	}
	for _, param := range p.TemplateParamSet {
		if e := checkParam(param); e != nil {
			return "", e
		}
		if utf8.RuneCountInString(param) > orDefault(a.ParamLimit, 6) {
			return "", errorf("InvalidParameterValue.TemplateParameterLengthLimit", "a template parameter exceeds the length limit")
		}
	}
	text := fillTemplate(t.Text, p.TemplateParamSet)
	if sign != "" {
		text = "【" + sign + "】" + text
	}
	if utf8.RuneCountInString(text) > 500 {
		return "", errorf("InvalidParameterValue.ContentLengthLimit", "the message is longer than 500 characters")
	}
	return text, nil
}

// segments returns as how many messages a text is charged. A message has up to 70
// characters; a longer text has parts of up to 67.
func segments(text string) int {
	n := utf8.RuneCountInString(text)
	if n <= 70 {
		return 1
	}
	return (n + 66) / 67
}

// number is a phone number without its plus sign.
type number struct {
	digits string
	valid  bool
}

// parseNumber parses a number in E.164. Without a plus sign it is a number in mainland
// China, with or without 86 or 0086 before it.
func parseNumber(text string) number {
	digits, international := strings.CutPrefix(text, "+")
	if !international {
		local := strings.TrimPrefix(strings.TrimPrefix(digits, "00"), "86")
		return number{"86" + local, mobilePattern.MatchString(local)}
	}
	if local, china := strings.CutPrefix(digits, "86"); china {
		return number{digits, mobilePattern.MatchString(local)}
	}
	return number{digits, internationalPattern.MatchString(digits)}
}

func (n number) String() string { return "+" + n.digits }

func (n number) mainland() bool { return strings.HasPrefix(n.digits, "86") }

// isoCode returns the code of the number's country, or DEF, as the vendor does, if it is
// unknown.
func (n number) isoCode() string {
	switch {
	case !n.valid:
		return "DEF"
	case n.mainland():
		return "CN"
	case strings.HasPrefix(n.digits, "852"):
		return "HK"
	case strings.HasPrefix(n.digits, "65"):
		return "SG"
	case strings.HasPrefix(n.digits, "1"):
		return "US"
	default:
		return "DEF"
	}
}
