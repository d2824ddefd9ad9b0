// Package sms sends notifications as short messages through Tencent Cloud's
// SendSms (API 2021-01-11). Phones show an approved template; a notification
// only fills in its variables.
package sms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
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
	env        *notify.Env
	config     Config
	to, params []*render.Text
	key        tencent.Credential
	client     *common.Client
}

// New returns the notifier that c describes. An error names the key whose
// template cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	s := &sender{env: env, config: *c, key: tencent.Credential{ID: c.SecretID, Key: c.SecretKey, Lookup: env.Lookup}}
	for i, src := range c.To {
		x, err := t.Text(src)
		if err != nil {
			return nil, fmt.Errorf("to: %d: %w", i, err)
		}
		s.to = append(s.to, x)
	}
	for i, src := range c.Params {
		x, err := t.Text(src)
		if err != nil {
			return nil, fmt.Errorf("params: %d: %w", i, err)
		}
		s.params = append(s.params, x)
	}
	profile, err := tencent.Profile(c.endpoint())
	if err != nil {
		return nil, err
	}
	transport := env.HTTP.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	s.client = common.NewCommonClient(s.key, cmp.Or(c.Region, defaultRegion), profile).WithHttpTransport(tencent.Transport(transport))
	return s, nil
}

// Messages returns a message for up to 200 numbers of mainland China and one
// for up to 200 others, as many as it takes. Units are the numbers; what is not
// a number is one too, and refused for good without keeping the message from the
// others.
func (s *sender) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, &s.env.Style)
	to, err := s.recipients(view)
	if err != nil {
		return nil, err
	}
	to.drop(n.Done)
	params := s.fill(view, n.Shrink)
	var out []notify.Message
	for _, side := range [][]string{to.domestic, to.foreign} {
		for numbers := range slices.Chunk(side, perCall) {
			out = append(out, notify.Message{
				Target: target(numbers),
				Units:  numbers,
				Text:   s.preview(params),
				Send: func(ctx context.Context) []notify.Outcome {
					return s.send(ctx, numbers, params)
				},
			})
		}
	}
	if len(to.invalid) > 0 {
		out = append(out, notify.Message{
			Target: target(to.invalid),
			Units:  to.invalid,
			Text:   s.preview(params),
			Send:   func(context.Context) []notify.Outcome { return refuse(to.invalid) },
		})
	}
	return out, nil
}

// recipients are the numbers of one notification, each there once.
type recipients struct{ domestic, foreign, invalid []string }

func (s *sender) recipients(view *render.View) (*recipients, error) {
	to := new(recipients)
	seen := map[string]bool{}
	for i, x := range s.to {
		list, err := x.Execute(view)
		if err != nil {
			return nil, fmt.Errorf("to: %d: %w", i, err)
		}
		for _, text := range split(list) {
			number, err := parseNumber(text)
			if err != nil {
				number = render.Clean(text, maxNumber)
			}
			if seen[number] {
				continue
			}
			seen[number] = true
			switch {
			case err != nil:
				to.invalid = append(to.invalid, number)
			case domestic(number):
				to.domestic = append(to.domestic, number)
			default:
				to.foreign = append(to.foreign, number)
			}
		}
	}
	switch {
	case len(seen) == 0:
		return nil, errors.New("nobody to send to: the templates in to printed nothing")
	case len(seen) > maxNumbers:
		return nil, fmt.Errorf("%d phone numbers are more than the %d that one notification may have", len(seen), maxNumbers)
	}
	return to, nil
}

// drop takes out the numbers that are done.
func (r *recipients) drop(done []string) {
	for _, list := range []*[]string{&r.domestic, &r.foreign, &r.invalid} {
		*list = slices.DeleteFunc(*list, func(unit string) bool { return slices.Contains(done, unit) })
	}
}

// fill returns the template's variables. A template that fails leaves its
// variable empty: half a message is better than a phone that stays silent. When
// the vendor refused the values as they were, they are cut to what every account
// may send and lose their dots, which some accounts are refused as links.
func (s *sender) fill(view *render.View, shrink bool) []string {
	limit := cmp.Or(s.config.ParamMaxLength, defaultLength)
	params := make([]string, len(s.params))
	for i, x := range s.params {
		value, err := x.Execute(view)
		if err != nil {
			value = ""
		}
		if shrink {
			params[i] = cleanParam(strings.ReplaceAll(dropLinks(value), ".", "_"), min(limit, safeLength))
		} else {
			params[i] = cleanParam(value, limit)
		}
	}
	return params
}

// send makes one call. Its outcome for each number is that number's own.
func (s *sender) send(ctx context.Context, numbers, params []string) []notify.Outcome {
	var answer sendSmsAnswer
	err := tencent.Do(ctx, s.key, "sms:SendSms", func(ctx context.Context) error {
		return s.client.Send(tencent.NewRequest(ctx, "sms:SendSms", apiVersion, sendSms{
			SmsSdkAppId: s.config.SdkAppID, TemplateId: s.config.TemplateID, SignName: s.config.SignName,
			PhoneNumberSet: numbers, TemplateParamSet: params,
		}), &answer)
	})
	if err != nil {
		return notify.Outcomes(numbers, callFault(err, numbers))
	}
	return outcomes(numbers, answer.Response.SendStatusSet)
}

// target names the numbers of a message without giving them away.
func target(numbers []string) string {
	if more := len(numbers) - 1; more > 0 {
		return fmt.Sprintf("%s +%d", mask(numbers[0]), more)
	}
	return mask(numbers[0])
}

// preview is the message so far as it is known here: the template's text is the
// vendor's.
func (s *sender) preview(params []string) string {
	word, colon := "模板 ", "："
	if s.env.Language == "en" {
		word, colon = "template ", ": "
	}
	text := word + s.config.TemplateID
	if s.config.SignName != "" {
		text = "【" + s.config.SignName + "】" + text
	}
	if len(params) > 0 {
		text += colon + strings.Join(params, ", ")
	}
	return text
}
