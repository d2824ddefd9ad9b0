package main

import (
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"tocsin/pkg/config"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/notify/wecomapp"
)

// admit makes everything that a configuration names exist in the local cloud:
// its keys, instances, robots, and the templates of SMS and voice. So a real
// configuration can be tried without anything real being touched. What a template
// will name is not known, and does not exist.
func admit(cloud *localcloud.Cloud, cfg *config.Config, box *inbox.Inbox) error {
	cloud.WeCom.OnMessage(box.AddWeCom)
	cloud.WeComApps.OnMessage(box.AddWeComApp)
	cloud.DingTalk.OnMessage(box.AddDingTalk)
	cloud.Feishu.OnMessage(box.AddFeishu)
	cloud.Slack.OnMessage(box.AddSlack)
	cloud.Webhook.OnMessage(box.AddWebhook)
	cloud.Tencent.OnSMS(box.AddSMS)
	cloud.Tencent.OnCall(box.AddVoiceCall)
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
		if err := admitReceiver(cloud, &cfg.Receivers[i]); err != nil {
			return fmt.Errorf("receiver %q: %w", cfg.Receivers[i].Name, err)
		}
	}
	return nil
}

func admitReceiver(cloud *localcloud.Cloud, r *config.Receiver) error {
	for _, robot := range r.WecomRobot {
		u, err := address(string(robot.URL))
		if err != nil {
			return err
		}
		cloud.WeCom.Add(u.Query().Get("key"))
	}
	for _, app := range r.WecomApp {
		if err := admitApp(cloud, &app); err != nil {
			return err
		}
	}
	for _, app := range r.Wechat {
		if err := admitApp(cloud, &app.Config); err != nil {
			return err
		}
	}
	for _, robot := range r.DingTalk {
		u, err := address(string(robot.URL))
		if err != nil {
			return err
		}
		cloud.DingTalk.Add(u.Query().Get("access_token"), dingtalk.Robot{Secret: string(robot.Secret)})
	}
	for _, robot := range r.Feishu {
		u, err := address(string(robot.URL))
		if err != nil {
			return err
		}
		cloud.Feishu.Add(feishu.Robot{Token: path.Base(u.Path), Secret: string(robot.Secret), Members: robot.At.OpenIDs, MentionAll: robot.At.All})
	}
	for _, hook := range r.Slack {
		u, err := address(string(hook.APIURL))
		if err != nil {
			return err
		}
		cloud.Slack.Add(strings.TrimPrefix(u.Path, "/services/"))
	}
	for _, s := range r.SMS {
		cloud.Tencent.SetKey(s.SecretID, tencentcloud.Key{Secret: string(s.SecretKey)})
		cloud.Tencent.AddSMSApp(tencentcloud.SMSApp{
			ID: s.SdkAppID, Signs: []string{s.SignName}, Balance: 1000, ParamLimit: 20, PerDay: 1000,
			Templates: []tencentcloud.SMSTemplate{{ID: s.TemplateID, Text: approved(len(s.Params))}},
		})
	}
	for _, v := range r.Voice {
		cloud.Tencent.SetKey(v.SecretID, tencentcloud.Key{Secret: string(v.SecretKey)})
		cloud.Tencent.AddVoiceApp(tencentcloud.VoiceApp{
			ID: v.SdkAppID, Balance: 1000, PerDay: 1000, PerNight: 1000,
			Templates: []tencentcloud.VoiceTemplate{{ID: v.TemplateID, Text: approved(len(v.Params))}},
		})
	}
	return nil
}

// address is the fixed part of an address that may end in a template.
func address(s string) (*url.URL, error) {
	s, _, _ = strings.Cut(s, "{{")
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("an address is not one") // it may hold a key
	}
	return u, nil
}

// admitApp makes an application and those whom it is written to by name.
func admitApp(cloud *localcloud.Cloud, c *wecomapp.Config) error {
	id, err := strconv.Atoi(c.AgentID)
	if err != nil {
		return fmt.Errorf("agent_id %q is not a number", c.AgentID)
	}
	ids := func(list string) []string { return strings.Split(list, "|") }
	cloud.WeComApps.Add(wecom.App{
		CorpID: c.CorpID, Secret: string(c.APISecret), AgentID: id,
		Users: ids(c.ToUser), Parties: ids(c.ToParty), Tags: ids(c.ToTag),
	})
	return nil
}

// approved makes up the text of a template with so many variables: what the real
// one says only its owner knows.
func approved(variables int) string {
	text := "告警通知"
	for i := range variables {
		text += fmt.Sprintf("，{%d}", i+1)
	}
	return text + "，请及时处理。"
}
