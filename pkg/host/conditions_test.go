package host_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/host"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// sender reports the CPU of web-1 as one run of an agent.
type sender struct{ run, address string }

func (e *testEnv) reportRun(seconds float64, s sender) {
	e.t.Helper()
	e.send(seconds, "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(cpu(1)), Address: s.address, RunID: s.run})
}

// alternate lets the senders report in turns, each every 15 seconds, with a check each
// minute. It returns the conditions that were passed to Ingest, without repetitions.
func (e *testEnv) alternate(from, to float64, senders ...sender) (alerts []string) {
	e.t.Helper()
	for s := from; s < to; s += 15 {
		for i, sender := range senders {
			e.reportRun(s+float64(i), sender)
		}
		if int(s)%60 == 45 {
			e.check(s + 10)
			if got := e.alerts.takeReceived(); got != "" && (len(alerts) == 0 || alerts[len(alerts)-1] != got) {
				alerts = append(alerts, got)
			}
		}
	}
	return alerts
}

// Two runs that take turns are two machines. Everything that happens to one machine
// changes its run or its address, but brings no earlier run back.
func TestDuplicateHost(t *testing.T) {
	a, b := sender{"aaaa", "10.0.0.1"}, sender{"bbbb", "10.0.0.2"}
	for name, tt := range map[string]struct {
		report func(e *testEnv) []string
		want   string
	}{
		"two machines":                        {func(e *testEnv) []string { return e.alternate(0, 600, a, b) }, "[TocsinDuplicateHost web-1 15]"},
		"two machines behind one address":     {func(e *testEnv) []string { return e.alternate(0, 600, a, sender{"bbbb", a.address}) }, "[TocsinDuplicateHost web-1 15]"},
		"three machines":                      {func(e *testEnv) []string { return e.alternate(0, 600, a, b, sender{"cccc", "10.0.0.3"}) }, "[TocsinDuplicateHost web-1 15]"},
		"one machine":                         {func(e *testEnv) []string { return e.alternate(0, 600, a) }, "[]"},
		"one machine with changing addresses": {func(e *testEnv) []string { return e.alternate(0, 600, a, sender{a.run, b.address}) }, "[]"},
		"a restart":                           {func(e *testEnv) []string { return append(e.alternate(0, 300, a), e.alternate(300, 600, b)...) }, "[]"},
		"a new address": {func(e *testEnv) []string {
			return append(e.alternate(0, 300, a), e.alternate(300, 600, sender{a.run, b.address})...)
		}, "[]"},
		"agents without a run":                {func(e *testEnv) []string { return e.alternate(0, 600, sender{"", a.address}, sender{"", b.address}) }, "[]"},
		"an agent with and one without a run": {func(e *testEnv) []string { return e.alternate(0, 600, a, sender{"", b.address}) }, "[]"},
		"a restart every 15 seconds": {func(e *testEnv) (alerts []string) {
			for s := 0.0; s < 600; s += 15 {
				alerts = append(alerts, e.alternate(s, s+15, sender{fmt.Sprint("run", s), a.address})...)
			}
			return alerts
		}, "[]"},
		"a machine that is restored once from a snapshot": {func(e *testEnv) []string {
			return append(append(e.alternate(0, 300, a), e.alternate(300, 600, b)...), e.alternate(600, 900, a)...)
		}, "[]"},
		"a replacement that overlaps for half a minute": {func(e *testEnv) []string {
			return append(append(e.alternate(0, 300, a), e.alternate(300, 345, a, b)...), e.alternate(345, 900, b)...)
		}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnv(t, newConfig("web-1"))
			e.check(-60)
			if got := fmt.Sprint(tt.report(e)); got != tt.want {
				t.Errorf("got alerts %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDuplicateHostAlert(t *testing.T) {
	a, b := sender{"aaaa", "10.0.0.2"}, sender{"bbbb", "10.0.0.1"}
	newFiring := func(t *testing.T) *testEnv {
		e := newTestEnv(t, newConfig("web-1"))
		e.check(-60)
		e.alternate(0, 300, a, b)
		e.wantFiring(300, "TocsinDuplicateHost web-1 15")
		return e
	}
	t.Run("texts", func(t *testing.T) {
		e := newFiring(t)
		e.check(301)
		got := e.alerts.received[0]
		if want := (alert.Labels{"alertname": "TocsinDuplicateHost", "host": "web-1", "hostname": "web-1", "project": "oms"}); got.Labels.Compare(want) != 0 {
			t.Errorf("got labels %v, want %v", got.Labels, want)
		}
		for name, want := range map[string]string{
			"summary": "2 machines report as the host web-1: 10.0.0.1 (run bbbb), 10.0.0.2 (run aaaa)",
			"address": "10.0.0.1, 10.0.0.2", "run_ids": "bbbb, aaaa",
		} {
			if got.Annotations[name] != want {
				t.Errorf("%s: got %q, want %q", name, got.Annotations[name], want)
			}
		}
	})
	t.Run("it ends five minutes after one of them has stopped", func(t *testing.T) {
		e := newFiring(t) // the last report of b is at 286
		e.alternate(300, 585, a)
		e.wantFiring(585, "TocsinDuplicateHost web-1 15")
		e.reportRun(585, a)
		e.wantCheck(586, "TocsinDuplicateHost web-1 15-586")
		if got := fmt.Sprint(e.alternate(600, 900, a)); got != "[]" {
			t.Errorf("got alerts %s, want none", got)
		}
	})
	t.Run("it ends when the host is offline", func(t *testing.T) {
		e := newFiring(t)
		e.wantCheck(346, "HostOffline web-1 286", "TocsinDuplicateHost web-1 15-346")
	})
}

// silence lets web-1 report memory every 15 seconds, and the CPU until a time.
func (e *testEnv) silence(from, to, cpuUntil float64) {
	e.t.Helper()
	for s := from; s < to; s += 15 {
		e.send(s, "web-1", host.Report{Service: "LinuxMemory", Data: json.RawMessage(`{"used_percent": 1}`)})
		if s <= cpuUntil {
			e.report(s, "web-1")
		}
	}
}

// A service is silent when its host has reported for three intervals without it, and for
// OfflineAfter.
func TestSilentService(t *testing.T) {
	newEnv := func(t *testing.T, change func(s *host.ServiceConfig)) *testEnv {
		c := newConfig("web-1")
		s := c.Templates[0].Services["LinuxCPU"]
		change(&s)
		c.Templates[0].Services["LinuxCPU"] = s
		e := newTestEnv(t, c)
		e.report(0, "web-1")
		e.check(0)
		return e
	}
	for name, tt := range map[string]struct {
		change func(s *host.ServiceConfig)
		after  float64 // the seconds after which it is silent; 0 is never
	}{
		"after offline_after":           {func(s *host.ServiceConfig) {}, 60},
		"after three intervals":         {func(s *host.ServiceConfig) { s.Interval = *duration("1m") }, 180},
		"after silent_after":            {func(s *host.ServiceConfig) { s.SilentAfter = duration("10m") }, 600},
		"not before offline_after":      {func(s *host.ServiceConfig) { s.SilentAfter = duration("30s") }, 60},
		"never with silent_after of 0s": {func(s *host.ServiceConfig) { s.SilentAfter = duration("0s") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, tt.change)
			e.silence(0, 900, 30)
			if tt.after == 0 {
				e.wantCheck(900)
				return
			}
			e = newEnv(t, tt.change)
			e.silence(0, 30+tt.after, 30)
			e.wantCheck(30 + tt.after - 1)
			e.silence(30+tt.after, 31+tt.after, 30)
			e.wantCheck(31+tt.after, "HostServiceSilent web-1 30")
			e.wantCheck(32+tt.after, "HostServiceSilent web-1 30")
		})
	}
	t.Run("a host that dies has one alert", func(t *testing.T) {
		e := newEnv(t, func(*host.ServiceConfig) {})
		e.report(0, "web-1")
		e.silence(10, 11, 0)
		e.wantCheck(60)
		e.wantCheck(69)
		e.wantCheck(70, "HostOffline web-1 10")
	})
	t.Run("a service that never reported has none", func(t *testing.T) {
		e := newEnv(t, func(*host.ServiceConfig) {})
		e.reload(newConfig("web-2"))
		e.check(30) // forgets web-1
		e.check(60)
		e.reload(newConfig("web-1"))
		e.silence(60, 900, -1)
		e.wantCheck(900)
	})
}

func TestSilentServiceAlertEnds(t *testing.T) {
	newFiring := func(t *testing.T) *testEnv {
		e := newTestEnv(t, newConfig("web-1"))
		e.check(0)
		e.silence(0, 121, 0)
		e.wantCheck(121, "HostServiceSilent web-1 0")
		return e
	}
	reloadWith := func(e *testEnv, change func(c *host.Config)) {
		c := newConfig("web-1")
		change(&c)
		e.reload(c)
	}
	t.Run("texts", func(t *testing.T) {
		e := newFiring(t)
		e.check(122)
		got := e.alerts.received[0]
		want := alert.Labels{"alertname": "HostServiceSilent", "host": "web-1", "hostname": "web-1", "project": "oms", "service_name": "LinuxCPU"}
		if got.Labels.Compare(want) != 0 {
			t.Errorf("got labels %v, want %v", got.Labels, want)
		}
		if got, want := got.Annotations["summary"], "The host web-1 reports, but its service LinuxCPU does not"; got != want {
			t.Errorf("got summary %q, want %q", got, want)
		}
	})
	t.Run("with the next report", func(t *testing.T) {
		e := newFiring(t)
		e.report(150, "web-1")
		e.wantCheck(160, "HostServiceSilent web-1 0-150")
		if !hasSummary(e.alerts.merged, "The service LinuxCPU of the host web-1 reports again") {
			t.Error("got no summary that it reports again")
		}
		e.wantCheck(161)
	})
	for name, change := range map[string]func(c *host.Config){
		"the service is removed": func(c *host.Config) { delete(c.Templates[0].Services, "LinuxCPU") },
		"the host is removed":    func(c *host.Config) { c.Hosts = newConfig("web-2").Hosts },
		"the host is inactive":   func(c *host.Config) { c.Hosts[0].Active = ptr(false) },
		"the service may be silent for ever": func(c *host.Config) {
			s := c.Templates[0].Services["LinuxCPU"]
			s.SilentAfter = duration("0s")
			c.Templates[0].Services["LinuxCPU"] = s
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newFiring(t)
			reloadWith(e, change)
			e.wantCheck(130, "HostServiceSilent web-1 0-130")
			e.wantCheck(131)
		})
	}
	t.Run("the labels change", func(t *testing.T) {
		e := newFiring(t)
		reloadWith(e, func(c *host.Config) { c.Hosts[0].Name = "front" })
		e.wantCheck(130, "HostServiceSilent web-1 0-130", "HostServiceSilent web-1 0")
		e.wantCheck(131, "HostServiceSilent web-1 0")
	})
	t.Run("the host is offline, and the service does not return with it", func(t *testing.T) {
		e := newFiring(t)
		e.wantCheck(180, "HostOffline web-1 120", "HostServiceSilent web-1 0-180")
		e.wantCheck(181, "HostOffline web-1 120")
		e.silence(200, 246, 0)
		e.wantCheck(250, "HostOffline web-1 120-200")
		e.silence(260, 261, 0) // a minute after the host is back
		e.wantCheck(261, "HostServiceSilent web-1 0")
	})
}

// A silence that begins in an ignored interval, or while no check was made, has an alert
// afterwards if it lasts.
func TestSilentServiceIsIgnored(t *testing.T) {
	t.Run("in an ignored interval", func(t *testing.T) {
		c := newConfig("web-1")
		c.Ignore, c.IgnoreGrace = []string{"night"}, duration("0s")
		e := newTestEnv(t, c)
		e.inTimeInterval = func(_ string, t time.Time) bool { return t.Before(at(300)) }
		for s := 0.0; s < 300; s += 60 {
			e.silence(s, s+60, 0)
			e.wantCheck(s + 59)
		}
		e.silence(300, 301, 0)
		e.wantCheck(301, "HostServiceSilent web-1 0")
	})
	t.Run("after missed checks", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1"))
		e.check(0)
		e.silence(0, 31, 30)
		e.silence(600, 601, 0) // after ten minutes without a server
		e.wantCheck(601)
		e.silence(615, 706, 0)
		e.wantCheck(661)
		e.silence(720, 721, 0) // hosts had two minutes to report again
		e.wantCheck(721, "HostServiceSilent web-1 30")
	})
	t.Run("after the interval was shortened", func(t *testing.T) {
		slow, fast := newConfig("web-1"), newConfig("web-1")
		s := slow.Templates[0].Services["LinuxCPU"]
		s.Interval = *duration("10m")
		slow.Templates[0].Services["LinuxCPU"] = s
		e := newTestEnv(t, slow)
		e.check(0)
		e.silence(0, 500, 0)
		e.check(500)
		e.reload(fast)
		e.silence(510, 1790, 0)
		e.wantCheck(1790)
	})
}

// A check reads a host with a condition, and no other.
func TestCheckReadsOnlyHostsWithConditions(t *testing.T) {
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprintf("host-%03d", i))
	}
	e := newTestEnv(t, newConfig(append(ids, "web-1")...))
	e.check(0)
	e.silence(0, 61, 0)
	e.check(59)
	e.silence(75, 121, 0)
	e.report(118, ids...)
	s := &countingStore{Store: e.store}
	e.watcher.Store = s
	e.wantCheck(121, "HostServiceSilent web-1 0")
	// The record of the check, the heartbeat when it is due, the conditions before, the
	// conditions after, and the heartbeat for them.
	if want := 5; s.items != want {
		t.Errorf("got %d items read, want %d", s.items, want)
	}
}

