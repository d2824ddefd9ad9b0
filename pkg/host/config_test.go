package host_test

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/host"
	"tocsin/pkg/setting"
)

// faults returns the faults of a configuration, one line each: "path: message".
func faults(c host.Config) []string {
	var f setting.Faults
	c.Validate(f.In("hosts"), []string{"night"})
	var out []string
	for _, fault := range f.List() {
		line := strings.Trim(strings.ReplaceAll(fmt.Sprint(fault.Path), " ", "."), "[]") + ": " + fault.Message
		if fault.Warning {
			line = "warning: " + line
		}
		out = append(out, line)
	}
	return out
}

func TestValidate(t *testing.T) {
	rule := cpuHigh()
	with := func(change func(r *host.Rule)) func(c *host.Config) {
		return func(c *host.Config) {
			r := rule
			change(&r)
			c.Rules = []host.Rule{r}
		}
	}
	for name, tt := range map[string]struct {
		change func(c *host.Config)
		want   []string // the beginning of each fault
	}{
		"a valid configuration":  {func(c *host.Config) {}, nil},
		"an empty configuration": {func(c *host.Config) { *c = host.Config{} }, nil},
		"every key": {func(c *host.Config) {
			c.Ignore, c.IgnoreGrace, c.Interval = []string{"night"}, duration("0s"), duration("30s")
			c.Register = &host.Register{Tokens: []string{"a"}, Groups: []string{"web"}, Templates: []string{"linux"}, Max: ptr(1), ForgetAfter: duration("1h")}
			c.Rules = []host.Rule{rule, {Alert: "B", Match: host.Match{Host: pattern("web-.*"), Group: pattern("web")}, Value: "disk.mounts.*.used_percent", By: "mount", Below: ptr(1.0), Clear: ptr(1.0),
				Labels: templates(t, "severity", "warning"), Annotations: templates(t, "summary", "{{ $value }}")}}
		}, nil},

		"times that are out of range": {func(c *host.Config) {
			c.Interval, c.OfflineAfter, c.IgnoreGrace = duration("0s"), duration("0s"), duration("25h")
		},
			[]string{"hosts.interval: must be more than 0s", "hosts.offline_after: must be more than 0s", "hosts.ignore_grace: must be at most 1d, not 1d1h", "warning"}},
		"an unknown time interval":  {func(c *host.Config) { c.Ignore = []string{"nihgt"} }, []string{`hosts.ignore.0: no time interval is named "nihgt"; did you mean "night"?`}},
		"a template without a name": {func(c *host.Config) { c.Templates = append(c.Templates, host.Template{}) }, []string{"hosts.templates.1.name: is missing"}},
		"templates with one name":   {func(c *host.Config) { c.Templates = append(c.Templates, c.Templates[0]) }, []string{`hosts.templates.1.name: "linux" is used by another template`}},
		"an invalid service": {func(c *host.Config) {
			c.Templates[0].Services["LinuxCPU"] = host.ServiceConfig{Plugin: "a/b", Interval: *duration("1500ms")}
			c.Templates[0].Services["a\nb"] = host.ServiceConfig{Interval: *duration("0s")}
		}, []string{
			"hosts.templates.0.services.LinuxCPU.plugin: contains other characters", "hosts.templates.0.services.LinuxCPU.interval: must be whole seconds, 1s or more, not 1s500ms",
			"hosts.templates.0.services.a\nb: is not a name", "hosts.templates.0.services.a\nb.plugin: is missing", "hosts.templates.0.services.a\nb.interval: must be whole seconds",
		}},
		"unknown names": {func(c *host.Config) {
			c.Groups[0].Templates, c.Hosts[0].Groups, c.Hosts[0].Templates = []string{"linus"}, []string{"wep"}, []string{"windows"}
		}, []string{`hosts.groups.0.templates.0: no template is named "linus"; did you mean "linux"?`, `hosts.hosts.0.groups.0: no group is named "wep"; did you mean "web"?`, `hosts.hosts.0.templates.0: no template is named "windows"`}},
		"groups with one name": {func(c *host.Config) { c.Groups = append(c.Groups, host.Group{Name: "web"}) }, []string{`hosts.groups.1.name: "web" is used by another group`}},
		"invalid labels": {func(c *host.Config) {
			c.Groups[0].Labels, c.Hosts[0].Labels = alert.Labels{"host": "x"}, alert.Labels{"a-b": "x", "a": "\xff"}
		}, []string{"hosts.groups.0.labels.host: is set by Tocsin", "hosts.hosts.0.labels.a: is not UTF-8", "hosts.hosts.0.labels.a-b: is not a name"}},
		"invalid ids": {func(c *host.Config) {
			c.Hosts = []host.InventoryEntry{{ID: "a"}, {ID: "a"}, {}, {ID: "a/b"}, {ID: ".."}, {ID: "é"}, {ID: strings.Repeat("x", 129), Name: strings.Repeat("x", 129)}, {ID: "A.b_c-1:2@x"}}
		}, []string{`hosts.hosts.1.id: "a" is used by another host`, "hosts.hosts.2.id: is missing", `hosts.hosts.3.id: "a/b" contains other characters`, `hosts.hosts.4.id: ".." consists of dots only`, `hosts.hosts.5.id: "é" contains other characters`, "hosts.hosts.6.id: has 129 bytes", "hosts.hosts.6.id: ", "hosts.hosts.6.name: has 129 bytes"}},
		"invalid register": {func(c *host.Config) {
			c.Register = &host.Register{Groups: []string{"x"}, Templates: []string{"x"}, Max: ptr(0), ForgetAfter: duration("0s")}
		}, []string{"hosts.register.tokens: is missing", "hosts.register.groups.0: no group", "hosts.register.templates.0: no template", "hosts.register.max: must be 1 or more", "hosts.register.forget_after: must be more"}},

		"an empty rule":                {func(c *host.Config) { c.Rules = []host.Rule{{}} }, []string{"hosts.rules.0.alert: is missing", "hosts.rules.0.value: is missing", "hosts.rules.0.above: is missing"}},
		"a value without a key":        {with(func(r *host.Rule) { r.Value = "cpu" }), []string{`hosts.rules.0.value: "cpu" is not a path`}},
		"an empty key":                 {with(func(r *host.Rule) { r.Value = "cpu..x" }), []string{`hosts.rules.0.value: "cpu..x" is not a path`}},
		"two wildcards":                {with(func(r *host.Rule) { r.Value, r.By = "disk.*.*", "x" }), []string{`hosts.rules.0.value: "disk.*.*": one whole key`}},
		"a wildcard within a key":      {with(func(r *host.Rule) { r.Value, r.By = "disk.a*", "x" }), []string{`hosts.rules.0.value: "disk.a*": one whole key`}},
		"a wildcard as the plugin":     {with(func(r *host.Rule) { r.Value, r.By = "*.x", "x" }), []string{`hosts.rules.0.value: "*.x": one whole key`}},
		"a wildcard without by":        {with(func(r *host.Rule) { r.Value = "disk.mounts.*.x" }), []string{"hosts.rules.0.by: is missing"}},
		"by without a wildcard":        {with(func(r *host.Rule) { r.By = "mount" }), []string{"hosts.rules.0.by: is only for a value with *"}},
		"include without a wildcard":   {with(func(r *host.Rule) { r.Include = []setting.Pattern{} }), []string{"hosts.rules.0.include: is only for a value with *"}},
		"exclude without a wildcard":   {with(func(r *host.Rule) { r.Exclude = []setting.Pattern{pattern("a")} }), []string{"hosts.rules.0.exclude: is only for a value with *"}},
		"by a reserved label":          {with(func(r *host.Rule) { r.Value, r.By = "disk.mounts.*.x", "hostname" }), []string{`hosts.rules.0.by: "hostname" cannot be`}},
		"above and below":              {with(func(r *host.Rule) { r.Below = ptr(1.0) }), []string{"hosts.rules.0.below: is given together with above"}},
		"clear greater than above":     {with(func(r *host.Rule) { r.Clear = ptr(91.0) }), []string{"hosts.rules.0.clear: must not be greater than above (90), not 91"}},
		"clear smaller than below":     {with(func(r *host.Rule) { r.Above, r.Below, r.Clear = nil, ptr(9.0), ptr(8.0) }), []string{"hosts.rules.0.clear: must not be smaller than below (9), not 8"}},
		"a limit that is not a number": {with(func(r *host.Rule) { r.Above = ptr(math.NaN()) }), []string{"hosts.rules.0.above: must be a number"}},
		"a value in a label":           {with(func(r *host.Rule) { r.Labels = templates(t, "x", "{{ $value }}") }), []string{"hosts.rules.0.labels.x: the template cannot be used: line 1"}},
		"reserved labels": {with(func(r *host.Rule) {
			r.Value, r.By, r.Labels = "disk.mounts.*.x", "mount", templates(t, "mount", "x", "host", "y")
		}), []string{"hosts.rules.0.labels.host: is set by Tocsin", "hosts.rules.0.labels.mount: is set by Tocsin"}},
		"invalid annotations":          {with(func(r *host.Rule) { r.Annotations = templates(t, "value", "x", "summary", "{{ .Lag }}") }), []string{"hosts.rules.0.annotations.summary: the template cannot be used", "hosts.rules.0.annotations.value: is set by Tocsin"}},
		"a rule that matches no host":  {with(func(r *host.Rule) { r.Match.Group = pattern("db") }), []string{"warning: hosts.rules.0.match: matches none of the hosts"}},
		"an interval that is too long": {func(c *host.Config) { c.OfflineAfter = duration("29s") }, []string{`warning: hosts.hosts.0: "web-1" reports every 15s at most: one late report makes it offline after 29s`}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newConfig("web-1", "web-2")
			tt.change(&c)
			got := faults(c)
			ok := len(got) == len(tt.want)
			for i := 0; ok && i < len(got); i++ {
				ok = strings.HasPrefix(got[i], tt.want[i])
			}
			if !ok {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(tt.want, "\n  "))
			}
		})
	}
}

