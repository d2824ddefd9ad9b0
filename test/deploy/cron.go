package deploy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	months = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	days   = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

// cronField is one field of a cron expression.
type cronField struct {
	name      string
	low, high int
	names     []string // stand for low, low+1, …
	signs     string   // besides digits and , - * /
}

// scfCronFields are the fields of SCF's timer trigger (document/product/583/9708).
var scfCronFields = []cronField{
	{"second", 0, 59, nil, ""},
	{"minute", 0, 59, nil, ""},
	{"hour", 0, 23, nil, ""},
	{"day", 1, 31, nil, ""},
	{"month", 1, 12, months, ""},
	{"week", 0, 6, days, ""},
	{"year", 1970, 2099, nil, ""},
}

// awsCronFields are the fields of EventBridge Scheduler.
var awsCronFields = []cronField{
	{"minute", 0, 59, nil, ""},
	{"hour", 0, 23, nil, ""},
	{"day of month", 1, 31, nil, "?LW"},
	{"month", 1, 12, months, ""},
	{"day of week", 1, 7, days, "?L#"},
	{"year", 1970, 2199, nil, ""},
}

// scfCron checks the schedule of an SCF timer trigger. The form with five
// fields, without second and year, still works there but is refused here, since it
// looks like Unix cron.
func scfCron(s string) error { return cron(s, scfCronFields) }

var (
	rateForm = regexp.MustCompile(`^rate\(([1-9][0-9]*) (minute|hour|day)(s?)\)$`)
	cronForm = regexp.MustCompile(`^cron\((.*)\)$`)
)

// awsSchedule checks a recurring schedule expression of EventBridge Scheduler.
func awsSchedule(s string) error {
	if m := rateForm.FindStringSubmatch(s); m != nil {
		if (m[1] == "1") != (m[3] == "") {
			return fmt.Errorf("%q: one is singular, more is plural", s)
		}
		return nil
	}
	m := cronForm.FindStringSubmatch(s)
	if m == nil {
		return fmt.Errorf("%q is neither rate(1 minute) nor cron(...)", s)
	}
	if err := cron(m[1], awsCronFields); err != nil {
		return err
	}
	if f := strings.Fields(m[1]); (f[2] == "?") == (f[4] == "?") {
		return fmt.Errorf("%q: one of day of month and day of week must be ?", s)
	}
	return nil
}

func cron(s string, fields []cronField) error {
	parts := strings.Split(s, " ")
	if len(parts) != len(fields) {
		return fmt.Errorf("%q has %d fields, not %d", s, len(parts), len(fields))
	}
	for i, f := range fields {
		for item := range strings.SplitSeq(parts[i], ",") {
			if !f.accepts(item) {
				return fmt.Errorf("%q: %q is not a %s", s, item, f.name)
			}
		}
	}
	return nil
}

// accepts reports whether item is a value, a range or *, optionally with a step.
func (f cronField) accepts(item string) bool {
	if item != "" && len(item) <= 5 && strings.ContainsAny(item, f.signs) {
		return true // rare forms such as L, 15W and 6#3 are left to the platform
	}
	item, step, stepped := strings.Cut(item, "/")
	if n, err := strconv.Atoi(step); stepped && (err != nil || n < 1 || n > f.high) {
		return false
	}
	if item == "*" {
		return true
	}
	from, to, ranged := strings.Cut(item, "-")
	low, ok := f.value(from)
	if !ranged {
		return ok
	}
	high, ok2 := f.value(to)
	return ok && ok2 && low <= high
}

func (f cronField) value(s string) (int, bool) {
	if i := slices.Index(f.names, s); i >= 0 {
		return f.low + i, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= f.low && n <= f.high && s[0] != '+' && s[0] != '-'
}
