package voice

import "tocsin/pkg/tencent"

var sendTtsVoiceAction = tencent.Action{Product: "vms", Version: "2020-09-02", Name: "SendTtsVoice"}

// sendTtsVoice holds the parameters of SendTtsVoice. It is Appid here, where
// SendSms has AppId.
type sendTtsVoice struct {
	TemplateId, CalledNumber, VoiceSdkAppid string
	TemplateParamSet                        []string `json:",omitempty"`
	PlayTimes                               int
	SessionContext                          string
}

// sendTtsVoiceResponse is the response of SendTtsVoice, as far as it is used.
type sendTtsVoiceResponse struct {
	tencent.ResponseHeader
	SendStatus struct{ CallId string }
}
