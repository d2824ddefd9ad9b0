package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/host"
)

// judged is a world with one host and rules.
func judged(t *testing.T, rules ...host.Rule) *world {
	t.Helper()
	c := linux("web-1")
	c.Rules = rules
	return newWorld(t, c)
}

// says sends data and checks what is heard of it.
func (w *world) says(seconds float64, service, data string, want ...string) {
	w.t.Helper()
	w.send(seconds, "web-1", host.Report{Service: service, Data: json.RawMessage(data)})
	if got := w.ear.heard(); got != strings.Join(want, "\n") {
		w.t.Fatalf("at %v heard\n%s\nwant\n%s", seconds, got, strings.Join(want, "\n"))
	}
}

func cpu(v any) string { return fmt.Sprintf(`{"usage_percent": %v}`, v) }

// The life of a rule with `for` and `clear`: beyond is greater than above, and
// it ends below clear.
func TestRuleAbove(t *testing.T) {
	w := judged(t, host.Rule{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: ptr(90.0), For: *duration("2m"), Clear: ptr(80.0)})
	w.says(0, "LinuxCPU", cpu(90))
	w.says(15, "LinuxCPU", cpu(90.01)) // pending
	w.says(60, "LinuxCPU", cpu(90))    // not any more
	w.says(75, "LinuxCPU", cpu(95))
	w.says(194.999, "LinuxCPU", cpu(95))
	w.says(195, "LinuxCPU", cpu(95), "HostCPUHigh web-1 75")
	w.says(210, "LinuxCPU", cpu(85), "HostCPUHigh web-1 75")
	w.says(225, "LinuxCPU", cpu(80), "HostCPUHigh web-1 75")
	w.says(240, "LinuxCPU", `{"cores": 4}`)          // not known
	w.says(241, "LinuxCPU", cpu(`"95"`))             // text is no number
	w.says(242, "LinuxCPU", cpu("1e999"))            // nor is this
	w.says(243, "LinuxCPU", `[1]`)                   // nor has this a number in it
	w.says(244, "LinuxMemory", `{"used_percent":1}`) // another service
	w.says(255, "LinuxCPU", cpu(79.99), "HostCPUHigh web-1 75-255")
	w.says(270, "LinuxCPU", cpu(85))
	// Missed reports do not stop the clock.
	w.says(300, "LinuxCPU", cpu(91))
	w.says(500, "LinuxCPU", cpu(91), "HostCPUHigh web-1 300")
}

func TestRuleBelow(t *testing.T) {
	w := judged(t, host.Rule{Alert: "HostMemoryLow", Value: "memory.available_bytes", Below: ptr(1e9), Clear: ptr(2e9)})
	memory := func(v float64) string { return fmt.Sprintf(`{"available_bytes": %.0f}`, v) }
	w.says(0, "LinuxMemory", memory(1e9))
	w.says(1, "LinuxMemory", memory(1e9-1), "HostMemoryLow web-1 1")
	w.says(2, "LinuxMemory", memory(2e9), "HostMemoryLow web-1 1")
	w.says(3, "LinuxMemory", memory(2e9+1), "HostMemoryLow web-1 1-3")
}

// Without clear an alert ends at the limit.
func TestRuleWithoutClear(t *testing.T) {
	w := judged(t, host.Rule{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: ptr(90.0)})
	w.says(0, "LinuxCPU", cpu(91), "HostCPUHigh web-1 0")
	w.says(1, "LinuxCPU", cpu(90), "HostCPUHigh web-1 0-1")
}

// A * stands for every key; each is an alert of its own. One that is missing from
// a list is gone; when the list is missing nothing is known.
func TestRuleForEach(t *testing.T) {
	w := judged(t, host.Rule{Alert: "HostDiskFull", Value: "disk.mounts.*.used_percent", By: "mount", Above: ptr(90.0)})
	disk := func(pairs ...any) string {
		mounts := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			mounts[pairs[i].(string)] = map[string]any{"used_percent": pairs[i+1]}
		}
		b, _ := json.Marshal(map[string]any{"mounts": mounts})
		return string(b)
	}
	w.says(0, "LinuxDisk", disk("/", 95, "/boot", 10, "/data.v1", 91.5), "HostDiskFull web-1 / 0", "HostDiskFull web-1 /data.v1 0")
	w.says(1, "LinuxDisk", `{"mounts": null}`)
	w.says(2, "LinuxDisk", disk("/", nil, "/data.v1", 92), "HostDiskFull web-1 /data.v1 0")
	w.says(3, "LinuxDisk", disk("/", 95), "HostDiskFull web-1 /data.v1 0-3", "HostDiskFull web-1 / 0")
	w.says(4, "LinuxDisk", disk("/", 10), "HostDiskFull web-1 / 0-4")
	w.says(5, "LinuxDisk", disk("/", 95, "/x", 96), "HostDiskFull web-1 / 5", "HostDiskFull web-1 /x 5")
}

