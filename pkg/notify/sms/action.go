package sms

import tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"

// apiVersion is the version of SendSms that is called.
const apiVersion = "2021-01-11"

// sendSms holds the parameters of SendSms.
type sendSms struct {
	SmsSdkAppId, TemplateId string
	SignName                string `json:",omitempty"`
	PhoneNumberSet          []string
	TemplateParamSet        []string `json:",omitempty"`
}

// sendSmsAnswer is what SendSms answers, as far as it is read.
type sendSmsAnswer struct {
	tchttp.BaseResponse
	Response struct{ SendStatusSet []sendStatus }
}

// sendStatus is what became of one number.
type sendStatus struct {
	PhoneNumber string
	Code        *string // nil tells nothing
	Message     string
}
