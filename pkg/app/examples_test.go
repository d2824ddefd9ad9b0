package app_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/telegram"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/metrics"
)

// example is a configuration of examples/ that runs on a local cloud with the same
// clock.
type example struct {
	t     *testing.T
	now   time.Time
	cloud *localcloud.Cloud
	app   *app.App
	http  http.Handler
	token string
	logs  *logBuffer
}

// variable returns the value of an environment variable.
func variable(name string) string {
	if name == "TELEGRAM_BOT_TOKEN" {
		return "123456:telegram-bot-token"
	}
	return strings.ToLower(name) + "-0123456789"
}

// runExample starts an example. token names the variable that holds the token of
// requests.
func runExample(t *testing.T, name, token string) *example {
	t.Helper()
	x := &example{t: t, now: time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC), logs: &logBuffer{}, token: variable(token)}
	clock := func() time.Time { return x.now }
	var err error
	if x.cloud, err = localcloud.Start(t.Context(), localcloud.Options{Mail: smtp.Config{Username: "a@example.com", Password: "p"}, Now: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.cloud.Close)
	lookup := func(name string) (string, bool) { return variable(name), true }
	cfg, warnings, err := config.Load("../../examples/"+name+"/tocsin.yaml", lookup)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	cfg.Store.URL = "memory:"
	x.app, err = app.New(t.Context(), cfg, app.Options{
		Transport: app.Transport{Dial: x.cloud.Network.DialContext, RootCAs: x.cloud.Network.RootCAs()},
		Lookup:    lookup, Now: clock, Log: slog.New(slog.NewTextHandler(x.logs, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.app.Close() })
	if x.http, err = app.Handler(x.app, api.Options{Now: clock, Metrics: new(metrics.Registry)}); err != nil {
		t.Fatal(err)
	}
	return x
}

// send sends a request with the token and fails the test unless it is accepted.
func (x *example) send(method, path, media, body string) {
	x.t.Helper()
	r := httptest.NewRequestWithContext(x.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	r.Header.Set("Authorization", "Bearer "+x.token)
	w := httptest.NewRecorder()
	x.http.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		x.t.Fatalf("%s %s: got %d %s, want 200", method, path, w.Code, w.Body)
	}
}

// advance advances the clock and delivers what is due.
func (x *example) advance(d time.Duration) app.Result {
	x.t.Helper()
	x.now = x.now.Add(d)
	a, err := x.app.Dispatch(x.t.Context(), x.now)
	if err != nil {
		x.t.Fatal(err)
	}
	return a
}

// fire posts alerts as Prometheus does, each written like "HostDown/oms/web-1";
// one that begins with - is resolved.
func (x *example) fire(alerts ...string) {
	x.t.Helper()
	var posted []string
	for _, a := range alerts {
		a, resolved := strings.CutPrefix(a, "-")
		part := strings.Split(a, "/")
		end := x.now.Add(time.Hour)
		if resolved {
			end = x.now
		}
		posted = append(posted, fmt.Sprintf(`{"labels": {"alertname": %q, "project": %q, "instance": %q, "severity": "critical"}, "annotations": {"summary": "%s 不可达"}, "startsAt": %q, "endsAt": %q}`,
			part[0], part[1], part[2], part[2], x.now.Add(-time.Minute).Format(time.RFC3339), end.Format(time.RFC3339)))
	}
	x.send("POST", "/api/v2/alerts", "application/json", "["+strings.Join(posted, ",")+"]")
}

// dingtalkExample runs examples/dingtalk with its robots.
func dingtalkExample(t *testing.T) *example {
	x := runExample(t, "dingtalk", "HOOK_TOKEN")
	x.cloud.DingTalk.Add(variable("DINGTALK_OMS_TOKEN"), dingtalk.Robot{Secret: variable("DINGTALK_OMS_SECRET")})
	x.cloud.DingTalk.Add(variable("DINGTALK_PAY_TOKEN"), dingtalk.Robot{Keywords: []string{"告警"}})
	x.cloud.DingTalk.Add(variable("DINGTALK_TOKEN"), dingtalk.Robot{Secret: variable("DINGTALK_SECRET")})
	return x
}

// newMessages returns the messages to DingTalk's groups since the last call: the
// robot, the state, and the mentioned phones.
func (x *example) newMessages(from *int) []string {
	var out []string
	all := x.cloud.DingTalk.Inbox()
	for _, m := range all[*from:] {
		state := "firing"
		if strings.Contains(m.Text, "恢复") {
			state = "resolved"
		}
		out = append(out, fmt.Sprintf("%s %s %s", strings.TrimSuffix(m.Token, "_token-0123456789"), state, strings.Join(m.Mobiles, "+")))
	}
	*from = len(all)
	slices.Sort(out)
	return out
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Each project's alerts go to its robot, signed or with its keyword, and mention its
// phones; alerts of no project go to the default robot. Resolved alerts mention no
// phone.
func TestExampleDingTalk(t *testing.T) {
	x, seen := dingtalkExample(t), 0
	x.fire("HostDown/oms/web-1", "HostDown/oms/web-2", "HostDown/pay/db-1", "HostDown/other/x-1")
	x.advance(10 * time.Second)
	expect(t, x.newMessages(&seen), "dingtalk firing ", "dingtalk_oms firing 13800000000+13800000001", "dingtalk_pay firing 13800000002")
	for _, m := range x.cloud.DingTalk.Inbox() {
		if m.Token == variable("DINGTALK_OMS_TOKEN") && !(strings.Contains(m.Text, "web-1") && strings.Contains(m.Text, "web-2") && strings.Contains(m.Text, "@13800000000")) {
			t.Errorf("got\n%s\nwant web-1, web-2 and a mention of 13800000000", m.Text)
		}
	}
	x.fire("-HostDown/oms/web-1", "-HostDown/oms/web-2", "-HostDown/pay/db-1")
	x.advance(5 * time.Minute)
	expect(t, x.newMessages(&seen), "dingtalk_oms resolved ", "dingtalk_pay resolved ")
	if x.advance(10*time.Minute).Pending != 0 {
		t.Errorf("got pending notifications, want none\n%s", x.logs)
	}
}

// A robot that another sender drove over its limit is locked out for ten minutes.
// Notifications wait and then arrive as one digest, since they exceed the robot's
// quota.
func TestExampleDingTalkLocked(t *testing.T) {
	x, seen := dingtalkExample(t), 0
	for range dingtalk.PerMinute + 1 {
		r := httptest.NewRequest("POST", dingtalk.Path+"?access_token="+variable("DINGTALK_PAY_TOKEN"), strings.NewReader(`{"msgtype": "text", "text": {"content": "告警"}}`))
		r.Header.Set("Content-Type", "application/json")
		x.cloud.DingTalk.ServeHTTP(httptest.NewRecorder(), r)
	}
	x.newMessages(&seen)
	for i := range 20 {
		x.fire(fmt.Sprintf("Kind%02d/pay/db-%d", i, i))
	}
	x.advance(10 * time.Second)
	x.advance(4 * time.Minute)
	expect(t, x.newMessages(&seen))
	for range 12 {
		x.advance(30 * time.Second)
	}
	all := x.cloud.DingTalk.Inbox()[seen:]
	if len(all) != 1 {
		t.Fatalf("got %d messages after the lockout, want 1\n%s", len(all), x.logs)
	}
	for i := range 20 {
		if !strings.Contains(all[0].Text, fmt.Sprintf("Kind%02d", i)) {
			t.Errorf("got\n%s\nwant Kind%02d in it", all[0].Text, i)
		}
	}
}

// Critical alerts go to one topic with a sound, the others to another in the user's own
// wording and without.
func TestExampleTelegram(t *testing.T) {
	x := runExample(t, "telegram", "HOOK_TOKEN")
	x.cloud.Telegram.Add(variable("TELEGRAM_BOT_TOKEN"), telegram.Chat{ID: -1001234567890, Topics: []int{7, 9}})
	x.fire("HostDown/oms/web-1")
	x.send("POST", "/api/v2/alerts", "application/json",
		`[{"labels": {"alertname": "DiskFull", "instance": "db<1>"}, "annotations": {"summary": "95% & rising"}}]`)
	x.advance(10 * time.Second)
	var got []string
	for _, m := range x.cloud.Telegram.Inbox() {
		got = append(got, fmt.Sprintf("topic %d, silent %v: %s", m.Topic, m.Silent, strings.ReplaceAll(m.Text, "\n", "|")))
	}
	slices.Sort(got)
	if len(got) != 2 || !strings.HasPrefix(got[0], "topic 7, silent false: [FIRING] HostDown · web-1|web-1 不可达|") ||
		got[1] != "topic 9, silent true: DiskFull is firing|db<1>: 95% & rising" {
		t.Errorf("got %q, want HostDown in topic 7 and DiskFull in topic 9\n%s", got, x.logs)
	}
	x.fire("-HostDown/oms/web-1")
	x.advance(5 * time.Minute)
	if !slices.ContainsFunc(x.cloud.Telegram.Inbox()[2:], func(m telegram.Message) bool { return strings.HasPrefix(m.Text, "[RESOLVED] HostDown") }) {
		t.Errorf("got %+v after HostDown resolved, want a message about it\n%s", x.cloud.Telegram.Inbox()[2:], x.logs)
	}
	if strings.Contains(x.logs.String(), "telegram-bot-token") {
		t.Errorf("got the bot's token in the log:\n%s", x.logs)
	}
}

// Open-Falcon's alarm posts to its gateways: PROBLEM 1, 2, 3 and OK of one metric
// are one alert, notified once firing and once resolved, through the application of
// its kind, to the users that Open-Falcon names.
func TestExampleOpenFalcon(t *testing.T) {
	x := runExample(t, "open-falcon", "FALCON_TOKEN")
	for id, secret := range map[int]string{1000002: variable("WECOM_HOSTS_SECRET"), 1000003: variable("WECOM_LOAD_SECRET"), 1000004: variable("WECOM_DISKS_SECRET"), 1000005: variable("WECOM_NETWORK_SECRET"), 1000006: variable("WECOM_OTHERS_SECRET")} {
		x.cloud.WeComApps.Add(wecom.App{CorpID: "ww0123456789abcdef", Secret: secret, AgentID: id, Users: []string{"u1", "u2"}, Parties: []string{"2"}})
	}
	im := func(status, step, endpoint, expression string) {
		t.Helper()
		form := fmt.Sprintf("tos=u1,u2&content=[P1][%s][%s][][ %s][O%s %s]", status, endpoint, expression, step, x.now.Add(8*time.Hour).Format(time.DateTime))
		x.send("POST", "/hooks/open-falcon/im", "application/x-www-form-urlencoded", strings.NewReplacer("[", "%5B", "]", "%5D", " ", "%20", "#", "%23", "<", "%3C", ">", "%3E").Replace(form))
		x.advance(0)
	}
	var got []string
	seen := 0
	messages := func() []string {
		got = nil
		all := x.cloud.WeComApps.Inbox()
		for _, m := range all[seen:] {
			state := "firing"
			if strings.Contains(m.Content, "恢复") {
				state = "resolved"
			}
			got = append(got, fmt.Sprintf("%d %s %s", m.AgentID, state, strings.Join(m.Users, "+")))
		}
		seen = len(all)
		return got
	}
	im("PROBLEM", "1", "web-1", "all(#3) cpu.idle  5<10")
	expect(t, messages(), "1000003 firing u1+u2")
	for _, step := range []string{"2", "3"} {
		x.advance(5 * time.Minute)
		im("PROBLEM", step, "web-1", "all(#3) cpu.idle  4<10")
	}
	expect(t, messages())
	x.advance(time.Minute)
	im("OK", "3", "web-1", "all(#3) cpu.idle  60<10")
	x.advance(time.Minute)
	expect(t, messages(), "1000003 resolved u1+u2")

	im("PROBLEM", "1", "web-2", "all(#3) df.bytes.free.percent fstype=ext4,mount=/data 3<5")
	im("PROBLEM", "1", "web-2", "all(#1) agent.alive  0<1")
	im("PROBLEM", "1", "web-2", "all(#1) net.if.in.bytes iface=eth0 9>5")
	expect(t, messages(), "1000004 firing u1+u2", "1000002 firing u1+u2", "1000005 firing u1+u2")

	// The token of an application expires early: it is fetched once more, and the
	// message arrives once.
	x.cloud.WeComApps.Expire()
	calls := x.cloud.WeComApps.Calls(wecom.TokenPath)
	im("PROBLEM", "1", "web-3", "all(#3) load.1min  9>5")
	expect(t, messages(), "1000003 firing u1+u2")
	if n := x.cloud.WeComApps.Calls(wecom.TokenPath) - calls; n != 1 {
		t.Errorf("got %d fetched tokens, want 1", n)
	}

	// Metrics of no known kind go to the team.
	im("PROBLEM", "1", "web-3", "all(#3) ntp.offset  900>500")
	if all := x.cloud.WeComApps.Inbox(); len(all) != seen+1 || all[seen].AgentID != 1000006 || !slices.Equal(all[seen].Parties, []string{"2"}) {
		t.Errorf("got %+v, want one message of application 1000006 to party 2\n%s", all[seen:], x.logs)
	}
}
