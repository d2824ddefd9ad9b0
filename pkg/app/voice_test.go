package app_test

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/metrics"
	"tocsin/pkg/setting"
)

// callConfiguration calls two phones for each alertname, with a chat group as the
// fallback.
const callConfiguration = `
webhook: {auth: {tokens: [{name: prometheus, token: "${HOOK_TOKEN}"}]}}
route: {receiver: on-call, group_by: [alertname], group_wait: 0s}
receivers:
  - name: on-call
    fallback: {receiver: group, after: 5m}
    voice_configs:
      - {sdk_app_id: "1400006666", template_id: "1234567", params: ["{{ (index .Alerts.Firing 0).Labels.alertname }}", "{{ .Alerts.Firing | len }}"], to: ["+8613800000000", "+8613800000001"], secret_id: "${TENCENT_SECRET_ID}", secret_key: "${TENCENT_SECRET_KEY}"}
  - name: group
    wecom_robot_configs: [{url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=${WECOM_KEY}"}]
`

// night is 23:00 in China.
var night = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)

// runVoice runs a configuration from now on. The vendor uses the real time, by which
// requests are signed, so its limits per time are set by the test.
func runVoice(t *testing.T, text string, now time.Time, change func(*tencentcloud.VoiceApp)) *example {
	t.Helper()
	x := &example{t: t, now: now, logs: &logBuffer{}, token: variable("HOOK_TOKEN")}
	clock := func() time.Time { return x.now }
	var err error
	if x.cloud, err = localcloud.Start(t.Context(), localcloud.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.cloud.Close)
	vendor := tencentcloud.VoiceApp{ID: "1400006666", Balance: 100, PerHalfMinute: 99, PerTenMinutes: 99, PerDay: 99, PerNight: 99,
		Templates: []tencentcloud.VoiceTemplate{{ID: "1234567", Text: "严重告警，{1}等，共{2}条，请立即处理。"}}}
	if change != nil {
		change(&vendor)
	}
	x.cloud.Tencent.AddVoiceApp(vendor)
	x.cloud.Tencent.SetKey(variable("TENCENT_SECRET_ID"), tencentcloud.Key{Secret: variable("TENCENT_SECRET_KEY")})
	x.cloud.WeCom.Add(variable("WECOM_KEY"))

	lookup := func(name string) (string, bool) { return variable(name), true }
	cfg, warnings, err := config.Parse("tocsin.yaml", []byte(text), lookup)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	cfg.Store.URL = "memory:"
	cfg.Dispatch.LateAfter = new(setting.Duration) // ticks are far between here
	x.app, err = app.New(t.Context(), cfg, app.Options{
		Transport: app.Transport{Dial: x.cloud.Network.DialContext, RootCAs: x.cloud.Network.RootCAs()},
		Lookup:    lookup, Now: clock, Log: slog.New(slog.NewTextHandler(x.logs, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		x.app.Close()
		for _, secret := range []string{"13800000000", "13800000001", variable("TENCENT_SECRET_KEY"), variable("WECOM_KEY")} {
			if strings.Contains(x.logs.String(), secret) {
				t.Errorf("got %s in the log, want it masked", secret)
			}
		}
	})
	if x.http, err = app.Handler(x.app, api.Options{Now: clock, Metrics: new(metrics.Registry)}); err != nil {
		t.Fatal(err)
	}
	return x
}

// newCalls returns the calls since the last call, by the last digit of the phone and
// the variables of the text, and the number of messages to the group.
func (x *example) newCalls(calls, group *int) string {
	var out []string
	all := x.cloud.Tencent.Calls.Inbox()
	for _, c := range all[*calls:] {
		text := strings.NewReplacer("严重告警，", "", "等，共", " ", "条，请立即处理。", "").Replace(c.Text)
		out = append(out, c.Number[13:]+" "+text)
	}
	inbox := x.cloud.WeCom.Inbox()
	out = append(out, fmt.Sprint("group ", len(inbox)-*group))
	*calls, *group = len(all), len(inbox)
	return strings.Join(out, ", ")
}

// runSteps runs steps and compares the calls and messages after each.
func (x *example) runSteps(steps []voiceStep) {
	x.t.Helper()
	calls, group := 0, 0
	for _, s := range steps {
		x.now = x.now.Add(s.after)
		if s.fire != "" {
			x.fire(strings.Fields(s.fire)...)
		}
		x.advance(0)
		if got := x.newCalls(&calls, &group); got != s.want {
			x.t.Errorf("%s %s: got %s, want %s\n%s", x.now.Format(time.TimeOnly), s.fire, got, s.want, x.logs)
		}
	}
}

type voiceStep struct {
	after time.Duration
	fire  string
	want  string
}

// By day the group alone is notified; by night the phone is called as well, unless
// the alert resolves within two minutes; the second call of a night goes to the next
// phone.
func TestExampleVoice(t *testing.T) {
	text, err := os.ReadFile("../../examples/voice/tocsin.yaml")
	if err != nil {
		t.Fatal(err)
	}
	x := runVoice(t, string(text), night.Add(-9*time.Hour), func(a *tencentcloud.VoiceApp) { a.PerDay = 1 })
	x.runSteps([]voiceStep{
		{0, "Day/p/a", "group 1"},
		{2 * time.Minute, "", "group 0"},
		{10 * time.Minute, "-Day/p/a", "group 1"},
		{9*time.Hour - 12*time.Minute, "Brief/p/a Disk/p/b", "group 2"},
		{time.Minute, "-Brief/p/a", "group 0"},
		{time.Minute, "", "0 Disk 1, group 0"},
		{3 * time.Minute, "", "group 1"}, // Brief resolved
		{5 * time.Minute, "Host/p/c", "group 1"},
		{2 * time.Minute, "", "1 Disk 2, group 1"}, // the first number has had its call
		{10 * time.Minute, "", "group 0"},
	})
	last := x.cloud.WeCom.Inbox()
	if text := last[len(last)-1].Content; !strings.Contains(text, "on-call") || !strings.Contains(text, "+86138＊＊＊＊0000") {
		t.Errorf("got\n%s\nwant the receiver on-call and the masked number in it", text)
	}
}

// Notifications above the short limits of a number wait and become one call; those
// that would wait longer than the fallback's time go to the fallback.
func TestCallsWaitForShortLimits(t *testing.T) {
	x := runVoice(t, callConfiguration, night, nil)
	x.runSteps([]voiceStep{
		{0, "A/p/a B/p/b C/p/c", "0 A 3, 1 A 3, group 0"}, // a digest
		{10 * time.Second, "D/p/d", "group 0"},
		{10 * time.Second, "E/p/e", "group 0"},
		{9 * time.Second, "", "group 0"},
		{time.Second, "", "0 D 2, 1 D 2, group 0"},
		{time.Minute, "F/p/f", "group 0"}, // two in ten minutes
		{299 * time.Second, "", "group 0"},
		{time.Second, "", "group 1"}, // five minutes after it was enqueued
		{200 * time.Second, "G/p/g", "group 0"},
		{9 * time.Second, "", "group 0"},
		{time.Second, "", "0 G 1, 1 G 1, group 0"}, // ten minutes after the first
	})
}

// A permanent failure goes to the fallback at once, for its numbers only, and no
// number is called twice.
func TestFailedCalls(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*tencentcloud.VoiceApp)
		fault  *tencentcloud.Fault
		steps  []voiceStep
		want   string // in the messages to the group
	}{
		{"the calls of a day are used up", func(a *tencentcloud.VoiceApp) { a.PerDay = 1 }, nil, []voiceStep{
			{0, "A/p/a", "0 A 1, 1 A 1, group 0"},
			{10 * time.Minute, "B/p/b", "group 1"},
			{20 * time.Minute, "", "group 0"},
		}, "LimitExceeded.PhoneNumberDailyLimit"},
		{"the first number refuses, the second rings", func(a *tencentcloud.VoiceApp) { a.Blacklist = []string{"+8613800000000"} }, nil, []voiceStep{
			{0, "A/p/a", "1 A 1, group 1"},
			{10 * time.Minute, "", "group 0"},
		}, "+86138＊＊＊＊0000"},
		{"the answer is cut off, outcome unknown", nil, &tencentcloud.Fault{Action: "SendTtsVoice", Times: 1, Do: fault.Truncate(`{"Response":{"Result":{"TotalCount":1}}}`)}, []voiceStep{
			{0, "A/p/a", "1 A 1, group 1"},
			{10 * time.Minute, "", "group 0"},
		}, "+86138＊＊＊＊0000"},
		{"a proxy answers", nil, &tencentcloud.Fault{Action: "SendTtsVoice", Times: 2, Do: fault.Respond(200, "text/html", "<html>please log in</html>")}, []voiceStep{
			{0, "A/p/a", "group 1"},
			{10 * time.Minute, "", "group 0"},
		}, "a proxy stands between"},
		{"a passing vendor error", nil, &tencentcloud.Fault{Action: "SendTtsVoice", Times: 2, Do: tencentcloud.Reject("InternalError", "try again")}, []voiceStep{
			{0, "A/p/a", "group 0"},
			{31 * time.Second, "", "0 A 1, 1 A 1, group 0"},
		}, ""},
		{"the vendor stays broken: two attempts, and then the fallback's time is over", nil, &tencentcloud.Fault{Action: "SendTtsVoice", Times: 9, Do: tencentcloud.Reject("InternalError", "try again")}, []voiceStep{
			{0, "A/p/a", "group 0"},
			{31 * time.Second, "", "group 0"},
			{268 * time.Second, "", "group 0"},
			{time.Second, "", "group 1"},
		}, "代 on-call 发送"},
		{"the number was called by another sender", nil, &tencentcloud.Fault{Action: "SendTtsVoice", Times: 1, Do: tencentcloud.Reject("LimitExceeded.PhoneNumberThirtySecondLimit", "wait")}, []voiceStep{
			{0, "A/p/a", "1 A 1, group 0"},
			{29 * time.Second, "", "group 0"},
			{2 * time.Second, "", "0 A 1, group 0"},
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := runVoice(t, callConfiguration, night, tt.change)
			if tt.fault != nil {
				x.cloud.Tencent.Inject(*tt.fault)
			}
			x.runSteps(tt.steps)
			if a := x.advance(0); a.Pending != 0 {
				t.Errorf("got %d pending, want 0", a.Pending)
			}
			texts := ""
			for _, m := range x.cloud.WeCom.Inbox() {
				texts += m.Content
			}
			if !strings.Contains(texts, tt.want) {
				t.Errorf("got messages to the group\n%s\nwant %q in them", texts, tt.want)
			}
		})
	}
}
