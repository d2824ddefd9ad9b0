package host

import (
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// Defaults of the configuration.
const (
	// DefaultInterval is the time between two checks in serve and dev.
	DefaultInterval = time.Minute
	// DefaultOfflineAfter is how long a host may be silent before it is offline.
	DefaultOfflineAfter = time.Minute
	// DefaultIgnoreGrace is how long hosts have to report again after an ignored
	// interval.
	DefaultIgnoreGrace = time.Minute
	// DefaultRegisterMax is how many hosts may register themselves.
	DefaultRegisterMax = 100
	// DefaultForgetAfter is how long a host that registered itself may be silent
	// before it is forgotten.
	DefaultForgetAfter = 7 * 24 * time.Hour
)

// Config is the section hosts of the configuration.
type Config struct {
	// Interval is the time between two checks in serve and dev; default 1m. On a
	// platform the timer trigger decides, and this should be the same.
	Interval *setting.Duration `yaml:"interval,omitempty"`
	// OfflineAfter is how long a host may be silent before it is offline; default
	// 1m.
	OfflineAfter *setting.Duration `yaml:"offline_after,omitempty"`
	// Ignore names time intervals in which hosts are not checked. IgnoreGrace is
	// for how long after them they are not checked either; default 1m.
	Ignore      []string          `yaml:"ignore,omitempty"`
	IgnoreGrace *setting.Duration `yaml:"ignore_grace,omitempty"`

	Templates []Template       `yaml:"templates,omitempty"`
	Groups    []Group          `yaml:"groups,omitempty"`
	Hosts     []InventoryEntry `yaml:"hosts,omitempty"`
	Rules     []Rule           `yaml:"rules,omitempty"`
	// Register allows hosts that are not listed to register themselves.
	Register *Register `yaml:"register,omitempty"`
}

// Template is a named set of services.
type Template struct {
	Name     string                   `yaml:"name"`
	Services map[string]ServiceConfig `yaml:"services"`
}

// ServiceConfig is a plugin of the agent and how often it runs.
type ServiceConfig struct {
	Plugin string `yaml:"plugin"`
	// Interval is in whole seconds.
	Interval setting.Duration `yaml:"interval"`
	// SilentAfter is how long the service may be silent while its host reports; default
	// three intervals, 0 is for ever. It is OfflineAfter if that is longer.
	SilentAfter *setting.Duration `yaml:"silent_after,omitempty"`
}

// Group is a group of hosts with common services, labels and tokens.
type Group struct {
	Name      string   `yaml:"name"`
	Templates []string `yaml:"templates,omitempty"`
	// Labels are added to the alerts of the group's hosts.
	Labels alert.Labels `yaml:"labels,omitempty"`
	// Tokens names tokens of webhook.auth and binds them: they are valid for the
	// hosts of the groups that name them, and for no others.
	Tokens []string `yaml:"tokens,omitempty"`
}

// InventoryEntry is a host that is listed.
type InventoryEntry struct {
	// ID is the id that its agent reports with.
	ID string `yaml:"id"`
	// Name is the name in messages; default ID.
	Name string `yaml:"name,omitempty"`
	// Active is whether alerts are raised about the host; default true.
	Active    *bool        `yaml:"active,omitempty"`
	Groups    []string     `yaml:"groups,omitempty"`
	Templates []string     `yaml:"templates,omitempty"`
	Labels    alert.Labels `yaml:"labels,omitempty"`
}

// Register configures how hosts register themselves.
type Register struct {
	// Tokens names the tokens of webhook.auth that a host may register with. They
	// are bound to the hosts that registered with them.
	Tokens    []string `yaml:"tokens"`
	Groups    []string `yaml:"groups,omitempty"`
	Templates []string `yaml:"templates,omitempty"`
	// Max bounds how many hosts may register; default 100.
	Max *int `yaml:"max,omitempty"`
	// ForgetAfter is how long such a host may be silent before it is forgotten and
	// no longer counts against Max; default 7d.
	ForgetAfter *setting.Duration `yaml:"forget_after,omitempty"`
}

// CheckInterval returns Interval, or its default.
func (c *Config) CheckInterval() time.Duration { return orDefault(c.Interval, DefaultInterval) }

func (c *Config) offlineAfter() time.Duration {
	return orDefault(c.OfflineAfter, DefaultOfflineAfter)
}
func (c *Config) ignoreGrace() time.Duration { return orDefault(c.IgnoreGrace, DefaultIgnoreGrace) }

func orDefault(d *setting.Duration, def time.Duration) time.Duration {
	if d == nil {
		return def
	}
	return d.Std()
}

// TemplateData is the data of the template of an annotation.
type TemplateData struct {
	// Labels are the labels of the alert, with the rule's: $labels.
	Labels alert.Labels
	// Value is the reported value: $value.
	Value setting.Value
	// Threshold is the rule's above or below.
	Threshold setting.Value
}

// labelData is the data of the template of a label.
type labelData struct{ Labels alert.Labels }

// sampleData returns the data with which templates are validated.
func sampleData() TemplateData {
	return TemplateData{Labels: alert.Labels{alert.NameLabel: "HostCPUHigh", alert.HostLabel: "web-1", alert.HostnameLabel: "web-1"}, Value: 95.5, Threshold: 90}
}
