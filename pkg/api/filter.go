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
	// maxExpression bounds the bytes of a matcher and of a regular expression:
	// what it costs to compile and to run grows with them.
	maxExpression = 8 << 10
	// maxMatchers bounds how many matchers a query or a silence may have.
	maxMatchers = 100
)

// flag reads a boolean of a query, as Alertmanager's OpenAPI layer does: nothing
// is true, the last one counts, and what is not a word for true is false.
func flag(q url.Values, name string) bool {
	switch strings.ToLower(last(q, name)) {
	case "", "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled":
		return true
	default:
		return false
	}
}

func last(q url.Values, name string) string {
	if v := q[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// matchers parses the values of a query's parameter, one matcher each, all of
// which must match.
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

// matcher parses one matcher in Alertmanager's UTF-8 notation, or in the classic
// one, which wins where they disagree: its matcher/compat.
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
		return nil, fmt.Errorf("unexpected open or close brace: %s", cut(text))
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

// validName tells whether a label may have the name.
func (a *api) validName(name string) bool {
	if a.Classic {
		return model.LegacyValidation.IsValidLabelName(name)
	}
	return name != "" // it is UTF-8, as all bodies are
}

// alertFilter is which alerts a query asks for.
type alertFilter struct {
	matchers                    labels.Matchers
	active, silenced, inhibited bool
	receiver                    *regexp.Regexp // nil for any
	receiverMatchers            labels.Matchers
	receiverLabels              map[string]map[string]string
}

func (a *api) alertFilter(q url.Values) (*alertFilter, error) {
	f := &alertFilter{active: flag(q, "active"), silenced: flag(q, "silenced"), inhibited: flag(q, "inhibited")}
	var err error
	if f.matchers, err = a.matchers(q, "filter"); err != nil {
		return nil, refuse(http.StatusBadRequest, "%s", err)
	}
	if text := last(q, "receiver"); text != "" {
		if len(text) > maxExpression {
			return nil, refuse(http.StatusBadRequest, "failed to parse receiver param: it is longer than %d bytes", maxExpression)
		}
		if f.receiver, err = regexp.Compile("^(?:" + text + ")$"); err != nil {
			return nil, refuse(http.StatusBadRequest, "failed to parse receiver param: %s", err)
		}
	}
	f.receiverMatchers, err = a.receiverMatchers(q)
	f.receiverLabels = a.receiverLabels
	return f, err
}

func (a *api) receiverMatchers(q url.Values) (labels.Matchers, error) {
	ms, err := a.matchers(q, "receiver_matchers")
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "failed to parse receiver_matchers param: %s", err)
	}
	return ms, nil
}

// takes tells whether an alert is asked for, whoever its receivers are.
func (f *alertFilter) takes(v *dispatch.AlertView) bool {
	switch {
	case !v.Muted() && !f.active, len(v.SilencedBy) > 0 && !f.silenced, len(v.InhibitedBy) > 0 && !f.inhibited:
		return false
	default:
		return match(f.matchers, v.Labels)
	}
}

// takesReceivers tells whether alerts for these receivers are asked for: one of
// them must have the name, and one the labels.
func (f *alertFilter) takesReceivers(names ...string) bool {
	named := func(name string) bool { return f.receiver == nil || f.receiver.MatchString(name) }
	labelled := func(name string) bool { return match(f.receiverMatchers, f.receiverLabels[name]) }
	return slices.ContainsFunc(names, named) && slices.ContainsFunc(names, labelled)
}

func match(ms labels.Matchers, l map[string]string) bool {
	for _, m := range ms {
		if !m.Matches(l[m.Name]) {
			return false
		}
	}
	return true
}