// The heartbeats of an earlier version have neither runs nor services.
func TestHeartbeatOfAnEarlierVersion(t *testing.T) {
	e := newTestEnv(t, newConfig("web-1"))
	e.check(0)
	old := `{"at":"2026-11-20T22:00:00Z","live":"2026-11-20T22:00:00Z","up":"2026-11-20T21:00:00Z","address":"10.0.0.1"}`
	if err := e.store.Commit(t.Context(), at(0), store.Change{Key: "host/web-1", Value: []byte(old), Due: at(60)}); err != nil {
		t.Fatal(err)
	}
	e.silence(15, 400, 0) // the CPU has never reported to this version
	e.wantCheck(401)
	e.wantCheck(460, "HostOffline web-1 390")
}

// An instance may be killed at any operation: when the next one repeats the step, the
// alerts about conditions are as if nothing had happened.
func TestConditionsWhenKilledAtEveryOperation(t *testing.T) {
	a, b := sender{"aaaa", "10.0.0.1"}, sender{"bbbb", "10.0.0.2"}
	memoryReport := func(e *testEnv, seconds float64, s sender) error {
		_, err := e.registry.Report(t.Context(), at(seconds), "web-1", host.Report{Service: "LinuxMemory", Data: json.RawMessage(`{}`), RunID: s.run, Address: s.address})
		return err
	}
	cpuReport := func(e *testEnv, seconds float64) error {
		_, err := e.registry.Report(t.Context(), at(seconds), "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(cpu(1)), RunID: a.run, Address: a.address})
		return err
	}
	check := func(e *testEnv, seconds float64) error {
		_, err := e.watcher.Check(t.Context(), at(seconds))
		return err
	}
	type step struct {
		seconds float64
		do      func(e *testEnv, seconds float64) error
		firing  string
	}
	as := func(s sender) func(e *testEnv, seconds float64) error {
		return func(e *testEnv, seconds float64) error { return memoryReport(e, seconds, s) }
	}
	steps := []step{
		{0, cpuReport, "[]"}, {1, as(b), "[]"}, {30, as(a), "[]"}, {31, as(b), "[]"},
		{60, check, "[]"}, {90, as(a), "[]"}, {91, as(b), "[]"},
		{100, check, "[HostServiceSilent web-1 0 TocsinDuplicateHost web-1 30]"},
		{110, cpuReport, "[HostServiceSilent web-1 0 TocsinDuplicateHost web-1 30]"},
		{120, check, "[TocsinDuplicateHost web-1 30]"},
		{180, check, "[HostOffline web-1 110]"},
		{190, cpuReport, "[HostOffline web-1 110]"}, {195, check, "[]"}, {196, check, "[]"},
	}
	for _, applied := range []bool{false, true} {
		for n, killed := 0, true; killed; n++ {
			killed = false
			c := newConfig("web-1")
			e := newTestEnv(t, c)
			e.store = memory.New()
			e.reload(c)
			s := &crashingStore{Store: e.store, alerts: e.alerts, remaining: n, applied: applied}
			e.registry.Store, e.watcher.Store, e.registry.Ingest, e.watcher.Ingest = s, s, s.Ingest, s.Ingest
			for _, step := range steps {
				err := step.do(e, step.seconds)
				if errors.Is(err, errKilled) && !killed {
					killed = true
					e.reload(c)
					err = step.do(e, step.seconds)
				}
				if err != nil {
					t.Fatalf("killed at operation %d (applied: %v), at %v: got %v, want nil", n, applied, step.seconds, err)
				}
				if got := fmt.Sprint(e.alerts.firing(step.seconds)); got != step.firing {
					t.Fatalf("killed at operation %d (applied: %v), at %v: got firing %s, want %s", n, applied, step.seconds, got, step.firing)
				}
			}
			if !killed && n < 40 {
				t.Fatalf("got %d operations in all, want 40 or more", n)
			}
		}
	}
}
