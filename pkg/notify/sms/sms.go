// Package sms sends notifications as text messages through Tencent Cloud's SendSms
// (API 2021-01-11). Phones show an approved template, whose variables are all that a
// notification fills in.
package sms

import (
	"context"
	"slices"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/phone"
	"tocsin/pkg/render"
	"tocsin/pkg/tencent"
)

const (
	// maxNumbersPerCall is the vendor's limit for one call.
	maxNumbersPerCall = 200
	// maxNumbers bounds a list that may come from an alert's annotations.
	maxNumbers = 1000
)

// notifier is the notify.Notifier of one entry of sms_configs.
type notifier struct {
	*phone.Sender
	config Config
}

// New returns the notifier of c, which must be valid. The error names the key of a
// template that cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	sender, err := c.NewSender(env, t, defaultEndpoint)
	if err != nil {
		return nil, err
	}
	return &notifier{sender, *c}, nil
}

// Messages returns one message per 200 numbers in mainland China, one per 200 other
// numbers, and one for the recipients that are not phone numbers, which fails
// without a call. Units are the numbers.
func (s *notifier) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, s.Style)
	doc := render.NewDocument(n, s.Style)
	to, err := s.Recipients(doc, view, maxNumbers)
	if err != nil {
		return nil, err
	}
	to.Remove(n.AcceptedUnits)
	params := s.Params(doc, view, n.HalfSize)
	var out []notify.Message
	add := func(units []string, send func(ctx context.Context) []notify.Outcome) {
		out = append(out, notify.Message{Target: phone.MaskList(units), Units: units, Text: s.preview(params), Send: send})
	}
	for _, list := range [][]string{to.Domestic, to.International} {
		for numbers := range slices.Chunk(list, maxNumbersPerCall) {
			add(numbers, func(ctx context.Context) []notify.Outcome { return s.send(ctx, numbers, params) })
		}
	}
	if len(to.Invalid) > 0 {
		add(to.Invalid, func(context.Context) []notify.Outcome {
			out := make([]notify.Outcome, len(to.Invalid))
			for i, unit := range to.Invalid {
				out[i] = notify.Outcome{Unit: unit, Err: phone.PermanentError("SMS", phone.InvalidError(unit))}
			}
			return out
		})
	}
	return out, nil
}

var sendSmsAction = tencent.Action{Product: "sms", Version: "2021-01-11", Name: "SendSms"}

// sendSms holds the parameters of SendSms.
type sendSms struct {
	SmsSdkAppId, TemplateId string
	SignName                string `json:",omitempty"`
	PhoneNumberSet          []string
	TemplateParamSet        []string `json:",omitempty"`
}

// sendSmsResponse is the response of SendSms, as far as it is used.
type sendSmsResponse struct {
	tencent.ResponseHeader
	SendStatusSet []sendStatus
}

// sendStatus is the result for one number.
type sendStatus struct {
	PhoneNumber string
	Code        *string // nil when the response has none
	Message     string
}

// send makes one call. Each number has an outcome of its own.
func (s *notifier) send(ctx context.Context, numbers, params []string) []notify.Outcome {
	var response sendSmsResponse
	err := s.Client.Call(ctx, sendSmsAction, sendSms{
		SmsSdkAppId: s.config.SdkAppID, TemplateId: s.config.TemplateID, SignName: s.config.SignName,
		PhoneNumberSet: numbers, TemplateParamSet: params,
	}, &response)
	if err != nil {
		return notify.Outcomes(numbers, errorTable.CallError("SMS", err, numbers...))
	}
	statuses := map[string]*sendStatus{}
	for i := range response.SendStatusSet {
		status := &response.SendStatusSet[i]
		if number, err := phone.Parse(status.PhoneNumber); err == nil && status.Code != nil {
			statuses[number] = status
		}
	}
	out := make([]notify.Outcome, len(numbers))
	for i, number := range numbers {
		out[i] = notify.Outcome{Unit: number}
		if e := numberError(statuses[number], number); e != nil { // a nil *Error in Err would not be nil
			out[i].Err = e
		}
	}
	return out
}

// numberError returns the error of one number, nil when its status is "Ok". Without
// a status in the response, which is nil, the message may have been sent.
func numberError(status *sendStatus, number string) *notify.Error {
	var e *notify.Error
	switch {
	case status == nil:
		e = &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "SMS: the response of Tencent Cloud does not mention the number"}
	case *status.Code == "Ok":
		return nil
	default:
		meaning, ok := errorTable.Find(*status.Code)
		if !ok {
			meaning, _ = numberErrorTable.Find(*status.Code)
		}
		e = meaning.Error("SMS", *status.Code, phone.MaskIn(status.Message, number))
	}
	e.Message = phone.Mask(number) + ": " + e.Message
	return e
}

// preview returns the known part of the message: the signature and the variables.
func (s *notifier) preview(params []string) string {
	text := phone.Preview(s.Style.Language, s.config.TemplateID, params)
	if s.config.SignName != "" {
		text = "【" + s.config.SignName + "】" + text
	}
	return text
}
