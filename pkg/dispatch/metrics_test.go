package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/inhibit"
	"tocsin/pkg/metrics"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
)

// counted returns the metrics that are not 0, without Alertmanager's prefix.
func quotaKeys(r *metrics.Registry) map[string]string {
	got := map[string]string{}
	for line := range strings.Lines(string(r.Text())) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "alertmanager_")
		name, value, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(line, "#") && value != "0" && !strings.Contains(line, "_bucket") {
			got[name] = value
		}
	}
	return got
}

func TestNotificationsAreCounted(t *testing.T) {
	robot, mail := &channel{}, &channel{}
	r := byTopic()
	r.GroupInterval = duration("1m")
	w := newWorld(t, r,
		&outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(robot, "robot")}, Fallback: "mail", FallbackAfter: 10 * time.Minute},
		&outbox.Receiver{Name: "mail", Integrations: []outbox.Integration{integration(mail, "email")}})
	registry := &metrics.Registry{}
	clock := t0
	w.config.Metrics = metrics.NewNotifications(registry, func() time.Time { clock = clock.Add(3 * time.Second); return clock })
	w.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{"topic=a"}, TargetMatchers: []string{"topic=inhibited"}}}
	w.config.TimeIntervals = []route.TimeInterval{
		{Name: "now", TimeIntervals: []route.TimesConfig{{Months: []string{"11"}}}}, {Name: "never", TimeIntervals: []route.TimesConfig{{Months: []string{"1"}}}},
	}
	r.Routes = []*route.Config{
		{Matchers: []string{"topic=muted"}, MuteTimeIntervals: []string{"now"}, ActiveTimeIntervals: []string{"now"}},
		{Matchers: []string{"topic=asleep"}, MuteTimeIntervals: []string{"now"}, ActiveTimeIntervals: []string{"never"}},
	}
	w.restart(r)
	expect := func(want map[string]string) {
		t.Helper()
		if got := quotaKeys(registry); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("counted\n%v\nwant\n%v", got, want)
		}
	}
	expect(map[string]string{})
	if text := string(registry.Text()); !strings.Contains(text, `alertmanager_notifications_failed_total{integration="email",reason="authError"} 0`) {
		t.Errorf("what has not failed yet is not shown:\n%s", text)
	}

	// One of two is accepted at once, the other at the second attempt.
	robot.fail(passing("down"))
	w.silence(at(0), topicSilence("quiet", 0, 1000))
	w.fire(at(0), "a", "b", "quiet", "inhibited", "muted", "asleep")
	w.tick(at(0))
	want := map[string]string{
		`notifications_total{integration="robot"}`:                      "1", // the second waits with the first
		`notification_requests_total{integration="robot"}`:              "1",
		`notification_requests_failed_total{integration="robot"}`:       "1",
		`notification_latency_seconds_sum{integration="robot"}`:         "3",
		`notification_latency_seconds_count{integration="robot"}`:       "1",
		`notifications_suppressed_total{reason="silence"}`:              "1",
		`notifications_suppressed_total{reason="inhibition"}`:           "1",
		`notifications_suppressed_total{reason="mute_time_interval"}`:   "1",
		`notifications_suppressed_total{reason="active_time_interval"}`: "1",
		`tocsin_owed_notifications`:                                     "2",
	}
	expect(want)
	w.tick(at(10))
	want[`notifications_total{integration="robot"}`] = "2"
	want[`notification_requests_total{integration="robot"}`] = "3"
	want[`notification_latency_seconds_sum{integration="robot"}`] = "9"
	want[`notification_latency_seconds_count{integration="robot"}`] = "3"
	delete(want, `tocsin_owed_notifications`)
	expect(want)

	// What is given up is counted by why, and its stand-in is another's.
	robot.fail(&notify.Error{Class: notify.Permanent, Code: "HTTP 403", Message: "no"})
	w.fire(at(20), "c")
	w.tick(at(20))
	want[`notifications_total{integration="robot"}`] = "3"
	want[`notification_requests_total{integration="robot"}`] = "4"
	want[`notification_requests_failed_total{integration="robot"}`] = "2"
	want[`notification_latency_seconds_sum{integration="robot"}`] = "12"
	want[`notification_latency_seconds_count{integration="robot"}`] = "4"
	want[`notifications_failed_total{integration="robot",reason="authError"}`] = "1"
	want[`notifications_total{integration="email"}`] = "1"
	want[`notification_requests_total{integration="email"}`] = "1"
	want[`notification_latency_seconds_sum{integration="email"}`] = "3"
	want[`notification_latency_seconds_count{integration="email"}`] = "1"
	expect(want)
}

func TestFaultWords(t *testing.T) {
	for _, tt := range []struct {
		err  *notify.Error
		want string
	}{
		{&notify.Error{Class: notify.Permanent, Code: "HTTP 404"}, "clientError"},
		{&notify.Error{Class: notify.Permanent, Code: "93000"}, "clientError"},
		{&notify.Error{Class: notify.Permanent, Code: "HTTP 401"}, "authError"},
		{&notify.Error{Class: notify.Rate, Code: "45009"}, "rateLimited"},
		{&notify.Error{Class: notify.Retry, Code: "HTTP 502"}, "serverError"},
		{&notify.Error{Class: notify.Retry, Err: context.DeadlineExceeded}, "contextDeadlineExceeded"},
		{&notify.Error{Class: notify.Retry, Err: context.Canceled}, "contextCanceled"},
		{&notify.Error{Class: notify.Retry, Message: "connection refused"}, "other"},
	} {
		c := &channel{}
		w := newWorld(t, byTopic(), oneReceiver(c))
		registry := &metrics.Registry{}
		w.config.Metrics = metrics.NewNotifications(registry, func() time.Time { return t0 })
		w.restart(byTopic())
		for range 1000 {
			c.fail(tt.err)
		}
		w.fire(at(0), "a")
		for hour := 0; hour <= 24; hour++ {
			w.tick(at(float64(3600 * hour)))
		}
		name := `notifications_failed_total{integration="test",reason="` + tt.want + `"}`
		if got := quotaKeys(registry)[name]; got == "" {
			t.Errorf("%+v: %v, want %s", tt.err, quotaKeys(registry), name)
		}
	}
}
