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

// mostGrace bounds ignore_grace: it is looked back over minute by minute.
const mostGrace = 24 * time.Hour

// Validate adds what is wrong with c to f. intervals are the names of the
// configured time intervals.
func (c *Config) Validate(f *setting.Faults, intervals []string) {
	positive(f, "interval", c.Interval)
	positive(f, "offline_after", c.OfflineAfter)
	if g := c.IgnoreGrace; g != nil && g.Std() > mostGrace {
		f.Addf("ignore_grace", "must be at most %s, not %s", setting.Duration(mostGrace), g)
	}
	known(f.In("ignore"), c.Ignore, "time interval", intervals)

	var templates, groups []string
	for i := range c.Templates {
		t, f := &c.Templates[i], f.In("templates", i)
		templates = name(f, "name", "template", t.Name, templates)
		t.validate(f)
	}
	for i := range c.Groups {
		g, f := &c.Groups[i], f.In("groups", i)
		groups = name(f, "name", "group", g.Name, groups)
		known(f.In("templates"), g.Templates, "template", templates)
		validateLabels(f.In("labels"), g.Labels)
	}
	var ids []string
	for i := range c.Hosts {
		h, f := &c.Hosts[i], f.In("hosts", i)
		ids = name(f, "id", "host", h.ID, ids)
		if why := unfitID(h.ID); h.ID != "" && why != "" {
			f.Addf("id", "%q %s: it is a part of addresses, so use letters, digits and . _ - : @", h.ID, why)
		}
		if len(h.Name) > maxName {
			f.Addf("name", "has %d bytes: use at most %d", len(h.Name), maxName)
		}
		known(f.In("groups"), h.Groups, "group", groups)
		known(f.In("templates"), h.Templates, "template", templates)
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

// name checks what others refer to, and adds it to those that are taken.
func name(f *setting.Faults, key, what, name string, taken []string) []string {
	switch {
	case name == "":
		f.Addf(key, "is missing: give the %s one", what)
	case len(name) > maxName:
		f.Addf(key, "has %d bytes: use at most %d", len(name), maxName)
	case slices.Contains(taken, name):
		f.Addf(key, "%q is taken by another %s: they must differ", name, what)
	}
	return append(taken, name)
}

// known checks that the names are among those that there are.
func known(f *setting.Faults, names []string, what string, there []string) {
	for i, name := range names {
		if slices.Contains(there, name) {
			continue
		}
		hint := ""
		if nearest := setting.Nearest(name, there); nearest != "" {
			hint = fmt.Sprintf("; did you mean %q?", nearest)
		}
		f.In(i).Addf("", "no %s is named %q%s", what, name, hint)
	}
}

func (t *Template) validate(f *setting.Faults) {
	for _, service := range slices.Sorted(maps.Keys(t.Services)) {
		s, at := t.Services[service], f.In("services", service)
		if service == "" || len(service) > maxName || strings.ContainsFunc(service, unicode.IsControl) || !utf8.ValidString(service) {
			at.Addf("", "is not a name: use 1 to %d bytes of text", maxName)
		}
		if why := unfitID(s.Plugin); why != "" {
			at.Addf("plugin", "%s: it is a built-in plugin such as cpu, memory, disk or network, or an executable file's name", why)
		}
		if s.Interval.Std() < time.Second || s.Interval.Std()%time.Second != 0 {
			at.Addf("interval", "must be whole seconds, 1s or more, not %s", s.Interval)
		}
	}
}

// unfitID says why text cannot be a part of a path, "" when it can.
func unfitID(text string) string {
	odd := func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("._-:@", r)
	}
	switch {
	case text == "":
		return "is missing"
	case len(text) > maxName:
		return fmt.Sprintf("has more than %d bytes", maxName)
	case strings.Trim(text, ".") == "":
		return "is nothing but dots"
	case strings.ContainsFunc(text, odd):
		return "has other characters in it"
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
		f.Addf("tokens", "is missing: name the tokens of webhook.auth with which hosts may enrol")
	}
	known(f.In("groups"), r.Groups, "group", groups)
	known(f.In("templates"), r.Templates, "template", templates)
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
	stars := strings.Count(r.Value, each)
	switch {
	case r.Value == "":
		f.Addf("value", "is missing: it leads from a plugin to a number, such as cpu.usage_percent")
	case len(parts) < 2 || slices.Contains(parts, ""):
		f.Addf("value", "%q is not a path: it is a plugin and keys of its data with dots between, such as cpu.usage_percent", r.Value)
	case stars > 1 || stars == 1 && (parts[0] == each || !slices.Contains(parts, each)):
		f.Addf("value", "%q: one key behind the plugin may be *, as a whole, such as disk.mounts.*.used_percent", r.Value)
	case stars == 1 && r.By == "":
		f.Addf("by", "is missing: it is the label that tells the values of * apart, such as mount")
	case stars == 0 && r.By != "":
		f.Addf("by", "is for a value with * in it")
	}
	if r.By != "" {
		if !model.LegacyValidation.IsValidLabelName(r.By) || slices.Contains(reservedLabels, r.By) {
			f.Addf("by", "%q cannot be the name of a label here", r.By)
		}
	}
	r.validateLimits(f)
	reserved := reservedLabels
	if r.By != "" {
		reserved = append(slices.Clip(reserved), r.By)
	}
	r.validateTexts(f.In("labels"), r.Labels, labelData{sample().Labels}, reserved,
		"labels are what the alert is, so they may use $labels only")
	r.validateTexts(f.In("annotations"), r.Annotations, sample(), reservedAnnotations,
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
		f.Addf("below", "is given beside above: make two rules of it")
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

// warn warns of the first host that reports so seldom that one late report makes
// it offline, and of rules that are for no host.
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
			f.In("rules", i).Warnf("match", "is for none of the hosts")
		}
	}
}
