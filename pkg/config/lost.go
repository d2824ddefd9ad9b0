package config

import (
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
)

// warnLostAlerts warns about routes whose receiver has no channels, and about receivers
// that get no notifications.
func (c *Config) warnLostAlerts(f *setting.Faults) {
	used := map[*Receiver]bool{}
	var walk func(r *route.Config, f *setting.Faults)
	walk = func(r *route.Config, f *setting.Faults) {
		if r == nil {
			return // Validate reports it
		}
		to := c.receiver(r.Receiver)
		if to != nil && len(to.Integrations()) == 0 {
			f.Warnf("receiver", "%q has no channels: nobody is notified of the alerts of this route; give it a channel, or name another receiver", to.Name)
		}
		for ; to != nil && !used[to]; to = c.fallbackOf(to) {
			used[to] = true
		}
		for i, child := range r.Routes {
			walk(child, f.In("routes", i))
		}
	}
	walk(c.Route, f.In("route"))
	for i := range c.Receivers {
		if r := &c.Receivers[i]; r.Name != "" && r == c.receiver(r.Name) && !used[r] {
			f.In("receivers", i).Warnf("name", "%q is used by no route and as no fallback: name it in a route, or remove it", r.Name)
		}
	}
}
