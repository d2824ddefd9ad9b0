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
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/metrics"
)

// example is a folder of examples/ that runs on a local cloud, with one clock for
// both.
type example struct {
	t     *testing.T
	now   time.Time
	cloud *localcloud.Cloud
	app   *app.App
	http  http.Handler
	token string
	logs  *logs
}

// variable is the value that a variable of the environment has in examples.
func variable(name string) string { return strings.ToLower(name) + "-0123456789" }

// runExample starts an example. token names the variable that holds the token of
// requests.
func runExample(t *testing.T, name, token string) *example {
	t.Helper()
	x := &example{t: t, now: time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC), logs: &logs{}, token: variable(token)}
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
		Outside: app.Outside{Dial: x.cloud.Network.DialContext, RootCAs: x.cloud.Network.RootCAs()},
		Lookup:  lookup, Now: clock, Log: slog.New(slog.NewTextHandler(x.logs, nil)),
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

// send sends a request with the token, and expects it to be taken.
func (x *example) send(method, path, media, body string) {
	x.t.Helper()
	r := httptest.NewRequestWithContext(x.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	r.Header.Set("Authorization", "Bearer "+x.token)
	w := httptest.NewRecorder()
	x.http.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		x.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
}

// after lets time pass and says what is due by then.
func (x *example) after(d time.Duration) app.Answer {
	x.t.Helper()
	x.now = x.now.Add(d)
	a, err := x.app.Dispatch(x.t.Context(), x.now)
	if err != nil {
		x.t.Fatal(err)
	}
	return a
}

// fire posts alerts as Prometheus does, each written like "HostDown/oms/web-1";
// one that begins with - is over.
func (x *example) fire(alerts ...string) {
	x.t.Helper()
	var posted []string
	for _, a := range alerts {
		a, over := strings.CutPrefix(a, "-")
		part := strings.Split(a, "/")
		end := x.now.Add(time.Hour)
		if over {
			end = x.now
		}
		posted = append(posted, fmt.Sprintf(`{"labels": {"alertname": %q, "project": %q, "instance": %q, "severity": "critical"}, "annotations": {"summary": "%s 不可达"}, "startsAt": %q, "endsAt": %q}`,
			part[0], part[1], part[2], part[2], x.now.Add(-time.Minute).Format(time.RFC3339), end.Format(time.RFC3339)))
	}
	x.send("POST", "/api/v2/alerts", "application/json", "["+strings.Join(posted, ",")+"]")
}

// robots of examples/dingtalk.
func dingtalkExample(t *testing.T) *example {
	x := runExample(t, "dingtalk", "HOOK_TOKEN")
	x.cloud.DingTalk.Add(variable("DINGTALK_OMS_TOKEN"), dingtalk.Robot{Secret: variable("DINGTALK_OMS_SECRET")})
	x.cloud.DingTalk.Add(variable("DINGTALK_PAY_TOKEN"), dingtalk.Robot{Keywords: []string{"告警"}})
	x.cloud.DingTalk.Add(variable("DINGTALK_TOKEN"), dingtalk.Robot{Secret: variable("DINGTALK_SECRET")})
	return x
}

// groups tells what DingTalk's groups got since the last time: by robot, the
// phones that rang and whether it was of an end.
func (x *example) groups(from *int) []string {
	var out []string
	all := x.cloud.DingTalk.Inbox()
	for _, m := range all[*from:] {
		what := "firing"
		if strings.Contains(m.Text, "恢复") {
			what = "over"
		}
		out = append(out, fmt.Sprintf("%s %s %s", strings.TrimSuffix(m.Token, "_token-0123456789"), what, strings.Join(m.Mobiles, "+")))
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

// Each project's alerts go to its robot, signed or with its keyword, and ring its
// people's phones; what belongs to nobody goes to everybody's. The end is told
// and rings nobody.
func TestExampleDingTalk(t *testing.T) {
	x, seen := dingtalkExample(t), 0
	x.fire("HostDown/oms/web-1", "HostDown/oms/web-2", "HostDown/pay/db-1", "HostDown/other/x-1")
	x.after(10 * time.Second)
	expect(t, x.groups(&seen), "dingtalk firing ", "dingtalk_oms firing 13800000000+13800000001", "dingtalk_pay firing 13800000002")
	for _, m := range x.cloud.DingTalk.Inbox() {
		if m.Token == variable("DINGTALK_OMS_TOKEN") && !(strings.Contains(m.Text, "web-1") && strings.Contains(m.Text, "web-2") && strings.Contains(m.Text, "@13800000000")) {
			t.Errorf("said\n%s", m.Text)
		}
	}
	x.fire("-HostDown/oms/web-1", "-HostDown/oms/web-2", "-HostDown/pay/db-1")
	x.after(5 * time.Minute)
	expect(t, x.groups(&seen), "dingtalk_oms over ", "dingtalk_pay over ")
	if x.after(10*time.Minute).Pending != 0 {
		t.Errorf("something is still owed\n%s", x.logs)
	}
}

// A robot that somebody else has driven over its limit is shut for ten minutes:
// what comes meanwhile waits, and then arrives whole, as one digest, since it is
// more than the robot may send in a minute.
func TestExampleDingTalkLocked(t *testing.T) {
	x, seen := dingtalkExample(t), 0
	for range dingtalk.PerMinute + 1 {
		r := httptest.NewRequest("POST", dingtalk.Path+"?access_token="+variable("DINGTALK_PAY_TOKEN"), strings.NewReader(`{"msgtype": "text", "text": {"content": "告警"}}`))
		r.Header.Set("Content-Type", "application/json")
		x.cloud.DingTalk.ServeHTTP(httptest.NewRecorder(), r)
	}
	x.groups(&seen)
	for i := range 20 {
		x.fire(fmt.Sprintf("Kind%02d/pay/db-%d", i, i))
	}
	x.after(10 * time.Second)
	x.after(4 * time.Minute)
	expect(t, x.groups(&seen))
	for range 12 {
		x.after(30 * time.Second)
	}
	all := x.cloud.DingTalk.Inbox()[seen:]
	if len(all) != 1 {
		t.Fatalf("%d messages after the lock, want 1\n%s", len(all), x.logs)
	}
	for i := range 20 {
		if !strings.Contains(all[0].Text, fmt.Sprintf("Kind%02d", i)) {
			t.Errorf("Kind%02d is missing in\n%s", i, all[0].Text)
		}
	}
}

// Open-Falcon's alarm calls its gateways: PROBLEM 1, 2, 3 and OK of one metric are
// one alert, told once when it fires and once when it is over, through the
// application of its kind, to the people that Open-Falcon names.
func TestExampleOpenFalcon(t *testing.T) {
	x := runExample(t, "open-falcon", "FALCON_TOKEN")
	for id, secret := range map[int]string{1000002: variable("WECOM_HOSTS_SECRET"), 1000003: variable("WECOM_LOAD_SECRET"), 1000004: variable("WECOM_DISKS_SECRET"), 1000005: variable("WECOM_NETWORK_SECRET"), 1000006: variable("WECOM_OTHERS_SECRET")} {
		x.cloud.WeComApps.Add(wecom.App{CorpID: "ww0123456789abcdef", Secret: secret, AgentID: id, Users: []string{"u1", "u2"}, Parties: []string{"2"}})
	}
	im := func(status, step, endpoint, expression string) {
		t.Helper()
		form := fmt.Sprintf("tos=u1,u2&content=[P1][%s][%s][][ %s][O%s %s]", status, endpoint, expression, step, x.now.Add(8*time.Hour).Format(time.DateTime))
		x.send("POST", "/hooks/open-falcon/im", "application/x-www-form-urlencoded", strings.NewReplacer("[", "%5B", "]", "%5D", " ", "%20", "#", "%23", "<", "%3C", ">", "%3E").Replace(form))
		x.after(0)
	}
	var got []string
	seen := 0
	said := func() []string {
		got = nil
		all := x.cloud.WeComApps.Inbox()
		for _, m := range all[seen:] {
			what := "firing"
			if strings.Contains(m.Content, "恢复") {
				what = "over"
			}
			got = append(got, fmt.Sprintf("%d %s %s", m.AgentID, what, strings.Join(m.Users, "+")))
		}
		seen = len(all)
		return got
	}
	im("PROBLEM", "1", "web-1", "all(#3) cpu.idle  5<10")
	expect(t, said(), "1000003 firing u1+u2")
	for _, step := range []string{"2", "3"} {
		x.after(5 * time.Minute)
		im("PROBLEM", step, "web-1", "all(#3) cpu.idle  4<10")
	}
	expect(t, said())
	x.after(time.Minute)
	im("OK", "3", "web-1", "all(#3) cpu.idle  60<10")
	x.after(time.Minute)
	expect(t, said(), "1000003 over u1+u2")

	im("PROBLEM", "1", "web-2", "all(#3) df.bytes.free.percent fstype=ext4,mount=/data 3<5")
	im("PROBLEM", "1", "web-2", "all(#1) agent.alive  0<1")
	im("PROBLEM", "1", "web-2", "all(#1) net.if.in.bytes iface=eth0 9>5")
	expect(t, said(), "1000004 firing u1+u2", "1000002 firing u1+u2", "1000005 firing u1+u2")

	// The token of an application ends before its time: it is fetched once more,
	// and the message arrives once.
	x.cloud.WeComApps.Expire()
	calls := x.cloud.WeComApps.Calls(wecom.TokenPath)
	im("PROBLEM", "1", "web-3", "all(#3) load.1min  9>5")
	expect(t, said(), "1000003 firing u1+u2")
	if n := x.cloud.WeComApps.Calls(wecom.TokenPath) - calls; n != 1 {
		t.Errorf("%d tokens were fetched, want 1", n)
	}

	// What has no kind goes to the team.
	im("PROBLEM", "1", "web-3", "all(#3) ntp.offset  900>500")
	if all := x.cloud.WeComApps.Inbox(); len(all) != seen+1 || all[seen].AgentID != 1000006 || !slices.Equal(all[seen].Parties, []string{"2"}) {
		t.Errorf("said %+v\n%s", all[seen:], x.logs)
	}
}
