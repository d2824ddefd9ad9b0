package host

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// maxIgnoreGrace bounds ignore_grace, which is checked minute by minute.
const maxIgnoreGrace = 24 * time.Hour

// Validate adds the faults of c to f. intervals are the names of the configured
// time intervals.
func (c *Config) Validate(f *setting.Faults, intervals []string) {
	positive(f, "interval", c.Interval)
	positive(f, "offline_after", c.OfflineAfter)
	if g := c.IgnoreGrace; g != nil && g.Std() > maxIgnoreGrace {
		f.Addf("ignore_grace", "must be at most %s, not %s", setting.Duration(maxIgnoreGrace), g)
	}
	validateNames(f.In("ignore"), c.Ignore, "time interval", intervals)

	var templates, groups []string
	for i := range c.Templates {
		t, f := &c.Templates[i], f.In("templates", i)
		templates = validateUnique(f, "name", "template", t.Name, templates)
		t.validate(f)
	}
	for i := range c.Groups {
		g, f := &c.Groups[i], f.In("groups", i)
		groups = validateUnique(f, "name", "group", g.Name, groups)
		validateNames(f.In("templates"), g.Templates, "template", templates)
		validateLabels(f.In("labels"), g.Labels)
	}
	var ids []string
	for i := range c.Hosts {
		h, f := &c.Hosts[i], f.In("hosts", i)
		ids = validateUnique(f, "id", "host", h.ID, ids)
		if fault := idFault(h.ID); h.ID != "" && fault != "" {
			f.Addf("id", "%q %s: it is a part of URLs, so use letters, digits and . _ - : @", h.ID, fault)
		}
		if len(h.Name) > maxNameSize {
			f.Addf("name", "has %d bytes: use at most %d", len(h.Name), maxNameSize)
		}
		validateNames(f.In("groups"), h.Groups, "group", groups)
		validateNames(f.In("templates"), h.Templates, "template", templates)
		validateLabels(f.In("labels"), h.Labels)
	}
	if c.Register != nil {
		c.Register.validate(f.In("register"), templates, groups)
	}
	for i := range c.Rules {
		c.Rules[i].validate(f.In("rules", i))
	}
	c.warn(f)
}

func positive(f *setting.Faults, key string, d *setting.Duration) {
	if d != nil && *d <= 0 {
		f.Addf(key, "must be more than 0s")
	}
}

// validateUnique checks a name that others refer to, and returns the names in use.
func validateUnique(f *setting.Faults, key, what, name string, used []string) []string {
	switch {
	case name == "":
		f.Addf(key, "is missing: give the %s one", what)
	case len(name) > maxNameSize:
		f.Addf(key, "has %d bytes: use at most %d", len(name), maxNameSize)
	case slices.Contains(used, name):
		f.Addf(key, "%q is used by another %s: they must differ", name, what)
	}
	return append(used, name)
}

// validateNames checks that the names refer to existing ones.
func validateNames(f *setting.Faults, names []string, what string, existing []string) {
	for i, name := range names {
		if slices.Contains(existing, name) {
			continue
		}
		hint := ""
		if nearest := setting.Nearest(name, existing); nearest != "" {
			hint = fmt.Sprintf("; did you mean %q?", nearest)
		}
		f.In(i).Addf("", "no %s is named %q%s", what, name, hint)
	}
}

func (t *Template) validate(f *setting.Faults) {
	for _, service := range slices.Sorted(maps.Keys(t.Services)) {
		s, at := t.Services[service], f.In("services", service)
		if service == "" || len(service) > maxNameSize || strings.ContainsFunc(service, unicode.IsControl) || !utf8.ValidString(service) {
			at.Addf("", "is not a name: use 1 to %d bytes of text", maxNameSize)
		}
		if fault := idFault(s.Plugin); fault != "" {
			at.Addf("plugin", "%s: it is a built-in plugin such as cpu, memory, disk or network, or an executable file's name", fault)
		}
		if s.Interval.Std() < time.Second || s.Interval.Std()%time.Second != 0 {
			at.Addf("interval", "must be whole seconds, 1s or more, not %s", s.Interval)
		}
		if a := s.SilentAfter; a != nil && *a != 0 && *a < 2*s.Interval {
			at.Addf("silent_after", "must be two intervals (%s) or more, or 0s for never, not %s", 2*s.Interval, a)
		}
	}
}

// idFault returns why text cannot be a part of a URL path, "" if it can.
func idFault(text string) string {
	invalid := func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("._-:@", r)
	}
	switch {
	case text == "":
		return "is missing"
	case len(text) > maxNameSize:
		return fmt.Sprintf("has more than %d bytes", maxNameSize)
	case strings.Trim(text, ".") == "":
		return "consists of dots only"
	case strings.ContainsFunc(text, invalid):
		return "contains other characters"
	}
	return ""
}

func validateLabels(f *setting.Faults, labels alert.Labels) {
	for _, name := range labels.Names() {
		validateName(f, name, reservedLabels)
		if !utf8.ValidString(labels[name]) {
			f.Addf(name, "is not UTF-8")
		}
	}
}

var (
	reservedLabels      = []string{alert.NameLabel, alert.HostLabel, alert.HostnameLabel}
	reservedAnnotations = []string{alert.ValueAnnotation, alert.ThresholdAnnotation}
)

