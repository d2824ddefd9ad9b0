package voice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

// startCloud starts Tencent Cloud with one voice application, changed by change.
// At night a number may be called as often as by day, whenever the tests run.
func startCloud(t *testing.T, change func(*tencentcloud.VoiceApp)) (*tencentcloud.Cloud, *notify.Env) {
	t.Helper()
	cloud, env := notifytest.StartTencentCloud(t, "vms.tencentcloudapi.com")
	app := tencentcloud.VoiceApp{
		ID: "1400006666", Balance: 100, PerNight: 100,
		Templates: []tencentcloud.VoiceTemplate{
			{ID: "1001", Text: "告警：{1}，级别 {2}，请处理。"},
			{ID: "1002", Text: "有新的告警，请处理。"},
			{ID: "1003", Text: strings.Repeat("长", 336) + "{1}，{2}。"},
		},
	}
	if change != nil {
		change(&app)
	}
	cloud.AddVoiceApp(app)
	return cloud, env
}

// newConfig returns a valid configuration for the application of startCloud.
func newConfig(to ...string) *Config {
	return &Config{
		SdkAppID: "1400006666", TemplateID: "1001", To: to,
		Params:   []string{"{{ .CommonLabels.alertname }}", "{{ .CommonLabels.severity }}"},
		SecretID: notifytest.TencentSecretID, SecretKey: notifytest.TencentSecretKey,
	}
}

