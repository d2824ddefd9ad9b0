package metrics

import "time"

// failureReasons are the values of the label reason of Alertmanager's
// alertmanager_notifications_failed_total.
var failureReasons = [...]string{
	"other", "clientError", "serverError", "contextCanceled", "contextDeadlineExceeded", "authError", "rateLimited",
}

// Notifications counts notifications and their outcomes, under Alertmanager's names
// where the meaning is the same. The methods of a nil pointer count nothing.
type Notifications struct {
	now                      func() time.Time
	total, failed            *Counter
	requests, requestsFailed *Counter
	suppressed               *Counter
	latency                  *Histogram
	templatesFailed          *Counter
	pending                  *Gauge
}

// NewNotifications returns the counters in r. Several calls with one r return the same
// counters. now is the clock for latencies.
func NewNotifications(r *Registry, now func() time.Time) *Notifications {
	return &Notifications{
		now:             now,
		total:           r.Counter("alertmanager_notifications_total", "The total number of attempted notifications.", "integration"),
		failed:          r.Counter("alertmanager_notifications_failed_total", "The total number of failed notifications.", "integration", "reason"),
		requests:        r.Counter("alertmanager_notification_requests_total", "The total number of attempted notification requests.", "integration"),
		requestsFailed:  r.Counter("alertmanager_notification_requests_failed_total", "The total number of failed notification requests.", "integration"),
		suppressed:      r.Counter("alertmanager_notifications_suppressed_total", "The total number of notifications suppressed for being silenced, inhibited, outside of active time intervals or within muted time intervals.", "reason"),
		latency:         r.Histogram("alertmanager_notification_latency_seconds", "The latency of notifications in seconds.", []float64{1, 5, 10, 15, 20}, "integration"),
		templatesFailed: r.Counter("tocsin_template_failures_total", "How often a message's template failed and the built-in text was put in its place.", "integration"),
		pending:         r.Gauge("tocsin_owed_notifications", "How many notifications waited to be delivered after the last round."),
	}
}

// InitIntegration makes the counters of an integration, such as "email", visible
// while they are 0, so that the first failure is an increase.
func (n *Notifications) InitIntegration(integration string) {
	if n == nil {
		return
	}
	n.total.Add(0, integration)
	n.requests.Add(0, integration)
	n.requestsFailed.Add(0, integration)
	n.templatesFailed.Add(0, integration)
	for _, reason := range failureReasons {
		n.failed.Add(0, integration, reason)
	}
}

// Attempted counts a notification at its first attempt.
func (n *Notifications) Attempted(integration string) {
	if n != nil {
		n.total.Add(1, integration)
	}
}

// StartRequest counts a request to an integration. The caller reports with finish
// whether it was accepted; the time until then is the latency.
func (n *Notifications) StartRequest(integration string) (finish func(ok bool)) {
	if n == nil {
		return func(bool) {}
	}
	n.requests.Add(1, integration)
	begin := n.now()
	return func(ok bool) {
		n.latency.Observe(n.now().Sub(begin).Seconds(), integration)
		if !ok {
			n.requestsFailed.Add(1, integration)
		}
	}
}

// Failed counts a notification that is not retried again. reason is other,
// clientError, serverError, contextCanceled, contextDeadlineExceeded, authError or
// rateLimited.
func (n *Notifications) Failed(integration, reason string) {
	if n != nil {
		n.failed.Add(1, integration, reason)
	}
}

// Suppressed counts the muted alerts of a notification. reason is silence,
// inhibition, mute_time_interval or active_time_interval.
func (n *Notifications) Suppressed(reason string, alerts int) {
	if n != nil {
		n.suppressed.Add(float64(alerts), reason)
	}
}

// TemplateFailed counts a message whose template failed.
func (n *Notifications) TemplateFailed(integration string) {
	if n != nil {
		n.templatesFailed.Add(1, integration)
	}
}

// SetPending sets the number of notifications that wait to be delivered.
func (n *Notifications) SetPending(count int) {
	if n != nil {
		n.pending.Set(float64(count))
	}
}
