package host

import (
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// What counts where the configuration says nothing.
const (
	// DefaultInterval is how often serve and dev look for silence.
	DefaultInterval = time.Minute
	// DefaultOfflineAfter is how long a host may be silent.
	DefaultOfflineAfter = time.Minute
	// DefaultIgnoreGrace is how long hosts have to report again when an ignored
	// interval is over.
	DefaultIgnoreGrace = time.Minute
	// DefaultRegisterMax is how many hosts may enrol themselves.
	DefaultRegisterMax = 100
	// DefaultForgetAfter is how long a host that enrolled itself may be silent
	// before it is not expected any more.
	DefaultForgetAfter = 7 * 24 * time.Hour
)

// Config is the part `hosts` of the configuration.
type Config struct {
	// Interval is the time between looks for silence in serve and dev; default
	// 1m. On a platform the timer trigger decides, and this should be the same.
	Interval *setting.Duration `yaml:"interval,omitempty"`
	// OfflineAfter is how long a host may be silent before it is offline;
	// default 1m.
	OfflineAfter *setting.Duration `yaml:"offline_after,omitempty"`
	// Ignore names time intervals in which silence is not judged, and IgnoreGrace
	// is how long it is not judged after them either; default 1m.
	Ignore      []string          `yaml:"ignore,omitempty"`
	IgnoreGrace *setting.Duration `yaml:"ignore_grace,omitempty"`

	Templates []Template       `yaml:"templates,omitempty"`
	Groups    []Group          `yaml:"groups,omitempty"`
	Hosts     []InventoryEntry `yaml:"hosts,omitempty"`
	Rules     []Rule           `yaml:"rules,omitempty"`
	// Register lets hosts that are not listed enrol themselves.
	Register *Register `yaml:"register,omitempty"`
}

// Template is a set of services under a name.
type Template struct {
	Name     string                   `yaml:"name"`
	Services map[string]ServiceConfig `yaml:"services"`
}

// ServiceConfig is what is collected: which plugin of the agent, and how often.
type ServiceConfig struct {
	Plugin string `yaml:"plugin"`
	// Interval is in whole seconds.
	Interval setting.Duration `yaml:"interval"`
}

// Group is what hosts have in common.
type Group struct {
	Name      string   `yaml:"name"`
	Templates []string `yaml:"templates,omitempty"`
	// Labels are given to the alerts of the group's hosts.
	Labels alert.Labels `yaml:"labels,omitempty"`
	// Tokens names tokens of webhook.auth and binds them: they may speak for the
	// hosts of groups that name them, and for no other.
	Tokens []string `yaml:"tokens,omitempty"`
}

// InventoryEntry is one host.
type InventoryEntry struct {
	// ID is what its agent goes by.
	ID string `yaml:"id"`
	// Name is what people call it; default ID.
	Name string `yaml:"name,omitempty"`
	// Active is whether it is judged; default true.
	Active    *bool        `yaml:"active,omitempty"`
	Groups    []string     `yaml:"groups,omitempty"`
	Templates []string     `yaml:"templates,omitempty"`
	Labels    alert.Labels `yaml:"labels,omitempty"`
}

// Register is who may enrol without being listed, and as what.
type Register struct {
	// Tokens names the tokens of webhook.auth that allow it. They are bound to
	// the hosts that enrolled with them.
	Tokens    []string `yaml:"tokens"`
	Groups    []string `yaml:"groups,omitempty"`
	Templates []string `yaml:"templates,omitempty"`
	// Max bounds how many hosts may enrol; default 100.
	Max *int `yaml:"max,omitempty"`
	// ForgetAfter is how long such a host may be silent before it is forgotten,
	// and its place is free; default 7d.
	ForgetAfter *setting.Duration `yaml:"forget_after,omitempty"`
}

// CheckInterval is the interval, or its default.
func (c *Config) CheckInterval() time.Duration { return orDefault(c.Interval, DefaultInterval) }

func (c *Config) offlineAfter() time.Duration {
	return orDefault(c.OfflineAfter, DefaultOfflineAfter)
}
func (c *Config) ignoreGrace() time.Duration { return orDefault(c.IgnoreGrace, DefaultIgnoreGrace) }

func orDefault(d *setting.Duration, standard time.Duration) time.Duration {
	if d == nil {
		return standard
	}
	return d.Std()
}
