package intake

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// OpenFalcon decodes the posts of Open-Falcon's alarm module to its gateways for
// instant messages and SMS: a form with tos and content. The content is one line for
// an event or for several merged events, or several lines with ",," between them.
func OpenFalcon(in Input) (Output, error) {
	top, err := openForm(in.Body)
	if err != nil {
		return Output{}, err
	}
	var out Output
	content := top.get("content").required().text()
	for _, line := range strings.Split(strings.TrimSpace(content), ",,[P") {
		if len(out.Alerts) > 0 {
			line = "[P" + line
		}
		e, err := parseLine(strings.TrimSpace(line), in.Zone)
		if err != nil {
			top.doc.fail("content", "%s", err)
			break
		}
		out.Alerts = append(out.Alerts, e.alert(top.get("tos").text(), in.Now))
	}
	return out, top.doc.err()
}

// OpenFalconMail decodes the posts to the gateway for mail: a form with tos, subject
// and content. It prefers the content, because a subject may be for several events.
func OpenFalconMail(in Input) (Output, error) {
	top, err := openForm(in.Body)
	if err != nil {
		return Output{}, err
	}
	tos := top.get("tos").text()
	var out Output
	for _, e := range parseMail(top.get("content").text(), in.Zone) {
		out.Alerts = append(out.Alerts, e.alert(tos, in.Now))
	}
	if len(out.Alerts) == 0 {
		e, err := parseLine(strings.TrimSpace(top.get("subject").required().text()), in.Zone)
		if err != nil {
			top.doc.fail("content", "is not a mail of Open-Falcon; and subject: %s", err)
		}
		out.Alerts = append(out.Alerts, e.alert(tos, in.Now))
	}
	return out, top.doc.err()
}

// OpenFalconCallback decodes the query of an action's callback. It contains neither
// the function nor the right side of the expression.
func OpenFalconCallback(in Input) (Output, error) {
	top, err := openValues(in.Query)
	if err != nil {
		return Output{}, err
	}
	text := func(name string) string { return top.get(name).text() }
	e := falconEvent{
		priority: top.get("priority").required().text(), status: top.get("status").required().text(),
		endpoint: text("endpoint"), metric: top.get("metric").required().text(), tags: falconTags(text("tags"), ":"),
		left: text("left_value"), step: text("step"), at: top.get("time").time(in.Zone),
	}
	if e.status != falconProblem && e.status != falconOK {
		top.doc.fail("status", "%q is neither PROBLEM nor OK", truncate(e.status, maxQuote))
	}
	al := e.alert("", in.Now)
	for _, name := range []string{"tpl_id", "exp_id", "stra_id"} {
		if id := text(name); id != "" && id != "0" {
			al.Annotations[name] = id
		}
	}
	return Output{Alerts: []*alert.Alert{al}}, top.doc.err()
}

const (
	falconProblem = "PROBLEM"
	falconOK      = "OK"
)

// falconEvent is an event of Open-Falcon. No message contains all fields.
type falconEvent struct {
	priority, status, endpoint, note, function, metric string
	tags                                               []pair
	left, operator, right                              string
	step, max                                          string
	at                                                 time.Time
	link                                               string

	merged  bool
	count   string
	example string // one of the merged endpoints
}

// alert returns the event as an alert. Its labels are in every kind of message, so
// that all messages about an event are the same alert.
func (e *falconEvent) alert(tos string, now time.Time) *alert.Alert {
	d := newDraft(e.metric)
	d.label("endpoint", e.endpoint)
	d.label("priority", "P"+e.priority)
	d.label(alert.SeverityLabel, cmp.Or(alert.ParseSeverity("P"+e.priority), alert.SeverityInfo))
	if e.merged {
		d.label("merged", "true")
	}
	for _, t := range e.tags {
		d.senderLabel("tag_", t.name, t.value)
	}

	expression := e.left + e.operator + e.right
	d.annotate(alert.SummaryAnnotation, cmp.Or(e.note, strings.TrimSpace(e.metric+" "+expression)))
	d.annotate("note", e.note)
	d.annotate("func", e.function)
	if e.operator != "" {
		d.annotate("expression", expression)
	}
	d.annotate("left_value", e.left)
	d.annotate("operator", e.operator)
	d.annotate("right_value", e.right)
	d.annotate("step", e.step)
	d.annotate("max_step", e.max)
	d.annotate("count", e.count)
	d.annotate("example_endpoint", e.example)
	d.annotate("link", e.link)
	d.annotate("tos", tos)
	if e.status == falconOK {
		return d.resolved(e.at, e.at, now)
	}
	// Events are not always merged in the same way when they recover.
	d.Timeout = e.merged
	return d.firing(e.at, now)
}

