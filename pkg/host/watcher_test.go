package host_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/prometheus/alertmanager/timeinterval"
)

// After missed checks every host seems silent. Hosts get time to report again.
func TestLongOutageOfTheWatcher(t *testing.T) {
	e := newTestEnv(t, newConfig("web-1", "web-2"))
	e.report(0, "web-1", "web-2")
	for s := 0.0; s <= 50; s += 10 {
		e.wantCheck(s)
	}
	// For an hour nothing runs. web-1 reports 90 s later, web-2 does not.
	e.wantCheck(3650)
	e.wantCheck(3710)
	e.report(3740, "web-1")
	e.wantCheck(3769.999)
	e.wantCheck(3770, "HostOffline web-2 0")
	e.report(3775, "web-1")
	e.wantCheck(3830, "HostOffline web-2 0")
}

func TestMissedCheck(t *testing.T) {
	t.Run("delays the alert", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1", "web-2"))
		e.report(0, "web-1")
		e.wantCheck(0)
		e.wantCheck(120)
		e.wantCheck(179.999)
		e.wantCheck(180, "HostOffline web-1 0")
	})
	t.Run("does not matter while another host reports", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1", "web-2"))
		e.wantCheck(0)
		e.report(0, "web-1", "web-2")
		e.report(59, "web-2")
		e.report(118, "web-2")
		e.wantCheck(120, "HostOffline web-1 0")
	})
	t.Run("matters if the other host was silent, too", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1", "web-2"))
		e.wantCheck(0)
		e.report(0, "web-1", "web-2")
		e.report(118, "web-2")
		e.wantCheck(120)
		e.report(170, "web-2")
		e.wantCheck(180, "HostOffline web-1 0")
	})
	t.Run("does not matter if hosts may be silent for long", func(t *testing.T) {
		c := newConfig("web-1", "web-2")
		c.OfflineAfter = duration("5m")
		e := newTestEnv(t, c)
		e.wantCheck(0)
		e.report(0, "web-1")
		e.wantCheck(60)
		e.wantCheck(180)
		e.wantCheck(300, "HostOffline web-1 0")
	})
	t.Run("keeps hosts offline", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1"))
		e.report(0, "web-1")
		e.check(0)
		e.wantCheck(60, "HostOffline web-1 0")
		e.wantCheck(3600, "HostOffline web-1 0")
		e.report(3601, "web-1")
		e.wantCheck(3605, "HostOffline web-1 0-3601")
	})
}

// A timer that is slower than the configured interval is not taken for missed
// checks after two rounds.
func TestSlowTimer(t *testing.T) {
	e := newTestEnv(t, newConfig("web-1"))
	e.report(0, "web-1")
	e.wantCheck(0)
	e.wantCheck(600)  // seems to be late
	e.wantCheck(1200) // again
	e.wantCheck(1800, "HostOffline web-1 0")
	e.report(1801, "web-1")
	e.wantCheck(2400, "HostOffline web-1 0-1801", "HostOffline web-1 1801")
	// A missed check is still recognized.
	e.report(2401, "web-1")
	e.wantCheck(2450, "HostOffline web-1 1801-2401")
	e.wantCheck(6000)
	e.wantCheck(6060)
	e.wantCheck(6120, "HostOffline web-1 2401")
}

// nightInterval returns a time interval of Alertmanager from 23:00 to 06:00.
func nightInterval(t *testing.T, location string) func(string, time.Time) bool {
	t.Helper()
	text := `{"times": [{"start_time": "23:00", "end_time": "24:00"}, {"start_time": "00:00", "end_time": "06:00"}], "location": "` + location + `"}`
	var ti timeinterval.TimeInterval
	if err := json.Unmarshal([]byte(text), &ti); err != nil {
		t.Fatal(err)
	}
	return func(name string, at time.Time) bool {
		if name != "night" {
			t.Errorf("got time interval %q, want night", name)
		}
		return ti.ContainsTime(at)
	}
}