// What an alert about a value says.
func TestRuleAlert(t *testing.T) {
	w := judged(t, host.Rule{Alert: "HostDiskFull", Value: "disk.mounts.*.used_percent", By: "mount", Above: ptr(90.0),
		Labels: texts(t, "severity", "warning", "where", "{{ $labels.host }}:{{ $labels.mount }}", "none", "{{ $labels.nothing }}"), Annotations: texts(t, "advice", "{{ $labels.where }} is {{ $value }}, limit {{ .Threshold }}", "bad", "{{ if $labels.mount }}{{ slice $labels.mount 0 50 }}{{ end }}")})
	w.send(0, "web-1", host.Report{Service: "LinuxDisk", Data: json.RawMessage(`{"mounts": {"/data": {"used_percent": 91.4567}}}`)})
	a := w.ear.words[0]
	labels := alert.Labels{"alertname": "HostDiskFull", "host": "web-1", "hostname": "web-1", "project": "oms", "mount": "/data", "severity": "warning", "where": "web-1:/data"}
	if a.Labels.Compare(labels) != 0 {
		t.Errorf("labels %v, want %v", a.Labels, labels)
	}
	for name, want := range map[string]string{
		"value": "91.4567", "threshold": "90", "advice": "web-1:/data is 91.4567, limit 90",
		"summary": "disk.mounts./data.used_percent of web-1 is 91.46 (limit 90)",
	} {
		if got := a.Annotations[name]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(a.Annotations["bad"], "<error expanding template") {
		t.Errorf("%q", a.Annotations["bad"])
	}
	w.ear.words = nil
	w.send(1, "web-1", host.Report{Service: "LinuxDisk", Data: json.RawMessage(`{"mounts": {"/data": {"used_percent": 12345.6}}}`)})
	if got := w.ear.words[0].Annotations["summary"]; got != "disk.mounts./data.used_percent of web-1 is 12,346 (limit 90)" {
		t.Error(got)
	}
}

// A host that is silent keeps the alerts about its values; one that is gone from
// the configuration, or a rule or a service that is, ends them.
func TestWhatEndsAlertsAboutValues(t *testing.T) {
	high := host.Rule{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: ptr(90.0)}
	fire := func(t *testing.T) *world {
		w := judged(t, high)
		w.check(0)
		w.says(0, "LinuxCPU", cpu(95), "HostCPUHigh web-1 0")
		return w
	}
	t.Run("silence", func(t *testing.T) {
		w := fire(t)
		w.expect(60, "HostOffline web-1 0")
		if got := fmt.Sprint(w.ear.firing(at(3600))); got != "[HostCPUHigh web-1 0 HostOffline web-1 0]" {
			t.Error(got)
		}
		if sum := w.check(120); sum.Firing != 2 {
			t.Errorf("%+v", sum)
		}
	})
	for name, change := range map[string]func(c *host.Config){
		"the rule is removed":           func(c *host.Config) { c.Rules = nil },
		"the rule is for others":        func(c *host.Config) { c.Rules[0].Match.Host = pattern("db-.*") },
		"the rule is for another group": func(c *host.Config) { c.Rules[0].Match.Group = pattern("db") },
		"the host is removed":           func(c *host.Config) { c.Hosts = linux("web-2").Hosts },
		"the host is not active":        func(c *host.Config) { c.Hosts[0].Active = ptr(false) },
		"the service is removed":        func(c *host.Config) { delete(c.Templates[0].Services, "LinuxCPU") },
	} {
		t.Run(name, func(t *testing.T) {
			w := fire(t)
			c := linux("web-1")
			c.Rules = []host.Rule{high}
			change(&c)
			w.load(c)
			w.expect(30, "HostCPUHigh web-1 0-30")
			w.expect(40)
		})
	}
	t.Run("the rule is removed, and the next report tells", func(t *testing.T) {
		w := fire(t)
		w.load(linux("web-1"))
		w.says(30, "LinuxCPU", cpu(95), "HostCPUHigh web-1 0-30")
	})
	t.Run("a new limit", func(t *testing.T) {
		w := fire(t)
		c := linux("web-1")
		c.Rules = []host.Rule{high}
		c.Rules[0].Above = ptr(96.0)
		w.load(c)
		w.expect(10)
		w.says(30, "LinuxCPU", cpu(95), "HostCPUHigh web-1 0-30")
	})
	t.Run("other labels", func(t *testing.T) {
		w := fire(t)
		c := linux("web-1")
		c.Rules = []host.Rule{high}
		c.Hosts[0].Name = "front"
		w.load(c)
		w.expect(10)
		w.says(30, "LinuxCPU", cpu(95), "HostCPUHigh web-1 0-30", "HostCPUHigh web-1 0")
		if got := w.ear.firing(at(30)); len(got) != 1 {
			t.Error(got)
		}
	})
}

// Rules that make one alert speak as one: it fires while any of them does.
func TestTwoRulesOneAlert(t *testing.T) {
	w := judged(t,
		host.Rule{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: ptr(90.0)},
		host.Rule{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: ptr(95.0)})
	w.says(0, "LinuxCPU", cpu(99), "HostCPUHigh web-1 0", "HostCPUHigh web-1 0")
	w.says(1, "LinuxCPU", cpu(93), "HostCPUHigh web-1 0")
	if got := fmt.Sprint(w.ear.firing(at(1))); got != "[HostCPUHigh web-1 0]" {
		t.Error(got)
	}
	w.says(2, "LinuxCPU", cpu(10), "HostCPUHigh web-1 0-2")
}

// A report that comes late says nothing of how the host is now, and one that is
// older than what is known changes nothing.
func TestLateReportsAreNotJudged(t *testing.T) {
	w := judged(t, host.Rule{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: ptr(90.0)})
	late := func(now, made, v float64) {
		w.send(now, "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(cpu(v)), At: at(made)})
	}
	late(3600, 0, 95)
	late(3600, 3540, 95) // a minute ago is late as well
	if got := w.ear.heard(); got != "" {
		t.Errorf("heard %s", got)
	}
	late(3600, 3550, 95)
	if got := w.ear.heard(); got != "HostCPUHigh web-1 3550" {
		t.Errorf("heard %s", got)
	}
	late(3601, 3545, 10) // before that
	if got := w.ear.heard(); got != "" {
		t.Errorf("heard %s", got)
	}
}

// Alerts that could not be handed on are handed on with the next report.
func TestIngestFails(t *testing.T) {
	w := judged(t, host.Rule{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: ptr(90.0)})
	down := errors.New("down")
	fails := func(seconds float64, data string) {
		t.Helper()
		w.ear.err = down
		if _, err := w.reg.Report(t.Context(), at(seconds), "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(data)}); !errors.Is(err, down) {
			t.Errorf("%v", err)
		}
		w.ear.err = nil
	}
	fails(0, cpu(95))
	w.says(15, "LinuxCPU", cpu(95), "HostCPUHigh web-1 0")
	fails(30, cpu(10))
	w.says(45, "LinuxCPU", cpu(11), "HostCPUHigh web-1 0-45")
	w.says(60, "LinuxCPU", cpu(11))
}

// A thousand interfaces do not make a thousand alerts.
func TestElementsAreBounded(t *testing.T) {
	w := judged(t, host.Rule{Alert: "HostDiskFull", Value: "disk.mounts.*.used_percent", By: "mount", Above: ptr(90.0)})
	mounts := map[string]any{}
	for i := range 1000 {
		mounts[fmt.Sprintf("/%04d", i)] = map[string]int{"used_percent": 99}
	}
	b, _ := json.Marshal(map[string]any{"mounts": mounts})
	n, err := w.reg.Report(context.Background(), at(0), "web-1", host.Report{Service: "LinuxDisk", Data: b})
	if err != nil || n != 200 {
		t.Errorf("%d alerts, %v", n, err)
	}
	// An alert of one that is not looked at any more goes on: nothing is known of it.
	mounts["/"] = map[string]int{"used_percent": 10}
	b, _ = json.Marshal(map[string]any{"mounts": mounts})
	w.ear.words = nil
	w.send(1, "web-1", host.Report{Service: "LinuxDisk", Data: b})
	for _, a := range w.ear.words {
		if !a.EndsAt.IsZero() {
			t.Errorf("%s", brief(a))
		}
	}
}