// falconTags parses tags such as k=v,k=v. A part without the separator belongs to the
// value before it.
func falconTags(s, separator string) []pair {
	var tags []pair
	for _, tag := range strings.Split(s, ",") {
		name, value, ok := strings.Cut(tag, separator)
		switch name = strings.TrimSpace(name); {
		case ok && name != "":
			tags = append(tags, pair{name, value})
		case len(tags) > 0:
			tags[len(tags)-1].value += "," + tag
		}
	}
	// Callbacks have them in random order, and a name may occur twice.
	slices.SortStableFunc(tags, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	return tags
}

// parseLine parses a line of Open-Falcon (modules/alarm/cron/builder.go): six pairs
// of brackets,
//
//	[P1][PROBLEM][endpoint][][note func metric tags left>right][O1 2026-11-20 22:00:00]
//
// or a line for several merged events,
//
//	[P3][PROBLEM] 12 metric.  e.g. endpoint. detail in email
//	[P3][PROBLEM] 12 metric e.g. endpoint http://dashboard/portal/links/path
func parseLine(line string, zone *time.Location) (falconEvent, error) {
	var e falconEvent
	head, rest, ok1 := bracket(line)
	priority, ok2 := strings.CutPrefix(head, "P")
	status, rest, ok3 := bracket(rest)
	if !ok1 || !ok2 || !ok3 || len(priority) != 1 || priority < "0" || priority > "9" {
		return e, errors.New("a line begins with a priority and a status, such as [P0][PROBLEM]")
	}
	if status != falconProblem && status != falconOK {
		return e, fmt.Errorf("the status %q is neither PROBLEM nor OK", truncate(status, maxQuote))
	}
	e.priority, e.status = priority, status
	if !strings.HasPrefix(rest, "[") {
		return e, e.parseMerged(rest)
	}
	var ok bool
	if e.endpoint, rest, ok = bracket(rest); !ok {
		return e, errors.New("the third bracket, the endpoint, is not closed")
	}
	if _, rest, ok = bracket(rest); !ok {
		return e, errors.New("the fourth bracket is missing")
	}
	// The note may contain brackets, so the last bracket is found from the end.
	i := strings.LastIndex(rest, "][O")
	if i < 1 || rest[0] != '[' || !strings.HasSuffix(rest, "]") {
		return e, errors.New("the last two brackets, the expression and the time, are missing")
	}
	if err := e.parseExpression(rest[1:i]); err != nil {
		return e, err
	}
	step, at, _ := strings.Cut(rest[i+len("][O"):len(rest)-1], " ")
	e.step = step
	if e.at, ok = parseTime(at, zone); !ok {
		return e, fmt.Errorf("the last bracket has the time %q: 2026-01-02 15:04:05 is expected", truncate(at, maxQuote))
	}
	return e, nil
}

// bracket splits s after the bracket at its start.
func bracket(s string) (inside, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, "[")
	if !ok {
		return "", s, false
	}
	return strings.Cut(s, "]")
}

// falconFuncs are the functions of Open-Falcon's judge module, which have arguments:
// all(#3).
var falconFuncs = []string{"max(", "min(", "all(", "sum(", "avg(", "diff(", "pdiff(", "lookup(", "stddev(", "kdiff(", "kpdiff("}

// parseExpression parses "note func metric tags left>right". The note is any text, so
// the last function in s is the function.
func (e *falconEvent) parseExpression(s string) error {
	invalid := fmt.Errorf("the fifth bracket has %q: a note, a function, a metric, tags and an expression such as 0>10 are expected", truncate(s, maxQuote))
	from := -1
	for _, name := range falconFuncs {
		if i := strings.LastIndex(s, " "+name); i > from {
			from = i
		}
		if from < 0 && strings.HasPrefix(s, name) {
			from = 0
		}
	}
	if from < 0 {
		return invalid
	}
	end := strings.Index(s[from:], ") ")
	if end < 0 {
		return invalid
	}
	e.note = strings.TrimSpace(s[:from])
	e.function = strings.TrimSpace(s[from : from+end+1])
	metric, rest, _ := strings.Cut(s[from+end+2:], " ")
	i := strings.LastIndex(rest, " ")
	e.metric = metric
	if i < 0 || metric == "" || !e.parseComparison(rest[i+1:]) {
		return invalid
	}
	e.tags = falconTags(rest[:i], "=")
	return nil
}

