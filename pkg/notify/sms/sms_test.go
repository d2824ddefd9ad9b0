package sms

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/notify/phone"
)

// startCloud starts Tencent Cloud with one SMS application, changed by change.
func startCloud(t *testing.T, change func(*tencentcloud.SMSApp)) (*tencentcloud.Cloud, *notify.Env) {
	t.Helper()
	cloud, env := notifytest.StartTencentCloud(t, "sms.tencentcloudapi.com")
	app := tencentcloud.SMSApp{
		ID:    "1400006666",
		Signs: []string{"示例公司"},
		Templates: []tencentcloud.SMSTemplate{
			{ID: "1001", Text: "告警：{1}，级别 {2}，请处理。"},
			{ID: "1002", Text: "有新的告警，请处理。"},
			{ID: "1003", Text: "Alert: {1}, severity {2}.", International: true},
		},
		Balance:    1000,
		ParamLimit: 20,
	}
	if change != nil {
		change(&app)
	}
	cloud.AddSMSApp(app)
	return cloud, env
}

// newConfig returns a valid configuration for the application of startCloud.
func newConfig(to ...string) *Config {
	return &Config{SignName: "示例公司", Config: phone.Config{
		SdkAppID: "1400006666", TemplateID: "1001", To: to,
		Params:   []string{"{{ .CommonLabels.alertname }}", "{{ .CommonLabels.severity }}"},
		SecretID: notifytest.TencentSecretID, SecretKey: notifytest.TencentSecretKey,
	}}
}

// send delivers n and returns the outcomes by unit.
func send(t *testing.T, c *Config, env *notify.Env, n *alert.Notification) map[string]*notify.Error {
	t.Helper()
	return notifytest.Outcomes(t, t.Context(), notifytest.New(t, c, env), n, notifytest.TencentSecretKey)
}

func TestOneMessagePerNumber(t *testing.T) {
	cloud, env := startCloud(t, nil)
	// One number in four forms, and another one in an annotation.
	c := newConfig("+8613800000001, 008613800000001;8613800000001", "138 0000 0001", "{{ .CommonAnnotations.phones }}")
	notifytest.SendAll(t, notifytest.New(t, c, env), notifytest.PhoneNotification())
	inbox := cloud.SMS.Inbox()
	if len(inbox) != 2 || cloud.Count("SendSms") != 1 {
		t.Fatalf("got %d messages by %d calls, want 2 by 1", len(inbox), cloud.Count("SendSms"))
	}
	for _, m := range inbox {
		if want := "【示例公司】告警：磁盘将满，级别 critical，请处理。"; m.Text != want {
			t.Errorf("got %q, want %q", m.Text, want)
		}
	}
	if got, want := cloud.Requests()[0].Region, "ap-guangzhou"; got != want {
		t.Errorf("got region %q, want %q", got, want)
	}
}