// A host collects the services of its groups' templates and of its own. Of two with
// one name its own wins, then the later one.
func TestInventory(t *testing.T) {
	service := func(plugin, interval string) host.ServiceConfig {
		return host.ServiceConfig{Plugin: plugin, Interval: *duration(interval)}
	}
	c := host.Config{
		Templates: []host.Template{
			{Name: "linux", Services: map[string]host.ServiceConfig{"LinuxCPU": service("cpu", "15s"), "LinuxMemory": service("memory", "1m")}},
			{Name: "slow", Services: map[string]host.ServiceConfig{"LinuxMemory": service("memory", "5m"), "LinuxLoad": service("load", "5m")}},
			{Name: "custom", Services: map[string]host.ServiceConfig{"LinuxCPU": service("check_cpu", "1h")}},
		},
		Groups: []host.Group{
			{Name: "web", Templates: []string{"linux"}, Labels: alert.Labels{"project": "oms", "site": "gz"}},
			{Name: "slow", Templates: []string{"slow"}, Labels: alert.Labels{"site": "sh", "slow": "yes"}},
		},
		Hosts: []host.InventoryEntry{
			{ID: "a", Groups: []string{"web", "slow"}, Templates: []string{"custom"}, Labels: alert.Labels{"slow": "no"}},
			{ID: "b", Name: "b.example.com", Active: ptr(false), Groups: []string{"slow", "web"}},
			{ID: "c", Templates: []string{"linux", "slow"}},
			{ID: "d"},
		},
	}
	hosts := host.NewInventory(&c).Hosts()
	for id, tt := range map[string]struct {
		name   string
		active bool
		labels alert.Labels
		config string
	}{
		"a": {"a", true, alert.Labels{"host": "a", "hostname": "a", "project": "oms", "site": "sh", "slow": "no"}, `{"services":{"LinuxCPU":["check_cpu",3600],"LinuxLoad":["load",300],"LinuxMemory":["memory",300]}}`},
		"b": {"b.example.com", false, alert.Labels{"host": "b", "hostname": "b.example.com", "project": "oms", "site": "gz", "slow": "yes"}, `{"services":{"LinuxCPU":["cpu",15],"LinuxLoad":["load",300],"LinuxMemory":["memory",60]}}`},
		"c": {"c", true, alert.Labels{"host": "c", "hostname": "c"}, `{"services":{"LinuxCPU":["cpu",15],"LinuxLoad":["load",300],"LinuxMemory":["memory",300]}}`},
		"d": {"d", true, alert.Labels{"host": "d", "hostname": "d"}, `{"services":{}}`},
	} {
		t.Run(id, func(t *testing.T) {
			h := hosts[id]
			body, etag := h.AgentConfig()
			if h.Name != tt.name || h.Active != tt.active || !maps.Equal(h.Labels, tt.labels) {
				t.Errorf("got %q, active %v, %v, want %q, %v, %v", h.Name, h.Active, h.Labels, tt.name, tt.active, tt.labels)
			}
			if string(body) != tt.config {
				t.Errorf("got configuration %s, want %s", body, tt.config)
			}
			if len(etag) != 18 || etag[0] != '"' || etag[17] != '"' {
				t.Errorf("got entity tag %s, want 16 digits in quotes", etag)
			}
		})
	}
	// The entity tag changes with the configuration only.
	before := entityTags(c)
	c.Hosts[2].Name = "other"
	c.Templates[1].Services["LinuxLoad"] = service("load", "10m")
	after := entityTags(c)
	for _, id := range []string{"a", "b", "c", "d"} {
		if same := before[id] == after[id]; same != (id == "d") {
			t.Errorf("%s: got tags %s and %s, want the same: %v", id, before[id], after[id], id == "d")
		}
	}
}

func entityTags(c host.Config) map[string]string {
	tags := map[string]string{}
	for id, h := range host.NewInventory(&c).Hosts() {
		_, tags[id] = h.AgentConfig()
	}
	return tags
}

func TestDefaults(t *testing.T) {
	var c host.Config
	if got := c.CheckInterval(); got != time.Minute {
		t.Errorf("CheckInterval: got %s, want 1m", got)
	}
	if got := host.NewInventory(&c).Hosts(); len(got) != 0 {
		t.Errorf("Hosts: got %v, want none", got)
	}
	e := newTestEnv(t, host.Config{Hosts: []host.InventoryEntry{{ID: "a"}}})
	e.check(0)
	e.report(0, "a")
	e.wantCheck(59)
	e.wantCheck(60, "HostOffline a 0")
}
