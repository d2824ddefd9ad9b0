package notify

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/setting"
)

// Kind holds the properties that all integrations of a channel share.
type Kind struct {
	// Name is the channel's name in group logs, metrics and error messages: its
	// configuration key without "_configs".
	Name string
	// SendResolved is the default of send_resolved.
	SendResolved bool
	// Quotas are the vendor's limits for one target. All of them apply.
	Quotas []Quota
	// PerUnit counts the quotas for each unit of a message, such as a phone
	// number, instead of its target.
	PerUnit bool
	// AtMostOnce marks channels that cost money or ring phones: after a send with
	// an unknown outcome they are not tried again.
	AtMostOnce bool
}

// Quota is a number of messages that a target may receive in a time.
type Quota struct {
	Messages int
	Per      time.Duration
}

// UnmarshalText parses a quota such as 20/1m.
func (q *Quota) UnmarshalText(text []byte) error {
	count, per, _ := strings.Cut(string(text), "/")
	n, err := strconv.Atoi(count)
	var d setting.Duration
	if err != nil || n <= 0 || d.UnmarshalText([]byte(per)) != nil || d <= 0 {
		return fmt.Errorf("%q is not a rate: write it like 20/1m, messages in a time", text)
	}
	q.Messages, q.Per = n, d.Std()
	return nil
}

// MarshalText returns the quota in the form that UnmarshalText parses.
func (q Quota) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d/%s", q.Messages, setting.Duration(q.Per)), nil
}

// CommonConfig holds the keys that every channel's configuration has; it is
// inlined there.
type CommonConfig struct {
	// SendResolved sends a notification when alerts are resolved; default
	// Kind.SendResolved.
	SendResolved *bool `yaml:"send_resolved,omitempty"`
	// RateLimit replaces the channel's quotas, as 20/1m.
	RateLimit *Quota `yaml:"rate_limit,omitempty"`
}

// Quotas returns the quotas that apply to a target of a channel of kind k.
func (c CommonConfig) Quotas(k Kind) []Quota {
	if c.RateLimit != nil {
		return []Quota{*c.RateLimit}
	}
	return k.Quotas
}

// SendsResolved reports whether a channel of kind k sends resolved
// notifications.
func (c CommonConfig) SendsResolved(k Kind) bool {
	if c.SendResolved != nil {
		return *c.SendResolved
	}
	return k.SendResolved
}