func diskFull() *alert.Notification {
	at := time.Date(2026, 11, 20, 18, 30, 0, 0, time.UTC)
	return &alert.Notification{ID: "n1", At: at, Receiver: "on-call", Alerts: []*alert.Alert{{
		Labels:      alert.Labels{"alertname": "磁盘将满", "severity": "critical"},
		Annotations: alert.Labels{"phones": "13800000001; +8613800000002"},
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

// send delivers a notification and returns the outcomes by unit. Neither errors
// nor what operators are shown may hold a key, or a whole number.
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
			for _, secret := range []string{notifytest.TencentSecretKey, notifytest.TencentSecretID, strings.TrimPrefix(o.Unit, "+86")} {
				if shown := fmt.Sprint(m.Target, m.Text, fault); strings.Contains(shown, secret) {
					t.Errorf("%s is in %q", secret, shown)
				}
			}
		}
		if !slices.Equal(units, m.Units) {
			t.Errorf("outcomes of %q, want those of %q", units, m.Units)
		}
	}
	return out
}

func rang(t *testing.T, out map[string]*notify.Error, numbers ...string) {
	t.Helper()
	for _, number := range numbers {
		if fault, known := out[number]; !known || fault != nil {
			t.Errorf("%s: known %v, error %v; want it called", number, known, fault)
		}
	}
	if len(out) != len(numbers) {
		t.Errorf("%d units, want %d", len(out), len(numbers))
	}
}

func TestPhonesRing(t *testing.T) {
	cloud, env := startCloud(t, nil)
	// One number in four spellings, and one more in an annotation.
	c := newConfig("+8613800000001, 008613800000001;8613800000001", "138 0000 0001", "{{ .CommonAnnotations.phones }}")
	rang(t, send(t.Context(), t, c, env, diskFull()), "+8613800000001", "+8613800000002")
	calls := cloud.Calls()
	if len(calls) != 2 || cloud.Count("SendTtsVoice") != 2 {
		t.Fatalf("%d phones rang by %d requests, want 2 by 2", len(calls), cloud.Count("SendTtsVoice"))
	}
	for i, call := range calls {
		got := fmt.Sprint(call.Number, " ", call.Text, " ", call.PlayTimes, " ", call.SessionContext)
		if want := fmt.Sprintf("+861380000000%d 告警：磁盘将满，级别 critical，请处理。 2 n1", i+1); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := cloud.Requests()[0].Region; got != "ap-guangzhou" {
		t.Errorf("region %q, want ap-guangzhou", got)
	}
}

func TestWhatIsAsked(t *testing.T) {
	cloud, env := startCloud(t, nil)
	c := newConfig("13800000001")
	c.TemplateID, c.Params, c.PlayTimes, c.Region = "1002", nil, 3, "ap-beijing"
	n := diskFull()
	n.ID = strings.Repeat("1234567890", 60)
	rang(t, send(t.Context(), t, c, env, n), "+8613800000001")
	request, call := cloud.Requests()[0], cloud.Calls()[0]
	if call.Text != "有新的告警，请处理。" || call.PlayTimes != 3 || call.SessionContext != n.ID[:511] || request.Region != "ap-beijing" {
		t.Errorf("%s in %s", request.Body, request.Region)
	}
	for _, name := range []string{`"VoiceSdkAppid":"1400006666"`, `"CalledNumber":"+8613800000001"`} {
		if !strings.Contains(request.Body, name) {
			t.Errorf("%s is not in %s", name, request.Body)
		}
	}
}

// Whoever cannot be called keeps nobody else from it.
func TestOneOfManyIsRefused(t *testing.T) {
	cloud, env := startCloud(t, func(a *tencentcloud.VoiceApp) { a.Blacklist = []string{"+8613800000001"} })
	c := newConfig("{{ .CommonAnnotations.list }}")
	n := diskFull()
	n.Alerts[0].Annotations["list"] = "13800000001,+85290000000,ops@example.com,13800000002"
	out := send(t.Context(), t, c, env, n)
	for unit, want := range map[string]string{
		"+8613800000001":  "+86138****0001: voice: the number is blacklisted",
		"+85290000000":    "voice: +852****0000 is abroad: voice calls reach mainland China only",
		"ops@example.com": `voice: "ops@exa****.com" is not a phone number`,
	} {
		if f := out[unit]; f == nil || f.Class != notify.Permanent || f.Ambiguous || !strings.HasPrefix(f.Message, want) {
			t.Errorf("%s: %v, want %s", unit, f, want)
		}
		delete(out, unit)
	}
	rang(t, out, "+8613800000002")
	if cloud.Count("") != 2 {
		t.Errorf("%d requests, want none for who is abroad", cloud.Count(""))
	}
}

// The limits of a number: what passes within minutes is waited for, what lasts
// for hours is not.
func TestLimitsOfANumber(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit func(*tencentcloud.VoiceApp)
		calls int // that are made before
		class notify.Class
		after time.Duration
	}{
		{"one in 30 seconds", func(*tencentcloud.VoiceApp) {}, 1, notify.Rate, 30 * time.Second},
		{"two in 10 minutes", func(a *tencentcloud.VoiceApp) { a.PerHalfMinute = 9 }, 2, notify.Rate, 10 * time.Minute},
		{"three a day", func(a *tencentcloud.VoiceApp) { a.PerHalfMinute, a.PerTenMinutes = 9, 9 }, 3, notify.Permanent, 0},
		{"an empty package", func(a *tencentcloud.VoiceApp) { a.Balance = 1 }, 1, notify.Permanent, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud, env := startCloud(t, tt.limit)
			for range tt.calls {
				rang(t, send(t.Context(), t, newConfig("13800000001"), env, diskFull()), "+8613800000001")
			}
			f := send(t.Context(), t, newConfig("13800000001"), env, diskFull())["+8613800000001"]
			if f == nil || f.Class != tt.class || f.RetryAfter != tt.after || f.Ambiguous {
				t.Errorf("%+v, want class %v after %v", f, tt.class, tt.after)
			}
			if n := len(cloud.Calls()); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
		})
	}
}

func TestTooLongIsSaidShorter(t *testing.T) {
	cloud, env := startCloud(t, nil)
	c := newConfig("13800000001")
	c.TemplateID = "1003" // 338 characters without its variables
	c.Params[0] = "订单 10.0.0.5 消费积压 https://example.com/1"
	f := send(t.Context(), t, c, env, diskFull())["+8613800000001"]
	if f == nil || f.Class != notify.TooLong {
		t.Fatalf("long values: %v, want too long", f)
	}
	n := diskFull()
	n.HalfSize = true
	rang(t, send(t.Context(), t, c, env, n), "+8613800000001")
	if got, want := cloud.Calls()[0].Text, strings.Repeat("长", 336)+"订单 10_，critic。"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}

