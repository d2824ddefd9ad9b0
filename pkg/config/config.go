// Package config reads tocsin.yaml. Each room owns its part of the
// configuration; this one puts the parts together, lets what is global be
// inherited, and checks that the names in one part exist in the other.
package config

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/host"
	"tocsin/pkg/lag"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/backend"
)

// Config is tocsin.yaml. It is Alertmanager's configuration with more in it.
type Config struct {
	Global Global     `yaml:"global"`
	Store  Store      `yaml:"store,omitempty"`
	Lag    lag.Config `yaml:"lag,omitempty"`
	// Hosts are whose agents report, and what is said when one falls silent.
	Hosts host.Config `yaml:"hosts,omitempty"`
	// Dispatch is for the function of that name.
	Dispatch Dispatch `yaml:"dispatch,omitempty"`
	// Webhook is how other systems' alerts come in, and who may bring them.
	Webhook api.WebhookConfig `yaml:"webhook,omitempty"`
	// Route is the root of the routing tree.
	Route     *dispatch.RouteConfig `yaml:"route"`
	Receivers []Receiver            `yaml:"receivers"`
	// InhibitRules and TimeIntervals are Alertmanager's. MuteTimeIntervals is
	// its older name for the latter.
	InhibitRules      []dispatch.InhibitRule  `yaml:"inhibit_rules,omitempty"`
	TimeIntervals     []dispatch.TimeInterval `yaml:"time_intervals,omitempty"`
	MuteTimeIntervals []dispatch.TimeInterval `yaml:"mute_time_intervals,omitempty"`
	// Templates are patterns of template files, relative to the folder of the
	// configuration; once loaded, they have that folder in front.
	Templates []string `yaml:"templates,omitempty"`
}

// Dispatch tells how the dispatch function works.
type Dispatch struct {
	// Linger is how long one call goes on saying what becomes due, each within
	// a second; default 0s: it says what is due and ends. The platform charges
	// for the time that it lasts.
	Linger setting.Duration `yaml:"linger,omitempty"`
	// LateAfter is how long nobody may say what is due before that is an alert
	// itself, TocsinTickLate; default 5m, 0s for never.
	LateAfter *setting.Duration `yaml:"late_after,omitempty"`
	// HeartbeatURL is asked for, by GET, after every tick that went well, at most
	// once a minute: for a service that raises the alarm when that stops.
	HeartbeatURL setting.Secret `yaml:"heartbeat_url,omitempty"`
}

// LateLimit returns LateAfter, or its default when it is not set.
func (d *Dispatch) LateLimit() time.Duration {
	if d.LateAfter == nil {
		return 5 * time.Minute
	}
	return d.LateAfter.Std()
}

// Validate adds what is wrong with d to f.
func (d *Dispatch) Validate(f *setting.Faults) {
	if d.HeartbeatURL == "" {
		return
	}
	if u, err := url.Parse(string(d.HeartbeatURL)); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		f.Addf("heartbeat_url", "is not an address such as https://example.com/ping/…")
	}
}

// Store is where state is kept.
type Store struct {
	// URL names the store, as pkg/store/backend reads it; "" leaves the choice
	// to the command. It may hold a password.
	URL setting.Secret `yaml:"url,omitempty"`
}

// Validate adds what is wrong with c to f.
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
		f.Addf("route", "is missing: it says which receiver hears of an alert; the shortest is a route with nothing but a receiver")
	} else {
		c.Route.Validate(f.In("route"), dispatch.Names{Receivers: c.receiverNames(), TimeIntervals: intervals})
	}
	for i := range c.InhibitRules {
		c.InhibitRules[i].Validate(f.In("inhibit_rules", i))
	}
}

// Intervals returns the time intervals, under whichever key they stand.
func (c *Config) Intervals() []dispatch.TimeInterval {
	return slices.Concat(c.TimeIntervals, c.MuteTimeIntervals)
}

// validateIntervals returns the names of the time intervals.
func (c *Config) validateIntervals(f *setting.Faults) []string {
	var names []string
	for key, list := range map[string][]dispatch.TimeInterval{"time_intervals": c.TimeIntervals, "mute_time_intervals": c.MuteTimeIntervals} {
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

// validateTokens checks the names of tokens in the part `hosts`.
func (c *Config) validateTokens(f *setting.Faults) {
	var there []string
	for _, t := range c.Webhook.Auth.Tokens {
		there = append(there, t.Name)
	}
	check := func(f *setting.Faults, names []string) {
		for i, name := range names {
			if !slices.Contains(there, name) {
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

// Validate adds what is wrong with s to f.
func (s *Store) Validate(f *setting.Faults) {
	if s.URL == "" {
		return
	}
	if err := backend.Check(string(s.URL)); err != nil {
		f.Addf("url", "%s", strings.TrimPrefix(err.Error(), "store: "))
	}
}

// inherit fills in the keys that parts leave to the global section. It must precede
// Validate.
func (c *Config) inherit() {
	id, key := c.Global.tencentKey()
	for _, cluster := range c.Lag.Clusters {
		if k := cluster.CKafka; k != nil && k.SecretID == "" && k.SecretKey == "" {
			k.SecretID, k.SecretKey = id, key
		}
	}
	for i := range c.Receivers {
		for _, integration := range c.Receivers[i].Integrations() {
			c.Global.inheritTo(integration.Channel)
		}
	}
}
