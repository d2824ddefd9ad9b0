package route

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"

	"tocsin/pkg/setting"
)

// TimeInterval is a named set of times that routes refer to: an entry of
// Alertmanager's `time_intervals`.
type TimeInterval struct {
	Name          string        `yaml:"name"`
	TimeIntervals []TimesConfig `yaml:"time_intervals,omitempty"`
}

// TimesConfig contains the times that match an entry of each field that is given.
// Days and hours are those of the location.
type TimesConfig struct {
	Times       []TimeRangeConfig `yaml:"times,omitempty"`
	Weekdays    []string          `yaml:"weekdays,omitempty"`      // monday:friday
	DaysOfMonth []string          `yaml:"days_of_month,omitempty"` // 1:5, -1 for the last
	Months      []string          `yaml:"months,omitempty"`        // january:march, 12
	Years       []string          `yaml:"years,omitempty"`         // 2026:2028
	Location    string            `yaml:"location,omitempty"`      // default UTC
}

// TimeRangeConfig is a part of a day. The end is not part of it.
type TimeRangeConfig struct {
	StartTime string `yaml:"start_time" json:"start_time"` // 09:00
	EndTime   string `yaml:"end_time" json:"end_time"`     // 24:00 at most
}

// Validate adds the faults of the interval to f.
func (c *TimeInterval) Validate(f *setting.Faults) {
	if c.Name == "" {
		f.Addf("name", "is missing: routes refer to a time interval by its name")
	}
	for i := range c.TimeIntervals {
		c.TimeIntervals[i].parse(f.In("time_intervals", i))
	}
}

// Intervals are time intervals by name.
type Intervals map[string][]timeinterval.TimeInterval

// NewIntervals returns the intervals of the configs, which must be valid.
func NewIntervals(configs []TimeInterval) Intervals {
	in := Intervals{}
	for _, c := range configs {
		for i := range c.TimeIntervals {
			in[c.Name] = append(in[c.Name], c.TimeIntervals[i].parse(&setting.Faults{}))
		}
	}
	return in
}

// Contains reports whether the named interval contains t. An unknown one contains
// nothing.
func (in Intervals) Contains(name string, t time.Time) bool {
	for _, ti := range in[name] {
		if ti.ContainsTime(t.UTC()) {
			return true
		}
	}
	return false
}

// Muting returns the names of the intervals that mute the route at now. If the
// route has active intervals and none of them contains now, it returns those with
// inactive true; otherwise the mute intervals that contain now.
func (in Intervals) Muting(r *Route, now time.Time) (names []string, inactive bool) {
	contains := func(name string) bool { return in.Contains(name, now) }
	if len(r.activeIntervals) > 0 && !slices.ContainsFunc(r.activeIntervals, contains) {
		return r.activeIntervals, true
	}
	for _, name := range r.muteIntervals {
		if contains(name) {
			names = append(names, name)
		}
	}
	return names, false
}

// parse parses the interval with Alertmanager's types and adds its faults to f.
func (c *TimesConfig) parse(f *setting.Faults) timeinterval.TimeInterval {
	ti := timeinterval.TimeInterval{
		Times:       ranges[timeinterval.TimeRange](f.In("times"), c.Times),
		Weekdays:    ranges[timeinterval.WeekdayRange](f.In("weekdays"), c.Weekdays),
		DaysOfMonth: ranges[timeinterval.DayOfMonthRange](f.In("days_of_month"), c.DaysOfMonth),
		Months:      ranges[timeinterval.MonthRange](f.In("months"), c.Months),
		Years:       ranges[timeinterval.YearRange](f.In("years"), c.Years),
	}
	if c.Location != "" {
		ti.Location = new(timeinterval.Location)
		if err := decode(c.Location, ti.Location); err != nil {
			f.Addf("location", "%v; it is a name such as Asia/Shanghai", err)
		}
	}
	return ti
}

// ranges parses each entry of a field as Alertmanager's type T.
func ranges[T any, From any](f *setting.Faults, from []From) []T {
	var out []T // stays nil without entries: an empty list contains no time
	for i := range from {
		var r T
		if err := decode(from[i], &r); err != nil {
			f.In(i).Addf("", "%v", err)
		}
		out = append(out, r)
	}
	return out
}

// decode decodes from into one of Alertmanager's types, which implement
// json.Unmarshaler.
func decode(from, to any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("encode %v: %w", from, err)
	}
	return json.Unmarshal(b, to)
}
