package dispatch_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/inhibit"
	"tocsin/pkg/metrics"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/route"
)

// nonzero returns the metrics that are not 0, without Alertmanager's prefix.
func nonzero(r *metrics.Registry) map[string]string {
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

func TestMetrics(t *testing.T) {
	robot, mail := &outboxtest.Channel{}, &outboxtest.Channel{}
	root := newRouteByTopic()
	root.GroupInterval = duration("1m")
	e := newEnv(t, root, outboxtest.WithFallback(outboxtest.Receiver("ops", "robot", robot), "mail", 10*time.Minute), outboxtest.Receiver("mail", "email", mail))
	registry := &metrics.Registry{}
	clock := t0 // every request takes three seconds
	e.config.Metrics = metrics.NewNotifications(registry, func() time.Time { clock = clock.Add(3 * time.Second); return clock })
	e.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{"topic=a"}, TargetMatchers: []string{"topic=inhibited"}}}
	e.config.TimeIntervals = []route.TimeInterval{
		{Name: "now", TimeIntervals: []route.TimesConfig{{Months: []string{"11"}}}}, {Name: "never", TimeIntervals: []route.TimesConfig{{Months: []string{"1"}}}},
	}
	root.Routes = []*route.Config{
		{Matchers: []string{"topic=muted"}, MuteTimeIntervals: []string{"now"}, ActiveTimeIntervals: []string{"now"}},
		{Matchers: []string{"topic=inactive"}, MuteTimeIntervals: []string{"now"}, ActiveTimeIntervals: []string{"never"}},
	}
	e.reopen(root)
	expect := func(when string, want map[string]string) {
		t.Helper()
		if got := nonzero(registry); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got\n%v\nwant\n%v", when, got, want)
		}
	}
	expect("at the start", map[string]string{})
	if text, want := string(registry.Text()), `alertmanager_notifications_failed_total{integration="email",reason="authError"} 0`; !strings.Contains(text, want) {
		t.Errorf("at the start: got\n%s\nwant %s in it", text, want)
	}

	robot.Fail(outboxtest.Transient("down"))
	e.silence(at(0), topicSilence("silenced", 0, 1000))
	e.fire(at(0), "a", "b", "silenced", "inhibited", "muted", "inactive")
	e.tick(at(0))
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
	expect("after a transient failure", want)
	e.tick(at(10))
	want[`notifications_total{integration="robot"}`] = "2"
	want[`notification_requests_total{integration="robot"}`] = "3"
	want[`notification_latency_seconds_sum{integration="robot"}`] = "9"
	want[`notification_latency_seconds_count{integration="robot"}`] = "3"
	delete(want, `tocsin_owed_notifications`)
	expect("after the retry", want)

	robot.Fail(&notify.Error{Class: notify.Permanent, Code: "HTTP 403", Message: "no"})
	e.fire(at(20), "c")
	e.tick(at(20))
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
	expect("after a permanent failure", want)
}
