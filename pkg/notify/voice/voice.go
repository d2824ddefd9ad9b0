// Package voice rings phones in mainland China through Tencent Cloud's
// SendTtsVoice (API 2020-09-02). Who answers hears an approved template; a
// notification only fills in its variables. Whether anybody answered is not
// known, and nobody is called again who did not.
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
	// maxNumbers bounds a list that may come out of an alert's annotations.
	maxNumbers = 100
	// maxSession bounds SessionContext, in bytes. The vendor says so of SMS.
	maxSession = 511
)

// caller is the notifier of one entry of voice_configs.
type caller struct {
	env    *notify.Env
	config Config
	form   *phone.Templates
	client *tencent.Client
}

// New returns the notifier that c describes. An error names the key whose
// template cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	form, err := phone.NewTemplates(t, c.To, c.Params, c.ParamMaxLength)
	if err != nil {
		return nil, err
	}
	key := tencent.Credential{ID: c.SecretID, Key: c.SecretKey, Lookup: env.Lookup}
	client, err := tencent.NewClient(c.endpoint(), cmp.Or(c.Region, defaultRegion), key, env.HTTP.Transport)
	if err != nil {
		return nil, err
	}
	return &caller{env: env, config: *c, form: form, client: client}, nil
}

// Messages returns one message whose units are the numbers. They are called one
// after the other, in the order in which they are named. A number that refuses
// keeps nobody else from being called, which messages of their own would: after
// one that was not accepted, the rest of a notification is not sent. What is not
// a number, or not in mainland China, is a unit too and refused for good.
func (c *caller) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, &c.env.Style)
	to, err := c.form.Recipients(view, maxNumbers)
	if err != nil {
		return nil, err
	}
	to.Remove(n.AcceptedUnits)
	units := slices.Concat(to.Domestic, to.International, to.Invalid)
	if len(units) == 0 {
		return nil, nil
	}
	request := sendTtsVoice{
		TemplateId: c.config.TemplateID, VoiceSdkAppid: c.config.SdkAppID, TemplateParamSet: c.form.Params(view, n.HalfSize),
		PlayTimes: cmp.Or(c.config.PlayTimes, defaultPlayTimes), SessionContext: n.ID[:min(len(n.ID), maxSession)],
	}
	return []notify.Message{{
		Target: phone.MaskList(units),
		Units:  units,
		Text:   c.preview(request),
		Send: func(ctx context.Context) []notify.Outcome {
			var out []notify.Outcome
			for _, number := range to.Domestic {
				out = append(out, outcome(number, c.call(ctx, number, request)))
			}
			for _, number := range to.International {
				out = append(out, outcome(number, permanentError(reachable(number))))
			}
			for _, unit := range to.Invalid {
				out = append(out, outcome(unit, permanentError(phone.InvalidError(unit))))
			}
			return out
		},
	}}, nil
}

// call rings one number. Only an answer with the call's id is success.
func (c *caller) call(ctx context.Context, number string, request sendTtsVoice) *notify.Error {
	request.CalledNumber = number
	var response sendTtsVoiceResponse
	if err := c.client.Call(ctx, sendTtsVoiceAction, request, &response); err != nil {
		return callError(err, number)
	}
	if response.SendStatus.CallId == "" {
		return &notify.Error{Class: notify.Retry, Ambiguous: true,
			Message: phone.Mask(number) + ": voice: the answer of Tencent Cloud has no call in it"}
	}
	return nil
}

// preview is what is said, so far as it is known here, and how often.
func (c *caller) preview(request sendTtsVoice) string {
	format := "%s（播放 %d 遍）"
	if c.env.Language == "en" {
		format = "%s (played ×%d)"
	}
	return fmt.Sprintf(format, phone.Preview(c.env.Language, request.TemplateId, request.TemplateParamSet), request.PlayTimes)
}

func outcome(unit string, f *notify.Error) notify.Outcome {
	if f == nil {
		return notify.Outcome{Unit: unit} // not an error that is a nil *Error
	}
	return notify.Outcome{Unit: unit, Err: f}
}
