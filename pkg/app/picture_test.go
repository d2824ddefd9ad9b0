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

// everyChannel configures all channels with the built-in texts, and those that take
// a template with one that prints all annotations.
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

// The encoded history of lag is for charts: no channel shows it except the body of
// Alertmanager's webhook, which programs read.
func TestHistoryIsNotShown(t *testing.T) {
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
				t.Errorf("%s of %s: got text %q and error %v, want a text", s.Channel, receiver, s.Text, s.Err)
			}
			messages[receiver]++
			has := strings.Contains(s.Text, "lag_history") || strings.Contains(s.Text, "1795187400")
			if want := receiver == "builtin" && s.Channel == "webhook/0"; has != want {
				t.Errorf("%s of %s: got history shown %v, want %v\n%s", s.Channel, receiver, has, want, s.Text)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// A message each, and the robots' pictures.
	if messages["builtin"] != 12 || messages["templated"] != 8 {
		t.Errorf("got %v messages, want 12 builtin and 8 templated", messages)
	}
}

// A notification about lag is followed by a picture in the chat group, and has it
// inline in mail; a resolved one has none.
func TestPicture(t *testing.T) {
	ta := newTestApp(t)
	for i := range 5 {
		ta.setLag(map[string]int64{"paid": int64(100 * i)})
		ta.poll(at(300 * i)) // the history of such a rule is kept every five minutes
	}
	if got := ta.counts(); got != "0 robot, 0 phone, 0 mail" {
		t.Fatalf("before the alert: got %s, want nothing", got)
	}
	ta.setLag(map[string]int64{"paid": 5000})
	ta.poll(at(1500))
	robot := ta.cloud.WeCom.Inbox()
	if len(robot) != 2 || robot[0].Type != "markdown" || robot[1].Type != "image" || !strings.HasPrefix(string(robot[1].Image), "\x89PNG") {
		t.Errorf("got %d messages in the group, want a text and an image: %.200v", len(robot), robot)
	}
	mail := ta.cloud.SMTP.Inbox()
	if len(mail) != 2 || len(mail[0].Inline) != 1 || len(mail[1].Inline) != 1 {
		t.Errorf("got %d mails, want 2 with one inline picture each", len(mail))
	}
	ta.setLag(map[string]int64{"paid": 0})
	ta.poll(at(1560))
	if got := ta.counts(); got != "3 robot, 1 phone, 2 mail" { // SMS and mail do not notify ends
		t.Errorf("resolved: got %s, want 3 robot, 1 phone, 2 mail", got)
	}
	if robot = ta.cloud.WeCom.Inbox(); robot[len(robot)-1].Type == "image" {
		t.Error("got a picture of the resolved alert, want none")
	}
}
