package sms

import "tocsin/pkg/tencent"

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

// sendStatus is what became of one number.
type sendStatus struct {
	PhoneNumber string
	Code        *string // nil tells nothing
	Message     string
}
