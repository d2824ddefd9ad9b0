package intake

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// OpenFalcon reads what Open-Falcon's alarm module posts to its gateways of
// instant messages and of SMS: tos and content, a form. The content is a line for
// an event, or a line for many that were merged; or several lines, ",," between
// them.
func OpenFalcon(in Input) (Output, error) {
	top, err := openForm(in.Body)
	if err != nil {
		return Output{}, err
	}
	var out Output
	content := top.get("content").need().text()
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
	return out, top.doc.fault()
}

// OpenFalconMail reads what is posted to the gateway of mails: tos, subject and
// content. The content says more than the subject, which may stand for many
// events.
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
		e, err := parseLine(strings.TrimSpace(top.get("subject").need().text()), in.Zone)
		if err != nil {
			top.doc.fail("content", "is not the body of Open-Falcon's mails; and subject: %s", err)
		}
		out.Alerts = append(out.Alerts, e.alert(tos, in.Now))
	}
	return out, top.doc.fault()
}

// OpenFalconCallback reads the query with which an action calls back. It has
// neither the function nor the right value of the expression.
func OpenFalconCallback(in Input) (Output, error) {
	top, err := fields(in.Query)
	if err != nil {
		return Output{}, err
	}
	text := func(name string) string { return top.get(name).text() }
	e := falconEvent{
		priority: top.get("priority").need().text(), status: top.get("status").need().text(),
		endpoint: text("endpoint"), metric: top.get("metric").need().text(), tags: falconTags(text("tags"), ":"),
		left: text("left_value"), step: text("step"), at: top.get("time").time(in.Zone),
	}
	if e.status != falconProblem && e.status != falconOK {
		top.doc.fail("status", "%q is neither PROBLEM nor OK", cut(e.status, maxQuote))
	}
	al := e.alert("", in.Now)
	for _, name := range []string{"tpl_id", "exp_id", "stra_id"} {
		if id := text(name); id != "" && id != "0" {
			al.Annotations[name] = id
		}
	}
	return Output{Alerts: []*alert.Alert{al}}, top.doc.fault()
}

const (
	falconProblem = "PROBLEM"
	falconOK      = "OK"
)

// falconEvent is an event of Open-Falcon, as far as a message tells it.
type falconEvent struct {
	priority, status, endpoint, note, function, metric string
	tags                                               []pair
	left, operator, right                              string
	step, max                                          string
	at                                                 time.Time
	link                                               string

	merged  bool
	count   string
	example string // an endpoint of those that were merged
}

// alert is the event as an alert. Its labels are those that every kind of message
// tells, so that they all speak of one alert.
func (e *falconEvent) alert(tos string, now time.Time) *alert.Alert {
	d := newDraft(e.metric)
	d.label("endpoint", e.endpoint)
	d.label("priority", "P"+e.priority)
	d.label(alert.SeverityLabel, falconSeverity(e.priority))
	if e.merged {
		d.label("merged", "true")
	}
	for _, t := range e.tags {
		d.own("tag_", t.name, t.value)
	}

	expression := e.left + e.operator + e.right
	d.note("summary", cmp.Or(e.note, strings.TrimSpace(e.metric+" "+expression)))
	d.note("note", e.note)
	d.note("func", e.function)
	if e.operator != "" {
		d.note("expression", expression)
	}
	d.note("left_value", e.left)
	d.note("operator", e.operator)
	d.note("right_value", e.right)
	d.note("step", e.step)
	d.note("max_step", e.max)
	d.note("count", e.count)
	d.note("example_endpoint", e.example)
	d.note("link", e.link)
	d.note("tos", tos)
	if e.status == falconOK {
		return d.ends(e.at, e.at, now)
	}
	return d.fires(e.at, now)
}

func falconSeverity(priority string) string {
	switch priority {
	case "0", "1":
		return "critical"
	case "2":
		return "warning"
	default:
		return "info"
	}
}

// falconTags reads k=v,k=v. What has no name belongs to the value before it.
func falconTags(s, between string) []pair {
	var tags []pair
	for _, tag := range strings.Split(s, ",") {
		name, value, ok := strings.Cut(tag, between)
		switch name = strings.TrimSpace(name); {
		case ok && name != "":
			tags = append(tags, pair{name, value})
		case len(tags) > 0:
			tags[len(tags)-1].value += "," + tag
		}
	}
	// The callback has them in random order, and names may clash.
	slices.SortStableFunc(tags, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	return tags
}
