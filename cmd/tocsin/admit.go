package main

import (
	"fmt"
	"net/url"

	"tocsin/pkg/config"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/tencentcloud"
)

// admit makes everything that a configuration names exist in the local cloud:
// its keys, instances, robots and SMS templates. So a real configuration can be
// tried without anything real being touched.
func admit(cloud *localcloud.Cloud, cfg *config.Config, box *inbox.Inbox) error {
	cloud.WeCom.OnMessage(box.WeCom)
	cloud.Tencent.OnSMS(box.SMS)
	for _, c := range cfg.Lag.Clusters {
		if c.Kafka != nil {
			return fmt.Errorf("cluster %q: dev has no Kafka by that name; it takes clusters with ckafka", c.Name)
		}
		id, key := c.CKafka.SecretID, c.CKafka.SecretKey
		if id == "" {
			id, key = cfg.Global.TencentSecretID, cfg.Global.TencentSecretKey
		}
		cloud.Tencent.SetKey(id, tencentcloud.Key{Secret: string(key)})
		cloud.Tencent.AddInstance(tencentcloud.Instance{ID: c.CKafka.InstanceID, Region: c.CKafka.Region, Groups: cloud.Kafka})
	}
	for i := range cfg.Receivers {
		r := &cfg.Receivers[i]
		for _, robot := range r.WecomRobot {
			u, err := url.Parse(string(robot.URL))
			if err != nil {
				return fmt.Errorf("receiver %q: the robot's url is not one", r.Name)
			}
			cloud.WeCom.Add(u.Query().Get("key"))
		}
		for _, s := range r.SMS {
			cloud.Tencent.SetKey(s.SecretID, tencentcloud.Key{Secret: string(s.SecretKey)})
			cloud.Tencent.AddSMSApp(tencentcloud.SMSApp{
				ID: s.SdkAppID, Signs: []string{s.SignName}, Balance: 1000, ParamLimit: 20, PerDay: 1000,
				Templates: []tencentcloud.SMSTemplate{{ID: s.TemplateID, Text: smsTemplate(len(s.Params))}},
			})
		}
	}
	return nil
}

// smsTemplate makes up the text of a template with so many variables: what the
// real one says only its owner knows.
func smsTemplate(variables int) string {
	text := "告警通知"
	for i := range variables {
		text += fmt.Sprintf("，{%d}", i+1)
	}
	return text + "，请及时处理。"
}
