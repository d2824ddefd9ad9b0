package host_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/alert"
	"tocsin/pkg/host"
	"tocsin/pkg/setting"
)

// An alert fires when the value has been greater than Above for For, and ends when
// it is smaller than Clear.
func TestRuleAbove(t *testing.T) {
	e := newRuleEnv(t, host.Rule{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: ptr(90.0), For: *duration("2m"), Clear: ptr(80.0)})
	e.wantReport(0, "LinuxCPU", cpu(90))
	e.wantReport(15, "LinuxCPU", cpu(90.01)) // pending
	e.wantReport(60, "LinuxCPU", cpu(90))    // no longer
	e.wantReport(75, "LinuxCPU", cpu(95))
	e.wantReport(194.999, "LinuxCPU", cpu(95))
	e.wantReport(195, "LinuxCPU", cpu(95), "HostCPUHigh web-1 75")
	e.wantReport(210, "LinuxCPU", cpu(85), "HostCPUHigh web-1 75")
	e.wantReport(225, "LinuxCPU", cpu(80), "HostCPUHigh web-1 75")
	e.wantReport(240, "LinuxCPU", `{"cores": 4}`)          // the value is missing
	e.wantReport(241, "LinuxCPU", cpu(`"95"`))             // not a number
	e.wantReport(242, "LinuxCPU", cpu("1e999"))            // infinite
	e.wantReport(243, "LinuxCPU", `[1]`)                   // not an object
	e.wantReport(244, "LinuxMemory", `{"used_percent":1}`) // another service
	e.wantReport(255, "LinuxCPU", cpu(79.99), "HostCPUHigh web-1 75-255")
	e.wantReport(270, "LinuxCPU", cpu(85))
	// Missed reports do not restart For.
	e.wantReport(300, "LinuxCPU", cpu(91))
	e.wantReport(500, "LinuxCPU", cpu(91), "HostCPUHigh web-1 300")
}

func TestRuleBelow(t *testing.T) {
	e := newRuleEnv(t, host.Rule{Alert: "HostMemoryLow", Value: "memory.available_bytes", Below: ptr(1e9), Clear: ptr(2e9)})
	memory := func(v float64) string { return fmt.Sprintf(`{"available_bytes": %.0f}`, v) }
	e.wantReport(0, "LinuxMemory", memory(1e9))
	e.wantReport(1, "LinuxMemory", memory(1e9-1), "HostMemoryLow web-1 1")
	e.wantReport(2, "LinuxMemory", memory(2e9), "HostMemoryLow web-1 1")
	e.wantReport(3, "LinuxMemory", memory(2e9+1), "HostMemoryLow web-1 1-3")
}

// Without Clear an alert ends at the limit.
func TestRuleWithoutClear(t *testing.T) {
	e := newRuleEnv(t, cpuHigh())
	e.wantReport(0, "LinuxCPU", cpu(91), "HostCPUHigh web-1 0")
	e.wantReport(1, "LinuxCPU", cpu(90), "HostCPUHigh web-1 0-1")
}

func diskFull() host.Rule {
	return host.Rule{Alert: "HostDiskFull", Value: "disk.mounts.*.used_percent", By: "mount", Above: ptr(90.0)}
}

// disks returns the data of the disk plugin, for pairs of a mount point and a
// percentage.
func disks(t *testing.T, pairs ...any) string {
	t.Helper()
	mounts := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		mounts[pairs[i].(string)] = map[string]any{"used_percent": pairs[i+1]}
	}
	b, err := json.Marshal(map[string]any{"mounts": mounts})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each element of a wildcard has an alert of its own. An element that is missing
// from the list ends its alert; if the list is missing nothing changes.
func TestRuleWithWildcard(t *testing.T) {
	e := newRuleEnv(t, diskFull())
	e.wantReport(0, "LinuxDisk", disks(t, "/", 95, "/boot", 10, "/data.v1", 91.5), "HostDiskFull web-1 / 0", "HostDiskFull web-1 /data.v1 0")
	e.wantReport(1, "LinuxDisk", `{"mounts": null}`)
	e.wantReport(2, "LinuxDisk", disks(t, "/", nil, "/data.v1", 92), "HostDiskFull web-1 /data.v1 0")
	e.wantReport(3, "LinuxDisk", disks(t, "/", 95), "HostDiskFull web-1 /data.v1 0-3", "HostDiskFull web-1 / 0")
	e.wantReport(4, "LinuxDisk", disks(t, "/", 10), "HostDiskFull web-1 / 0-4")
	e.wantReport(5, "LinuxDisk", disks(t, "/", 95, "/x", 96), "HostDiskFull web-1 / 5", "HostDiskFull web-1 /x 5")
}

