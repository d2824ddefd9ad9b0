package host_test

import (
	"encoding/json"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/prometheus/alertmanager/timeinterval"
)

// nightly is a time interval from 23:00 to 06:00 of a place, every day, as
// Alertmanager reads it.
func nightly(t *testing.T, location string) func(string, time.Time) bool {
	t.Helper()
	text := `{"times": [{"start_time": "23:00", "end_time": "24:00"}, {"start_time": "00:00", "end_time": "06:00"}], "location": "` + location + `"}`
	var ti timeinterval.TimeInterval
	if err := json.Unmarshal([]byte(text), &ti); err != nil {
		t.Fatal(err)
	}
	return func(name string, at time.Time) bool {
		if name != "night" {
			t.Errorf("asked for %q", name)
		}
		return ti.ContainsTime(at)
	}
}

// In an ignored night nothing is told, over midnight and over a change of clocks;
// what fell silent in it and lasts is told when the grace after it is over, as
// silent since its last report.
func TestIgnoredNight(t *testing.T) {
	berlin, newYork := "Europe/Berlin", "America/New_York"
	for name, tt := range map[string]struct {
		location   string
		begin, end time.Time // of the night, in UTC, worked out by hand
	}{
		// Berlin: +2 in summer and +1 in winter; back at 03:00 on 25 October 2026,
		// forward at 02:00 on 28 March 2027.
		"an ordinary night":      {berlin, utc("2026-11-20T22:00:00Z"), utc("2026-11-21T05:00:00Z")},
		"clocks go back":         {berlin, utc("2026-10-24T21:00:00Z"), utc("2026-10-25T05:00:00Z")},
		"clocks go forward":      {berlin, utc("2027-03-27T22:00:00Z"), utc("2027-03-28T04:00:00Z")},
		"New York, clocks back":  {newYork, utc("2026-11-01T03:00:00Z"), utc("2026-11-01T11:00:00Z")},
		"New York, spring comes": {newYork, utc("2027-03-14T04:00:00Z"), utc("2027-03-14T10:00:00Z")},
	} {
		t.Run(name, func(t *testing.T) {
			c := linux("early", "late", "back", "day")
			c.Ignore, c.IgnoreGrace = []string{"night"}, duration("5m")
			w := newWorld(t, c)
			w.within = nightly(t, tt.location)
			sec := func(at time.Time) float64 { return at.Sub(t0).Seconds() }
			begin, end := sec(tt.begin), sec(tt.end)
			w.check(begin - 120)
			w.report(begin-90, "early", "late", "back", "day")
			w.report(begin-30, "early", "back") // silent for a minute only within
			w.report(begin-30, "late")
			w.check(begin - 60)
			w.check(begin - 1)
			if got, want := w.ear.heard(), brief(offline("day", begin-90)); got != want {
				t.Fatalf("before the night: %q, want %q", got, want)
			}
			for s := begin; s < end+300; s += 60 {
				if s == begin+3600 {
					w.report(s, "late")
				}
				w.check(s)
				if s == end+240 {
					w.report(s+10, "back")
				}
				if got, want := w.ear.heard(), brief(offline("day", begin-90)); got != want {
					t.Fatalf("%v s after the night began: %s", s-begin, got)
				}
			}
			w.check(end + 299.999)
			w.ear.heard()
			w.check(end + 300)
			got := w.ear.firing(at(end + 300))
			want := []string{brief(offline("day", begin-90)), brief(offline("early", begin-30)), brief(offline("late", begin+3600))}
			if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
				t.Errorf("after the night: %q, want %q", got, want)
			}
		})
	}
}

// A host that is back within the night is told to be so at once.
func TestBackInTheNight(t *testing.T) {
	c := linux("web-1")
	c.Ignore = []string{"night"}
	w := newWorld(t, c)
	w.within = func(_ string, t time.Time) bool { return !t.Before(at(90)) && t.Before(at(3600)) }
	w.report(0, "web-1")
	w.expect(0)
	w.expect(60, "HostOffline web-1 0")
	w.expect(120, "HostOffline web-1 0")
	w.report(125, "web-1")
	w.expect(180, "HostOffline web-1 0-125")
	w.expect(240)
}
