package tencentcloud

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SMSApp is an SMS application with what was approved for it.
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
	// PerHalfMinute and PerDay are how many messages one number may get in 30
	// seconds and on one day in China; 0 means 1 and 10.
	PerHalfMinute, PerDay int
	// Blacklist lists numbers, as +8613800000000, whose owners want no messages.
	Blacklist []string
}

// SMSTemplate is an approved text with the variables {1}, {2}, …
type SMSTemplate struct {
	ID, Text string
	// International templates are for numbers outside mainland China, all
	// others for numbers inside.
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

// app is an application and when it sent messages to each number.
type app struct {
	SMSApp
	sent map[string][]time.Time
}

// AddSMSApp adds an application, or replaces it.
func (c *Cloud) AddSMSApp(a SMSApp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apps[a.ID] = &app{SMSApp: a, sent: map[string][]time.Time{}}
}

// Inbox returns the last thousand messages that phones got.
func (c *Cloud) Inbox() []SMS {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.inbox)
}

// OnSMS lets f see every message that a phone gets, one after another. f must
// not call the cloud.
func (c *Cloud) OnSMS(f func(SMS)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onSMS = f
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
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.apps[*p.SmsSdkAppId]
	text, refused := a.content(&p, numbers)
	set := make([]sendStatus, len(numbers))
	for i, n := range numbers {
		set[i] = sendStatus{PhoneNumber: n.String(), SessionContext: value(p.SessionContext), IsoCode: n.isoCode(), Code: "Ok", Message: "send success"}
		why := refused
		if why == nil {
			why = a.admit(n, text, c.now())
		}
		if why != nil {
			set[i].Code, set[i].Message = why.Code, why.Message
			continue
		}
		c.serial++
		set[i].Fee, set[i].SerialNo = segments(text), fmt.Sprintf("5000:%d", c.serial)
		c.deliver(SMS{Time: c.now(), App: a.ID, Number: n.String(), Template: *p.TemplateId, Params: p.TemplateParamSet, Text: text, SerialNo: set[i].SerialNo})
	}
	return struct{ SendStatusSet []sendStatus }{set}, nil
}

// deliver brings a message to its phone. The caller holds the lock.
func (c *Cloud) deliver(m SMS) {
	c.inbox = remember(c.inbox, m)
	if c.onSMS != nil {
		c.onSMS(m)
	}
}

// check refuses requests that are wrong as a whole.
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

// admit decides whether one number gets a message now, and counts it.
func (a *app) admit(n number, text string, now time.Time) *Error {
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
		if day(t) == day(now) {
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

// day is the natural day in China, by which the vendor counts.
func day(t time.Time) string {
	return t.In(time.FixedZone("UTC+8", 8*60*60)).Format(time.DateOnly)
}

func orDefault(n, usual int) int {
	if n == 0 {
		return usual
	}
	return n
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// fill puts parameters into a template's text.
func fill(text string, params []string) string {
	pairs := make([]string, 0, 2*len(params))
	for i, p := range params {
		pairs = append(pairs, "{"+strconv.Itoa(i+1)+"}", p)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