// No alert is raised about the interfaces and mounts of containers, unless the rule says
// otherwise.
func TestRuleSelectsElements(t *testing.T) {
	const value = "network.interfaces.*.rx_bytes_per_second"
	interfaces := []string{"br-0a1b2c3d4e5f", "br0", "cali12ab", "docker0", "dockerlan", "eth0", "veth12ab", "virbr0"}
	mounts := []string{"/", "/data", "/run/lock/x", "/var/lib/docker", "/var/lib/docker/overlay2/a/merged", "/var/lib/docker/volumes/db"}
	patterns := func(texts ...string) []setting.Pattern {
		list := make([]setting.Pattern, len(texts))
		for i, text := range texts {
			list[i] = pattern(text)
		}
		return list
	}
	for name, tt := range map[string]struct {
		rule     host.Rule
		elements []string
		want     string
	}{
		"interfaces by default":               {host.Rule{Value: value}, interfaces, "br0 dockerlan eth0"},
		"mounts by default":                   {host.Rule{Value: "disk.mounts.*.used_percent"}, mounts, "/ /data /var/lib/docker /var/lib/docker/volumes/db"},
		"other values by default":             {host.Rule{Value: "check_net.interfaces.*.x"}, interfaces, strings.Join(interfaces, " ")},
		"exclude replaces the default":        {host.Rule{Value: value, Exclude: patterns("eth", "br.*")}, interfaces, "cali12ab docker0 dockerlan eth0 veth12ab virbr0"},
		"an empty exclude":                    {host.Rule{Value: value, Exclude: patterns()}, interfaces, strings.Join(interfaces, " ")},
		"include replaces the default":        {host.Rule{Value: value, Include: patterns("docker0", "eth.*")}, interfaces, "docker0 eth0"},
		"exclude is for what include selects": {host.Rule{Value: value, Include: patterns("docker.*", "eth.*"), Exclude: patterns("docker0")}, interfaces, "dockerlan eth0"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.rule.Alert, tt.rule.By, tt.rule.Above = "High", "mount", ptr(0.0)
			c := newConfig("web-1")
			plugin, rest, _ := strings.Cut(tt.rule.Value, ".")
			c.Templates[0].Services["Some"] = host.ServiceConfig{Plugin: plugin, Interval: *duration("15s")}
			c.Rules = []host.Rule{tt.rule}
			e := newTestEnv(t, c)
			members := map[string]any{}
			list, key, _ := strings.Cut(rest, ".*.")
			for _, element := range tt.elements {
				members[element] = map[string]any{key: 1}
			}
			data, err := json.Marshal(map[string]any{list: members})
			if err != nil {
				t.Fatal(err)
			}
			e.send(0, "web-1", host.Report{Service: "Some", Data: data})
			var got []string
			for _, a := range e.alerts.received {
				got = append(got, a.Labels["mount"])
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("got alerts about %s, want %s", got, tt.want)
			}
		})
	}
	t.Run("an alert about an element that is excluded now ends", func(t *testing.T) {
		e := newRuleEnv(t, diskFull())
		e.wantReport(0, "LinuxDisk", disks(t, "/", 95, "/backup", 95), "HostDiskFull web-1 / 0", "HostDiskFull web-1 /backup 0")
		r := diskFull()
		r.Exclude = patterns("/backup")
		c := newConfig("web-1")
		c.Rules = []host.Rule{r}
		e.reload(c)
		e.wantReport(1, "LinuxDisk", disks(t, "/", 95, "/backup", 95), "HostDiskFull web-1 /backup 0-1", "HostDiskFull web-1 / 0")
		if got, want := e.alerts.merged, "The rule HostDiskFull was removed or changed; its alert about web-1 ends"; !hasSummary(got, want) {
			t.Errorf("got no alert with the summary %q", want)
		}
	})
	t.Run("an empty exclude in YAML", func(t *testing.T) {
		var r host.Rule
		if err := yaml.Unmarshal([]byte("exclude: []"), &r); err != nil || r.Exclude == nil {
			t.Errorf("got %v and %v, want an empty list that is not nil", r.Exclude, err)
		}
	})
	t.Run("excluded elements do not count against the limit", func(t *testing.T) {
		e := newRuleEnv(t, diskFull())
		var pairs []any
		for i := range 500 {
			pairs = append(pairs, fmt.Sprintf("/run/%03d", i), 99)
		}
		e.wantReport(0, "LinuxDisk", disks(t, append(pairs, "/srv", 95)...), "HostDiskFull web-1 /srv 0")
	})
}