// parseComparison parses left, operator and right, without spaces between them. It
// reports whether s is a comparison.
func (e *falconEvent) parseComparison(s string) bool {
	i := strings.IndexAny(s, "=!<>")
	if i < 0 {
		return false
	}
	j := i + 1
	if j < len(s) && s[j] == '=' {
		j++
	}
	e.left, e.operator, e.right = s[:i], s[i:j], s[j:]
	return e.operator != "!" && e.left != "" && e.right != ""
}

// parseMerged parses the part of a line for several merged events that follows the
// priority and the status. Its endpoint is an example.
func (e *falconEvent) parseMerged(s string) error {
	e.merged = true
	s = strings.TrimSpace(s)
	count, rest, _ := strings.Cut(s, " ")
	if strings.Trim(count, "0123456789") != "" || rest == "" {
		return fmt.Errorf("%q after the status: brackets, or a count and a metric, are expected", truncate(s, maxQuote))
	}
	e.count = count
	metric, example, _ := strings.Cut(rest, " e.g. ")
	if example, detail := strings.CutSuffix(example, ". detail in email"); detail {
		e.metric, e.example = strings.TrimSuffix(strings.TrimSpace(metric), "."), example
		return nil
	}
	e.metric = strings.TrimSpace(metric)
	e.example, e.link, _ = strings.Cut(strings.TrimSpace(example), " ")
	return nil
}

// parseMail parses a mail of Open-Falcon, which contains one or more events with
// these lines:
//
//	PROBLEM
//	P1
//	Endpoint:host
//	Metric:cpu.idle
//	Tags:k=v,k=v
//	all(#3): 0>10
//	Note:any text
//	Max:3, Current:1
//	Timestamp:2026-11-20 22:00:00
//	http://dashboard/…
//
// Other lines are ignored.
func parseMail(body string, zone *time.Location) []*falconEvent {
	var events []*falconEvent
	lines := strings.Split(strings.ReplaceAll(body, "\r\n", "\n"), "\n")
	end := len(lines)
	for i := len(lines) - 2; i >= 0; i-- {
		if !beginsEvent(lines[i:]) {
			continue
		}
		e := &falconEvent{status: lines[i], priority: lines[i+1][1:]}
		if e.parseMailLines(lines[i+2:end], zone) {
			events = append(events, e)
		}
		end = i
	}
	slices.Reverse(events)
	return events
}

// beginsEvent reports whether lines, of which there are at least two, begin with a
// status and a priority.
func beginsEvent(lines []string) bool {
	status, priority := lines[0], lines[1]
	return (status == falconProblem || status == falconOK) && len(priority) == 2 && priority[0] == 'P' && priority[1] >= '0' && priority[1] <= '9'
}

// parseMailLines parses the lines after the status and the priority. It reports
// whether they are an event.
func (e *falconEvent) parseMailLines(lines []string, zone *time.Location) bool {
	inNote := false
	for _, line := range lines {
		key, value, _ := strings.Cut(line, ":")
		switch {
		case key == "Max":
			inNote = false
			var current string
			e.max, current, _ = strings.Cut(value, ",")
			_, e.step, _ = strings.Cut(current, ":")
		case inNote: // a note may have several lines
			e.note += "\n" + line
		case key == "Endpoint":
			e.endpoint = value
		case key == "Metric":
			e.metric = value
		case key == "Tags":
			e.tags = falconTags(value, "=")
		case key == "Note":
			e.note, inNote = value, true
		case key == "Timestamp":
			e.at, _ = parseTime(value, zone)
		case strings.HasPrefix(line, "http://"), strings.HasPrefix(line, "https://"):
			e.link = line
		case strings.HasSuffix(key, ")") && e.function == "":
			e.function = key
			e.parseComparison(strings.TrimSpace(value))
		}
	}
	return e.metric != "" && e.endpoint != ""
}
