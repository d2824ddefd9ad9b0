package functions

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
)

const lagConfig = `
global:
  tencent_secret_id: ${TENCENT_SECRET_ID:-}
  tencent_secret_key: ${TENCENT_SECRET_KEY:-}
  smtp_smarthost: <smtp>
  smtp_force_implicit_tls: true
  smtp_from: alerts@example.com
  smtp_auth_username: alerts@example.com
  smtp_auth_password: ${SMTP_PASSWORD}
store: {url: "bolt:<dir>/state.db"}
lag:
  clusters: [{name: orders, ckafka: {instance_id: ckafka-1, region: ap-guangzhou, endpoint: "<tencent>"}}]
  rules: [{alert: KafkaConsumerLag, max_lag: 2000}]
route: {receiver: ops, group_by: [alertname, cluster, consumer_group], group_wait: 0s, group_interval: 1ms}
receivers:
  - name: ops
    wecom_robot_configs: [{url: "<wecom>/cgi-bin/webhook/send?key=${WECOM_KEY}"}]
    sms_configs: [{sdk_app_id: "1400000000", sign_name: 示例公司, template_id: "100", params: ["{{ .CommonLabels.topic }}"], to: ["+8613800000000"], endpoint: "<tencent>"}]
    email_configs: [{to: ops@example.com, send_resolved: true}]
`

// lagSetup is a local cloud with a Kafka cluster, and the environment variables
// of a lag function that reads it.
type lagSetup struct {
	t     *testing.T
	cloud *localcloud.Cloud
	env   map[string]string // without credentials for the cloud API
}

func newLagSetup(t *testing.T) *lagSetup {
	t.Helper()
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{Topics: map[string]int32{"order-paid": 3}, Mail: smtp.Config{Username: "alerts@example.com", Password: "mail-password"}})
	must(t, err)
	t.Cleanup(cloud.Close)
	cloud.WeCom.Add("robot-key")
	cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: cloud.Kafka})
	cloud.Tencent.AddSMSApp(tencentcloud.SMSApp{ID: "1400000000", Signs: []string{"示例公司"}, Balance: 10, ParamLimit: 20,
		Templates: []tencentcloud.SMSTemplate{{ID: "100", Text: "消费积压：{1}，请处理。"}}})

	_, env := writeConfig(t, cloud, lagConfig, map[string]string{"WECOM_KEY": "robot-key", "SMTP_PASSWORD": "mail-password"},
		"<tencent>", cloud.TencentURL, "<wecom>", cloud.WeComURL, "<smtp>", cloud.SMTPAddr)
	return &lagSetup{t: t, cloud: cloud, env: env}
}

// addRole adds temporary credentials to the cloud API, and returns the
// environment variables with which SCF sends them to a function.
func (s *lagSetup) addRole(n int) map[string]string {
	id, secret, token := fmt.Sprintf("AKIDrole%d", n), fmt.Sprintf("role-secret-%d", n), fmt.Sprintf("role-token-%d", n)
	s.cloud.Tencent.SetKey(id, tencentcloud.Key{Secret: secret, Token: token})
	return map[string]string{"TENCENTCLOUD_SECRETID": id, "TENCENTCLOUD_SECRETKEY": secret, "TENCENTCLOUD_SESSIONTOKEN": token}
}

// deliveries returns how many messages each channel has received.
func (s *lagSetup) deliveries() string {
	return fmt.Sprintf("%d robot, %d phone, %d mail", len(s.cloud.WeCom.Inbox()), len(s.cloud.Tencent.SMS.Inbox()), len(s.cloud.SMTP.Inbox()))
}