func hasSummary(alerts map[alert.Fingerprint]*alert.Alert, text string) bool {
	for _, a := range alerts {
		if a.Annotations["summary"] == text {
			return true
		}
	}
	return false
}

func TestRuleAlert(t *testing.T) {
	r := diskFull()
	r.Labels = templates(t, "severity", "warning", "where", "{{ $labels.host }}:{{ $labels.mount }}", "none", "{{ $labels.nothing }}")
	r.Annotations = templates(t, "advice", "{{ $labels.where }} is {{ $value }}, limit {{ .Threshold }}", "bad", "{{ if $labels.mount }}{{ slice $labels.mount 0 50 }}{{ end }}")
	e := newRuleEnv(t, r)
	e.send(0, "web-1", host.Report{Service: "LinuxDisk", Data: json.RawMessage(disks(t, "/data", 91.4567))})
	a := e.alerts.received[0]
	labels := alert.Labels{"alertname": "HostDiskFull", "host": "web-1", "hostname": "web-1", "project": "oms", "mount": "/data", "severity": "warning", "where": "web-1:/data"}
	if a.Labels.Compare(labels) != 0 {
		t.Errorf("got labels %v, want %v", a.Labels, labels)
	}
	for name, want := range map[string]string{
		"value": "91.4567", "threshold": "90", "advice": "web-1:/data is 91.4567, limit 90",
		"summary": "disk.mounts./data.used_percent of web-1 is 91.46 (limit 90)",
	} {
		if got := a.Annotations[name]; got != want {
			t.Errorf("annotation %s: got %q, want %q", name, got, want)
		}
	}
	if got, want := a.Annotations["bad"], "<error expanding template"; !strings.HasPrefix(got, want) {
		t.Errorf("annotation bad: got %q, want %q…", got, want)
	}
	e.alerts.received = nil
	e.send(1, "web-1", host.Report{Service: "LinuxDisk", Data: json.RawMessage(disks(t, "/data", 12345.6))})
	if got, want := e.alerts.received[0].Annotations["summary"], "disk.mounts./data.used_percent of web-1 is 12,346 (limit 90)"; got != want {
		t.Errorf("summary: got %q, want %q", got, want)
	}
}

// An alert about a value outlasts the host's silence. It ends when the host, the
// service or the rule is removed from the configuration, or with the next report if
// the rule's limit or labels changed.
func TestConfigurationChangesEndValueAlerts(t *testing.T) {
	newFiring := func(t *testing.T) *testEnv {
		e := newRuleEnv(t, cpuHigh())
		e.check(0)
		e.wantReport(0, "LinuxCPU", cpu(95), "HostCPUHigh web-1 0")
		return e
	}
	reloadWith := func(e *testEnv, change func(c *host.Config)) {
		c := newConfig("web-1")
		c.Rules = []host.Rule{cpuHigh()}
		change(&c)
		e.reload(c)
	}
	t.Run("the host is silent", func(t *testing.T) {
		e := newFiring(t)
		e.wantCheck(60, "HostOffline web-1 0")
		e.wantFiring(3600, "HostCPUHigh web-1 0", "HostOffline web-1 0")
		if got := e.check(120); got.Firing != 2 {
			t.Errorf("got %+v, want 2 firing", got)
		}
	})
	for name, change := range map[string]func(c *host.Config){
		"the rule is removed":           func(c *host.Config) { c.Rules = nil },
		"the rule is for other hosts":   func(c *host.Config) { c.Rules[0].Match.Host = pattern("db-.*") },
		"the rule is for another group": func(c *host.Config) { c.Rules[0].Match.Group = pattern("db") },
		"the host is removed":           func(c *host.Config) { c.Hosts = newConfig("web-2").Hosts },
		"the host is inactive":          func(c *host.Config) { c.Hosts[0].Active = ptr(false) },
		"the service is removed":        func(c *host.Config) { delete(c.Templates[0].Services, "LinuxCPU") },
	} {
		t.Run(name, func(t *testing.T) {
			e := newFiring(t)
			reloadWith(e, change)
			e.wantCheck(30, "HostCPUHigh web-1 0-30")
			e.wantCheck(40)
		})
	}
	t.Run("the rule is removed and a report comes first", func(t *testing.T) {
		e := newFiring(t)
		e.reload(newConfig("web-1"))
		e.wantReport(30, "LinuxCPU", cpu(95), "HostCPUHigh web-1 0-30")
	})
	t.Run("the limit changes", func(t *testing.T) {
		e := newFiring(t)
		reloadWith(e, func(c *host.Config) { c.Rules[0].Above = ptr(96.0) })
		e.wantCheck(10)
		e.wantReport(30, "LinuxCPU", cpu(95), "HostCPUHigh web-1 0-30")
	})
	t.Run("the labels change", func(t *testing.T) {
		e := newFiring(t)
		reloadWith(e, func(c *host.Config) { c.Hosts[0].Name = "front" })
		e.wantCheck(10)
		e.wantReport(30, "LinuxCPU", cpu(95), "HostCPUHigh web-1 0-30", "HostCPUHigh web-1 0")
		e.wantFiring(30, "HostCPUHigh web-1 0")
	})
}

