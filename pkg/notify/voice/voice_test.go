package voice

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/notify/phone"
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
	return &Config{Config: phone.Config{
		SdkAppID: "1400006666", TemplateID: "1001", To: to,
		Params:   []string{"{{ .CommonLabels.alertname }}", "{{ .CommonLabels.severity }}"},
		SecretID: notifytest.TencentSecretID, SecretKey: notifytest.TencentSecretKey,
	}}
}

// send delivers n and returns the outcomes by unit.
func send(ctx context.Context, t *testing.T, c *Config, env *notify.Env, n *alert.Notification) map[string]*notify.Error {
	t.Helper()
	return notifytest.Outcomes(t, ctx, notifytest.New(t, c, env), n, notifytest.TencentSecretKey, notifytest.TencentSecretID, "13800000001")
}

func TestOneCallPerNumber(t *testing.T) {
	cloud, env := startCloud(t, nil)
	// One number in four forms, and another one in an annotation.
	c := newConfig("+8613800000001, 008613800000001;8613800000001", "138 0000 0001", "{{ .CommonAnnotations.phones }}")
	notifytest.SendAll(t, notifytest.New(t, c, env), notifytest.PhoneNotification())
	calls := cloud.Calls.Inbox()
	if len(calls) != 2 || cloud.Count("SendTtsVoice") != 2 {
		t.Fatalf("got %d calls by %d requests, want 2 by 2", len(calls), cloud.Count("SendTtsVoice"))
	}
	for i, call := range calls {
		got := fmt.Sprint(call.Number, " ", call.Text, " ", call.PlayTimes, " ", call.SessionContext)
		if want := fmt.Sprintf("+861380000000%d 告警：磁盘将满，级别 critical，请处理。 2 1", i+1); got != want {
			t.Errorf("got call %q, want %q", got, want)
		}
	}
	if got, want := cloud.Requests()[0].Region, "ap-guangzhou"; got != want {
		t.Errorf("got region %q, want %q", got, want)
	}
}

func TestRequest(t *testing.T) {
	cloud, env := startCloud(t, nil)
	c := newConfig("13800000001")
	c.TemplateID, c.Params, c.PlayTimes, c.Region = "1002", nil, 3, "ap-beijing"
	n := notifytest.PhoneNotification()
	n.ID = strings.Repeat("1234567890", 60)
	notifytest.SendAll(t, notifytest.New(t, c, env), n)
	request, call := cloud.Requests()[0], cloud.Calls.Inbox()[0]
	if call.Text != "有新的告警，请处理。" || call.PlayTimes != 3 || call.SessionContext != n.ID[:511] || request.Region != "ap-beijing" {
		t.Errorf("got request %s in %s", request.Body, request.Region)
	}
	for _, want := range []string{`"VoiceSdkAppid":"1400006666"`, `"CalledNumber":"+8613800000001"`} {
		if !strings.Contains(request.Body, want) {
			t.Errorf("got request %s, want %s in it", request.Body, want)
		}
	}
}

func TestOneRejectedNumberDoesNotPreventTheOtherCalls(t *testing.T) {
	cloud, env := startCloud(t, func(a *tencentcloud.VoiceApp) { a.Blacklist = []string{"+8613800000001"} })
	n := notifytest.PhoneNotification()
	n.Alerts[0].Annotations["list"] = "13800000001,+85290000000,ops@example.com,13800000002"
	outcomes := send(t.Context(), t, newConfig("{{ .CommonAnnotations.list }}"), env, n)
	notifytest.CheckPermanentErrors(t, outcomes, map[string]string{
		"+8613800000001":  "+86138****0001: voice: the number is blacklisted",
		"+85290000000":    "voice: +852****0000 is abroad: voice calls reach mainland China only",
		"ops@example.com": `voice: "ops@exa****.com" is not a phone number`,
		"+8613800000002":  "",
	})
	if got := cloud.Count(""); got != 2 {
		t.Errorf("got %d requests, want 2: none for the foreign number", got)
	}
}

// The vendor's limits of a number: short ones are waited for, long ones are
// permanent.
func TestLimitsOfANumber(t *testing.T) {
	for _, tt := range []struct {
		name       string
		limit      func(*tencentcloud.VoiceApp)
		calls      int // that are made before
		class      notify.Class
		retryAfter time.Duration
	}{
		{"one in 30 seconds", func(*tencentcloud.VoiceApp) {}, 1, notify.Rate, 30 * time.Second},
		{"two in 10 minutes", func(a *tencentcloud.VoiceApp) { a.PerHalfMinute = 9 }, 2, notify.Rate, 10 * time.Minute},
		{"three a day", func(a *tencentcloud.VoiceApp) { a.PerHalfMinute, a.PerTenMinutes = 9, 9 }, 3, notify.Permanent, 0},
		{"used up balance", func(a *tencentcloud.VoiceApp) { a.Balance = 1 }, 1, notify.Permanent, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud, env := startCloud(t, tt.limit)
			c := newConfig("13800000001")
			for range tt.calls {
				notifytest.SendAll(t, notifytest.New(t, c, env), notifytest.PhoneNotification())
			}
			e := send(t.Context(), t, c, env, notifytest.PhoneNotification())["+8613800000001"]
			if e == nil || e.Class != tt.class || e.RetryAfter != tt.retryAfter || e.Ambiguous {
				t.Errorf("got error %+v, want class %q after %v", e, tt.class, tt.retryAfter)
			}
			if got := len(cloud.Calls.Inbox()); got != tt.calls {
				t.Errorf("got %d calls, want %d", got, tt.calls)
			}
		})
	}
}

