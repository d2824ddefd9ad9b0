// Package localcloud is the outside world on one machine: a Kafka, Tencent
// Cloud's API, WeCom's robots and a mail provider, each as strict as the real
// one and found under its real name. It knows nothing of Tocsin. Development
// and tests run on it.
package localcloud

import (
	"context"
	"fmt"
	"time"

	"tocsin/pkg/localcloud/kafka"
	"tocsin/pkg/localcloud/network"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/wecom"
)

// Names under which the servers are found on the Network.
const (
	CKafkaHost = "ckafka.tencentcloudapi.com"
	SMSHost    = "sms.tencentcloudapi.com"
	WeComHost  = "qyapi.weixin.qq.com"
	SMTPHost   = "smtp.exmail.qq.com"
)

// Cloud is a running local cloud.
type Cloud struct {
	Network *network.Network
	Kafka   *kafka.Kafka
	Tencent *tencentcloud.Cloud
	WeCom   *wecom.Server
	SMTP    *smtp.Server

	// TencentURL, WeComURL and SMTPAddr are where the servers are found without
	// the Network, by a program that trusts Network.CAPEM.
	TencentURL, WeComURL string
	SMTPAddr             string // implicit TLS
}

// Start starts a cloud without instances, keys and robots: they are added to
// the servers. topics are those of its Kafka, with their partitions; mail
// describes the mail provider, whose certificate is made here.
func Start(ctx context.Context, topics map[string]int32, mail smtp.Config) (*Cloud, error) {
	n, err := network.New()
	if err != nil {
		return nil, err
	}
	c := &Cloud{Network: n, Tencent: tencentcloud.New(time.Now), WeCom: wecom.New(time.Now)}
	if err := c.start(ctx, topics, mail); err != nil {
		c.Close()
		return nil, fmt.Errorf("start the local cloud: %w", err)
	}
	return c, nil
}

func (c *Cloud) start(ctx context.Context, topics map[string]int32, mail smtp.Config) (err error) {
	if c.Kafka, err = kafka.Start(ctx, topics); err != nil {
		return err
	}
	if _, err = c.Network.ServeHTTPS(SMSHost, c.Tencent); err != nil {
		return err
	}
	addr, err := c.Network.ServeHTTPS(CKafkaHost, c.Tencent)
	if err != nil {
		return err
	}
	c.TencentURL = "https://" + addr
	if addr, err = c.Network.ServeHTTPS(WeComHost, c.WeCom); err != nil {
		return err
	}
	c.WeComURL = "https://" + addr
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
