package notify

// Kind is what is true of every integration of a channel.
type Kind struct {
	// Name is the channel's name in group logs, metrics and messages to the
	// operator: its configuration key without "_configs".
	Name string
	// SendResolved is whether resolved alerts are told unless the configuration
	// says otherwise.
	SendResolved bool
	// AtMostOnce marks channels that cost money or ring phones: after a send
	// whose outcome is unknown they are not tried again.
	AtMostOnce bool
}

// Common holds the keys that every channel's configuration has; it is inlined
// there.
type Common struct {
	// SendResolved tells whether to say that alerts are over. The channel's Kind
	// holds the default.
	SendResolved *bool `yaml:"send_resolved,omitempty"`
}

// Resolved is what send_resolved comes to for a channel of kind k.
func (c Common) Resolved(k Kind) bool {
	if c.SendResolved != nil {
		return *c.SendResolved
	}
	return k.SendResolved
}
