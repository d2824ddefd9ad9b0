package outbox_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/metrics"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
)

func TestFailureReasons(t *testing.T) {
	for _, test := range []struct {
		name string
		err  *notify.Error
		want string
	}{
		{"not found", &notify.Error{Class: notify.Permanent, Code: "HTTP 404"}, "clientError"},
		{"a vendor's code", &notify.Error{Class: notify.Permanent, Code: "93000"}, "clientError"},
		{"unauthorized", &notify.Error{Class: notify.Permanent, Code: "HTTP 401"}, "authError"},
		{"rate limit", &notify.Error{Class: notify.Rate, Code: "45009"}, "rateLimited"},
		{"bad gateway", &notify.Error{Class: notify.Retry, Code: "HTTP 502"}, "serverError"},
		{"timeout", &notify.Error{Class: notify.Retry, Err: context.DeadlineExceeded}, "contextDeadlineExceeded"},
		{"canceled", &notify.Error{Class: notify.Retry, Err: context.Canceled}, "contextCanceled"},
		{"connection refused", &notify.Error{Class: notify.Retry, Message: "connection refused"}, "other"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &outboxtest.Channel{}
			e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
			registry := &metrics.Registry{}
			e.config.Metrics = metrics.NewNotifications(registry, func() time.Time { return t0 })
			e.reopen()
			for range 1000 {
				c.Fail(test.err)
			}
			e.notify(at(0), "a")
			// Without a fallback it is retried for a day, unless the error is permanent.
			for hour := 1; hour <= 24 && test.err.Class != notify.Permanent; hour++ {
				e.tick(at(float64(3600 * hour)))
			}
			series := `notifications_failed_total{integration="robot",reason="` + test.want + `"} `
			if text := string(registry.Text()); !strings.Contains(text, series) || strings.Contains(text, series+"0\n") {
				t.Errorf("got\n%s\nwant %s and more than 0 in it", text, series)
			}
		})
	}
}

// TestFailingNotificationsAreCounted checks that a notification that is retried counts as
// failed every five minutes, as Alertmanager's do at every flush: rules on the share of
// failed notifications must fire long before it is given up.
func TestFailingNotificationsAreCounted(t *testing.T) {
	c := &outboxtest.Channel{}
	e := newEnv(t, outboxtest.Receiver("ops", "robot", c))
	registry := &metrics.Registry{}
	e.config.Metrics = metrics.NewNotifications(registry, func() time.Time { return t0 })
	e.reopen()
	for range 1000 {
		c.Fail(outboxtest.Transient("down"))
	}
	count := func(name string) (n float64) {
		t.Helper()
		for line := range strings.Lines(string(registry.Text())) {
			if strings.HasPrefix(line, "alertmanager_"+name+`{integration="robot"`) {
				v, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, " "):]), 64)
				if err != nil {
					t.Fatal(err)
				}
				n += v
			}
		}
		return n
	}
	e.notify(at(0), "a")
	for _, test := range []struct {
		minutes   int
		low, high float64 // waits of up to six minutes may skip one
	}{{2, 0, 0}, {6, 1, 1}, {60, 9, 12}} {
		for {
			due, err := e.store.NextDue(t.Context(), outbox.Queue)
			if err != nil {
				t.Fatal(err)
			}
			if due.After(at(float64(60 * test.minutes))) {
				break
			}
			e.tick(due)
		}
		failed, total := count("notifications_failed_total"), count("notifications_total")
		if failed < test.low || failed > test.high || total != failed+1 {
			t.Errorf("after %d minutes: got %v failed of %v, want between %v and %v, and one more in all", test.minutes, failed, total, test.low, test.high)
		}
	}
}
