package alert

import "time"

// Reasons of a group's first notification and of one with alerts that are new in it.
const (
	ReasonFirst     = "first notification"
	ReasonNewAlerts = "new alerts added"
)

// Notification is one group of alerts on its way to one receiver.
type Notification struct {
	// ID identifies this notification; it is the same in every attempt to deliver it.
	ID string `json:"id"`
	// GroupKey identifies the group of alerts over its lifetime. Channels that
	// thread messages use it as the thread's key.
	GroupKey string `json:"groupKey"`
	Receiver string `json:"receiver"`
	// Reason is Alertmanager's notification reason: "first notification", "new
	// alerts added", "all alerts resolved", …
	Reason string `json:"reason"`
	// At is the time of the flush, or of the attempt after one that was refused.
	// Whether an alert is firing or resolved is decided as of At, however late the
	// message is sent.
	At          time.Time `json:"at"`
	GroupLabels Labels    `json:"groupLabels,omitempty"`
	RouteLabels Labels    `json:"routeLabels,omitempty"`
	Alerts      []*Alert  `json:"alerts"`
	// Merged is the number of notifications that this digest replaces because the
	// channel's quota was used up; 0 for a notification that is not a digest.
	Merged int `json:"merged,omitempty"`
	// FallbackFor is the receiver whose notification failed, when this one is its
	// fallback; Cause is the error.
	FallbackFor string `json:"instead,omitempty"`
	Cause       string `json:"cause,omitempty"`
	// AcceptedUnits lists the units that the channel has already accepted.
	AcceptedUnits []string `json:"done,omitempty"`
	// HalfSize halves the size limit of the message, because the vendor rejected
	// the last one as too long.
	HalfSize bool `json:"shrink,omitempty"`
}

// Firing returns the alerts that fire at n.At, in order.
func (n *Notification) Firing() []*Alert { return n.pick(false) }

// Resolved returns the alerts that are resolved at n.At, in order.
func (n *Notification) Resolved() []*Alert { return n.pick(true) }

func (n *Notification) pick(resolved bool) []*Alert {
	var out []*Alert
	for _, a := range n.Alerts {
		if a.ResolvedAt(n.At) == resolved {
			out = append(out, a)
		}
	}
	return out
}
