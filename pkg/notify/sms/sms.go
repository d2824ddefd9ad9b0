// Package sms sends notifications as short messages through Tencent Cloud's
// SendSms (API 2021-01-11). Phones show an approved template; a notification
// only fills in its variables.
package sms

import (
	"cmp"
	"context"
	"slices"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/phone"
	"tocsin/pkg/render"
	"tocsin/pkg/tencent"
)

const (
	// perCall is how many numbers SendSms takes.
	perCall = 200
	// maxNumbers bounds a list that may come out of an alert's annotations.
	maxNumbers = 1000
)

// sender is the notifier of one entry of sms_configs.
type sender struct {
	env    *notify.Env
	config Config
	form   *phone.Templates
	client *tencent.Client
}

// New returns the notifier that c describes. An error names the key whose
// template cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	s := &sender{env: env, config: *c}
	var err error
	if s.form, err = phone.NewTemplates(t, c.To, c.Params, c.ParamMaxLength); err != nil {
		return nil, err
	}
	key := tencent.Credential{ID: c.SecretID, Key: c.SecretKey, Lookup: env.Lookup}
	s.client, err = tencent.NewClient(c.endpoint(), cmp.Or(c.Region, defaultRegion), key, env.HTTP.Transport)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Messages returns a message for up to 200 numbers of mainland China and one
// for up to 200 others, as many as it takes. Units are the numbers; what is not
// a number is one too, and refused for good without keeping the message from the
// others.
func (s *sender) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, &s.env.Style)
	to, err := s.form.Recipients(view, maxNumbers)
	if err != nil {
		return nil, err
	}
	to.Remove(n.AcceptedUnits)
	params := s.form.Params(view, n.HalfSize)
	var out []notify.Message
	for _, side := range [][]string{to.Domestic, to.International} {
		for numbers := range slices.Chunk(side, perCall) {
			out = append(out, notify.Message{
				Target: phone.MaskList(numbers),
				Units:  numbers,
				Text:   s.preview(params),
				Send: func(ctx context.Context) []notify.Outcome {
					return s.send(ctx, numbers, params)
				},
			})
		}
	}
	if len(to.Invalid) > 0 {
		out = append(out, notify.Message{
			Target: phone.MaskList(to.Invalid),
			Units:  to.Invalid,
			Text:   s.preview(params),
			Send:   func(context.Context) []notify.Outcome { return invalidOutcomes(to.Invalid) },
		})
	}
	return out, nil
}

// send makes one call. Its outcome for each number is that number's own.
func (s *sender) send(ctx context.Context, numbers, params []string) []notify.Outcome {
	var response sendSmsResponse
	err := s.client.Call(ctx, sendSmsAction, sendSms{
		SmsSdkAppId: s.config.SdkAppID, TemplateId: s.config.TemplateID, SignName: s.config.SignName,
		PhoneNumberSet: numbers, TemplateParamSet: params,
	}, &response)
	if err != nil {
		return notify.Outcomes(numbers, callError(err, numbers))
	}
	return outcomes(numbers, response.SendStatusSet)
}

// preview is the message so far as it is known here.
func (s *sender) preview(params []string) string {
	text := phone.Preview(s.env.Language, s.config.TemplateID, params)
	if s.config.SignName != "" {
		text = "【" + s.config.SignName + "】" + text
	}
	return text
}