func utc(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// In an ignored interval no host goes offline, over midnight and over a change to
// or from daylight saving time. A silence that began in it and lasts has an alert
// when the grace period is over; it starts at the last report.
func TestIgnoredInterval(t *testing.T) {
	berlin, newYork := "Europe/Berlin", "America/New_York"
	for name, tt := range map[string]struct {
		location   string
		begin, end time.Time // of the interval, in UTC
	}{
		// Berlin has +2 in summer and +1 in winter. The clock goes back at 03:00 on
		// 25 October 2026 and forward at 02:00 on 28 March 2027.
		"an ordinary night":                {berlin, utc("2026-11-20T22:00:00Z"), utc("2026-11-21T05:00:00Z")},
		"Berlin, the clock goes back":      {berlin, utc("2026-10-24T21:00:00Z"), utc("2026-10-25T05:00:00Z")},
		"Berlin, the clock goes forward":   {berlin, utc("2027-03-27T22:00:00Z"), utc("2027-03-28T04:00:00Z")},
		"New York, the clock goes back":    {newYork, utc("2026-11-01T03:00:00Z"), utc("2026-11-01T11:00:00Z")},
		"New York, the clock goes forward": {newYork, utc("2027-03-14T04:00:00Z"), utc("2027-03-14T10:00:00Z")},
	} {
		t.Run(name, func(t *testing.T) {
			c := newConfig("early", "late", "back", "day")
			c.Ignore, c.IgnoreGrace = []string{"night"}, duration("5m")
			e := newTestEnv(t, c)
			e.inTimeInterval = nightInterval(t, tt.location)
			begin, end := tt.begin.Sub(t0).Seconds(), tt.end.Sub(t0).Seconds()
			offline := func(id string, since float64) string { return summary(offlineAlert(id, since)) }
			day := offline("day", begin-90)
			e.check(begin - 120)
			e.report(begin-90, "early", "late", "back", "day")
			e.report(begin-30, "early", "back") // silent for a minute only in the interval
			e.report(begin-30, "late")
			e.check(begin - 60)
			e.check(begin - 1)
			e.wantReceived(begin-1, day)
			for s := begin; s < end+300; s += 60 {
				if s == begin+3600 {
					e.report(s, "late")
				}
				e.check(s)
				if s == end+240 {
					e.report(s+10, "back")
				}
				e.wantReceived(s, day)
			}
			e.check(end + 299.999)
			e.alerts.takeReceived()
			e.check(end + 300)
			want := []string{day, offline("early", begin-30), offline("late", begin+3600)}
			slices.Sort(want)
			e.wantFiring(end+300, want...)
		})
	}
}

// A host that reports again in an ignored interval is resolved at once.
func TestOnlineInIgnoredInterval(t *testing.T) {
	c := newConfig("web-1")
	c.Ignore = []string{"night"}
	e := newTestEnv(t, c)
	e.inTimeInterval = func(_ string, t time.Time) bool { return !t.Before(at(90)) && t.Before(at(3600)) }
	e.report(0, "web-1")
	e.wantCheck(0)
	e.wantCheck(60, "HostOffline web-1 0")
	e.wantCheck(120, "HostOffline web-1 0")
	e.report(125, "web-1")
	e.wantCheck(180, "HostOffline web-1 0-125")
	e.wantCheck(240)
}

// TestClockThatWasAhead has a check or a report eight hours in the future.
func TestClockThatWasAhead(t *testing.T) {
	const ahead = 8 * 3600
	t.Run("a host that reported then goes offline in time", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1"))
		e.wantCheck(0)
		e.report(ahead, "web-1")
		e.wantCheck(ahead)
		e.wantCheck(30)
		e.wantCheck(60)
		e.wantCheck(89.999)
		e.wantCheck(90, "HostOffline web-1 30")
	})
	t.Run("a host that goes on to report goes offline in time", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1"))
		e.wantCheck(0)
		e.report(ahead, "web-1")
		e.report(30, "web-1")
		e.report(45, "web-1")
		e.wantCheck(60)
		e.wantCheck(104.999)
		e.wantCheck(105, "HostOffline web-1 45")
	})
	t.Run("a host that went offline then is online again", func(t *testing.T) {
		e := newTestEnv(t, newConfig("web-1"))
		e.report(ahead, "web-1")
		for s := 0.0; s <= 120; s += 30 {
			e.check(ahead + s)
		}
		e.wantFiring(ahead+120, "HostOffline web-1 28800")
		e.report(30, "web-1")
		e.check(45)
		e.wantFiring(45)
	})
	t.Run("for of a rule counts from now", func(t *testing.T) {
		r := cpuHigh()
		r.For = *duration("1m")
		e := newRuleEnv(t, r)
		e.wantReport(ahead, "LinuxCPU", cpu(95))
		e.wantReport(0, "LinuxCPU", cpu(95))
		e.wantReport(59, "LinuxCPU", cpu(95))
		e.wantReport(60, "LinuxCPU", cpu(95), "HostCPUHigh web-1 0")
	})
}
