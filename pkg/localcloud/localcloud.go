// Package localcloud runs the services that Tocsin uses on one machine, for development
// and tests: a Kafka cluster, Tencent Cloud's API, WeCom, DingTalk, Feishu, Slack,
// Telegram and a mail provider, each as strict as the real one and with its real host
// name, and a server that receives webhooks. It uses no code of Tocsin.
//
// To add a vendor, add a field to Cloud, a row to servers, and a row to channels.
package localcloud

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/kafka"
	"tocsin/pkg/localcloud/network"
	"tocsin/pkg/localcloud/provision"
	"tocsin/pkg/localcloud/slack"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/telegram"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/webhook"
	"tocsin/pkg/localcloud/wecom"
)

// The host names of the servers on the Network.
const (
	CKafkaHost   = "ckafka.tencentcloudapi.com"
	SMSHost      = "sms.tencentcloudapi.com"
	VoiceHost    = "vms.tencentcloudapi.com"
	WeComHost    = "qyapi.weixin.qq.com"
	DingTalkHost = "oapi.dingtalk.com"
	FeishuHost   = "open.feishu.cn"
	SlackHost    = "hooks.slack.com"
	TelegramHost = "api.telegram.org"
	WebhookHost  = "hooks.example.com"
	SMTPHost     = "smtp.exmail.qq.com"
)

// Cloud is a running local cloud.
type Cloud struct {
	Network   *network.Network
	Kafka     *kafka.Kafka
	Tencent   *tencentcloud.Cloud
	WeCom     *wecom.Server // its group robots
	WeComApps *wecom.Apps
	DingTalk  *dingtalk.Server
	Feishu    *feishu.Server
	Slack     *slack.Server
	Telegram  *telegram.Server
	Webhook   *webhook.Server
	SMTP      *smtp.Server

	// The loopback addresses of the servers, for a program that does not use the
	// Network but trusts Network.CAPEM.
	TencentURL, WeComURL, DingTalkURL, FeishuURL, SlackURL, TelegramURL, WebhookURL string
	SMTPAddr                                                                        string // implicit TLS
}

// Options are the options of Start.
type Options struct {
	// Topics are the topics of its Kafka, with their number of partitions.
	Topics map[string]int32
	// Mail describes the mail provider. Start sets its TLS.
	Mail smtp.Config
	// Now is the clock of all servers but Kafka; default time.Now.
	Now func() time.Time
}

