package metrics_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/metrics"
)

// wantText compares the text of a registry with want, from which it removes the
// indentation.
func wantText(t *testing.T, r *metrics.Registry, want string) {
	t.Helper()
	want = strings.TrimPrefix(strings.ReplaceAll(want, "\n\t\t", "\n"), "\n")
	if got := string(r.Text()); strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestText checks that the text is version 0.0.4 of Prometheus's format: metrics in order
// of their names, series in order of label values, escaped values, cumulative buckets.
func TestText(t *testing.T) {
	var r metrics.Registry
	wantText(t, &r, "")
	r.Gauge("z_gauge", "How\nmuch \\ of it.").Set(-1.5)
	c := r.Counter("a_total", "Some.", "from", "to")
	c.Add(1, "b", "x")
	c.Add(0, "a", "")
	c.Add(2, "a", "q\"b\\n\n主")
	c.Add(2, "b", "x")
	h := r.Histogram("m_seconds", "Times.", []float64{0.5, 1, 2.5}, "of")
	for _, v := range []float64{0.5, 0.50001, 1, 2, 2.5, 3, 1e9} {
		h.Observe(v, "x")
	}
	r.Counter("empty_total", "None yet.", "of")
	wantText(t, &r, `
		# HELP a_total Some.
		# TYPE a_total counter
		a_total{from="a",to=""} 0
		a_total{from="a",to="q\"b\\n\n主"} 2
		a_total{from="b",to="x"} 3
		# HELP empty_total None yet.
		# TYPE empty_total counter
		# HELP m_seconds Times.
		# TYPE m_seconds histogram
		m_seconds_bucket{of="x",le="0.5"} 1
		m_seconds_bucket{of="x",le="1"} 3
		m_seconds_bucket{of="x",le="2.5"} 5
		m_seconds_bucket{of="x",le="+Inf"} 7
		m_seconds_sum{of="x"} 1.00000000950001e+09
		m_seconds_count{of="x"} 7
		# HELP z_gauge How\nmuch \\ of it.
		# TYPE z_gauge gauge
		z_gauge -1.5
		`)
}

func TestReplaceDropsOtherSeries(t *testing.T) {
	var r metrics.Registry
	g := r.Gauge("g", "Some.", "of")
	g.Set(1, "a")
	g.Replace([]metrics.Sample{{Value: 2, Labels: []string{"b"}}, {Value: 3, Labels: []string{"c"}}})
	g.Set(4, "c")
	wantText(t, &r, `
		# HELP g Some.
		# TYPE g gauge
		g{of="b"} 2
		g{of="c"} 4
		`)
}

// TestSharedName checks that two callers with the same name share one metric, with the
// help of the first.
func TestSharedName(t *testing.T) {
	var r metrics.Registry
	r.Counter("n_total", "First.").Add(1)
	r.Counter("n_total", "Second.").Add(1)
	wantText(t, &r, `
		# HELP n_total First.
		# TYPE n_total counter
		n_total 2
		`)
}

// TestSeriesOfSimilarLabels checks that label values with equal concatenations belong to
// different series.
func TestSeriesOfSimilarLabels(t *testing.T) {
	var r metrics.Registry
	c := r.Counter("n_total", "N.", "a", "b")
	c.Add(1, "x", "yz")
	c.Add(1, "xy", "z")
	c.Add(1, "", "xyz")
	if n := strings.Count(string(r.Text()), "} 1\n"); n != 3 {
		t.Errorf("got %d series, want 3:\n%s", n, r.Text())
	}
}

func TestConcurrentUse(t *testing.T) {
	var r metrics.Registry
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 500 {
				r.Counter("n_total", "N.", "i").Add(1, fmt.Sprint(j%3))
				r.Histogram("h", "H.", []float64{1}).Observe(float64(i))
				_ = r.Text()
			}
		})
	}
	wg.Wait()
	wantText(t, &r, `
		# HELP h H.
		# TYPE h histogram
		h_bucket{le="1"} 1000
		h_bucket{le="+Inf"} 4000
		h_sum 14000
		h_count 4000
		# HELP n_total N.
		# TYPE n_total counter
		n_total{i="0"} 1336
		n_total{i="1"} 1336
		n_total{i="2"} 1328
		`)
}

