// Package voice calls phones in mainland China through Tencent Cloud's SendTtsVoice
// (API 2020-09-02). The phone plays an approved template, whose variables are all
// that a notification fills in. Whether the call was answered is not known, and it
// is not repeated.
package voice

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/phone"
	"tocsin/pkg/render"
	"tocsin/pkg/tencent"
)

const (
	// maxNumbers bounds a list that may come from an alert's annotations.
	maxNumbers = 100
	// maxSession bounds SessionContext, in bytes. The vendor documents it for SMS.
	maxSession = 511
)

// notifier is the notify.Notifier of one entry of voice_configs.
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

// Messages returns one message whose units are the recipients. They are called one
// after the other in the order of the configuration. They share a message because
// after a message that was not accepted the rest of a notification is not sent: one
// number that is rejected must not prevent the other calls. Units that are not phone
// numbers in mainland China fail without a call.
func (v *notifier) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, v.Style)
	doc := render.NewDocument(n, v.Style)
	to, err := v.Recipients(doc, view, maxNumbers)
	if err != nil {
		return nil, err
	}
	to.Remove(n.AcceptedUnits)
	units := slices.Concat(to.Domestic, to.International, to.Invalid)
	if len(units) == 0 {
		return nil, nil
	}
	request := sendTtsVoice{
		TemplateId: v.config.TemplateID, VoiceSdkAppid: v.config.SdkAppID, TemplateParamSet: v.Params(doc, view, n.HalfSize),
		PlayTimes: cmp.Or(v.config.PlayTimes, defaultPlayTimes), SessionContext: n.ID[:min(len(n.ID), maxSession)],
	}
	return []notify.Message{{
		Target: phone.MaskList(units),
		Units:  units,
		Text:   v.preview(request),
		Send: func(ctx context.Context) []notify.Outcome {
			var out []notify.Outcome
			for _, number := range to.Domestic {
				o := notify.Outcome{Unit: number}
				if e := v.call(ctx, number, request); e != nil { // a nil *Error in Err would not be nil
					o.Err = e
				}
				out = append(out, o)
			}
			for _, number := range to.International {
				out = append(out, notify.Outcome{Unit: number, Err: phone.PermanentError("voice", checkReachable(number))})
			}
			for _, unit := range to.Invalid {
				out = append(out, notify.Outcome{Unit: unit, Err: phone.PermanentError("voice", phone.InvalidError(unit))})
			}
			return out
		},
	}}, nil
}

var sendTtsVoiceAction = tencent.Action{Product: "vms", Version: "2020-09-02", Name: "SendTtsVoice"}

// sendTtsVoice holds the parameters of SendTtsVoice. It has Appid where SendSms has
// AppId.
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

// call calls one number. Only a response with the call's id is success.
func (v *notifier) call(ctx context.Context, number string, request sendTtsVoice) *notify.Error {
	request.CalledNumber = number
	var response sendTtsVoiceResponse
	if err := v.Client.Call(ctx, sendTtsVoiceAction, request, &response); err != nil {
		e := errorTable.CallError("voice", err, number)
		e.Message = phone.Mask(number) + ": " + e.Message
		return e
	}
	if response.SendStatus.CallId == "" {
		return &notify.Error{Class: notify.Retry, Ambiguous: true,
			Message: phone.Mask(number) + ": voice: the response of Tencent Cloud has no call in it"}
	}
	return nil
}

// preview returns the known part of the text, and how many times it is played.
func (v *notifier) preview(request sendTtsVoice) string {
	format := "%s（播放 %d 遍）"
	if v.Style.Language == "en" {
		format = "%s (played ×%d)"
	}
	return fmt.Sprintf(format, phone.Preview(v.Style.Language, request.TemplateId, request.TemplateParamSet), request.PlayTimes)
}
