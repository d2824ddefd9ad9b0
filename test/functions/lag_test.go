package functions

import (
	"fmt"
	"os"
	"path/filepath"
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
store: {url: "bolt:<store>"}
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

// lagWorld is a local cloud with a Kafka in it, and the configuration of a lag
// function that watches it.
type lagWorld struct {
	t     *testing.T
	cloud *localcloud.Cloud
	env   map[string]string // of the function, without keys for the cloud API
}

func newLagWorld(t *testing.T) *lagWorld {
	t.Helper()
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{Topics: map[string]int32{"order-paid": 3}, Mail: smtp.Config{Username: "alerts@example.com", Password: "mail-password"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	cloud.WeCom.Add("robot-key")
	cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: cloud.Kafka})
	cloud.Tencent.AddSMSApp(tencentcloud.SMSApp{ID: "1400000000", Signs: []string{"示例公司"}, Balance: 10, ParamLimit: 20,
		Templates: []tencentcloud.SMSTemplate{{ID: "100", Text: "消费积压：{1}，请处理。"}}})

	dir := t.TempDir()
	text := strings.NewReplacer("<tencent>", cloud.TencentURL, "<wecom>", cloud.WeComURL, "<smtp>", cloud.SMTPAddr, "<store>", filepath.Join(dir, "state.db")).Replace(lagConfig)
	for name, content := range map[string]string{"tocsin.yaml": text, "ca.pem": string(cloud.Network.CAPEM())} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &lagWorld{t: t, cloud: cloud, env: map[string]string{
		"TOCSIN_CONFIG": filepath.Join(dir, "tocsin.yaml"), "SSL_CERT_FILE": filepath.Join(dir, "ca.pem"), "SSL_CERT_DIR": dir,
		"WECOM_KEY": "robot-key", "SMTP_PASSWORD": "mail-password",
	}}
}

// role gives the cloud API one more temporary key, and returns the variables by
// which SCF hands it to a function.
func (w *lagWorld) role(n int) map[string]string {
	id, secret, token := fmt.Sprintf("AKIDrole%d", n), fmt.Sprintf("role-secret-%d", n), fmt.Sprintf("role-token-%d", n)
	w.cloud.Tencent.SetKey(id, tencentcloud.Key{Secret: secret, Token: token})
	return map[string]string{"TENCENTCLOUD_SECRETID": id, "TENCENTCLOUD_SECRETKEY": secret, "TENCENTCLOUD_SESSIONTOKEN": token}
}

func (w *lagWorld) delivered() string {
	return fmt.Sprintf("%d robot, %d phone, %d mail", len(w.cloud.WeCom.Inbox()), len(w.cloud.Tencent.Inbox()), len(w.cloud.SMTP.Inbox()))
}

// The built lag function, driven by each platform's timer: a consumer on a real
// Kafka falls behind, and everybody is told once, also when the process is gone
// in between; it catches up, and those who want ends hear of it. On SCF the
// role's key changes with every event.
func TestLagFunction(t *testing.T) {
	for name, tags := range map[string]string{"lag-scf": forSCF, "lag-lambda": forLambda} {
		if err := build(name, tags, "../../functions/lag"); err != nil {
			t.Fatal(err)
		}
	}
	type process struct {
		invoke func(event int) ([]byte, error)
		end    func() (output string)
	}
	platforms := map[string]func(t *testing.T, w *lagWorld) process{
		"scf": func(t *testing.T, w *lagWorld) process {
			f, err := scf.StartGo1(t.Context(), scf.Options{Binary: binary("lag-scf"), Name: "lag", Env: w.env})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.Close)
			return process{
				func(event int) ([]byte, error) {
					return f.Invoke(t.Context(), scfTimer("minute"), scf.InvokeOptions{Environment: w.role(event)})
				},
				func() string { f.Close(); return f.Output() },
			}
		},
		"lambda": func(t *testing.T, w *lagWorld) process {
			// A Lambda function has no role at Tencent Cloud: its key is static.
			role := w.role(0)
			w.cloud.Tencent.SetKey(role["TENCENTCLOUD_SECRETID"], tencentcloud.Key{Secret: role["TENCENTCLOUD_SECRETKEY"]})
			w.env["TENCENT_SECRET_ID"], w.env["TENCENT_SECRET_KEY"] = role["TENCENTCLOUD_SECRETID"], role["TENCENTCLOUD_SECRETKEY"]
			f, err := lambda.Start(lambda.Options{Binary: binary("lag-lambda"), Name: "lag", Env: w.env})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.Close)
			return process{
				func(int) ([]byte, error) { return f.Invoke(t.Context(), scheduler("minute"), lambda.InvokeOptions{}) },
				func() string { f.Close(); return f.Output() },
			}
		},
	}
	for platform, start := range platforms {
		t.Run(platform, func(t *testing.T) {
			w := newLagWorld(t)
			consumer, err := w.cloud.Kafka.Consumer(t.Context(), "order-worker", "order-paid")
			if err != nil {
				t.Fatal(err)
			}
			defer consumer.Close()
			produce := func(n int) {
				if err := w.cloud.Kafka.Produce(t.Context(), "order-paid", n); err != nil {
					t.Fatal(err)
				}
			}
			consume := func(n int) {
				if got, err := consumer.Consume(t.Context(), n); err != nil || got != n {
					t.Fatalf("consumed %d of %d: %v", got, n, err)
				}
			}
			var outputs []string
			p, event := process{}, 0
			expect := func(answer, delivered string) {
				t.Helper()
				event++
				got, err := p.invoke(event)
				if err != nil || string(got) != answer {
					t.Fatalf("event %d: answered %s, %v; want %s\n%s", event, got, err, answer, p.end())
				}
				if got := w.delivered(); got != delivered {
					t.Fatalf("event %d: delivered %s, want %s", event, got, delivered)
				}
			}

			p = start(t, w)
			produce(3000)
			consume(1000) // 2,000 behind: at the threshold, not over it
			expect(`{"polled":1,"alerts":0,"sent":0,"pending":0}`, "0 robot, 0 phone, 0 mail")
			produce(1)
			expect(`{"polled":1,"alerts":1,"sent":3,"pending":0}`, "1 robot, 1 phone, 1 mail")
			expect(`{"polled":1,"alerts":1,"sent":0,"pending":0}`, "1 robot, 1 phone, 1 mail")
			outputs = append(outputs, p.end())

			p = start(t, w)
			expect(`{"polled":1,"alerts":1,"sent":0,"pending":0}`, "1 robot, 1 phone, 1 mail")
			consume(1)
			expect(`{"polled":1,"alerts":0,"sent":2,"pending":0}`, "2 robot, 1 phone, 2 mail")
			outputs = append(outputs, p.end())

			robot := w.cloud.WeCom.Inbox()
			for i, words := range [][]string{{"告警", "order-worker", "order-paid", "2,001", "2,000"}, {"恢复", "order-worker", "order-paid"}} {
				for _, word := range words {
					if !strings.Contains(robot[i].Content, word) {
						t.Errorf("message %d to the group lacks %q:\n%s", i+1, word, robot[i].Content)
					}
				}
			}
			if sms := w.cloud.Tencent.Inbox()[0].Text; sms != "【示例公司】消费积压：order-paid，请处理。" {
				t.Errorf("the phone shows %q", sms)
			}
			log := strings.Join(outputs, "")
			for _, secret := range []string{"robot-key", "mail-password", "role-secret", "role-token"} {
				if strings.Contains(log, secret) {
					t.Errorf("the log shows %q:\n%s", secret, log)
				}
			}
		})
	}
}
