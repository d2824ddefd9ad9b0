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

// GenericConfig is one entry of `webhook.generic`: a hook for messages of any format.
type GenericConfig struct {
	// Name is the last segment of the hook's path, /hooks/generic/NAME.
	Name string `yaml:"name"`
	// Alerts is a template that prints one alert or a list of alerts as JSON in the
	// form of API v2, given .Body (decoded), .Header, .Query and .Now. It has
	// Alertmanager's functions and number, which converts text to a number.
	Alerts string `yaml:"alerts"`
}

// Validate adds the faults of c to f.
func (c *GenericConfig) Validate(f *setting.Faults) {
	switch {
	case c.Name == "":
		f.Addf("name", "is missing: it is the last part of the path, /hooks/generic/NAME")
	case strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "":
		f.Addf("name", "%q cannot be part of a path: use letters, digits, - and _", c.Name)
	}
	if c.Alerts == "" {
		f.Addf("alerts", `is missing: it is a template that prints JSON, such as {"labels": {"alertname": {{ .Body.job | toJson }}}, "status": "firing"}`)
	} else if _, err := NewGeneric(*c); err != nil {
		f.Addf("alerts", "%v", err)
	}
}

// GenericMedia returns the media types that generic hooks accept.
func GenericMedia() []string { return []string{JSON, Form, Text} }

// maxOutput is the limit on the output of a template, in bytes.
const maxOutput = 1 << 20

// NewGeneric returns the decoder of a generic hook. It may be used by several
// goroutines.
func NewGeneric(c GenericConfig) (Decoder, error) {
	t, err := template.New(c.Name).Option("missingkey=zero").Funcs(genericFuncs()).Parse(c.Alerts)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	return func(in Input) (Output, error) { return decodeGeneric(t, in) }, nil
}

// genericFuncs returns Alertmanager's functions without those that use the clock.
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

// number converts a number or text to a number, for comparisons.
func number(v any) (float64, error) {
	s, _ := scalar(v)
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", truncate(s, maxQuote))
	}
	return f, nil
}

func decodeGeneric(t *template.Template, in Input) (Output, error) {
	body, err := genericBody(in)
	if err != nil {
		return Output{}, err
	}
	var output limitedBuffer
	err = t.Execute(&output, map[string]any{"Body": body, "Header": in.Header, "Query": in.Query, "Now": in.Now})
	if err != nil {
		return Output{}, errorf("", "executing the hook's template failed: %s", truncate(err.Error(), 3*maxQuote))
	}
	// Absent values print nothing.
	text := bytes.ReplaceAll(output.Bytes(), []byte("<no value>"), nil)
	if len(bytes.TrimSpace(text)) == 0 {
		return Output{}, nil
	}
	value, err := parseJSON(text)
	if err != nil {
		return Output{}, errorf("", "the output of the hook's template: %s", err)
	}
	if _, ok := value.(map[string]any); ok {
		value = []any{value}
	}
	list := node{doc: &document{}, name: "alerts", value: value}
	alerts := list.list()
	if err := list.doc.err(); err != nil {
		return Output{}, err
	}
	return decodeList(alerts, in, decodeGenericAlert)
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
			return nil, errorf("", "the body is not UTF-8")
		}
		return string(in.Body), nil
	default:
		return parseJSON(in.Body)
	}
}

// decodeGenericAlert decodes an alert in the form of API v2. With a status it is
// firing or resolved by that. Without, it ends as in API v2: at endsAt, or when it
// is not sent again.
func decodeGenericAlert(n node, in Input) *alert.Alert {
	d := newDraft("")
	for name, value := range n.get("labels").required().texts() {
		d.label(name, value)
	}
	for _, a := range n.get("annotations").members() {
		d.annotate(a.name, a.node.anyText())
	}
	d.GeneratorURL = n.get("generatorURL").text()
	start, end := n.get("startsAt").time(in.Zone), n.get("endsAt").time(in.Zone)
	resolved := !end.IsZero() && !end.After(in.Now)
	switch status := n.get("status"); strings.ToLower(status.text()) {
	case "firing":
		resolved = false
	case "resolved":
		resolved = true
	case "":
		d.Timeout = end.IsZero()
	default:
		status.doc.fail(status.path(), "%q is neither firing nor resolved", truncate(status.text(), maxQuote))
	}
	if resolved {
		return d.resolved(start, end, in.Now)
	}
	if end.After(in.Now) {
		d.EndsAt = end
	}
	return d.firing(start, in.Now)
}

// limitedBuffer is a buffer of at most maxOutput bytes.
type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, fmt.Errorf("it prints more than %d bytes", maxOutput)
	}
	return b.Buffer.Write(p)
}
