package metrics

import "time"

// Notifications counts what becomes of notifications, under Alertmanager's names
// where the meaning is Alertmanager's. Nothing is counted through a nil pointer.
type Notifications struct {
	total, failed            *Counter
	requests, requestsFailed *Counter
	suppressed               *Counter
	latency                  *Histogram
	owed                     *Gauge
}

// NewNotifications returns the counters in r.
func NewNotifications(r *Registry) *Notifications {
	return &Notifications{
		total:          r.Counter("alertmanager_notifications_total", "The total number of attempted notifications.", "integration"),
		failed:         r.Counter("alertmanager_notifications_failed_total", "The total number of notifications that were given up.", "integration", "reason"),
		requests:       r.Counter("alertmanager_notification_requests_total", "The total number of attempted notification requests.", "integration"),
		requestsFailed: r.Counter("alertmanager_notification_requests_failed_total", "The total number of failed notification requests.", "integration"),
		suppressed:     r.Counter("alertmanager_notifications_suppressed_total", "The total number of notifications suppressed for being silenced, inhibited, outside of active time intervals or within muted time intervals.", "reason"),
		latency:        r.Histogram("alertmanager_notification_latency_seconds", "The latency of notification requests in seconds.", []float64{1, 5, 10, 15, 20}, "integration"),
		owed:           r.Gauge("tocsin_owed_notifications", "How many notifications waited to be delivered after the last round."),
	}
}

// Begun counts a notification for an integration, such as "email", that is tried
// for the first time.
func (n *Notifications) Begun(integration string) {
	if n != nil {
		n.total.Add(1, integration)
	}
}

// Tried counts one attempt to deliver to an integration, and how long it took.
func (n *Notifications) Tried(integration string, took time.Duration, ok bool) {
	if n == nil {
		return
	}
	n.requests.Add(1, integration)
	n.latency.Observe(took.Seconds(), integration)
	if !ok {
		n.requestsFailed.Add(1, integration)
	}
}

// Failed counts a notification that is not tried any more. Reason is a word from
// a short list, not an error's text.
func (n *Notifications) Failed(integration, reason string) {
	if n != nil {
		n.failed.Add(1, integration, reason)
	}
}

// Suppressed counts a group, or what is left of it, that was not announced.
// Alertmanager's reasons are silence, inhibition, mute_time_interval and
// active_time_interval.
func (n *Notifications) Suppressed(reason string) {
	if n != nil {
		n.suppressed.Add(1, reason)
	}
}

// Owed sets how many notifications wait to be delivered.
func (n *Notifications) Owed(count int) {
	if n != nil {
		n.owed.Set(float64(count))
	}
}
