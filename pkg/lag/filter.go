package lag

import (
	"regexp/syntax"
	"slices"

	"tocsin/pkg/setting"
)

// Filter chooses names: those that one of Include matches and none of Exclude.
// Without Include it is all but Exclude.
type Filter struct {
	Include []setting.Pattern `yaml:"include,omitempty"`
	Exclude []setting.Pattern `yaml:"exclude,omitempty"`
}

// Match tells whether name is chosen.
func (f Filter) Match(name string) bool {
	match := func(p setting.Pattern) bool { return p.Match(name) }
	return (len(f.Include) == 0 || slices.ContainsFunc(f.Include, match)) && !slices.ContainsFunc(f.Exclude, match)
}

// Literals returns the chosen names, each once, when every pattern of Include is
// a name as it stands, so that there is no need to list what exists. Otherwise
// ok is false.
func (f Filter) Literals() (names []string, ok bool) {
	for _, p := range f.Include {
		name, ok := literal(p.String())
		if !ok {
			return nil, false
		}
		if f.Match(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, len(f.Include) > 0
}

// literal returns the one text that an expression matches.
func literal(expr string) (string, bool) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil || re.Op != syntax.OpLiteral || re.Flags&syntax.FoldCase != 0 {
		return "", false
	}
	return string(re.Rune), true
}
