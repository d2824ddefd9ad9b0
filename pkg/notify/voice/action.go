package voice

import tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"

// apiVersion is the version of SendTtsVoice that is called.
const apiVersion = "2020-09-02"

// sendTtsVoice holds the parameters of SendTtsVoice. It is Appid here, where
// SendSms has AppId.
type sendTtsVoice struct {
	TemplateId, CalledNumber, VoiceSdkAppid string
	TemplateParamSet                        []string `json:",omitempty"`
	PlayTimes                               int
	SessionContext                          string
}

// sendTtsVoiceAnswer is what SendTtsVoice answers, as far as it is read.
type sendTtsVoiceAnswer struct {
	tchttp.BaseResponse
	Response struct{ SendStatus struct{ CallId string } }
}
