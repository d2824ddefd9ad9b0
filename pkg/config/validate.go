package config

import (
	"net/url"
	"slices"
	"strings"

	"tocsin/pkg/route"
	"tocsin/pkg/setting"
)

// Validate adds the faults of c to f.
func (c *Config) Validate(f *setting.Faults) {
	c.Global.Validate(f.In("global"))
	c.Store.Validate(f.In("store"))
	c.Lag.Validate(f.In("lag"))
	c.Dispatch.Validate(f.In("dispatch"))
	c.Webhook.Validate(f.In("webhook"))
	c.validateReceivers(f.In("receivers"))
	c.warnPlaintextHTTP(f)
	intervals := c.validateIntervals(f)
	c.Hosts.Validate(f.In("hosts"), intervals)
	c.validateTokens(f.In("hosts"))
	if c.Route == nil {
		f.Addf("route", "is missing: it names the receiver of alerts; the shortest route has a receiver and nothing else")
	} else {
		c.Route.Validate(f.In("route"), route.Names{Receivers: c.receiverNames(), TimeIntervals: intervals})
	}
	for i := range c.InhibitRules {
		c.InhibitRules[i].Validate(f.In("inhibit_rules", i))
	}
	if !hasError(f.List()) { // a misspelled name would make receivers seem unused
		c.warnLostAlerts(f)
	}
}

// validateIntervals validates the time intervals and returns their names.
func (c *Config) validateIntervals(f *setting.Faults) []string {
	var names []string
	for key, list := range map[string][]route.TimeInterval{"time_intervals": c.TimeIntervals, "mute_time_intervals": c.MuteTimeIntervals} {
		for i := range list {
			at := f.In(key, i)
			list[i].Validate(at)
			if list[i].Name != "" && slices.Contains(names, list[i].Name) {
				at.Addf("name", "%q is taken by another time interval: names must differ", list[i].Name)
			}
			names = append(names, list[i].Name)
		}
	}
	return names
}

// validateTokens checks that the tokens named below `hosts` exist.
func (c *Config) validateTokens(f *setting.Faults) {
	var known []string
	for _, t := range c.Webhook.Auth.Tokens {
		known = append(known, t.Name)
	}
	check := func(f *setting.Faults, names []string) {
		for i, name := range names {
			if !slices.Contains(known, name) {
				f.In(i).Addf("", "no token of webhook.auth is named %q", name)
			}
		}
	}
	for i, g := range c.Hosts.Groups {
		check(f.In("groups", i, "tokens"), g.Tokens)
	}
	if r := c.Hosts.Register; r != nil {
		check(f.In("register", "tokens"), r.Tokens)
	}
}

// warnPlaintextHTTP warns about endpoints that are called without encryption,
// except those on this machine.
func (c *Config) warnPlaintextHTTP(f *setting.Faults) {
	warn := func(f *setting.Faults, endpoint string) {
		if u, err := url.Parse(endpoint); err == nil && u.Scheme == "http" && !setting.IsLoopback(u.Hostname()) {
			f.Warnf("endpoint", "is plain http: anyone on the network path can read it")
		}
	}
	for i, cluster := range c.Lag.Clusters {
		if cluster.CKafka != nil {
			warn(f.In("lag", "clusters", i, "ckafka"), cluster.CKafka.Endpoint)
		}
	}
	for i, r := range c.Receivers {
		for j := range r.SMS {
			warn(f.In("receivers", i, "sms_configs", j), r.SMS[j].Endpoint)
		}
		for j := range r.Voice {
			warn(f.In("receivers", i, "voice_configs", j), r.Voice[j].Endpoint)
		}
	}
}

// validateReceivers validates the receivers, their fallbacks and channels.
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

// validateFallback checks that the fallback of r exists and leads to an end.
func (c *Config) validateFallback(f *setting.Faults, r *Receiver) {
	to := c.receiver(r.Fallback.Receiver)
	switch {
	case r.Fallback.Receiver == "":
		f.Addf("receiver", "is missing: name the fallback receiver of %q", r.Name)
		return
	case to == nil:
		f.Addf("receiver", "no receiver is named %q%s", r.Fallback.Receiver, c.didYouMean(r.Fallback.Receiver))
		return
	case len(to.Integrations()) == 0:
		f.Warnf("receiver", "%q has no channels: notifications to it are lost", to.Name)
	}
	// Follow the fallbacks. A cycle is reported once, for its first receiver.
	var path []string
	for next := to; next != nil && len(path) <= len(c.Receivers); next = c.fallbackOf(next) {
		path = append(path, next.Name)
		if next != r {
			continue
		}
		first := slices.IndexFunc(c.Receivers, func(r Receiver) bool { return slices.Contains(path, r.Name) })
		if &c.Receivers[first] == r {
			f.Addf("receiver", "the fallbacks form a cycle: %s → %s", r.Name, strings.Join(path, " → "))
		}
		return
	}
}

// fallbackOf returns the fallback of r, nil if it has none.
func (c *Config) fallbackOf(r *Receiver) *Receiver {
	if r.Fallback == nil {
		return nil
	}
	return c.receiver(r.Fallback.Receiver)
}

// receiver returns the first receiver with a name, nil if there is none.
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

// didYouMean returns a suggestion for the name of a receiver, "" if none is near.
func (c *Config) didYouMean(name string) string {
	if nearest := setting.Nearest(name, c.receiverNames()); nearest != "" {
		return "; did you mean \"" + nearest + "\"?"
	}
	return ""
}
