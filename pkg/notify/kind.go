package notify

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/setting"
)

// Kind is what is true of every integration of a channel.
type Kind struct {
	// Name is the channel's name in group logs, metrics and messages to the
	// operator: its configuration key without "_configs".
	Name string
	// SendResolved is whether resolved alerts are told unless the configuration
	// says otherwise.
	SendResolved bool
	// Quotas are what the vendor lets one target be sent. All of them hold.
	Quotas []Quota
	// PerUnit tells that the quotas count for every unit of a message by itself,
	// such as a phone number, and not for its target.
	PerUnit bool
	// AtMostOnce marks channels that cost money or ring phones: after a send
	// whose outcome is unknown they are not tried again.
	AtMostOnce bool
}

// Quota is how many messages a target may be sent within a time.
type Quota struct {
	Messages int
	Per      time.Duration
}

// UnmarshalText reads a quota such as 20/1m.
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

// MarshalText prints the quota as it is written.
func (q Quota) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d/%s", q.Messages, setting.Duration(q.Per)), nil
}

// Common holds the keys that every channel's configuration has; it is inlined
// there.
type CommonConfig struct {
	// SendResolved tells whether to say that alerts are over. The channel's Kind
	// holds the default.
	SendResolved *bool `yaml:"send_resolved,omitempty"`
	// RateLimit replaces the channel's quotas, as 20/1m.
	RateLimit *Quota `yaml:"rate_limit,omitempty"`
}

// Quotas is what a target may be sent by a channel of kind k.
func (c CommonConfig) Quotas(k Kind) []Quota {
	if c.RateLimit != nil {
		return []Quota{*c.RateLimit}
	}
	return k.Quotas
}

// Resolved is what send_resolved comes to for a channel of kind k.
func (c CommonConfig) SendsResolved(k Kind) bool {
	if c.SendResolved != nil {
		return *c.SendResolved
	}
	return k.SendResolved
}
