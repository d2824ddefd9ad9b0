package alertmanager

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/timeinterval"

	"tocsin/pkg/alert"
	"tocsin/pkg/route"
	"tocsin/pkg/store/memory"
)

// TestIntervals checks that a random time interval is valid for both or for neither,
// and contains the same times.
func TestIntervals(t *testing.T) {
	r := newRand(t)
	valid, invalid, inside := 0, 0, 0
	for range 4000 {
		c := config{Receivers: []receiver{{Name: "others"}, {Name: "muted"}},
			TimeIntervals: []route.TimeInterval{{Name: "t", TimeIntervals: []route.TimesConfig{randomTimes(r)}}},
			Route: &route.Config{Receiver: "others",
				Routes: []*route.Config{{Receiver: "muted", Matchers: []string{`job="api"`}, MuteTimeIntervals: []string{"t"}}}}}
		conf, err := amconfig.Load(c.yaml())
		engine, oerr := c.engine(memory.New(), &transcript{}, true)
		if (err == nil) != (oerr == nil) {
			t.Fatalf("got %v, want Alertmanager's %v\n%s", oerr, err, c.yaml())
		}
		if err != nil {
			invalid++
			continue
		}
		valid++
		theirs := timeinterval.NewIntervener(map[string][]timeinterval.TimeInterval{"t": conf.TimeIntervals[0].TimeIntervals})
		from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := engine.Ingest(t.Context(), from, push{end: noEnd}.with(alert.Labels{"job": "api"}).tocsinAlerts(from, 0)); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			// Whole minutes and just before them, over four years.
			now := from.Add(time.Duration(r.IntN(4*366*24*60)) * time.Minute).Add(-time.Duration(r.IntN(2)))
			muted, _, err := theirs.Mutes([]string{"t"}, now)
			if err != nil {
				t.Fatal(err)
			}
			groups, err := engine.Groups(t.Context(), now)
			if err != nil || len(groups) != 1 {
				t.Fatalf("got %d groups and %v, want 1", len(groups), err)
			}
			if ours := len(groups[0].MutedBy) > 0; ours != muted {
				t.Fatalf("at %v: got muted %v, want Alertmanager's %v\n%s", now, ours, muted, c.yaml())
			}
			if muted {
				inside++
			}
		}
	}
	if valid < 1000 || invalid < 500 || inside < 1000 {
		t.Errorf("got %d valid and %d invalid intervals and %d times inside, want at least 1000, 500 and 1000", valid, invalid, inside)
	}
}

// randomTimes returns an interval, often with something invalid.
func randomTimes(r *rand.Rand) (c route.TimesConfig) {
	rang := func(member func() string) string {
		if r.IntN(2) == 0 {
			return member()
		}
		return member() + pick(r, ":", ":", ":", ":", "-", " : ") + member()
	}
	list := func(of *[]string, member func() string) {
		if r.IntN(3) == 0 {
			for range 1 + r.IntN(2) {
				*of = append(*of, rang(member))
			}
		}
	}
	number := func(from, to int) func() string {
		return func() string { return fmt.Sprint(from + r.IntN(to-from+1)) }
	}
	clock := func() string {
		return pick(r, fmt.Sprintf("%02d:%02d", r.IntN(24), r.IntN(60)), fmt.Sprintf("%02d:00", r.IntN(25)), pick(r, "00:00", "24:00", "9:00", "24:01", "", "12"))
	}
	for range max(0, r.IntN(4)-1) {
		c.Times = append(c.Times, route.TimeRangeConfig{StartTime: clock(), EndTime: clock()})
	}
	list(&c.Weekdays, func() string {
		return pick(r, "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "Monday", "1")
	})
	list(&c.DaysOfMonth, number(-32, 32))
	list(&c.Months, pick(r, number(1, 12), func() string { return pick(r, "january", "May", "june", "december", "0", "13") }))
	list(&c.Years, number(2023, 2029))
	if r.IntN(3) == 0 {
		c.Location = pick(r, "Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC", "Local", "Nowhere/None")
	}
	return c
}