func TestNobodyToCall(t *testing.T) {
	_, env := startCloud(t, nil)
	for to, want := range map[string]string{
		"{{ .CommonAnnotations.nobody }}":                                             "nobody to send to",
		"{{ range .Alerts }}{{ .Annotations.many }}{{ end }}":                         "more than the 100 phone numbers",
		"{{ (index .Alerts 7).Annotations.x }}{{/* fails once there is an alert */}}": "to: 0: ",
	} {
		notifier, err := newConfig(to).New(env, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := diskFull()
		for i := range 101 {
			n.Alerts[0].Annotations["many"] += fmt.Sprintf("138%08d,", i)
		}
		if _, err := notifier.Messages(n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", to, err, want)
		}
	}
}

// What is shown of a call, written by hand.
func TestPreview(t *testing.T) {
	_, env := startCloud(t, nil)
	for _, tt := range []struct {
		language, want string
		change         func(*Config)
	}{
		{"zh", "模板 1001：磁盘将满, critical（播放 2 遍）", func(*Config) {}},
		{"en", "template 1001: 磁盘将满, critical (played ×2)", func(*Config) {}},
		{"zh", "模板 1002（播放 1 遍）", func(c *Config) { c.TemplateID, c.Params, c.PlayTimes = "1002", nil, 1 }},
		{"en", "template 1002 (played ×3)", func(c *Config) { c.TemplateID, c.Params, c.PlayTimes = "1002", nil, 3 }},
	} {
		env.Language = tt.language
		c := newConfig("13800000001", "13800000002")
		tt.change(c)
		list := messages(t, c, env, diskFull())
		if len(list) != 1 || list[0].Text != tt.want || list[0].Target != "+86138****0001 +1" {
			t.Errorf("%d messages, %q to %s; want %q", len(list), list[0].Text, list[0].Target, tt.want)
		}
	}
}

// The first call hangs until the time is over: what came of it is not known. The
// second was not begun, and may be tried again.
func TestTimeIsOver(t *testing.T) {
	cloud, env := startCloud(t, nil)
	cloud.Inject(tencentcloud.Fault{Do: fault.Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	out := send(ctx, t, newConfig("13800000001", "13800000002"), env, diskFull())
	for number, ambiguous := range map[string]bool{"+8613800000001": true, "+8613800000002": false} {
		if f := out[number]; f == nil || f.Class != notify.Retry || f.Ambiguous != ambiguous {
			t.Errorf("%s: %+v, want it ambiguous: %v", number, f, ambiguous)
		}
	}
	if cloud.Count("") != 1 {
		t.Errorf("%d requests, want 1", cloud.Count(""))
	}
}

func TestOtherErrorsPass(t *testing.T) {
	f := callError(errors.New("about 13800000001"), "+8613800000001")
	if want := "+86138****0001: voice: about 138****0001"; f.Class != notify.Retry || f.Error() != want {
		t.Errorf("%v %q, want %q", f.Class, f.Error(), want)
	}
}

func TestKeyWithoutPermission(t *testing.T) {
	cloud, env := startCloud(t, nil)
	cloud.SetKey(notifytest.TencentSecretID, tencentcloud.Key{Secret: notifytest.TencentSecretKey, Deny: []string{"vms:SendTtsVoice"}})
	f := send(t.Context(), t, newConfig("13800000001"), env, diskFull())["+8613800000001"]
	if f == nil || f.Class != notify.Permanent || !strings.Contains(f.Message, "vms:SendTtsVoice: allow it in CAM") {
		t.Errorf("got %v, want an error about the missing permission", f)
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
	rang(t, send(t.Context(), t, c, env, diskFull()), "+8613800000001")
}
