package outbox_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/metrics"
	"tocsin/pkg/notify"
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
			want := `notifications_failed_total{integration="robot",reason="` + test.want + `"} 1`
			if text := string(registry.Text()); !strings.Contains(text, want) {
				t.Errorf("got\n%s\nwant %s in it", text, want)
			}
		})
	}
}
