package host_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/host"
)

// A host is offline when it has been silent for exactly as long as it may, from
// its last report on, until it reports again.
func TestSilence(t *testing.T) {
	w := newWorld(t, linux("web-1", "web-2"))
	w.expect(0) // neither has reported before
	w.report(0, "web-1")
	w.expect(59.999)
	w.expect(60, "HostOffline web-1 0")
	w.expect(120, "HostOffline web-1 0") // said again, so that no store that loses it keeps it quiet
	w.report(150, "web-1")
	w.report(165, "web-1")
	w.expect(180, "HostOffline web-1 0-150")
	w.expect(200)
	w.expect(225, "HostOffline web-1 165")
}

// What an offline host's alert says.
func TestOfflineAlert(t *testing.T) {
	c := linux("web-1", "web-2")
	c.Hosts[0].Name, c.Hosts[0].Labels = "web-1.example.com", alert.Labels{"project": "crm", "rack": "7"}
	w := newWorld(t, c)
	w.send(0, "web-1", host.Report{Service: "LinuxCPU", Address: "10.0.0.7", Data: json.RawMessage(`{"usage_percent": 93.456, "cores": 4}`)})
	w.send(1, "web-1", host.Report{Service: "LinuxMemory", Address: "10.0.0.7", Data: json.RawMessage(`{"used_percent": 71}`)})
	w.send(2, "web-1", host.Report{Service: "LinuxDisk", Address: "10.0.0.8", Data: json.RawMessage(`{"mounts": {"/": {"used_percent": 40.5}, "/data": {"used_percent": 81.25}}}`)})
	w.report(40, "web-2")
	w.check(62)
	if len(w.ear.words) != 1 {
		t.Fatal(w.ear.heard())
	}
	a := w.ear.words[0]
	labels := alert.Labels{"alertname": "HostOffline", "host": "web-1", "hostname": "web-1.example.com", "project": "crm", "rack": "7"}
	if a.Labels.Compare(labels) != 0 {
		t.Errorf("labels %v, want %v", a.Labels, labels)
	}
	want := alert.Labels{
		"address":     "10.0.0.8",
		"last_values": "CPU 93.46%, disk /data 81.25%, memory 71%",
		"summary":     "The host web-1.example.com is offline: it does not report (last address 10.0.0.8)",
	}
	if a.Annotations.Compare(want) != 0 {
		t.Errorf("annotations %v, want %v", a.Annotations, want)
	}
	// When nobody reports any more, it may be the reports that are lost.
	w.check(120)
	for _, a := range w.ear.words[1:] {
		if !strings.Contains(a.Annotations["description"], "No host reports at all") {
			t.Errorf("%s: %v", brief(a), a.Annotations)
		}
	}
}

// A host that was back and is silent again between two checks is another
// incident: the first one ends before the second begins.
func TestFlapping(t *testing.T) {
	w := newWorld(t, linux("web-1"))
	w.check(0)
	w.report(0, "web-1")
	w.expect(60, "HostOffline web-1 0")
	w.report(61, "web-1")
	w.expect(121, "HostOffline web-1 0-61", "HostOffline web-1 61")
	if got := fmt.Sprint(w.ear.firing(at(121))); got != "[HostOffline web-1 61]" {
		t.Errorf("firing %s", got)
	}
	// Short silences are none.
	w.report(200, "web-1")
	w.expect(210, "HostOffline web-1 61-200")
	for s := 250.0; s < 1000; s += 59 {
		w.report(s, "web-1")
		w.expect(s + 58)
	}
}

// A host that is not active is not judged; one that is activated while it is
// silent is.
func TestInactive(t *testing.T) {
	off, on := linux("web-1"), linux("web-1")
	off.Hosts[0].Active = ptr(false)
	w := newWorld(t, off)
	w.report(0, "web-1")
	w.expect(60)
	w.expect(120)
	w.load(on)
	for s := 180.0; s < 3660; s += 60 {
		w.expect(s)
	}
	w.expect(3660, "HostOffline web-1 0") // looked at again after an hour
	w.load(off)
	w.expect(3720, "HostOffline web-1 0-3720")
	w.expect(3780)
}

