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

// offlineAlert returns the alert of a host that is silent since a time in seconds.
func offlineAlert(id string, since float64) *alert.Alert {
	return &alert.Alert{Labels: alert.Labels{"alertname": "HostOffline", "host": id}, StartsAt: at(since)}
}

// A host is offline when exactly OfflineAfter has passed since its last report,
// until it reports again.
func TestOfflineHost(t *testing.T) {
	e := newTestEnv(t, newConfig("web-1", "web-2"))
	e.wantCheck(0) // neither has reported before
	e.report(0, "web-1")
	e.wantCheck(59.999)
	e.wantCheck(60, "HostOffline web-1 0")
	e.wantCheck(120, "HostOffline web-1 0") // passed with each check, in case one was lost
	e.report(150, "web-1")
	e.report(165, "web-1")
	e.wantCheck(180, "HostOffline web-1 0-150")
	e.wantCheck(200)
	e.wantCheck(225, "HostOffline web-1 165")
}

func TestOfflineAlert(t *testing.T) {
	c := newConfig("web-1", "web-2")
	c.Hosts[0].Name, c.Hosts[0].Labels = "web-1.example.com", alert.Labels{"project": "crm", "rack": "7"}
	e := newTestEnv(t, c)
	for i, r := range []host.Report{
		{Service: "LinuxCPU", Address: "10.0.0.7", Data: json.RawMessage(`{"usage_percent": 93.456, "cores": 4}`)},
		{Service: "LinuxMemory", Address: "10.0.0.7", Data: json.RawMessage(`{"used_percent": 71}`)},
		{Service: "LinuxDisk", Address: "10.0.0.8", Data: json.RawMessage(`{"mounts": {"/": {"used_percent": 40.5}, "/data": {"used_percent": 81.25}}}`)},
	} {
		e.send(float64(i), "web-1", r)
	}
	e.report(40, "web-2")
	e.check(62)
	if len(e.alerts.received) != 1 {
		t.Fatalf("got alerts %s, want 1", e.alerts.takeReceived())
	}
	a := e.alerts.received[0]
	labels := alert.Labels{"alertname": "HostOffline", "host": "web-1", "hostname": "web-1.example.com", "project": "crm", "rack": "7"}
	if a.Labels.Compare(labels) != 0 {
		t.Errorf("got labels %v, want %v", a.Labels, labels)
	}
	want := alert.Labels{
		"address":     "10.0.0.8",
		"last_values": "CPU 93.46%, disk /data 81.25%, memory 71%",
		"summary":     "The host web-1.example.com is offline: it does not report (last address 10.0.0.8)",
	}
	if a.Annotations.Compare(want) != 0 {
		t.Errorf("got annotations %v, want %v", a.Annotations, want)
	}
	// If no host reports, it may be the reports that are lost.
	e.check(120)
	for _, a := range e.alerts.received[1:] {
		if got, want := a.Annotations["description"], "No host reports at all"; !strings.Contains(got, want) {
			t.Errorf("%s: got description %q, want %q", summary(a), got, want)
		}
	}
}

// A host that was online for a moment between two checks has two alerts: the first
// ends before the second starts.
func TestFlappingHost(t *testing.T) {
	e := newTestEnv(t, newConfig("web-1"))
	e.check(0)
	e.report(0, "web-1")
	e.wantCheck(60, "HostOffline web-1 0")
	e.report(61, "web-1")
	e.wantCheck(121, "HostOffline web-1 0-61", "HostOffline web-1 61")
	e.wantFiring(121, "HostOffline web-1 61")
	// Silences that are shorter than OfflineAfter have no alert.
	e.report(200, "web-1")
	e.wantCheck(210, "HostOffline web-1 61-200")
	for s := 250.0; s < 1000; s += 59 {
		e.report(s, "web-1")
		e.wantCheck(s + 58)
	}
}

// An inactive host has no alert. One that is activated while it is silent has.
func TestInactiveHost(t *testing.T) {
	inactive, active := newConfig("web-1"), newConfig("web-1")
	inactive.Hosts[0].Active = ptr(false)
	e := newTestEnv(t, inactive)
	e.report(0, "web-1")
	e.wantCheck(60)
	e.wantCheck(120)
	e.reload(active)
	for s := 180.0; s < 3660; s += 60 {
		e.wantCheck(s)
	}
	e.wantCheck(3660, "HostOffline web-1 0") // inactive hosts are read once an hour
	e.reload(inactive)
	e.wantCheck(3720, "HostOffline web-1 0-3720")
	e.wantCheck(3780)
}

