package config

import (
	"go.yaml.in/yaml/v4"

	"tocsin/pkg/dispatch"
	"tocsin/pkg/notify/email"
	"tocsin/pkg/setting"
)

// AlertmanagerYAML is the part of the configuration that Alertmanager's own
// strict parser accepts, secrets masked: what status shows, so that amtool can
// read the routes. Receivers have their names and e-mail only.
func (c *Config) AlertmanagerYAML() (string, error) {
	type receiver struct {
		Name  string         `yaml:"name"`
		Email []email.Config `yaml:"email_configs,omitempty"`
	}
	var known struct {
		Global struct {
			ResolveTimeout setting.Duration `yaml:"resolve_timeout"`
			SMTP           email.Global     `yaml:",inline"`
		} `yaml:"global"`
		Route         *dispatch.RouteConfig   `yaml:"route"`
		Receivers     []receiver              `yaml:"receivers"`
		InhibitRules  []dispatch.InhibitRule  `yaml:"inhibit_rules,omitempty"`
		TimeIntervals []dispatch.TimeInterval `yaml:"time_intervals,omitempty"`
		Templates     []string                `yaml:"templates,omitempty"`
	}
	known.Global.ResolveTimeout, known.Global.SMTP = c.Global.ResolveTimeout, c.Global.SMTP
	known.Route = upstreamRoute(c.Route)
	for i := range c.Receivers {
		r := receiver{Name: c.Receivers[i].Name}
		for _, e := range c.Receivers[i].Email {
			e.RateLimit = nil
			r.Email = append(r.Email, e)
		}
		known.Receivers = append(known.Receivers, r)
	}
	known.InhibitRules, known.TimeIntervals, known.Templates = c.InhibitRules, c.Intervals(), c.Templates
	b, err := yaml.Dump(known)
	return string(b), err
}

// upstreamRoute is the route without the keys that are Tocsin's own.
func upstreamRoute(c *dispatch.RouteConfig) *dispatch.RouteConfig {
	r := *c
	r.RepeatSchedule, r.ResolvedAtOnce = nil, nil
	r.Routes = nil
	for _, child := range c.Routes {
		r.Routes = append(r.Routes, upstreamRoute(child))
	}
	return &r
}
