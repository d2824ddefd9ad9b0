// Package localcloud is the outside world on one machine: a Kafka, Tencent
// Cloud's API, WeCom, DingTalk, Feishu, Slack and a mail provider, each as strict
// as the real one and found under its real name, and somebody's server that takes
// webhooks. It knows nothing of Tocsin. Development
// and tests run on it.
package localcloud

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/localcloud/kafka"
	"tocsin/pkg/localcloud/network"
	"tocsin/pkg/localcloud/slack"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/webhook"
	"tocsin/pkg/localcloud/wecom"
)

// Names under which the servers are found on the Network.
const (
	CKafkaHost   = "ckafka.tencentcloudapi.com"
	SMSHost      = "sms.tencentcloudapi.com"
	VoiceHost    = "vms.tencentcloudapi.com"
	WeComHost    = "qyapi.weixin.qq.com"
	DingTalkHost = "oapi.dingtalk.com"
	FeishuHost   = "open.feishu.cn"
	SlackHost    = "hooks.slack.com"
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
	Webhook   *webhook.Server
	SMTP      *smtp.Server

	// Where the servers are found without the Network, by a program that trusts
	// Network.CAPEM.
	TencentURL, WeComURL, DingTalkURL, FeishuURL, SlackURL, WebhookURL string
	SMTPAddr                                                           string // implicit TLS
}

// Options are what a cloud is started with.
type Options struct {
	// Topics are those of its Kafka, with their partitions.
	Topics map[string]int32
	// Mail describes the mail provider, whose certificate is made here.
	Mail smtp.Config
	// Now is the clock of all servers but Kafka; default time.Now.
	Now func() time.Time
}

// Start starts a cloud without instances, keys and robots: they are added to
// the servers.
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
		DingTalk: dingtalk.New(now), Feishu: feishu.New(now), Slack: slack.New(now), Webhook: webhook.New(now),
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
	wecomAPI := http.NewServeMux()
	wecomAPI.Handle("/", c.WeCom)
	wecomAPI.Handle(wecom.TokenPath, c.WeComApps)
	wecomAPI.Handle(wecom.SendPath, c.WeComApps)
	unused := ""
	for _, s := range []struct {
		host string
		at   *string
		h    http.Handler
	}{
		{SMSHost, &unused, c.Tencent}, {VoiceHost, &unused, c.Tencent}, {CKafkaHost, &c.TencentURL, c.Tencent},
		{WeComHost, &c.WeComURL, wecomAPI}, {DingTalkHost, &c.DingTalkURL, c.DingTalk}, {FeishuHost, &c.FeishuURL, c.Feishu},
		{SlackHost, &c.SlackURL, c.Slack}, {WebhookHost, &c.WebhookURL, c.Webhook},
	} {
		addr, err := c.Network.ServeHTTPS(s.host, s.h)
		if err != nil {
			return err
		}
		*s.at = "https://" + addr
	}
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
