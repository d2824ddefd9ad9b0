package dispatch

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"

	"tocsin/pkg/setting"
)

// TimeInterval is a named set of times, for routes to be quiet or to speak in:
// Alertmanager's `time_intervals`.
type TimeInterval struct {
	Name          string        `yaml:"name"`
	TimeIntervals []TimesConfig `yaml:"time_intervals,omitempty"`
}

// TimesConfig is one interval: every field that is given must contain a moment,
// by any of its entries. Days and hours are those of the location.
type TimesConfig struct {
	Times       []TimeRangeConfig `yaml:"times,omitempty"`
	Weekdays    []string          `yaml:"weekdays,omitempty"`      // monday:friday
	DaysOfMonth []string          `yaml:"days_of_month,omitempty"` // 1:5, -1 for the last
	Months      []string          `yaml:"months,omitempty"`        // january:march, 12
	Years       []string          `yaml:"years,omitempty"`         // 2026:2028
	Location    string            `yaml:"location,omitempty"`      // default UTC
}

// TimeRangeConfig is a part of a day, from the start to before the end.
type TimeRangeConfig struct {
	StartTime string `yaml:"start_time" json:"start_time"` // 09:00
	EndTime   string `yaml:"end_time" json:"end_time"`     // 24:00 at most
}

// Validate adds what is wrong with the interval to f.
func (c *TimeInterval) Validate(f *setting.Faults) {
	if c.Name == "" {
		f.Addf("name", "is missing: routes refer to a time interval by its name")
	}
	for i := range c.TimeIntervals {
		c.TimeIntervals[i].parse(f.In("time_intervals", i))
	}
}

// intervals are the time intervals by name.
type intervals map[string][]timeinterval.TimeInterval

func newIntervals(configs []TimeInterval) intervals {
	in := intervals{}
	for _, c := range configs {
		for i := range c.TimeIntervals {
			in[c.Name] = append(in[c.Name], c.TimeIntervals[i].parse(&setting.Faults{}))
		}
	}
	return in
}

// Within tells whether the time interval of a name contains t; one that does not
// exist contains nothing.
func (e *Engine) InTimeInterval(name string, t time.Time) bool { return e.intervals.contains(name, t) }

func (in intervals) contains(name string, t time.Time) bool {
	for _, ti := range in[name] {
		if ti.ContainsTime(t.UTC()) {
			return true
		}
	}
	return false
}

// parse reads the interval by Alertmanager's own rules, and adds what is wrong
// to f.
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

// ranges reads a list of what Alertmanager reads from YAML or JSON.
func ranges[T any, From any](f *setting.Faults, from []From) []T {
	var out []T // nil, not empty: an empty list contains nothing
	for i := range from {
		var r T
		if err := decode(from[i], &r); err != nil {
			f.In(i).Addf("", "%v", err)
		}
		out = append(out, r)
	}
	return out
}

// decode hands a value to one of Alertmanager's types, which read themselves.
func decode(from, to any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("encode %v: %w", from, err)
	}
	return json.Unmarshal(b, to)
}