// Start starts a cloud without instances, keys and robots. The methods of its servers
// add them.
func Start(ctx context.Context, o Options) (*Cloud, error) {
	n, err := network.New()
	if err != nil {
		return nil, err
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	c := &Cloud{
		Network: n, Tencent: tencentcloud.New(now), WeCom: wecom.New(now), WeComApps: wecom.NewApps(now),
		DingTalk: dingtalk.New(now), Feishu: feishu.New(now), Slack: slack.New(now), Telegram: telegram.New(now), Webhook: webhook.New(now),
	}
	if err := c.start(ctx, o.Topics, o.Mail); err != nil {
		c.Close()
		return nil, fmt.Errorf("start the local cloud: %w", err)
	}
	return c, nil
}

func (c *Cloud) start(ctx context.Context, topics map[string]int32, mail smtp.Config) (err error) {
	if c.Kafka, err = kafka.Start(ctx, topics); err != nil {
		return err
	}
	for _, s := range c.servers() {
		addr, err := c.Network.ServeHTTPS(s.host, s.handler)
		if err != nil {
			return err
		}
		if s.url != nil {
			*s.url = "https://" + addr
		}
	}
	return c.startMail(mail)
}

// server is a row of the table of HTTP servers.
type server struct {
	host    string
	url     *string // where to store the address, nil for nowhere
	handler http.Handler
}

// servers returns the table of HTTP servers.
func (c *Cloud) servers() []server {
	wecomAPI := http.NewServeMux()
	wecomAPI.Handle("/", c.WeCom)
	wecomAPI.Handle(wecom.TokenPath, c.WeComApps)
	wecomAPI.Handle(wecom.SendPath, c.WeComApps)
	return []server{
		{CKafkaHost, &c.TencentURL, c.Tencent},
		{SMSHost, nil, c.Tencent},
		{VoiceHost, nil, c.Tencent},
		{WeComHost, &c.WeComURL, wecomAPI},
		{DingTalkHost, &c.DingTalkURL, c.DingTalk},
		{FeishuHost, &c.FeishuURL, c.Feishu},
		{SlackHost, &c.SlackURL, c.Slack},
		{TelegramHost, &c.TelegramURL, c.Telegram},
		{WebhookHost, &c.WebhookURL, c.Webhook},
	}
}

// channel is a row of the table of channels.
type channel struct {
	// names are the names of the channel in a sender's configuration.
	names []string
	// provision creates the robots, applications and keys in a sender's settings; nil
	// if the channel needs none.
	provision func(provision.Decoder) error
	// onEntry sets the function that is called with every delivered message.
	onEntry func(func(inbox.Entry))
}

// channels returns the table of channels.
func (c *Cloud) channels() []channel {
	return []channel{
		{[]string{"wecom_robot"}, c.WeCom.Provision, onEntry(c.WeCom.OnMessage)},
		{[]string{"wecom_app", "wechat"}, c.WeComApps.Provision, onEntry(c.WeComApps.OnMessage)},
		{[]string{"dingtalk"}, c.DingTalk.Provision, onEntry(c.DingTalk.OnMessage)},
		{[]string{"feishu"}, c.Feishu.Provision, onEntry(c.Feishu.OnMessage)},
		{[]string{"slack"}, c.Slack.Provision, onEntry(c.Slack.OnMessage)},
		{[]string{"telegram"}, c.Telegram.Provision, onEntry(c.Telegram.OnMessage)},
		{[]string{"sms"}, c.Tencent.ProvisionSMS, onEntry(c.Tencent.SMS.OnMessage)},
		{[]string{"voice"}, c.Tencent.ProvisionVoice, onEntry(c.Tencent.Calls.OnMessage)},
		{[]string{"webhook"}, nil, onEntry(c.Webhook.OnMessage)},
		{[]string{"email"}, nil, onEntry(c.SMTP.OnMessage)},
	}
}

// onEntry adapts a server's callback to inbox entries.
func onEntry[M interface{ Entry() inbox.Entry }](onMessage func(func(M))) func(func(inbox.Entry)) {
	return func(add func(inbox.Entry)) { onMessage(func(m M) { add(m.Entry()) }) }
}

// Provision creates the robots, applications and keys in a sender's settings for the
// channel with the given name. An unknown channel is an error.
func (c *Cloud) Provision(name string, decode provision.Decoder) error {
	for _, ch := range c.channels() {
		if !slices.Contains(ch.names, name) {
			continue
		}
		if ch.provision == nil {
			return nil
		}
		return ch.provision(decode)
	}
	return fmt.Errorf("the local cloud has no channel %q", name)
}

// OnEntry sets the function that is called with every message that any channel
// delivers.
func (c *Cloud) OnEntry(add func(inbox.Entry)) {
	for _, ch := range c.channels() {
		ch.onEntry(add)
	}
}

func (c *Cloud) startMail(mail smtp.Config) (err error) {
	if mail.TLS, err = c.Network.ServerTLS(SMTPHost); err != nil {
		return err
	}
	c.SMTP = smtp.New(mail)
	implicit, err := c.Network.Listen(SMTPHost + ":465")
	if err != nil {
		return err
	}
	c.SMTPAddr = implicit.Addr().String()
	go c.SMTP.ServeTLS(implicit)
	starttls, err := c.Network.Listen(SMTPHost + ":587")
	if err != nil {
		return err
	}
	go c.SMTP.Serve(starttls)
	return nil
}

// Close stops every server.
func (c *Cloud) Close() {
	if c.SMTP != nil {
		c.SMTP.Close()
	}
	c.Network.Close()
	if c.Kafka != nil {
		c.Kafka.Close()
	}
}