// An alert that two rules raise fires as long as one of them does.
func TestTwoRulesWithOneAlert(t *testing.T) {
	second := cpuHigh()
	second.Above = ptr(95.0)
	e := newRuleEnv(t, cpuHigh(), second)
	e.wantReport(0, "LinuxCPU", cpu(99), "HostCPUHigh web-1 0", "HostCPUHigh web-1 0")
	e.wantReport(1, "LinuxCPU", cpu(93), "HostCPUHigh web-1 0")
	e.wantFiring(1, "HostCPUHigh web-1 0")
	e.wantReport(2, "LinuxCPU", cpu(10), "HostCPUHigh web-1 0-2")
}

// Rules are not evaluated on a late report, nor on one that is older than the
// stored value.
func TestRulesIgnoreLateReports(t *testing.T) {
	e := newRuleEnv(t, cpuHigh())
	send := func(now, made, v float64) {
		e.send(now, "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(cpu(v)), At: at(made)})
	}
	send(3600, 0, 95)
	send(3600, 3540, 95) // a minute ago is late
	e.wantReceived(3600)
	send(3600, 3550, 95)
	e.wantReceived(3600, "HostCPUHigh web-1 3550")
	send(3601, 3545, 10) // older
	e.wantReceived(3601)
}

// Alerts that could not be ingested are passed again with the next report.
func TestIngestFails(t *testing.T) {
	e := newRuleEnv(t, cpuHigh())
	unavailable := errors.New("unavailable")
	fail := func(seconds float64, data string) {
		t.Helper()
		e.alerts.err = unavailable
		if _, err := e.registry.Report(t.Context(), at(seconds), "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(data)}); !errors.Is(err, unavailable) {
			t.Errorf("at %v: got %v, want %v", seconds, err, unavailable)
		}
		e.alerts.err = nil
	}
	fail(0, cpu(95))
	e.wantReport(15, "LinuxCPU", cpu(95), "HostCPUHigh web-1 0")
	fail(30, cpu(10))
	e.wantReport(45, "LinuxCPU", cpu(11), "HostCPUHigh web-1 0-45")
	e.wantReport(60, "LinuxCPU", cpu(11))
}

// One report raises at most 200 alerts per rule. An element beyond them is unknown:
// its alert does not end.
func TestElementsAreBounded(t *testing.T) {
	e := newRuleEnv(t, diskFull())
	var pairs []any
	for i := range 1000 {
		pairs = append(pairs, fmt.Sprintf("/%04d", i), 99)
	}
	n, err := e.registry.Report(t.Context(), at(0), "web-1", host.Report{Service: "LinuxDisk", Data: json.RawMessage(disks(t, pairs...))})
	if err != nil || n != 200 {
		t.Errorf("got %d alerts, %v, want 200", n, err)
	}
	e.alerts.received = nil
	e.send(1, "web-1", host.Report{Service: "LinuxDisk", Data: json.RawMessage(disks(t, append(pairs, "/", 10)...))})
	for _, a := range e.alerts.received {
		if !a.EndsAt.IsZero() {
			t.Errorf("got %s, want no end", summary(a))
		}
	}
}
