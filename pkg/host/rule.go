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

// Rule raises an alert about a reported value.
type Rule struct {
	// Alert is the value of the label alertname.
	Alert string `yaml:"alert"`
	Match Match  `yaml:"match,omitempty"`
	// Value is the path of the value: the plugin's name, then keys of its data,
	// separated by dots, such as cpu.usage_percent. One key may be *, which stands
	// for every key: disk.mounts.*.used_percent.
	Value string `yaml:"value"`
	// By is the label that distinguishes the values of a *. It is required with
	// one.
	By string `yaml:"by,omitempty"`
	// Include and Exclude select the keys that a * stands for: those that match one of
	// Include, all without it, and none of Exclude. Without either, Exclude is
	// DefaultExcludedInterfaces or DefaultExcludedMounts for values of these.
	Include []setting.Pattern `yaml:"include,omitempty"`
	Exclude []setting.Pattern `yaml:"exclude,omitempty"`
	// Above fires when the value is greater, Below when it is smaller. Exactly one
	// of them is given.
	Above *float64 `yaml:"above,omitempty"`
	Below *float64 `yaml:"below,omitempty"`
	// For is how long the value must be beyond the limit before the alert fires.
	For setting.Duration `yaml:"for,omitempty"`
	// Clear keeps a firing alert until the value is smaller than this (with Above)
	// or greater (with Below); default the limit.
	Clear *float64 `yaml:"clear,omitempty"`
	// Labels are added to the alert. Their templates may use $labels only.
	Labels map[string]setting.Template `yaml:"labels,omitempty"`
	// Annotations are added to the alert. A summary replaces the built-in one.
	Annotations map[string]setting.Template `yaml:"annotations,omitempty"`
}

// Match selects the hosts of a rule. A pattern that is not given matches all.
type Match struct {
	// Host matches the id.
	Host setting.Pattern `yaml:"host,omitempty"`
	// Group matches any of the host's groups.
	Group setting.Pattern `yaml:"group,omitempty"`
}

// DefaultExcludedInterfaces are the network interfaces that container and virtual
// machine runtimes create, and DefaultExcludedMounts the mount points of their layers
// and of removable and image file systems. No alert is raised about them by default.
var (
	DefaultExcludedInterfaces = []string{
		`veth.*`, `docker\d+`, `docker_gwbridge`, `br-[0-9a-f]{12}`, `cni.*`, `cali.*`, `flannel.*`, `cilium_.*`, `lxc.*`,
		`kube-.*`, `nodelocaldns`, `virbr\d+`, `vnet\d+`, `tap[0-9a-f]{8}-.*`, `dummy\d+`, `ifb\d+`,
	}
	DefaultExcludedMounts = []string{
		`/run/.+`, `/snap/.+`, `/var/lib/docker/(aufs|btrfs|containers|devicemapper|overlay2|zfs)/.+`,
		`/var/lib/containers/storage/.+`, `/var/lib/containerd/.+`,
	}
)

// defaultExclude is DefaultExcludedInterfaces and DefaultExcludedMounts by the beginning
// of a rule's value.
var defaultExclude = map[string][]setting.Pattern{
	"network.interfaces.*.": mustPatterns(DefaultExcludedInterfaces),
	"disk.mounts.*.":        mustPatterns(DefaultExcludedMounts),
}

func mustPatterns(texts []string) []setting.Pattern {
	patterns := make([]setting.Pattern, len(texts))
	for i, text := range texts {
		if err := patterns[i].UnmarshalText([]byte(text)); err != nil {
			panic(err)
		}
	}
	return patterns
}

// selects reports whether the rule is evaluated on an element of its wildcard.
func (r *Rule) selects(element string) bool {
	match := func(p setting.Pattern) bool { return p.Match(element) }
	exclude := r.Exclude
	if exclude == nil && r.Include == nil {
		i := strings.Index(r.Value, wildcard) + len(wildcard)
		exclude = defaultExclude[r.Value[:min(i+1, len(r.Value))]]
	}
	return (r.Include == nil || slices.ContainsFunc(r.Include, match)) && !slices.ContainsFunc(exclude, match)
}

// rule is a compiled Rule.
type rule struct {
	*Rule
	key  string   // identifies the rule in the store; a new limit does not change it
	path []string // of the value in the plugin's data
}

// wildcard stands in a path for every key.
const wildcard = "*"

// compileRules returns the rules in order. Rules that differ only in their limits
// are distinguished by their number.
func compileRules(rules []Rule) []*rule {
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

// forPlugin returns the rule with its path in the plugin's data, nil if the rule is
// for another plugin. A plugin's name may contain dots.
func (r *rule) forPlugin(plugin string) *rule {
	rest, ok := strings.CutPrefix(r.Value, plugin+".")
	if !ok {
		return nil
	}
	return &rule{Rule: r.Rule, key: r.key, path: strings.Split(rest, ".")}
}

func (r *rule) matches(h *Host) bool {
	return r.Match.Host.Match(h.ID) && (r.Match.Group.IsZero() || slices.ContainsFunc(h.Groups, r.Match.Group.Match))
}

// reading is one value that a rule is evaluated on.
type reading struct {
	element string // the key in place of the path's wildcard
	value   float64
	known   bool
}

// maxElements bounds the values that one rule is evaluated on in one report.
const maxElements = 200

// readings returns the rule's values in data, in order of their elements. complete
// reports whether an element that is not among them does not exist or is not selected;
// otherwise that is unknown.
func (r *rule) readings(data any) (list []reading, complete bool) {
	at := slices.Index(r.path, wildcard)
	if at < 0 {
		v, known := number(lookup(data, r.path))
		return []reading{{"", v, known}}, true
	}
	members, ok := lookup(data, r.path[:at]).(map[string]any)
	if !ok {
		return nil, false
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(members)), func(name string) bool { return !r.selects(name) })
	if complete = len(names) <= maxElements; !complete {
		names = names[:maxElements]
	}
	for _, name := range names {
		v, known := number(lookup(members[name], r.path[at+1:]))
		list = append(list, reading{name, v, known})
	}
	return list, complete
}

// lookup returns the value at a path of keys, nil if there is none.
func lookup(v any, path []string) any {
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

// next returns the breach after a reading at a time; zero if the value does not
// breach the rule. A value that is unknown changes nothing. A pending breach fires
// when For has passed since it began, however many reports were missed.
func (r *Rule) next(last breach, v reading, at time.Time) breach {
	switch {
	case !v.known:
		return last
	case r.breachedBy(v.value):
		if last.Since.IsZero() || last.Since.Sub(at) > maxClockSkew { // a clock was ahead
			last.Since = at
		}
		last.Firing = last.Firing || at.Sub(last.Since) >= r.For.Std()
		return last
	case last.Firing && r.Clear != nil && !r.cleared(v.value):
		return last
	default:
		return breach{}
	}
}

func (r *Rule) breachedBy(v float64) bool {
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

// limit returns the value beyond which the alert fires.
func (r *Rule) limit() float64 {
	if r.Below != nil {
		return *r.Below
	}
	return *r.Above
}

// elementPath returns the path of a reading, for messages.
func (r *Rule) elementPath(element string) string {
	return strings.Replace(r.Value, wildcard, element, 1)
}

// formatValue formats a number for messages: 1,234,567 · 95.3 · 0.0042.
func formatValue(v float64) string {
	switch size := math.Abs(v); {
	case size >= 1e15:
		return strconv.FormatFloat(v, 'g', 6, 64)
	case size >= 1000:
		return humanize.Int(int64(math.Round(v)))
	case size > 0 && size < 0.1:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}
