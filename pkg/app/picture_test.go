package app_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/app"
	"tocsin/pkg/config"
)

// everyChannel has all channels with the built-in texts, and those that take a
// template with one that prints all annotations.
const everyChannel = `
store: {url: "memory:"}
route: {receiver: builtin}
receivers:
  - name: builtin
    wecom_robot_configs: [{url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"}]
    wecom_app_configs: [{corp_id: ww0123456789abcdef, agent_id: "1", api_secret: s, to_user: u}]
    wechat_configs: [{corp_id: ww0123456789abcdef, agent_id: "1", api_secret: s, to_user: u, message_type: markdown}]
    dingtalk_configs: [{url: "https://oapi.dingtalk.com/robot/send?access_token=t"}, {url: "https://oapi.dingtalk.com/robot/send?access_token=t", type: text}]
    feishu_configs: [{url: "https://open.feishu.cn/open-apis/bot/v2/hook/h"}]
    sms_configs: [{sdk_app_id: "1400006666", sign_name: s, template_id: "1", params: ['{{ template "__text_alert_list" .Alerts.Firing }}'], param_max_length: 500, to: ["+8613800000000"], secret_id: i, secret_key: k}]
    voice_configs: [{sdk_app_id: "1400006666", template_id: "1", params: ['{{ template "__text_alert_list" .Alerts.Firing }}'], param_max_length: 500, to: ["+8613800000000"], secret_id: i, secret_key: k}]
    email_configs: [{to: a@example.com, from: b@example.com, smarthost: "smtp.example.com:465"}]
    slack_configs: [{api_url: "https://hooks.slack.com/services/T/B/x"}]
    webhook_configs: [{url: "https://hooks.example.com/a"}]
  - name: templated
    wecom_robot_configs: [{url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k", message: '{{ template "__text_alert_list" .Alerts.Firing }}'}]
    wecom_app_configs: [{corp_id: ww0123456789abcdef, agent_id: "1", api_secret: s, to_user: u, message: '{{ template "wechat.default.message" . }}'}]
    dingtalk_configs: [{url: "https://oapi.dingtalk.com/robot/send?access_token=t", message: '{{ template "__text_alert_list" .Alerts.Firing }}'}]
    feishu_configs: [{url: "https://open.feishu.cn/open-apis/bot/v2/hook/h", message: '{{ template "__text_alert_list" .Alerts.Firing }}'}]
    email_configs: [{to: a@example.com, from: b@example.com, smarthost: "smtp.example.com:465", text: '{{ template "__text_alert_list" .Alerts.Firing }}', html: '{{ template "email.default.html" . }}'}]
    slack_configs: [{api_url: "https://hooks.slack.com/services/T/B/x", text: '{{ template "__text_alert_list" .Alerts.Firing }}'}]
    webhook_configs: [{url: "https://hooks.example.com/a", payload: {text: '{{ template "__text_alert_list" .Alerts.Firing }}'}}]
`

// What pictures are drawn from is nothing to read: no channel shows it, and only
// the body of Alertmanager's webhook, which programs read, has it.
func TestHistoryIsNotSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(file, []byte(everyChannel), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(file, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	alerts := []*alert.Alert{{
		Labels:      alert.Labels{"alertname": "KafkaConsumerLag", "cluster": "orders", "consumer_group": "g", "topic": "t"},
		Annotations: alert.Labels{"lag": "9000", "threshold": "2000", "lag_history": "1795187400/60:0,400,900,,2500,9000", "summary": "shown"},
		StartsAt:    t0, UpdatedAt: t0,
	}}
	messages := map[string]int{}
	for _, receiver := range []string{"builtin", "templated"} {
		err := app.Render(t.Context(), cfg, app.Options{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return t0 }}, receiver, alerts, t0, func(s app.Sent) {
			if s.Err != nil || s.Text == "" {
				t.Errorf("%s of %s: %q, %v", s.Channel, receiver, s.Text, s.Err)
			}
			messages[receiver]++
			has := strings.Contains(s.Text, "lag_history") || strings.Contains(s.Text, "1795187400")
			if want := receiver == "builtin" && s.Channel == "webhook/0"; has != want {
				t.Errorf("%s of %s, want the history %v:\n%s", s.Channel, receiver, want, s.Text)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// A message each, and the robots' pictures.
	if messages["builtin"] != 12 || messages["templated"] != 8 {
		t.Errorf("%v messages", messages)
	}
}

// When a topic that was watched falls behind, the group gets the text and then its
// picture, and the mail has it inside.
func TestPicture(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.lag(map[string]int64{"paid": int64(100 * i)})
		w.run(at(300 * i)) // the history of such a rule is kept every five minutes
	}
	if got := w.counts(); got != "0 robot, 0 phone, 0 mail" {
		t.Fatalf("before: %s", got)
	}
	w.lag(map[string]int64{"paid": 5000})
	w.run(at(1500))
	robot := w.cloud.WeCom.Inbox()
	if len(robot) != 2 || robot[0].Type != "markdown" || robot[1].Type != "image" || !strings.HasPrefix(string(robot[1].Image), "\x89PNG") {
		t.Errorf("the group has %d messages: %.200v", len(robot), robot)
	}
	mail := w.cloud.SMTP.Inbox()
	if len(mail) != 2 || len(mail[0].Inline) != 1 || len(mail[1].Inline) != 1 {
		t.Errorf("%d mails", len(mail))
	}
	w.lag(map[string]int64{"paid": 0})
	w.run(at(1560))
	if got := w.counts(); got != "3 robot, 1 phone, 2 mail" { // phones and mail are not told that it is over
		t.Errorf("at the end: %s", got)
	}
	if robot = w.cloud.WeCom.Inbox(); robot[len(robot)-1].Type == "image" {
		t.Error("there is a picture of the end")
	}
}
