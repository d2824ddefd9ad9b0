// Package config loads tocsin.yaml. Every room owns its part of the configuration; this
// package assembles the parts, applies inheritance from the global section, and checks
// that names used in one part exist in another.
package config

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/host"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/lag"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/backend"
)

// Config is the content of tocsin.yaml, a superset of Alertmanager's configuration.
type Config struct {
	Global Global     `yaml:"global"`
	Store  Store      `yaml:"store,omitempty"`
	Lag    lag.Config `yaml:"lag,omitempty"`
	// Hosts are the hosts whose agents report.
	Hosts host.Config `yaml:"hosts,omitempty"`
	// Dispatch configures ticks and the dispatch function.
	Dispatch Dispatch `yaml:"dispatch,omitempty"`
	// Webhook configures the HTTP endpoints that receive alerts, and their tokens.
	Webhook api.WebhookConfig `yaml:"webhook,omitempty"`
	// Route is the root of the routing tree.
	Route     *route.Config `yaml:"route"`
	Receivers []Receiver    `yaml:"receivers"`
	// InhibitRules and TimeIntervals are Alertmanager's. MuteTimeIntervals is its
	// older key for time intervals.
	InhibitRules      []inhibit.Rule       `yaml:"inhibit_rules,omitempty"`
	TimeIntervals     []route.TimeInterval `yaml:"time_intervals,omitempty"`
	MuteTimeIntervals []route.TimeInterval `yaml:"mute_time_intervals,omitempty"`
	// Templates are glob patterns of template files. Load makes relative ones
	// relative to the configuration's directory.
	Templates []string `yaml:"templates,omitempty"`

	// Hash is the hash of the file, as Alertmanager's metric alertmanager_config_hash
	// has it.
	Hash float64 `yaml:"-"`
}

// Intervals returns the time intervals of both keys.
func (c *Config) Intervals() []route.TimeInterval {
	return slices.Concat(c.TimeIntervals, c.MuteTimeIntervals)
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

// Dispatch configures ticks and the dispatch function.
type Dispatch struct {
	// Linger is how long one call of the dispatch function keeps running, to deliver
	// notifications within a second after they become due; default 0s: it returns
	// after one tick. The platform charges for the whole time.
	Linger setting.Duration `yaml:"linger,omitempty"`
	// LateAfter is how long no tick may happen before the alert TocsinTickLate
	// fires; default 5m, 0s for never.
	LateAfter *setting.Duration `yaml:"late_after,omitempty"`
	// HeartbeatURL is requested by GET after successful ticks, at most once a minute,
	// for a service that alerts when the requests stop.
	HeartbeatURL setting.Secret `yaml:"heartbeat_url,omitempty"`
}

const defaultLateAfter = 5 * time.Minute

// LateLimit returns LateAfter or its default.
func (d *Dispatch) LateLimit() time.Duration {
	if d.LateAfter == nil {
		return defaultLateAfter
	}
	return d.LateAfter.Std()
}

// Validate adds the faults of d to f.
func (d *Dispatch) Validate(f *setting.Faults) {
	if d.HeartbeatURL == "" {
		return
	}
	if u, err := url.Parse(string(d.HeartbeatURL)); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		f.Addf("heartbeat_url", "is not an address such as https://example.com/ping/…")
	}
}

// Store configures where state is stored.
type Store struct {
	// URL is the URL of the store, as pkg/store/backend opens it; "" leaves the choice
	// to the command. It may contain a password.
	URL setting.Secret `yaml:"url,omitempty"`
}

// Validate adds the faults of s to f.
func (s *Store) Validate(f *setting.Faults) {
	if s.URL == "" {
		return
	}
	if err := backend.Check(string(s.URL)); err != nil {
		f.Addf("url", "%s", strings.TrimPrefix(err.Error(), "store: "))
	}
}

// Receiver is a name that routes send to, and its channels. Without a channel it
// discards its notifications, as in Alertmanager.
type Receiver struct {
	Name string `yaml:"name"`
	// Fallback receives the notifications that cannot be delivered.
	Fallback *Fallback `yaml:"fallback,omitempty"`
	Channels `yaml:",inline"`
}

// Fallback is the receiver of notifications that another one could not deliver.
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
