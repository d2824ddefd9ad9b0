package host

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/humanize"
	"tocsin/pkg/setting"
)

// Rule is when a reported value becomes an alert.
type Rule struct {
	// Alert is the value of the label alertname.
	Alert string `yaml:"alert"`
	Match Match  `yaml:"match,omitempty"`
	// Value leads to the value: the plugin's name, then keys of its data, with
	// dots between, such as cpu.usage_percent. One key may be *, which stands for
	// each key that is there: disk.mounts.*.used_percent.
	Value string `yaml:"value"`
	// By is the label that tells the values of a * apart; it is needed with one.
	By string `yaml:"by,omitempty"`
	// Above fires when the value is greater, Below when it is smaller. One of
	// them is given.
	Above *float64 `yaml:"above,omitempty"`
	Below *float64 `yaml:"below,omitempty"`
	// For is how long that must be so before the alert fires.
	For setting.Duration `yaml:"for,omitempty"`
	// Clear, if set, keeps a firing alert until the value is smaller than this
	// (with Above) or greater (with Below).
	Clear *float64 `yaml:"clear,omitempty"`
	// Labels are added to the alert. They may use $labels only.
	Labels map[string]setting.Template `yaml:"labels,omitempty"`
	// Annotations replace the built-in summary, or are added.
	Annotations map[string]setting.Template `yaml:"annotations,omitempty"`
}

// Match is what a rule is for; a pattern that is not given matches everything.
type Match struct {
	// Host is the id.
	Host setting.Pattern `yaml:"host,omitempty"`
	// Group is any of the host's groups.
	Group setting.Pattern `yaml:"group,omitempty"`
}

// rule is a Rule with its path taken apart.
type rule struct {
	*Rule
	key  string   // tells rules apart; a new limit makes no new rule
	path []string // behind the plugin
}

// each stands in a path for every key.
const each = "*"

// compile returns the rules in order. Of rules that differ in nothing but their
// limits, the later ones are told apart by their number.
func compile(rules []Rule) []*rule {
	out := make([]*rule, len(rules))
	seen := map[string]int{}
	for i := range rules {
		r := &rules[i]
		side := "above"
		if r.Below != nil {
			side = "below"
		}
		parts := []string{r.Alert, r.Match.Host.String(), r.Match.Group.String(), r.Value, r.By, side}
		for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
			parts = append(parts, name, r.Labels[name].String())
		}
		key := strings.Join(parts, "\x1f")
		seen[key]++
		if n := seen[key]; n > 1 {
			key += "\x1f" + strconv.Itoa(n)
		}
		out[i] = &rule{Rule: r, key: key}
	}
	return out
}

// of returns the rule for a plugin's data, nil when it is for another's. A
// plugin's name may have dots in it.
func (r *rule) of(plugin string) *rule {
	rest, ok := strings.CutPrefix(r.Value, plugin+".")
	if !ok {
		return nil
	}
	return &rule{Rule: r.Rule, key: r.key, path: strings.Split(rest, ".")}
}

func (r *rule) matches(h *Host) bool {
	return r.Match.Host.Match(h.ID) && (r.Match.Group.IsZero() || slices.ContainsFunc(h.Groups, r.Match.Group.Match))
}

// reading is one value that a rule looks at: by its key at the path's *, if it
// has one.
type reading struct {
	element string
	value   float64
	known   bool
}

// maxElements bounds the values that one rule looks at in one report.
const maxElements = 200

// read returns the values, in order of their elements. complete tells that an
// element which is not among them is not there any more; otherwise it is not
// known.
func (r *rule) read(data any) (readings []reading, complete bool) {
	at := slices.Index(r.path, each)
	if at < 0 {
		v, known := number(follow(data, r.path))
		return []reading{{"", v, known}}, true
	}
	members, ok := follow(data, r.path[:at]).(map[string]any)
	if !ok {
		return nil, false
	}
	names := slices.Sorted(maps.Keys(members))
	if complete = len(names) <= maxElements; !complete {
		names = names[:maxElements]
	}
	for _, name := range names {
		v, known := number(follow(members[name], r.path[at+1:]))
		readings = append(readings, reading{name, v, known})
	}
	return readings, complete
}

// follow goes down by keys; what is not there is nil.
func follow(v any, path []string) any {
	for _, key := range path {
		members, _ := v.(map[string]any)
		v = members[key]
	}
	return v
}

func number(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil && !math.IsInf(f, 0)
}

// advance is what becomes of a value, by what it was and what is read at a time.
// A value that is not known changes nothing. Pending becomes firing when `for` has
// passed since it began, by the clock, however many reports were missed.
func (r *Rule) advance(was entry, v reading, at time.Time) entry {
	switch {
	case !v.known:
		return was
	case r.beyond(v.value):
		if was.Since.IsZero() {
			was.Since = at
		}
		was.Firing = was.Firing || at.Sub(was.Since) >= r.For.Std()
		return was
	case was.Firing && r.Clear != nil && !r.cleared(v.value):
		return was
	default:
		return entry{}
	}
}

func (r *Rule) beyond(v float64) bool {
	if r.Below != nil {
		return v < *r.Below
	}
	return v > *r.Above
}

func (r *Rule) cleared(v float64) bool {
	if r.Below != nil {
		return v > *r.Clear
	}
	return v < *r.Clear
}

// limit is the value beyond which the alert fires.
func (r *Rule) limit() float64 {
	if r.Below != nil {
		return *r.Below
	}
	return *r.Above
}

// place is the path of a reading, for people.
func (r *Rule) place(element string) string {
	return strings.Replace(r.Value, each, element, 1)
}

// figure prints a number for people: 1,234,567 · 95.3 · 0.0042.
func figure(v float64) string {
	digits := 2
	switch size := math.Abs(v); {
	case size >= 1e15:
		return strconv.FormatFloat(v, 'g', 6, 64)
	case size >= 1000:
		return humanize.Int(int64(math.Round(v)))
	case size > 0 && size < 0.1:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(math.Round(v*math.Pow10(digits))/math.Pow10(digits), 'f', -1, 64)
}