// The alert of a host that is removed or gets other labels ends, with the labels
// that it had.
func TestConfigurationChanges(t *testing.T) {
	c := newConfig("web-1", "web-2", "web-3")
	e := newTestEnv(t, c)
	e.report(0, "web-1", "web-2", "web-3")
	e.check(60)
	e.alerts.takeReceived()
	renamed := newConfig("web-1", "web-3")
	renamed.Hosts[0].Name = "front"
	e.reload(renamed)
	e.wantCheck(120,
		"HostOffline web-1 0-120", "HostOffline web-2 0-120",
		"HostOffline web-1 0", "HostOffline web-3 0")
	for _, a := range e.alerts.merged {
		name := a.Labels["hostname"]
		if got, want := !a.ResolvedAt(at(120)), name == "front" || name == "web-3"; got != want {
			t.Errorf("%s of %s: got firing %v, want %v", summary(a), name, got, want)
		}
	}
	items, err := e.store.List(t.Context(), "host", "", 99)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, it := range items {
		keys = append(keys, it.Key)
	}
	// The value of web-2 expires.
	want := "host/web-1 host/web-3 host_offline/web-1 host_offline/web-3 host_value/web-1/LinuxCPU host_value/web-2/LinuxCPU host_value/web-3/LinuxCPU"
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("got keys %s, want %s", got, want)
	}
}

// A host that is not offline yet waits for a longer OfflineAfter.
func TestOfflineAfterIsRaised(t *testing.T) {
	c := newConfig("web-1")
	e := newTestEnv(t, c)
	e.report(0, "web-1")
	c.OfflineAfter = duration("5m")
	e.reload(c)
	for s := 60.0; s < 300; s += 60 {
		e.wantCheck(s)
	}
	e.wantCheck(300, "HostOffline web-1 0")
}

// The cost of a check depends on the hosts that are due, not on how many there are.
func TestCheckReadsOnlyDueHosts(t *testing.T) {
	counts := map[int]countingStore{}
	for _, n := range []int{100, 10_000} {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("host-%05d", i)
		}
		e := newTestEnv(t, newConfig(ids...))
		e.report(0, ids...)
		e.check(1)
		s := &countingStore{Store: e.store}
		e.watcher.Store = s
		if got, want := e.check(59), (host.CheckResult{}); got != want {
			t.Errorf("%d hosts, none due: got %+v, want %+v", n, got, want)
		}
		s.Store = nil
		counts[n] = *s
		if s.items != 1 { // the record of the check
			t.Errorf("%d hosts, none due: got %d items read, want 1", n, s.items)
		}
		s.Store = e.store
		e.report(59, ids[:n-3]...)
		*s = countingStore{Store: e.store}
		if got, want := e.check(60), (host.CheckResult{Polled: 3, Firing: 3}); got != want {
			t.Errorf("%d hosts, 3 due: got %+v, want %+v", n, got, want)
		}
		// The record, three hosts, and the values of three services of each.
		if want := 1 + 3 + 9; s.items != want {
			t.Errorf("%d hosts, 3 due: got %d items read, want %d", n, s.items, want)
		}
	}
	if counts[100] != counts[10_000] {
		t.Errorf("got %+v for 100 hosts and %+v for 10,000, want the same", counts[100], counts[10_000])
	}
}

// A late report, which an agent sends after an outage, neither resolves the alert
// nor updates it; but while it sends late reports a host does not go offline.
func TestLateReports(t *testing.T) {
	late := func(e *testEnv, now, made float64) {
		e.send(now, "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(cpu(1)), At: at(made)})
	}
	t.Run("of an offline host", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1"))
		e.report(0, "web-1")
		e.wantCheck(60, "HostOffline web-1 0")
		e.wantCheck(3500, "HostOffline web-1 0") // after missed checks
		for now := 3600.0; now < 3700; now += 10 {
			late(e, now, (now-3600)*20)
			e.wantCheck(now+5, "HostOffline web-1 0")
		}
		e.report(3700, "web-1")
		e.wantCheck(3705, "HostOffline web-1 0-3700")
	})
	t.Run("of a host that is not offline yet", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1"))
		e.check(0)
		late(e, 60, 0)
		e.wantCheck(60)
		late(e, 119, 30)
		e.wantCheck(120)
		e.wantCheck(178.999)
		e.wantCheck(179, "HostOffline web-1 30")
	})
}

// Times of reports that are impossible are corrected.
func TestImpossibleReportTimes(t *testing.T) {
	reportOf := func(at time.Time) host.Report {
		return host.Report{Service: "LinuxCPU", Data: json.RawMessage(`{}`), At: at}
	}
	t.Run("a future time is replaced by the current one", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1"))
		e.check(0)
		e.send(0, "web-1", reportOf(at(1e6)))
		e.wantCheck(60, "HostOffline web-1 0")
		e.send(61, "web-1", reportOf(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)))
		e.wantCheck(62, "HostOffline web-1 0-61")
	})
	t.Run("a time before the retention is replaced by its beginning", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1"))
		e.check(0)
		e.send(0, "web-1", reportOf(time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)))
		e.wantCheck(60, "HostOffline web-1 -2.592e+06") // 30 days
	})
}
