package alertmanager

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"
	"go.yaml.in/yaml/v4"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/route"
	"tocsin/pkg/silence"
)

// scenario is a configuration and the requests to a program with it. Its text, which
// String returns and parseScenario parses, is the YAML that both programs load, a
// line with three dashes, and a line for each step.
type scenario struct {
	config config
	begin  time.Time
	steps  []step
	length time.Duration
}

// config is the part of alertmanager.yml that concerns the engine.
type config struct {
	Route         *route.Config        `yaml:"route"`
	Receivers     []receiver           `yaml:"receivers"`
	InhibitRules  []inhibit.Rule       `yaml:"inhibit_rules,omitempty"`
	TimeIntervals []route.TimeInterval `yaml:"time_intervals,omitempty"`
}

type receiver struct {
	Name     string    `yaml:"name"`
	Webhooks []webhook `yaml:"webhook_configs"`
}

type webhook struct {
	URL          string `yaml:"url"`
	SendResolved bool   `yaml:"send_resolved"`
}

// step is an action at a time after the scenario's begin.
type step struct {
	at time.Duration
	do action
}

// action is a push, a setSilence, an expire or a refuse, or one of the events in
// event_test.go. Its String is the step's line without the time.
type action interface{ String() string }

// push is a request with several alerts that have the same times, relative to the
// step's. An alert has the step's time as the annotation "pushed", which shows which
// update is in a notification.
type push struct {
	alerts     []alert.Labels
	start, end time.Duration
	// timeout means that the end is not from the request but from resolve_timeout.
	timeout bool
	// copies is how many alerts there are of each, with their number as the label
	// "copy". Zero is one without the label.
	copies int
}

// labels returns the labels of all alerts, copies included.
func (p push) labels() []alert.Labels {
	if p.copies == 0 {
		return p.alerts
	}
	var all []alert.Labels
	for _, l := range p.alerts {
		for n := range p.copies {
			c := maps.Clone(l)
			c["copy"] = fmt.Sprint(n)
			all = append(all, c)
		}
	}
	return all
}

// noEnd is the end of an alert without one: in Alertmanager, where every alert has an
// end, it is after all scenarios.
const noEnd = never

// setSilence creates a silence, or updates the one that was created with the name.
type setSilence struct {
	name       string
	matchers   []silence.Matcher
	start, end time.Duration
	// copies is how many silences there are, each of one number of the label "copy".
	// They are named name/0, name/1 and so on. Zero is one without a condition on it.
	copies int
}

// all returns the silences, each of which has no copies.
func (s setSilence) all() []setSilence {
	if s.copies == 0 {
		return []setSilence{s}
	}
	all := make([]setSilence, s.copies)
	for n := range all {
		all[n] = setSilence{name: fmt.Sprintf("%s/%d", s.name, n), start: s.start, end: s.end,
			matchers: append(slices.Clip(s.matchers), silence.Matcher{Name: "copy", Value: fmt.Sprint(n), IsEqual: true})}
	}
	return all
}

// expire expires the silence that was created with the name.
type expire struct{ name string }

func (p push) String() string {
	var b strings.Builder
	b.WriteString("push")
	for _, l := range p.alerts {
		b.WriteString(" " + formatLabels(l))
	}
	fmt.Fprintf(&b, " start=%v end=%v", p.start, p.end)
	if p.timeout {
		b.WriteString(" timeout")
	}
	return b.String() + copiesWord(p.copies)
}

func (s setSilence) String() string {
	ms := make([]string, len(s.matchers))
	for i, m := range s.matchers {
		op := map[[2]bool]string{{false, true}: "=", {false, false}: "!=", {true, true}: "=~", {true, false}: "!~"}[[2]bool{m.IsRegex, m.IsEqual}]
		ms[i] = fmt.Sprintf("%s%s%q", m.Name, op, m.Value)
	}
	return fmt.Sprintf("silence %s {%s} start=%v end=%v", s.name, strings.Join(ms, ","), s.start, s.end) + copiesWord(s.copies)
}

func copiesWord(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" copies=%d", n)
}

func (e expire) String() string { return "expire " + e.name }

// refuse makes the notifications of a receiver's integration fail for good until the
// end, as a webhook that answers 404 does.
type refuse struct {
	integration string // receiver/index
	end         time.Duration
}

func (r refuse) String() string { return fmt.Sprintf("refuse %s end=%v", r.integration, r.end) }

func (s scenario) String() string {
	var b strings.Builder
	b.WriteString(s.config.yaml())
	fmt.Fprintf(&b, "---\nbegin %s\n", s.begin.Format(time.RFC3339))
	for _, st := range s.steps {
		fmt.Fprintf(&b, "%v %v\n", st.at, st.do)
	}
	fmt.Fprintf(&b, "%v end\n", s.length)
	return b.String()
}

func (c config) yaml() string {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(c); err != nil {
		panic(err) // a tree of plain structs
	}
	return b.String()
}

// parseScenario parses what String returns. Lines that begin with # are comments.
func parseScenario(text string) (s scenario, err error) {
	document, script, ok := strings.Cut(text, "---\n")
	if !ok {
		return s, errors.New("no line with three dashes between the configuration and the steps")
	}
	if err := yaml.Unmarshal([]byte(document), &s.config); err != nil {
		return s, err
	}
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		when, what, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case when == "begin":
			s.begin, err = time.Parse(time.RFC3339, what)
		case what == "end":
			s.length, err = time.ParseDuration(when)
		default:
			var st step
			if st.at, err = time.ParseDuration(when); err == nil {
				st.do, err = parseAction(what)
			}
			s.steps = append(s.steps, st)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", line, err)
		}
	}
	return s, nil
}

var braces = regexp.MustCompile(`\{[^}]*\}`)

func parseAction(text string) (action, error) {
	sets := braces.FindAllString(text, -1)
	words := strings.Fields(braces.ReplaceAllString(text, ""))
	var start, end time.Duration
	timeout := false
	copies := 0
	var names []string
	for _, w := range words {
		var err error
		switch key, value, _ := strings.Cut(w, "="); key {
		case "start":
			start, err = time.ParseDuration(value)
		case "end":
			end, err = time.ParseDuration(value)
		case "timeout":
			timeout = true
		case "copies":
			copies, err = strconv.Atoi(value)
		default:
			names = append(names, w)
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case len(names) == 1 && names[0] == "push":
		p := push{start: start, end: end, timeout: timeout, copies: copies}
		var err error
		p.alerts, err = parseLabels(sets)
		return p, err
	case len(names) == 2 && names[0] == "silence" && len(sets) == 1:
		s := setSilence{name: names[1], start: start, end: end, copies: copies}
		ms, err := parse.Matchers(sets[0])
		if err != nil {
			return nil, err
		}
		for _, m := range ms {
			s.matchers = append(s.matchers, silence.Matcher{Name: m.Name, Value: m.Value,
				IsRegex: strings.HasSuffix(m.Type.String(), "~"), IsEqual: strings.HasPrefix(m.Type.String(), "=")})
		}
		return s, nil
	case len(names) == 2 && names[0] == "expire":
		return expire{names[1]}, nil
	case len(names) == 2 && names[0] == "refuse":
		return refuse{names[1], end}, nil
	}
	return parseEvent(names, sets, end)
}

// parseLabels parses what formatLabels returns.
func parseLabels(sets []string) (all []alert.Labels, err error) {
	for _, set := range sets {
		ms, err := parse.Matchers(set)
		if err != nil {
			return nil, err
		}
		l := alert.Labels{}
		for _, m := range ms {
			l[m.Name] = m.Value
		}
		all = append(all, l)
	}
	return all, nil
}