func validateName(f *setting.Faults, name string, reserved []string) {
	switch {
	case !model.LegacyValidation.IsValidLabelName(name):
		f.Addf(name, "is not a name: use letters, digits and _, with a letter or _ first")
	case slices.Contains(reserved, name):
		f.Addf(name, "is set by Tocsin: choose another name")
	}
}

func (r *Register) validate(f *setting.Faults, templates, groups []string) {
	if len(r.Tokens) == 0 {
		f.Addf("tokens", "is missing: name the tokens of webhook.auth that hosts may register with")
	}
	validateNames(f.In("groups"), r.Groups, "group", groups)
	validateNames(f.In("templates"), r.Templates, "template", templates)
	if r.Max != nil && *r.Max < 1 {
		f.Addf("max", "must be 1 or more, not %d", *r.Max)
	}
	positive(f, "forget_after", r.ForgetAfter)
}

func (r *Rule) validate(f *setting.Faults) {
	if r.Alert == "" {
		f.Addf("alert", "is missing: it is the name of the alert, such as HostCPUHigh")
	}
	parts := strings.Split(r.Value, ".")
	stars := strings.Count(r.Value, wildcard)
	switch {
	case r.Value == "":
		f.Addf("value", "is missing: it is the path of a number in a plugin's data, such as cpu.usage_percent")
	case len(parts) < 2 || slices.Contains(parts, ""):
		f.Addf("value", "%q is not a path: it must be a plugin and keys of its data, separated by dots, such as cpu.usage_percent", r.Value)
	case stars > 1 || stars == 1 && (parts[0] == wildcard || !slices.Contains(parts, wildcard)):
		f.Addf("value", "%q: one whole key after the plugin may be *, such as disk.mounts.*.used_percent", r.Value)
	case stars == 1 && r.By == "":
		f.Addf("by", "is missing: it is the label that distinguishes the values of *, such as mount")
	case stars == 0 && r.By != "":
		f.Addf("by", "is only for a value with *")
	}
	if r.By != "" {
		if !model.LegacyValidation.IsValidLabelName(r.By) || slices.Contains(reservedLabels, r.By) {
			f.Addf("by", "%q cannot be the name of a label here", r.By)
		}
	}
	for key, patterns := range map[string][]setting.Pattern{"include": r.Include, "exclude": r.Exclude} {
		if patterns != nil && stars == 0 {
			f.Addf(key, "is only for a value with *")
		}
	}
	r.validateLimits(f)
	reserved := reservedLabels
	if r.By != "" {
		reserved = append(slices.Clip(reserved), r.By)
	}
	r.validateTexts(f.In("labels"), r.Labels, labelData{sampleData().Labels}, reserved,
		"labels identify the alert, so they may use $labels only")
	r.validateTexts(f.In("annotations"), r.Annotations, sampleData(), reservedAnnotations,
		"an annotation may use $labels, $value and .Threshold")
}

func (r *Rule) validateLimits(f *setting.Faults) {
	for i, limit := range []*float64{r.Above, r.Below, r.Clear} {
		if limit != nil && (math.IsNaN(*limit) || math.IsInf(*limit, 0)) {
			f.Addf([]string{"above", "below", "clear"}[i], "must be a number")
			return
		}
	}
	switch {
	case r.Above == nil && r.Below == nil:
		f.Addf("above", "is missing: give above or below, the value beyond which the alert fires")
	case r.Above != nil && r.Below != nil:
		f.Addf("below", "is given together with above: write two rules")
	case r.Clear == nil:
	case r.Above != nil && *r.Clear > *r.Above:
		f.Addf("clear", "must not be greater than above (%v), not %v", *r.Above, *r.Clear)
	case r.Below != nil && *r.Clear < *r.Below:
		f.Addf("clear", "must not be smaller than below (%v), not %v", *r.Below, *r.Clear)
	}
}

func (r *Rule) validateTexts(f *setting.Faults, texts map[string]setting.Template, data any, reserved []string, allowed string) {
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		validateName(f, key, reserved)
		if _, err := texts[key].Execute(data); err != nil {
			f.Addf(key, "%v: %s", err, allowed)
		}
	}
}

// warn adds warnings about the first host that one late report makes offline, and
// about rules that match no host.
func (c *Config) warn(f *setting.Faults) {
	hosts := NewInventory(c).hosts
	for i, entry := range c.Hosts {
		h := hosts[entry.ID]
		var fastest time.Duration
		for _, s := range h.Services {
			if fastest == 0 || s.Interval < fastest {
				fastest = s.Interval
			}
		}
		if h.Active && 2*fastest > c.offlineAfter() {
			f.In("hosts", i).Warnf("", "%q reports every %s at most: one late report makes it offline after %s; let a service report more often, or raise offline_after",
				h.ID, setting.Duration(fastest), setting.Duration(c.offlineAfter()))
			break
		}
	}
	for i := range c.Rules {
		matching := func(h *Host) bool { return (&rule{Rule: &c.Rules[i]}).matches(h) }
		if c.Register == nil && len(hosts) > 0 && !slices.ContainsFunc(slices.Collect(maps.Values(hosts)), matching) {
			f.In("rules", i).Warnf("match", "matches none of the hosts")
		}
	}
}
