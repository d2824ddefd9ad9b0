package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"text/template"
	"unicode/utf8"

	alertmanager "github.com/prometheus/alertmanager/template"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// GenericConfig is one entry of `webhook.generic`: a hook for messages of any
// form.
type GenericConfig struct {
	// Name is the end of the hook's path, /hooks/generic/NAME.
	Name string `yaml:"name"`
	// Alerts is a template that writes one alert or a list of them as JSON, in
	// the form of API v2, from .Body (decoded), .Header, .Query and .Now. It has
	// Alertmanager's functions, and number, which makes a number of text.
	Alerts string `yaml:"alerts"`
}

// Validate adds what is wrong with c to f.
func (c *GenericConfig) Validate(f *setting.Faults) {
	switch {
	case c.Name == "":
		f.Addf("name", "is missing: it is the end of the path, /hooks/generic/NAME")
	case strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "":
		f.Addf("name", "%q cannot stand in a path: use letters, digits, - and _", c.Name)
	}
	if c.Alerts == "" {
		f.Addf("alerts", `is missing: it is a template that writes JSON, such as {"labels": {"alertname": {{ .Body.job | toJson }}}, "status": "firing"}`)
	} else if _, err := NewGeneric(*c); err != nil {
		f.Addf("alerts", "%v", err)
	}
}

// GenericMedia are the media types of messages for which templates make alerts.
func GenericMedia() []string { return []string{JSON, Form, Text} }

// maxWritten bounds what a template may write, in bytes.
const maxWritten = 1 << 20

// NewGeneric compiles the template of c. The decoder may be used by several
// goroutines.
func NewGeneric(c GenericConfig) (Decoder, error) {
	t, err := template.New(c.Name).Option("missingkey=zero").Funcs(genericFuncs()).Parse(c.Alerts)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	return func(in Input) (Output, error) { return generic(t, in) }, nil
}

// genericFuncs are Alertmanager's, but for those that look at a clock.
func genericFuncs() template.FuncMap {
	funcs := template.FuncMap(maps.Clone(alertmanager.DefaultFuncs))
	delete(funcs, "now")
	delete(funcs, "since")
	funcs["toJson"] = toJSON
	funcs["number"] = number
	return funcs
}

func toJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// number makes a number of one or of text, for comparisons.
func number(v any) (float64, error) {
	s, _ := scalar(v)
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", cut(s, maxQuote))
	}
	return f, nil
}

func generic(t *template.Template, in Input) (Output, error) {
	body, err := genericBody(in)
	if err != nil {
		return Output{}, err
	}
	var written writer
	err = t.Execute(&written, map[string]any{"Body": body, "Header": in.Header, "Query": in.Query, "Now": in.Now})
	if err != nil {
		return Output{}, faultf("", "the hook's template does not fit it: %s", cut(err.Error(), 3*maxQuote))
	}
	// What is not there prints as nothing.
	text := bytes.ReplaceAll(written.Bytes(), []byte("<no value>"), nil)
	if len(bytes.TrimSpace(text)) == 0 {
		return Output{}, nil
	}
	value, err := parseJSON(text)
	if err != nil {
		return Output{}, faultf("", "what the hook's template writes: %s", err)
	}
	top := node{doc: &document{}, value: value}
	if _, ok := value.(map[string]any); ok {
		value = []any{value}
	}
	var out Output
	for _, n := range (node{doc: top.doc, name: "alerts", value: value}).list() {
		out.Alerts = append(out.Alerts, genericAlert(n, in))
	}
	return out, top.doc.fault()
}

func genericBody(in Input) (any, error) {
	switch in.Media {
	case Form:
		n, err := openForm(in.Body)
		return n.value, err
	case Text:
		if v, err := parseJSON(in.Body); err == nil {
			return v, nil
		}
		if !utf8.Valid(in.Body) {
			return nil, faultf("", "is not UTF-8")
		}
		return string(in.Body), nil
	default:
		return parseJSON(in.Body)
	}
}

// genericAlert reads an alert in the form of API v2. With a status its source
// says when it is over; without, it ends as API v2's do: at endsAt, or when it is
// not said again.
func genericAlert(n node, in Input) *alert.Alert {
	d := newDraft("")
	for name, value := range n.get("labels").need().texts() {
		d.label(name, value)
	}
	for _, a := range n.get("annotations").members() {
		d.note(a.name, a.node.plain())
	}
	d.GeneratorURL = n.get("generatorURL").text()
	start, end := n.get("startsAt").time(in.Zone), n.get("endsAt").time(in.Zone)
	over := !end.IsZero() && !end.After(in.Now)
	switch status := n.get("status"); strings.ToLower(status.text()) {
	case "firing":
		over = false
	case "resolved":
		over = true
	case "":
		d.Timeout = end.IsZero()
	default:
		status.doc.fail(status.path(), "%q is neither firing nor resolved", cut(status.text(), maxQuote))
	}
	if over {
		return d.ends(start, end, in.Now)
	}
	if end.After(in.Now) {
		d.EndsAt = end
	}
	return d.fires(start, in.Now)
}

// writer is a buffer that refuses to grow beyond maxWritten.
type writer struct{ bytes.Buffer }

func (w *writer) Write(p []byte) (int, error) {
	if w.Len()+len(p) > maxWritten {
		return 0, fmt.Errorf("it writes more than %d bytes", maxWritten)
	}
	return w.Buffer.Write(p)
}