func TestNotifications(t *testing.T) {
	var r metrics.Registry
	now := time.Unix(0, 0)
	n := metrics.NewNotifications(&r, func() time.Time { return now })
	n.InitIntegration("sms")
	n.Attempted("email")
	finish := n.StartRequest("email")
	now = now.Add(6 * time.Second)
	finish(false)
	finish = n.StartRequest("email")
	now = now.Add(time.Second)
	finish(true)
	n.Failed("email", "authError")
	n.Suppressed("silence", 3)
	n.SetPending(7)
	n.TemplateFailed("email")
	wantText(t, &r, `
		# HELP alertmanager_notification_latency_seconds The latency of notifications in seconds.
		# TYPE alertmanager_notification_latency_seconds histogram
		alertmanager_notification_latency_seconds_bucket{integration="email",le="1"} 1
		alertmanager_notification_latency_seconds_bucket{integration="email",le="5"} 1
		alertmanager_notification_latency_seconds_bucket{integration="email",le="10"} 2
		alertmanager_notification_latency_seconds_bucket{integration="email",le="15"} 2
		alertmanager_notification_latency_seconds_bucket{integration="email",le="20"} 2
		alertmanager_notification_latency_seconds_bucket{integration="email",le="+Inf"} 2
		alertmanager_notification_latency_seconds_sum{integration="email"} 7
		alertmanager_notification_latency_seconds_count{integration="email"} 2
		# HELP alertmanager_notification_requests_failed_total The total number of failed notification requests.
		# TYPE alertmanager_notification_requests_failed_total counter
		alertmanager_notification_requests_failed_total{integration="email"} 1
		alertmanager_notification_requests_failed_total{integration="sms"} 0
		# HELP alertmanager_notification_requests_total The total number of attempted notification requests.
		# TYPE alertmanager_notification_requests_total counter
		alertmanager_notification_requests_total{integration="email"} 2
		alertmanager_notification_requests_total{integration="sms"} 0
		# HELP alertmanager_notifications_failed_total The total number of failed notifications.
		# TYPE alertmanager_notifications_failed_total counter
		alertmanager_notifications_failed_total{integration="email",reason="authError"} 1
		alertmanager_notifications_failed_total{integration="sms",reason="authError"} 0
		alertmanager_notifications_failed_total{integration="sms",reason="clientError"} 0
		alertmanager_notifications_failed_total{integration="sms",reason="contextCanceled"} 0
		alertmanager_notifications_failed_total{integration="sms",reason="contextDeadlineExceeded"} 0
		alertmanager_notifications_failed_total{integration="sms",reason="other"} 0
		alertmanager_notifications_failed_total{integration="sms",reason="rateLimited"} 0
		alertmanager_notifications_failed_total{integration="sms",reason="serverError"} 0
		# HELP alertmanager_notifications_suppressed_total The total number of notifications suppressed for being silenced, inhibited, outside of active time intervals or within muted time intervals.
		# TYPE alertmanager_notifications_suppressed_total counter
		alertmanager_notifications_suppressed_total{reason="silence"} 3
		# HELP alertmanager_notifications_total The total number of attempted notifications.
		# TYPE alertmanager_notifications_total counter
		alertmanager_notifications_total{integration="email"} 1
		alertmanager_notifications_total{integration="sms"} 0
		# HELP tocsin_owed_notifications How many notifications waited to be delivered after the last round.
		# TYPE tocsin_owed_notifications gauge
		tocsin_owed_notifications 7
		# HELP tocsin_template_failures_total How often a message's template failed and the built-in text was put in its place.
		# TYPE tocsin_template_failures_total counter
		tocsin_template_failures_total{integration="email"} 1
		tocsin_template_failures_total{integration="sms"} 0
		`)
}

// TestNilNotifications checks that the methods of a nil pointer do not panic.
func TestNilNotifications(t *testing.T) {
	var n *metrics.Notifications
	n.InitIntegration("email")
	n.Attempted("email")
	n.StartRequest("email")(false)
	n.Failed("email", "other")
	n.Suppressed("silence", 1)
	n.SetPending(1)
}
