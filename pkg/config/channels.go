package config

import (
	"reflect"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/dingtalk"
	"tocsin/pkg/notify/email"
	"tocsin/pkg/notify/feishu"
	"tocsin/pkg/notify/slack"
	"tocsin/pkg/notify/sms"
	"tocsin/pkg/notify/telegram"
	"tocsin/pkg/notify/voice"
	"tocsin/pkg/notify/webhook"
	"tocsin/pkg/notify/wecomapp"
	"tocsin/pkg/notify/wecomrobot"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// Channels is the table of channels. A channel is registered by a field here, which
// has the key of its entries in a receiver and their type; the type's Kind has the
// rest. Decoding, validation, inheritance and building walk the fields in this order.
// An entry inherits from the global section by a field of ChannelDefaults and a case
// of Global.inheritTo.
type Channels struct {
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
	Telegram   []telegram.Config   `yaml:"telegram_configs,omitempty"`
}

// ChannelDefaults are the keys of the global section that entries inherit.
type ChannelDefaults struct {
	SMTP     email.Global    `yaml:",inline"`
	Wechat   wecomapp.Global `yaml:",inline"`
	Slack    slack.Global    `yaml:",inline"`
	Telegram telegram.Global `yaml:",inline"`
}

// inheritTo fills in the keys that an entry leaves to the global section.
func (g *Global) inheritTo(entry Channel) {
	switch c := entry.(type) {
	case interface{ Inherit(email.Global) }:
		c.Inherit(g.SMTP)
	case interface{ Inherit(wecomapp.Global) }:
		c.Inherit(g.Wechat)
	case interface{ Inherit(slack.Global) }:
		c.Inherit(g.Slack)
	case interface{ Inherit(telegram.Global) }:
		c.Inherit(g.Telegram)
	case interface {
		Inherit(id string, key setting.Secret)
	}:
		c.Inherit(g.tencentKey())
	}
}

// Channel is one entry of a receiver. Pointers to the types in Channels implement it.
type Channel interface {
	// Kind returns what all entries of the channel have in common. The key of the
	// entries is its name and "_configs".
	Kind() notify.Kind
	// SendsResolved reports whether resolved alerts are sent.
	SendsResolved(notify.Kind) bool
	// Quotas returns the limits of what a target may be sent.
	Quotas(notify.Kind) []notify.Quota
	// Validate adds the faults of the entry to f, except those of its templates.
	Validate(f *setting.Faults)
	// New returns the channel's notifier. Errors of templates are *render.KeyError,
	// joined; any other begins with the key: "smarthost: …".
	New(env *notify.Env, t *render.Templates) (notify.Notifier, error)
}

// Integration is one entry of a receiver and its place there.
type Integration struct {
	Channel
	// Index counts the entries under one key.
	Index int
}

// Integrations returns all entries, in the order of the table.
func (c *Channels) Integrations() []Integration {
	var out []Integration
	for _, entries := range reflect.ValueOf(c).Elem().Fields() {
		for i := range entries.Len() {
			out = append(out, Integration{entries.Index(i).Addr().Interface().(Channel), i})
		}
	}
	return out
}

// in returns the place of the integration's faults, below its receiver's.
func (i Integration) in(f *setting.Faults) *setting.Faults {
	return f.In(i.Kind().Name+"_configs", i.Index)
}
