package host

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"text/template"

	amtemplate "github.com/prometheus/alertmanager/template"

	"tocsin/pkg/alert"
)

// maxText bounds what a text may print, in bytes.
const maxText = 64 << 10

// Text is a text of a rule, compiled when the configuration is read. It is
// written as in Prometheus's rules, with $labels and $value; its functions are
// Alertmanager's, without those that look at the clock. Without "{{" it is a
// constant.
type Text struct {
	text string
	tmpl *template.Template
}

// Data is what an annotation may use.
type Data struct {
	// Labels are those of the alert, with the rule's: $labels.
	Labels alert.Labels
	// Value is what was reported: $value.
	Value Value
	// Threshold is the rule's above or below.
	Threshold Value
}

// labelData is what a label may use.
type labelData struct{ Labels alert.Labels }

// Value is a number in texts. It prints without an exponent.
type Value float64

func (v Value) String() string { return strconv.FormatFloat(float64(v), 'f', -1, 64) }

// sampleLabels and sample are what texts are tried on when they are loaded.
var (
	sampleLabels = labelData{alert.Labels{alert.NameLabel: "HostCPUHigh", hostLabel: "web-1", hostnameLabel: "web-1"}}
	sample       = Data{Labels: sampleLabels.Labels, Value: 95.5, Threshold: 90}
)

// NewText compiles text.
func NewText(text string) (Text, error) {
	if !strings.Contains(text, "{{") {
		return Text{text: text}, nil
	}
	src := text
	if strings.Contains(text, "$value") {
		src = "{{$value := .Value}}" + src
	}
	if strings.Contains(text, "$labels") {
		src = "{{$labels := .Labels}}" + src
	}
	funcs := template.FuncMap(maps.Clone(amtemplate.DefaultFuncs))
	for _, clock := range []string{"now", "since", "routeLabels"} {
		delete(funcs, clock)
	}
	tmpl, err := template.New("text").Option("missingkey=zero").Funcs(funcs).Parse(src)
	if err != nil {
		return Text{}, textError(err)
	}
	return Text{text: text, tmpl: tmpl}, nil
}

// UnmarshalText compiles the text.
func (t *Text) UnmarshalText(text []byte) error {
	v, err := NewText(string(text))
	if err != nil {
		return err
	}
	*t = v
	return nil
}

// MarshalText prints the text as it was written.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.text), nil }

func (t Text) String() string { return t.text }

func (t Text) execute(data any) (string, error) {
	if t.tmpl == nil {
		return t.text, nil
	}
	var out bounded
	if err := t.tmpl.Execute(&out, data); err != nil {
		return "", textError(err)
	}
	return out.String(), nil
}

// expand is execute with the error in the text's place, as in Prometheus: a
// faulty annotation must not keep an alert back.
func (t Text) expand(data any) string {
	s, err := t.execute(data)
	if err != nil {
		return "<error expanding template: " + err.Error() + ">"
	}
	return s
}

func textError(err error) error {
	why := strings.TrimPrefix(err.Error(), "template: text:")
	return errors.New("the template cannot be used: line " + strings.Replace(why, `executing "text" `, "", 1))
}

// bounded collects up to maxText bytes.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxText {
		return 0, errors.New("it prints more than 64 KiB")
	}
	return b.Builder.Write(p)
}
