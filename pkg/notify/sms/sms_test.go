package sms

import (
	"context"
	"errors"
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
	"tocsin/pkg/setting"
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
	return &Config{
		SdkAppID: "1400006666", SignName: "示例公司", TemplateID: "1001", To: to,
		Params:   []string{"{{ .CommonLabels.alertname }}", "{{ .CommonLabels.severity }}"},
		SecretID: notifytest.TencentSecretID, SecretKey: notifytest.TencentSecretKey,
	}
}

func diskFull() *alert.Notification {
	at := time.Date(2026, 11, 20, 2, 30, 0, 0, time.UTC)
	return &alert.Notification{ID: "n1", At: at, Receiver: "on-call", Alerts: []*alert.Alert{{
		Labels:      alert.Labels{"alertname": "磁盘将满", "severity": "critical"},
		Annotations: alert.Labels{"tos": "13800000001; +8613800000002"},
		StartsAt:    at.Add(-time.Minute),
	}}}
}

func messages(t *testing.T, c *Config, env *notify.Env, n *alert.Notification) []notify.Message {
	t.Helper()
	var faults setting.Faults
	c.Validate(&faults)
	for _, fault := range faults.List() {
		t.Fatalf("%v: %s", fault.Path, fault.Message)
	}
	notifier, err := c.New(env, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := notifier.Messages(n)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// send delivers a notification and returns the outcomes by unit.
func send(ctx context.Context, t *testing.T, c *Config, env *notify.Env, n *alert.Notification) map[string]*notify.Error {
	t.Helper()
	out := map[string]*notify.Error{}
	for _, m := range messages(t, c, env, n) {
		var units []string
		for _, o := range m.Send(ctx) {
			units = append(units, o.Unit)
			var fault *notify.Error
			if o.Err != nil && !errors.As(o.Err, &fault) {
				t.Errorf("%s: %T is not a notify.Error", o.Unit, o.Err)
			}
			out[o.Unit] = fault
			if fault == nil {
				continue
			}
			for _, secret := range []string{notifytest.TencentSecretKey, notifytest.TencentSecretID, strings.TrimPrefix(o.Unit, "+86")} {
				if strings.Contains(fault.Error(), secret) {
					t.Errorf("%s is in the error: %v", secret, fault)
				}
			}
		}
		if !slices.Equal(units, m.Units) {
			t.Errorf("outcomes of %q, want those of %q", units, m.Units)
		}
	}
	return out
}

func delivered(t *testing.T, out map[string]*notify.Error, numbers ...string) {
	t.Helper()
	for _, number := range numbers {
		if fault, known := out[number]; !known || fault != nil {
			t.Errorf("%s: known %v, error %v; want it delivered", number, known, fault)
		}
	}
	if len(out) != len(numbers) {
		t.Errorf("%d units, want %d", len(out), len(numbers))
	}
}

func TestMessageArrives(t *testing.T) {
	cloud, env := startCloud(t, nil)
	// One number in four spellings, and one more in an annotation.
	c := newConfig("+8613800000001, 008613800000001;8613800000001", "138 0000 0001", "{{ .CommonAnnotations.tos }}")
	delivered(t, send(t.Context(), t, c, env, diskFull()), "+8613800000001", "+8613800000002")
	inbox := cloud.Inbox()
	if len(inbox) != 2 || cloud.Count("SendSms") != 1 {
		t.Fatalf("%d messages by %d calls, want 2 by 1", len(inbox), cloud.Count("SendSms"))
	}
	for _, m := range inbox {
		if want := "【示例公司】告警：磁盘将满，级别 critical，请处理。"; m.Text != want {
			t.Errorf("the phone shows %q, want %q", m.Text, want)
		}
	}
	if got := cloud.Requests()[0].Region; got != "ap-guangzhou" {
		t.Errorf("region %q, want ap-guangzhou", got)
	}
}

func TestTemplateWithoutVariables(t *testing.T) {
	cloud, env := startCloud(t, nil)
	c := newConfig("13800000001")
	c.TemplateID, c.Params = "1002", nil
	delivered(t, send(t.Context(), t, c, env, diskFull()), "+8613800000001")
	if got, want := cloud.Inbox()[0].Text, "【示例公司】有新的告警，请处理。"; got != want {
		t.Errorf("the phone shows %q, want %q", got, want)
	}
}

func TestNumbersAreSplitIntoCalls(t *testing.T) {
	cloud, env := startCloud(t, nil)
	var to, domestic []string
	for i := range 201 {
		domestic = append(domestic, fmt.Sprintf("+86138%08d", i))
	}
	to = append(append(to, domestic...), "+85290000000", "+14155550100")
	list := messages(t, newConfig(to...), env, diskFull())
	var sizes []int
	for _, m := range list {
		sizes = append(sizes, len(m.Units))
	}
	if !slices.Equal(sizes, []int{200, 1, 2}) {
		t.Fatalf("calls of %v numbers, want 200, 1 and 2", sizes)
	}
	if !slices.Equal(list[2].Units, []string{"+85290000000", "+14155550100"}) {
		t.Errorf("the last call is for %q", list[2].Units)
	}
	out := send(t.Context(), t, newConfig(to...), env, diskFull())
	if n := len(cloud.Inbox()); n != 201 {
		t.Errorf("%d messages arrived, want 201", n)
	}
	for _, number := range domestic {
		if out[number] != nil {
			t.Errorf("%s: %v", number, out[number])
		}
	}
	// The template is for mainland China only.
	for _, number := range list[2].Units {
		if f := out[number]; f == nil || f.Class != notify.Permanent || f.Code != "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone" {
			t.Errorf("%s: %v, want a permanent refusal of the template", number, f)
		}
	}
}

func TestInternationalTemplate(t *testing.T) {
	cloud, env := startCloud(t, nil)
	c := newConfig("+14155550100")
	c.TemplateID, c.SignName = "1003", ""
	c.Params[0] = "DiskFull"
	delivered(t, send(t.Context(), t, c, env, diskFull()), "+14155550100")
	if got, want := cloud.Inbox()[0].Text, "Alert: DiskFull, severity critical."; got != want {
		t.Errorf("the phone shows %q, want %q", got, want)
	}
}

func TestOneBadNumberAmongThree(t *testing.T) {
	_, env := startCloud(t, func(a *tencentcloud.SMSApp) { a.Blacklist = []string{"+8613800000002"} })
	c := newConfig("{{ .CommonAnnotations.list }}")
	n := diskFull()
	n.Alerts[0].Annotations["list"] = "13800000001,13800000002,13800000003,ops@example.com"
	out := send(t.Context(), t, c, env, n)
	blocked, unknown := out["+8613800000002"], out["ops@example.com"]
	delete(out, "+8613800000002")
	delete(out, "ops@example.com")
	delivered(t, out, "+8613800000001", "+8613800000003")
	if blocked == nil || blocked.Class != notify.Permanent || !strings.HasPrefix(blocked.Message, "+86138****0002: ") {
		t.Errorf("blacklisted number: %v", blocked)
	}
	if unknown == nil || unknown.Class != notify.Permanent || unknown.Ambiguous {
		t.Errorf("what is no number: %v", unknown)
	}
}

func TestBalance(t *testing.T) {
	_, env := startCloud(t, func(a *tencentcloud.SMSApp) { a.Balance = 1 })
	out := send(t.Context(), t, newConfig("13800000001", "13800000002"), env, diskFull())
	if out["+8613800000001"] != nil {
		t.Errorf("the first message: %v", out["+8613800000001"])
	}
	if f := out["+8613800000002"]; f == nil || f.Class != notify.Permanent || !strings.Contains(f.Message, "buy another") {
		t.Errorf("the second message: %v", f)
	}
}

func TestThirtySecondsBetweenMessages(t *testing.T) {
	_, env := startCloud(t, nil)
	c := newConfig("13800000001")
	delivered(t, send(t.Context(), t, c, env, diskFull()), "+8613800000001")
	f := send(t.Context(), t, c, env, diskFull())["+8613800000001"]
	if f == nil || f.Class != notify.Rate || f.RetryAfter != 30*time.Second {
		t.Errorf("the second message within 30 seconds: %v", f)
	}
}

func TestTooLongIsSaidShorter(t *testing.T) {
	cloud, env := startCloud(t, func(a *tencentcloud.SMSApp) { a.ParamLimit = 6 })
	c := newConfig("13800000001")
	c.Params[0] = "订单消费积压告警 https://example.com/1"
	f := send(t.Context(), t, c, env, diskFull())["+8613800000001"]
	if f == nil || f.Class != notify.TooLong {
		t.Fatalf("long values: %v, want too long", f)
	}
	n := diskFull()
	n.HalfSize = true
	delivered(t, send(t.Context(), t, c, env, n), "+8613800000001")
	if got, want := cloud.Inbox()[0].Text, "【示例公司】告警：订单消费积压，级别 critic，请处理。"; got != want {
		t.Errorf("the phone shows %q, want %q", got, want)
	}
}

func TestKeyOfTheFunctionsRole(t *testing.T) {
	cloud, env := startCloud(t, nil)
	cloud.SetKey("AKIDrole", tencentcloud.Key{Secret: "role-key", Token: "role-token"})
	c := newConfig("13800000001")
	c.SecretID, c.SecretKey = "", ""
	t.Setenv("TENCENTCLOUD_SECRETID", "AKIDrole")
	t.Setenv("TENCENTCLOUD_SECRETKEY", "role-key")
	t.Setenv("TENCENTCLOUD_SESSIONTOKEN", "role-token")
	delivered(t, send(t.Context(), t, c, env, diskFull()), "+8613800000001")
}

func TestNobodyToSendTo(t *testing.T) {
	_, env := startCloud(t, nil)
	notifier, err := newConfig("{{ .CommonAnnotations.nobody }}").New(env, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := notifier.Messages(diskFull()); err == nil {
		t.Error("no error")
	}
}

func TestTargetAndText(t *testing.T) {
	_, env := startCloud(t, nil)
	m := messages(t, newConfig("13800000001", "13800000002"), env, diskFull())[0]
	if m.Target != "+86138****0001 +1" {
		t.Errorf("target %q", m.Target)
	}
	if want := "【示例公司】模板 1001：磁盘将满, critical"; m.Text != want {
		t.Errorf("text %q, want %q", m.Text, want)
	}
}

// What the phone shows, as far as Tocsin knows it: the template's text is the
// vendor's. The files are short enough to be written by hand, and were.
func TestGolden(t *testing.T) {
	at := time.Date(2026, 11, 20, 2, 30, 0, 0, time.UTC)
	lag := func(topic string) *alert.Alert {
		return &alert.Alert{Labels: alert.Labels{"alertname": "KafkaConsumerLag", "consumer_group": "order-worker-in-shanghai", "topic": topic}, StartsAt: at.Add(-time.Minute)}
	}
	over := func(a *alert.Alert) *alert.Alert { a.EndsAt = at; return a }
	for name, n := range map[string]alert.Notification{
		"lag-firing":         {Alerts: []*alert.Alert{lag("order-created"), lag("order-paid")}},
		"lag-firing-shorter": {Alerts: []*alert.Alert{lag("order-created"), lag("order-paid")}, HalfSize: true},
		"lag-resolved":       {Alerts: []*alert.Alert{over(lag("order-created"))}},
		"generic-firing":     {Alerts: diskFull().Alerts},
		"generic-resolved":   {Alerts: []*alert.Alert{over(diskFull().Alerts[0])}},
	} {
		for _, language := range []string{"zh", "en"} {
			_, env := startCloud(t, nil)
			env.Language = language
			c := newConfig("13800000001")
			c.Params = []string{"{{ .CommonLabels.alertname }}", "{{ .CommonLabels.consumer_group }}", "{{ .Status }} {{ .Alerts.Firing | len }}"}
			n.ID, n.At = "n1", at
			m := messages(t, c, env, &n)
			want, err := os.ReadFile(filepath.Join("testdata", name+"."+language+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			if len(m) != 1 || m[0].Text+"\n" != string(want) {
				t.Errorf("%s in %s: %q, want %q", name, language, m[0].Text, want)
			}
		}
	}
}
