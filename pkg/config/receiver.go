package config

import (
	"slices"
	"strings"
	"time"

	"tocsin/pkg/setting"
)

// Receiver is a name that routes send to, and its channels. Without a channel it
// discards its notifications, as in Alertmanager.
type Receiver struct {
	Name string `yaml:"name"`
	// Fallback receives the notifications that cannot be delivered.
	Fallback *Fallback `yaml:"fallback,omitempty"`
	Channels `yaml:",inline"`
}

// Fallback names the receiver that stands in for another.
type Fallback struct {
	Receiver string `yaml:"receiver"`
	// After is how long a temporary error may last; default 15m. After a permanent
	// error the notification goes to the fallback at once.
	After *setting.Duration `yaml:"after,omitempty"`
}

const defaultFallbackAfter = 15 * time.Minute

// Delay returns After or its default.
func (f *Fallback) Delay() time.Duration {
	if f.After == nil {
		return defaultFallbackAfter
	}
	return f.After.Std()
}

func (c *Config) validateReceivers(f *setting.Faults) {
	for i := range c.Receivers {
		r, f := &c.Receivers[i], f.In(i)
		switch first := c.receiver(r.Name); {
		case r.Name == "":
			f.Addf("name", "is missing: routes name the receiver by it")
		case first != r:
			f.Addf("name", "%q is taken by another receiver: names must differ", r.Name)
		}
		if r.Fallback != nil {
			c.validateFallback(f.In("fallback"), r)
		}
		for _, integration := range r.Integrations() {
			integration.Validate(integration.in(f))
		}
	}
}

func (c *Config) validateFallback(f *setting.Faults, r *Receiver) {
	to := c.receiver(r.Fallback.Receiver)
	switch {
	case r.Fallback.Receiver == "":
		f.Addf("receiver", "is missing: name the receiver that stands in for %q", r.Name)
		return
	case to == nil:
		f.Addf("receiver", "no receiver is named %q%s", r.Fallback.Receiver, c.didYouMean(r.Fallback.Receiver))
		return
	case len(to.Integrations()) == 0:
		f.Warnf("receiver", "%q has no channels: what goes there is lost", to.Name)
	}
	// Follow the fallbacks; a circle is reported once, by its first member.
	var way []string
	for next := to; next != nil && len(way) <= len(c.Receivers); next = c.fallbackOf(next) {
		way = append(way, next.Name)
		if next != r {
			continue
		}
		first := slices.IndexFunc(c.Receivers, func(r Receiver) bool { return slices.Contains(way, r.Name) })
		if &c.Receivers[first] == r {
			f.Addf("receiver", "the fallbacks go in a circle: %s → %s", r.Name, strings.Join(way, " → "))
		}
		return
	}
}

func (c *Config) fallbackOf(r *Receiver) *Receiver {
	if r.Fallback == nil {
		return nil
	}
	return c.receiver(r.Fallback.Receiver)
}

// receiver returns the first receiver of a name, nil when there is none.
func (c *Config) receiver(name string) *Receiver {
	i := slices.IndexFunc(c.Receivers, func(r Receiver) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Receivers[i]
}

func (c *Config) receiverNames() []string {
	var names []string
	for _, r := range c.Receivers {
		names = append(names, r.Name)
	}
	return names
}

func (c *Config) didYouMean(name string) string {
	if nearest := setting.Nearest(name, c.receiverNames()); nearest != "" {
		return "; did you mean \"" + nearest + "\"?"
	}
	return ""
}