// TestLagFunction runs the lag function with each platform's timer. It checks that
// receivers are notified once when a consumer falls behind, even if the process is
// replaced, and that those with send_resolved are notified when it has caught up. On SCF,
// each event has other credentials.
func TestLagFunction(t *testing.T) {
	mustBuild(t, "lag", "../../functions/lag")
	type process struct {
		invoke func(event int) ([]byte, error)
		end    func() (output string)
	}
	platforms := map[string]func(t *testing.T, s *lagSetup) process{
		"scf": func(t *testing.T, s *lagSetup) process {
			f := startGo1(t, "lag-scf", "lag", s.env)
			return process{
				func(event int) ([]byte, error) {
					return f.Invoke(t.Context(), scfTimerEvent("minute"), scf.InvokeOptions{Environment: s.addRole(event)})
				},
				func() string { f.Close(); return f.Output() },
			}
		},
		"lambda": func(t *testing.T, s *lagSetup) process {
			// A Lambda function has no role at Tencent Cloud and uses a static
			// key.
			role := s.addRole(0)
			s.cloud.Tencent.SetKey(role["TENCENTCLOUD_SECRETID"], tencentcloud.Key{Secret: role["TENCENTCLOUD_SECRETKEY"]})
			s.env["TENCENT_SECRET_ID"], s.env["TENCENT_SECRET_KEY"] = role["TENCENTCLOUD_SECRETID"], role["TENCENTCLOUD_SECRETKEY"]
			f := startLambda(t, "lag-lambda", "lag", s.env)
			return process{
				func(int) ([]byte, error) {
					return f.Invoke(t.Context(), schedulerEvent("minute"), lambda.InvokeOptions{})
				},
				func() string { f.Close(); return f.Output() },
			}
		},
	}
	for platform, start := range platforms {
		t.Run(platform, func(t *testing.T) {
			s := newLagSetup(t)
			consumer, err := s.cloud.Kafka.Consumer(t.Context(), "order-worker", "order-paid")
			must(t, err)
			defer consumer.Close()
			produce := func(n int) { must(t, s.cloud.Kafka.Produce(t.Context(), "order-paid", n)) }
			consume := func(n int) {
				if got, err := consumer.Consume(t.Context(), n); err != nil || got != n {
					t.Fatalf("Consume: got %d, error %v; want %d", got, err, n)
				}
			}
			var outputs []string
			p, event := process{}, 0
			expect := func(result, deliveries string) {
				t.Helper()
				event++
				got, err := p.invoke(event)
				if err != nil || string(got) != result {
					t.Fatalf("event %d: got result %s, error %v; want %s\n%s", event, got, err, result, p.end())
				}
				if got := s.deliveries(); got != deliveries {
					t.Fatalf("event %d: got deliveries %s, want %s", event, got, deliveries)
				}
			}

			p = start(t, s)
			produce(3000)
			consume(1000) // a lag of 2,000 is at the threshold, not over it
			expect(`{"polled":1,"alerts":0,"sent":0,"pending":0}`, "0 robot, 0 phone, 0 mail")
			produce(1)
			expect(`{"polled":1,"alerts":1,"sent":3,"pending":0}`, "1 robot, 1 phone, 1 mail")
			expect(`{"polled":1,"alerts":1,"sent":0,"pending":0}`, "1 robot, 1 phone, 1 mail")
			outputs = append(outputs, p.end())

			p = start(t, s)
			expect(`{"polled":1,"alerts":1,"sent":0,"pending":0}`, "1 robot, 1 phone, 1 mail")
			consume(1)
			expect(`{"polled":1,"alerts":0,"sent":2,"pending":0}`, "2 robot, 1 phone, 2 mail")
			outputs = append(outputs, p.end())

			robot := s.cloud.WeCom.Inbox()
			for i, words := range [][]string{{"告警", "order-worker", "order-paid", "2,001", "2,000"}, {"恢复", "order-worker", "order-paid"}} {
				for _, word := range words {
					if !strings.Contains(robot[i].Content, word) {
						t.Errorf("robot message %d: got\n%s\nwant it to contain %q", i+1, robot[i].Content, word)
					}
				}
			}
			if sms := s.cloud.Tencent.SMS.Inbox()[0].Text; sms != "【示例公司】消费积压：order-paid，请处理。" {
				t.Errorf("SMS: got %q, want the template with the topic", sms)
			}
			log := strings.Join(outputs, "")
			for _, secret := range []string{"robot-key", "mail-password", "role-secret", "role-token"} {
				if strings.Contains(log, secret) {
					t.Errorf("log: got\n%s\nwant no secret %q", log, secret)
				}
			}
		})
	}
}
