package config

import (
	"fmt"
	"strings"

	"tocsin/pkg/route"
	"tocsin/pkg/setting"
)

// Summary returns a few lines with the names and numbers of clusters, rules, routes and
// receivers.
func (c *Config) Summary() []string {
	var clusters, rules []string
	for _, cluster := range c.Lag.Clusters {
		clusters = append(clusters, cluster.Name)
	}
	for _, rule := range c.Lag.Rules {
		name := rule.Alert
		if rule.MaxLag != nil {
			name += fmt.Sprintf(" (max_lag %d)", *rule.MaxLag)
		}
		rules = append(rules, name)
	}
	lines := []string{
		countLine("clusters", clusters),
		countLine("rules", rules),
		fmt.Sprintf("%-10s %d", "routes", countRoutes(c.Route)),
	}
	var receivers []string
	for i := range c.Receivers {
		receivers = append(receivers, c.Receivers[i].summary())
	}
	return append(lines, countLine("receivers", receivers))
}

// countLine returns a line with the number of names and the names.
func countLine(what string, names []string) string {
	if len(names) == 0 {
		return fmt.Sprintf("%-10s none", what)
	}
	return fmt.Sprintf("%-10s %d: %s", what, len(names), strings.Join(names, ", "))
}

func countRoutes(r *route.Config) int {
	n := 1
	for _, child := range r.Routes {
		n += countRoutes(child)
	}
	return n
}

// summary returns a receiver as "ops (2 wecom_robot, 1 email; else ops-mail after 15m)".
func (r *Receiver) summary() string {
	var kinds []string
	counts := map[string]int{}
	for _, integration := range r.Integrations() {
		kind := integration.Kind().Name
		if counts[kind]++; counts[kind] == 1 {
			kinds = append(kinds, kind)
		}
	}
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", counts[kind], kind)
	}
	inside := strings.Join(kinds, ", ")
	if inside == "" {
		inside = "no channels"
	}
	if r.Fallback != nil {
		inside += fmt.Sprintf("; else %s after %v", r.Fallback.Receiver, setting.Duration(r.Fallback.Delay()))
	}
	return r.Name + " (" + inside + ")"
}
