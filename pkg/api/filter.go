package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"

	"tocsin/pkg/dispatch"
)

const (
	// maxExpression is the limit on a matcher and on a regular expression, in bytes,
	// because the cost of compiling and matching grows with it.
	maxExpression = 8 << 10
	// maxMatchers is the limit on the matchers of a query or a silence.
	maxMatchers = 100
)

// boolParameter parses a boolean of a query as Alertmanager's OpenAPI layer does: an
// absent or empty value is true, the last value wins, and unknown values are false.
func boolParameter(q url.Values, name string) bool {
	switch strings.ToLower(lastParameter(q, name)) {
	case "", "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled":
		return true
	default:
		return false
	}
}

func lastParameter(q url.Values, name string) string {
	if v := q[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// matchers parses the values of a query's parameter, each of which is one matcher.
func (a *api) matchers(q url.Values, name string) (labels.Matchers, error) {
	if len(q[name]) > maxMatchers {
		return nil, fmt.Errorf("more than %d matchers", maxMatchers)
	}
	var ms labels.Matchers
	for _, text := range q[name] {
		m, err := a.matcher(text)
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// matcher parses one matcher in the classic or in the UTF-8 syntax. The classic one wins
// where they disagree, as in Alertmanager's matcher/compat.
func (a *api) matcher(text string) (*labels.Matcher, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("a matcher is longer than %d bytes", maxExpression)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("a matcher is not UTF-8")
	}
	if a.Classic {
		return labels.ParseMatcher(text)
	}
	if strings.HasPrefix(text, "{") || strings.HasSuffix(text, "}") {
		return nil, fmt.Errorf("unexpected open or close brace: %s", truncate(text))
	}
	classic, err := labels.ParseMatcher(text)
	if err == nil {
		return classic, nil
	}
	if m, uerr := parse.Matcher(text); uerr == nil {
		return m, nil
	}
	return nil, err
}

// validName reports whether name is a valid label name.
func (a *api) validName(name string) bool {
	if a.Classic {
		return model.LegacyValidation.IsValidLabelName(name)
	}
	return name != "" // bodies are UTF-8
}

// alertFilter is the filter of a query for alerts.
type alertFilter struct {
	matchers                    labels.Matchers
	active, silenced, inhibited bool
	receiver                    *regexp.Regexp // nil for any
	receiverMatchers            labels.Matchers
	receiverLabels              map[string]map[string]string
}

func (a *api) alertFilter(q url.Values) (*alertFilter, error) {
	f := &alertFilter{active: boolParameter(q, "active"), silenced: boolParameter(q, "silenced"), inhibited: boolParameter(q, "inhibited")}
	var err error
	if f.matchers, err = a.matchers(q, "filter"); err != nil {
		return nil, textError(http.StatusBadRequest, "%s", err)
	}
	if text := lastParameter(q, "receiver"); text != "" {
		if len(text) > maxExpression {
			return nil, textError(http.StatusBadRequest, "failed to parse receiver param: longer than %d bytes", maxExpression)
		}
		if f.receiver, err = regexp.Compile("^(?:" + text + ")$"); err != nil {
			return nil, textError(http.StatusBadRequest, "failed to parse receiver param: %s", err)
		}
	}
	f.receiverMatchers, err = a.receiverMatchers(q)
	f.receiverLabels = a.receiverLabels
	return f, err
}

func (a *api) receiverMatchers(q url.Values) (labels.Matchers, error) {
	ms, err := a.matchers(q, "receiver_matchers")
	if err != nil {
		return nil, textError(http.StatusBadRequest, "failed to parse receiver_matchers param: %s", err)
	}
	return ms, nil
}

// matches reports whether an alert matches the filter, apart from its receivers.
func (f *alertFilter) matches(v *dispatch.AlertView) bool {
	switch {
	case !v.Muted() && !f.active, len(v.SilencedBy) > 0 && !f.silenced, len(v.InhibitedBy) > 0 && !f.inhibited:
		return false
	default:
		return matchesAll(f.matchers, v.Labels)
	}
}

// matchesReceivers reports whether alerts for these receivers match the filter: one
// receiver must match by name, and one by labels.
func (f *alertFilter) matchesReceivers(names ...string) bool {
	named := func(name string) bool { return f.receiver == nil || f.receiver.MatchString(name) }
	labelled := func(name string) bool { return matchesAll(f.receiverMatchers, f.receiverLabels[name]) }
	return slices.ContainsFunc(names, named) && slices.ContainsFunc(names, labelled)
}

func matchesAll(ms labels.Matchers, l map[string]string) bool {
	for _, m := range ms {
		if !m.Matches(l[m.Name]) {
			return false
		}
	}
	return true
}
