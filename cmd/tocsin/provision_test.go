package main

import (
	"slices"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/inbox"
)

// Every channel of a configuration works on the local cloud that was provisioned from
// it, and its messages reach the inbox.
func TestProvisionFakes(t *testing.T) {
	const text = `
global: {tencent_secret_id: AKID1, tencent_secret_key: k1}
route: {receiver: ops}
receivers:
  - name: ops
    wecom_robot_configs: [{url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k1"}]
    wecom_app_configs: [{corp_id: ww1, agent_id: "2", api_secret: s1, to_user: u1}]
    wechat_configs: [{corp_id: ww1, agent_id: "3", api_secret: s2, to_party: "1"}]
    dingtalk_configs: [{url: "https://oapi.dingtalk.com/robot/send?access_token=t1", secret: SEC1}]
    feishu_configs: [{url: "https://open.feishu.cn/open-apis/bot/v2/hook/t1", secret: s1, at: {open_ids: [ou_1], all: true}}]
    slack_configs: [{api_url: "https://hooks.slack.com/services/T1/B1/x"}]
    telegram_configs: [{bot_token: "1:a", chat_id: -5, message_thread_id: 7}]
    sms_configs: [{sdk_app_id: "1400", sign_name: 示例, template_id: "1", params: [x], to: ["13800000000"]}]
    voice_configs: [{sdk_app_id: "1400", template_id: "1", params: [x], to: ["13800000000"]}]
    webhook_configs: [{url: "https://hooks.example.com/x"}]
    email_configs: [{to: a@example.com, from: b@example.com, smarthost: "smtp.exmail.qq.com:465", auth_username: b@example.com, auth_password: p}]
`
	cfg, _, err := config.Parse("tocsin.yaml", []byte(text), lookupIn(nil))
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{Mail: mailProvider(cfg)})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	var mu sync.Mutex
	var got []string
	cloud.OnEntry(func(e inbox.Entry) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, e.Channel)
	})
	if err := provisionFakes(cloud, cfg); err != nil {
		t.Fatal(err)
	}
	o := app.Options{
		Transport: app.Transport{Dial: cloud.Network.DialContext, RootCAs: cloud.Network.RootCAs()},
		Lookup:    lookupIn(nil), Now: time.Now,
	}
	sent := 0
	err = app.SendTest(t.Context(), cfg, o, "ops", time.Now(), func(m api.TestMessage) {
		if sent++; m.Error != "" {
			t.Errorf("%s: got %s", m.Channel, m.Error)
		}
		for _, outcome := range m.Outcomes {
			if outcome.Error != "" {
				t.Errorf("%s: got %s, want it accepted", m.Channel, outcome.Error)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	entries := len(cfg.Receivers[0].Integrations())
	slices.Sort(got)
	want := []string{"Call", "DingTalk group", "Feishu group", "Mail", "SMS", "Slack", "Telegram", "WeCom application", "WeCom application", "WeCom group", "Webhook"}
	if sent != entries || !slices.Equal(got, want) {
		t.Errorf("got %d messages for %d entries, delivered by %q; want %q", sent, entries, got, want)
	}
}