func TestTemplateKinds(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"without variables": {func(c *Config) { c.TemplateID, c.Params = "1002", nil }, "【示例公司】有新的告警，请处理。"},
		"international": {func(c *Config) {
			c.To, c.TemplateID, c.SignName, c.Params[0] = []string{"+14155550100"}, "1003", "", "DiskFull"
		}, "Alert: DiskFull, severity critical."},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, env := startCloud(t, nil)
			c := newConfig("13800000001")
			tt.change(c)
			notifytest.SendAll(t, notifytest.New(t, c, env), notifytest.PhoneNotification())
			if got := cloud.SMS.Inbox()[0].Text; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNumbersAreSplitIntoCalls(t *testing.T) {
	cloud, env := startCloud(t, nil)
	var domestic []string
	for i := range 201 {
		domestic = append(domestic, fmt.Sprintf("+86138%08d", i))
	}
	international := []string{"+85290000000", "+14155550100"}
	c := newConfig(slices.Concat(domestic, international)...)
	messages := notifytest.Messages(t, notifytest.New(t, c, env), notifytest.PhoneNotification())
	var sizes []int
	for _, m := range messages {
		sizes = append(sizes, len(m.Units))
	}
	if !slices.Equal(sizes, []int{200, 1, 2}) || !slices.Equal(messages[2].Units, international) {
		t.Fatalf("got calls of %v numbers, the last to %q; want 200, 1 and the international ones", sizes, messages[2].Units)
	}
	outcomes := send(t, c, env, notifytest.PhoneNotification())
	if got := len(cloud.SMS.Inbox()); got != 201 {
		t.Errorf("got %d messages, want 201", got)
	}
	for _, number := range domestic {
		if outcomes[number] != nil {
			t.Errorf("got error %v for %s, want it accepted", outcomes[number], number)
		}
	}
	for _, number := range international {
		if e := outcomes[number]; e == nil || e.Class != notify.Permanent || e.Code != "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone" {
			t.Errorf("got error %v for %s, want the template rejected", e, number)
		}
	}
}

func TestOneRejectedNumberDoesNotAffectTheOthers(t *testing.T) {
	_, env := startCloud(t, func(a *tencentcloud.SMSApp) { a.Blacklist = []string{"+8613800000002"} })
	n := notifytest.PhoneNotification()
	n.Alerts[0].Annotations["list"] = "13800000001,13800000002,13800000003,ops@example.com"
	outcomes := send(t, newConfig("{{ .CommonAnnotations.list }}"), env, n)
	notifytest.CheckPermanentErrors(t, outcomes, map[string]string{
		"+8613800000001":  "",
		"+8613800000002":  "+86138****0002: SMS: the number is blacklisted",
		"+8613800000003":  "",
		"ops@example.com": `SMS: "ops@exa****.com" is not a phone number`,
	})
}

func TestUsedUpBalance(t *testing.T) {
	_, env := startCloud(t, func(a *tencentcloud.SMSApp) { a.Balance = 1 })
	outcomes := send(t, newConfig("13800000001", "13800000002"), env, notifytest.PhoneNotification())
	if e := outcomes["+8613800000001"]; e != nil {
		t.Errorf("got error %v for the first message, want it accepted", e)
	}
	if e := outcomes["+8613800000002"]; e == nil || e.Class != notify.Permanent || !strings.Contains(e.Message, "buy another") {
		t.Errorf("got error %v for the second message, want the balance used up", e)
	}
}

func TestSecondMessageWithin30Seconds(t *testing.T) {
	_, env := startCloud(t, nil)
	c := newConfig("13800000001")
	notifytest.SendAll(t, notifytest.New(t, c, env), notifytest.PhoneNotification())
	if e := send(t, c, env, notifytest.PhoneNotification())["+8613800000001"]; e == nil || e.Class != notify.Rate || e.RetryAfter != 30*time.Second {
		t.Errorf("got error %v, want a rate limit of 30 seconds", e)
	}
}

func TestTooLongValuesAreSentShorter(t *testing.T) {
	cloud, env := startCloud(t, func(a *tencentcloud.SMSApp) { a.ParamLimit = 6 })
	c := newConfig("13800000001")
	c.Params[0] = "订单消费积压告警 https://example.com/1"
	if e := send(t, c, env, notifytest.PhoneNotification())["+8613800000001"]; e == nil || e.Class != notify.TooLong {
		t.Fatalf("got error %v for long values, want them too long", e)
	}
	n := notifytest.PhoneNotification()
	n.HalfSize = true
	notifytest.SendAll(t, notifytest.New(t, c, env), n)
	if got, want := cloud.SMS.Inbox()[0].Text, "【示例公司】告警：订单消费积压，级别 critic，请处理。"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoRecipients(t *testing.T) {
	_, env := startCloud(t, nil)
	_, err := notifytest.New(t, newConfig("{{ .CommonAnnotations.none }}"), env).Messages(notifytest.PhoneNotification())
	if want := "there are no recipients"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want %q", err, want)
	}
}

func TestTarget(t *testing.T) {
	_, env := startCloud(t, nil)
	messages := notifytest.Messages(t, notifytest.New(t, newConfig("13800000001", "13800000002"), env), notifytest.PhoneNotification())
	if got, want := messages[0].Target, "+86138****0001 +1"; got != want {
		t.Errorf("got target %q, want %q", got, want)
	}
}

// The files are short enough to be written by hand, and were.
func TestGolden(t *testing.T) {
	lag := func(topic string) *alert.Alert {
		return &alert.Alert{Labels: alert.Labels{"alertname": "KafkaConsumerLag", "consumer_group": "order-worker-in-shanghai", "topic": topic}, StartsAt: notifytest.Ago(time.Minute)}
	}
	for name, n := range map[string]*alert.Notification{
		"lag-firing":         notifytest.Notification(lag("order-created"), lag("order-paid")),
		"lag-firing-shorter": notifytest.Notification(lag("order-created"), lag("order-paid")),
		"lag-resolved":       notifytest.Notification(notifytest.Resolved(lag("order-created"))...),
		"generic-firing":     notifytest.PhoneNotification(),
		"generic-resolved":   notifytest.Notification(notifytest.Resolved(notifytest.PhoneNotification().Alerts...)...),
	} {
		n.HalfSize = name == "lag-firing-shorter"
		for _, language := range []string{"zh", "en"} {
			t.Run(name+"."+language, func(t *testing.T) {
				_, env := startCloud(t, nil)
				env.Language = language
				c := newConfig("13800000001")
				c.Params = []string{"{{ .CommonLabels.alertname }}", "{{ .CommonLabels.consumer_group }}", "{{ .Status }} {{ .Alerts.Firing | len }}"}
				messages := notifytest.Messages(t, notifytest.New(t, c, env), n)
				want, err := os.ReadFile(filepath.Join("testdata", name+"."+language+".txt"))
				if err != nil {
					t.Fatal(err)
				}
				if len(messages) != 1 || messages[0].Text+"\n" != string(want) {
					t.Errorf("got %d messages, %q; want %q", len(messages), messages[0].Text, want)
				}
			})
		}
	}
}
