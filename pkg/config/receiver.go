package config

import (
	"slices"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/dingtalk"
	"tocsin/pkg/notify/email"
	"tocsin/pkg/notify/feishu"
	"tocsin/pkg/notify/slack"
	"tocsin/pkg/notify/sms"
	"tocsin/pkg/notify/voice"
	"tocsin/pkg/notify/webhook"
	"tocsin/pkg/notify/wecomapp"
	"tocsin/pkg/notify/wecomrobot"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// Receiver is a name that routes send to, and the channels behind it. Without
// any channel it swallows what it gets, as in Alertmanager.
type Receiver struct {
	Name string `yaml:"name"`
	// Fallback is where what cannot be delivered goes.
	Fallback *Fallback `yaml:"fallback,omitempty"`

	WecomRobot []wecomrobot.Config `yaml:"wecom_robot_configs,omitempty"`
	WecomApp   []wecomapp.Config   `yaml:"wecom_app_configs,omitempty"`
	Wechat     []wecomapp.Wechat   `yaml:"wechat_configs,omitempty"`
	DingTalk   []dingtalk.Config   `yaml:"dingtalk_configs,omitempty"`
	Feishu     []feishu.Config     `yaml:"feishu_configs,omitempty"`
	SMS        []sms.Config        `yaml:"sms_configs,omitempty"`
	Voice      []voice.Config      `yaml:"voice_configs,omitempty"`
	Email      []email.Config      `yaml:"email_configs,omitempty"`
	Webhook    []webhook.Config    `yaml:"webhook_configs,omitempty"`
	Slack      []slack.Config      `yaml:"slack_configs,omitempty"`
}

// Fallback names the receiver that stands in for another.
type Fallback struct {
	Receiver string `yaml:"receiver"`
	// After is how long a passing fault may last; default 15m. A fault that will
	// not pass goes to the fallback at once.
	After *setting.Duration `yaml:"after,omitempty"`
}

const defaultFallbackAfter = 15 * time.Minute

// Delay is After or its default.
func (f *Fallback) Delay() time.Duration {
	if f.After == nil {
		return defaultFallbackAfter
	}
	return f.After.Std()
}

// Channel is one entry of a receiver, of whatever kind.
type Channel interface {
	// Kind is what is true of every channel of the kind.
	Kind() notify.Kind
	// Resolved tells whether the end of an alert is told.
	SendsResolved(notify.Kind) bool
	// Quotas is what a target may be sent.
	Quotas(notify.Kind) []notify.Quota
	// Validate adds what is wrong with the entry to f.
	Validate(f *setting.Faults)
	// New builds what sends. Its error is about a template, and begins with the
	// key: "message: …".
	New(env *notify.Env, t *render.Templates) (notify.Notifier, error)
}

// Integration is a channel of a receiver, with its place there.
type Integration struct {
	Channel
	// Index counts the entries of one kind.
	Index int
}

// Integrations returns the receiver's channels, in the order of the keys of
// Receiver.
func (r *Receiver) Integrations() []Integration {
	return slices.Concat(
		integrations(r.WecomRobot),
		integrations(r.WecomApp),
		integrations(r.Wechat),
		integrations(r.DingTalk),
		integrations(r.Feishu),
		integrations(r.SMS),
		integrations(r.Voice),
		integrations(r.Email),
		integrations(r.Webhook),
		integrations(r.Slack),
	)
}

func integrations[C any, P interface {
	*C
	Channel
}](configs []C) []Integration {
	list := make([]Integration, len(configs))
	for i := range configs {
		list[i] = Integration{P(&configs[i]), i}
	}
	return list
}

// in returns the place of the integration's faults, below its receiver's.
func (i Integration) in(f *setting.Faults) *setting.Faults {
	return f.In(i.Kind().Name+"_configs", i.Index)
}
