// Package matcher parses Alertmanager's label matchers, as they are written in
// routes and inhibition rules, and applies them to alerts.
package matcher

import (
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// Config is a conjunction of matchers in each of the notations that
// Alertmanager's configuration has for them.
type Config struct {
	Matchers []string // the key `matchers` and its like
	// Match and MatchRE are the older `match` and `match_re`.
	Match   map[string]string
	MatchRE map[string]setting.Pattern
}

// Compile returns the matchers in Alertmanager's order, which shows in group keys.
func (c Config) Compile() (labels.Matchers, error) {
	var all labels.Matchers
	for name, value := range c.Match {
		m, err := labels.NewMatcher(labels.MatchEqual, name, value)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	for name, value := range c.MatchRE {
		// Group keys show these with their anchors, as Alertmanager's do.
		m, err := labels.NewMatcher(labels.MatchRegexp, name, "^(?:"+value.String()+")$")
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	for _, text := range c.Matchers {
		ms, err := Parse(text)
		if err != nil {
			return nil, err
		}
		all = append(all, ms...)
	}
	sort.Sort(all)
	return all, nil
}

// Canonical returns a text that is the same for the same matchers in any notation
// and order: those of MatchRE show without their anchors, which regular expressions
// have anyway.
func Canonical(ms labels.Matchers) string {
	texts := make([]string, len(ms))
	for i, m := range ms {
		value := m.Value
		if m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp {
			value = withoutAnchors(value)
		}
		texts[i] = strconv.Quote(m.Name) + m.Type.String() + strconv.Quote(value)
	}
	slices.Sort(texts)
	return "{" + strings.Join(slices.Compact(texts), ",") + "}"
}

func withoutAnchors(pattern string) string {
	inner, prefixed := strings.CutPrefix(pattern, "^(?:")
	inner, suffixed := strings.CutSuffix(inner, ")$")
	if _, err := regexp.Compile(inner); !prefixed || !suffixed || err != nil {
		return pattern // ^(?:a)|(?:b)$ is not one group
	}
	return inner
}

// Parse parses matchers as Alertmanager does by default: in the UTF-8 notation, or
// in the classic one where that fails or the two disagree.
func Parse(text string) (labels.Matchers, error) {
	ms, err := parse.Matchers(text)
	classic, classicErr := labels.ParseMatchers(text)
	if classicErr == nil && (err != nil || labels.Matchers(classic).String() != ms.String()) {
		return classic, nil
	}
	return ms, err
}

// Validate adds a fault to f for each text that cannot be parsed.
func Validate(f *setting.Faults, texts []string) {
	for i, text := range texts {
		if _, err := Parse(text); err != nil {
			f.In(i).Addf("", "%v; write it like severity=\"critical\" or topic=~\"order.*\"", err)
		}
	}
}

// Matches reports whether l meets all matchers. A label that l lacks counts as
// empty.
func Matches(ms labels.Matchers, l alert.Labels) bool {
	for _, m := range ms {
		if !m.Matches(l[m.Name]) {
			return false
		}
	}
	return true
}