// A host that leaves the configuration, or gets other labels, ends its alert
// under the labels that it was told with.
func TestConfigurationChanges(t *testing.T) {
	c := linux("web-1", "web-2", "web-3")
	w := newWorld(t, c)
	w.report(0, "web-1", "web-2", "web-3")
	w.check(60)
	w.ear.heard()
	renamed := linux("web-1", "web-3")
	renamed.Hosts[0].Name = "front"
	w.load(renamed)
	w.expect(120,
		"HostOffline web-1 0-120", "HostOffline web-2 0-120",
		"HostOffline web-1 0", "HostOffline web-3 0")
	for fp, a := range w.ear.known {
		if name := a.Labels["hostname"]; !a.ResolvedAt(at(120)) != (name == "front" || name == "web-3") {
			t.Errorf("%s: %s %s", fp, name, brief(a))
		}
	}
	if items, _ := w.store.List(t.Context(), "host", "", 99); len(items) != 6 {
		// A beat, a value and a mark of each of two hosts; web-2's value expires.
		var keys []string
		for _, it := range items {
			keys = append(keys, it.Key)
		}
		if got := strings.Join(keys, " "); got != "host/web-1 host/web-3 host_offline/web-1 host_offline/web-3 host_value/web-1/LinuxCPU host_value/web-2/LinuxCPU host_value/web-3/LinuxCPU" {
			t.Errorf("left in the store: %s", got)
		}
	}
	// A longer time makes those that are not told yet wait.
	w = newWorld(t, c)
	w.report(0, "web-1")
	longer := c
	longer.OfflineAfter = duration("5m")
	w.load(longer)
	for s := 60.0; s < 300; s += 60 {
		w.expect(s)
	}
	w.expect(300, "HostOffline web-1 0")
}

// A tick that finds nothing silent reads nothing of the hosts, however many there
// are; one that finds something reads what is silent.
func TestCheckReadsOnlyWhatIsDue(t *testing.T) {
	costs := map[int]counting{}
	for _, n := range []int{100, 10_000} {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("host-%05d", i)
		}
		w := newWorld(t, linux(ids...))
		w.report(0, ids...)
		w.check(1)
		c := &counting{Store: w.store}
		w.watch.Store = c
		if sum := w.check(59); sum != (host.CheckResult{}) {
			t.Errorf("%d hosts: %+v", n, sum)
		}
		c.Store = nil
		costs[n] = *c
		if c.items != 1 { // the note
			t.Errorf("%d hosts: %d items were read", n, c.items)
		}
		c.Store = w.store
		w.report(59, ids[:n-3]...)
		*c = counting{Store: w.store}
		if sum := w.check(60); sum != (host.CheckResult{Polled: 3, Firing: 3}) {
			t.Errorf("%d hosts: %+v", n, sum)
		}
		// The note, three hosts, and the values of three services of each.
		if c.items != 1+3+9 {
			t.Errorf("%d hosts of which 3 are silent: %d items were read", n, c.items)
		}
	}
	if costs[100] != costs[10_000] {
		t.Errorf("100 hosts: %+v; 10,000 hosts: %+v", costs[100], costs[10_000])
	}
}

// A report costs one read and one write.
func TestReportIsCheap(t *testing.T) {
	c := linux("web-1")
	c.Rules = []host.Rule{{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: ptr(90.0)}}
	w := newWorld(t, c)
	w.report(0, "web-1")
	s := &counting{Store: w.store}
	w.reg.Store = s
	w.report(15, "web-1")
	if s.gets != 1 || s.commits != 1 || s.lists+s.dues+s.nexts != 0 {
		t.Errorf("%+v", *s)
	}
}

// What an agent gathered while it was offline comes late, in order. It is no sign
// of life newer than its time, and brings nobody back; but a host that is sending
// it is not told to be silent.
func TestLateReports(t *testing.T) {
	w := newWorld(t, linux("web-1"))
	old := func(now, made float64) {
		w.send(now, "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(`{"usage_percent": 1}`), At: at(made)})
	}
	w.report(0, "web-1")
	w.expect(60, "HostOffline web-1 0")
	w.expect(3500, "HostOffline web-1 0") // a gap for the watch, too
	for now := 3600.0; now < 3700; now += 10 {
		old(now, (now-3600)*20)
		w.expect(now+5, "HostOffline web-1 0")
	}
	w.report(3700, "web-1")
	w.expect(3705, "HostOffline web-1 0-3700")

	// Of a host that was not told yet.
	w = newWorld(t, linux("web-1"))
	w.check(0)
	old(60, 0)
	w.expect(60)
	old(119, 30)
	w.expect(120)
	w.expect(178.999)
	w.expect(179, "HostOffline web-1 30")
}

// A time to come is now.
func TestFutureReport(t *testing.T) {
	w := newWorld(t, linux("web-1"))
	w.check(0)
	w.send(0, "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(`{}`), At: at(1e6)})
	w.expect(60, "HostOffline web-1 0")
	w.send(61, "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(`{}`), At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)})
	w.expect(62, "HostOffline web-1 0-61")
}

// Nor is a time before all times a start.
func TestAncientReport(t *testing.T) {
	w := newWorld(t, linux("web-1"))
	w.check(0)
	w.send(0, "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(`{}`), At: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)})
	w.expect(60, "HostOffline web-1 -2.592e+06") // 30 days
}