func TestTooLongValuesAreSentShorter(t *testing.T) {
	cloud, env := startCloud(t, nil)
	c := newConfig("13800000001")
	c.TemplateID = "1003" // 338 characters without its variables
	c.Params[0] = "订单 10.0.0.5 消费积压 https://example.com/1"
	if e := send(t.Context(), t, c, env, notifytest.PhoneNotification())["+8613800000001"]; e == nil || e.Class != notify.TooLong {
		t.Fatalf("got error %v for long values, want them too long", e)
	}
	n := notifytest.PhoneNotification()
	n.HalfSize = true
	notifytest.SendAll(t, notifytest.New(t, c, env), n)
	if got, want := cloud.Calls.Inbox()[0].Text, strings.Repeat("长", 336)+"订单 10_，critic。"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The outcome of the first call, which has no response before the deadline, is
// unknown. The second call is not made, so that it may be tried again.
func TestDeadlineBetweenCalls(t *testing.T) {
	cloud, env := startCloud(t, nil)
	cloud.Inject(tencentcloud.Fault{Do: fault.Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	outcomes := send(ctx, t, newConfig("13800000001", "13800000002"), env, notifytest.PhoneNotification())
	for number, ambiguous := range map[string]bool{"+8613800000001": true, "+8613800000002": false} {
		if e := outcomes[number]; e == nil || e.Class != notify.Retry || e.Ambiguous != ambiguous {
			t.Errorf("got error %+v for %s, want one to retry with ambiguous %v", e, number, ambiguous)
		}
	}
	if got := cloud.Count(""); got != 1 {
		t.Errorf("got %d requests, want 1", got)
	}
}

func TestKeyWithoutPermission(t *testing.T) {
	cloud, env := startCloud(t, nil)
	cloud.SetKey(notifytest.TencentSecretID, tencentcloud.Key{Secret: notifytest.TencentSecretKey, Deny: []string{"vms:SendTtsVoice"}})
	e := send(t.Context(), t, newConfig("13800000001"), env, notifytest.PhoneNotification())["+8613800000001"]
	if e == nil || e.Class != notify.Permanent || !strings.Contains(e.Message, "vms:SendTtsVoice: allow it in CAM") {
		t.Errorf("got error %v, want the missing permission", e)
	}
}

func TestRecipientsThatCannotBeCalled(t *testing.T) {
	_, env := startCloud(t, nil)
	n := notifytest.PhoneNotification()
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf("138%08d", i))
	}
	n.Alerts[0].Annotations["many"] = strings.Join(many, ",")
	for name, tt := range map[string]struct{ to, want string }{
		"none":             {"{{ .CommonAnnotations.none }}", "there are no recipients"},
		"too many":         {"{{ .CommonAnnotations.many }}", "more than the 100 phone numbers"},
		"failing template": {"{{ (index .Alerts 7).Annotations.x }}", "to[0]: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := notifytest.New(t, newConfig(tt.to), env).Messages(n)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestPreview(t *testing.T) {
	_, env := startCloud(t, nil)
	bare := func(playTimes int) func(*Config) {
		return func(c *Config) { c.TemplateID, c.Params, c.PlayTimes = "1002", nil, playTimes }
	}
	for _, tt := range []struct {
		language, want string
		change         func(*Config)
	}{
		{"zh", "模板 1001：磁盘将满, critical（播放 2 遍）", func(*Config) {}},
		{"en", "template 1001: 磁盘将满, critical (played ×2)", func(*Config) {}},
		{"zh", "模板 1002（播放 1 遍）", bare(1)},
		{"en", "template 1002 (played ×3)", bare(3)},
	} {
		t.Run(tt.want, func(t *testing.T) {
			env.Language = tt.language
			c := newConfig("13800000001", "13800000002")
			tt.change(c)
			messages := notifytest.Messages(t, notifytest.New(t, c, env), notifytest.PhoneNotification())
			if got := messages[0].Text; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got, want := messages[0].Target, "+86138****0001 +1"; got != want {
				t.Errorf("got target %q, want %q", got, want)
			}
			if got := messages[0].Units; len(messages) != 1 || len(got) != 2 {
				t.Errorf("got %d messages with units %q, want one with two", len(messages), got)
			}
		})
	}
}
