package alert

import "time"

// Notification is what one group of alerts has to say to one receiver.
type Notification struct {
	// ID names this notification; it is the same in every attempt to deliver it.
	ID string `json:"id"`
	// GroupKey identifies the group of alerts over its lifetime: threads hang on it.
	GroupKey string `json:"groupKey"`
	Receiver string `json:"receiver"`
	// Reason is why it is said now, in Alertmanager's words: "first
	// notification", "new alerts added", "all alerts resolved", …
	Reason string `json:"reason"`
	// At is the moment that the notification speaks of: an alert is firing or
	// resolved as of then, however late the message goes out.
	At          time.Time `json:"at"`
	GroupLabels Labels    `json:"groupLabels,omitempty"`
	RouteLabels Labels    `json:"routeLabels,omitempty"`
	Alerts      []*Alert  `json:"alerts"`
	// Merged counts the notifications that this one stands for, when a channel's
	// quota was too short for each of them; 0 means that it is no digest.
	Merged int `json:"merged,omitempty"`
	// Instead names the receiver that could not be reached, when this
	// notification stands in for it, and Cause says why.
	Instead string `json:"instead,omitempty"`
	Cause   string `json:"cause,omitempty"`
	// Done lists the units that channels have already accepted.
	Done []string `json:"done,omitempty"`
	// Shrink asks for a message of half the usual limit: the vendor found the
	// last one too long.
	Shrink bool `json:"shrink,omitempty"`
}

// Firing returns the alerts that fire as of n.At, in order.
func (n *Notification) Firing() []*Alert { return n.pick(false) }

// Resolved returns the alerts that are over as of n.At, in order.
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
