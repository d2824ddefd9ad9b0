package setting

import (
	"errors"
	"maps"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"text/template"

	amtemplate "github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/helpers/templates"
)

// maxPrinted bounds what a template may print, in bytes.
const maxPrinted = 64 << 10

// Template is a text of a rule, compiled when the configuration is read. It is
// written as in Prometheus's rules, with $labels and $value; its functions are
// Alertmanager's, without those that look at the clock, and Prometheus's
// humanize. Without "{{" it is a constant.
type Template struct {
	text string
	tmpl *template.Template
}

// Value is a number in templates. It is a float, as in Prometheus, so that
// printf "%.0f" works, and prints without an exponent.
type Value float64

func (v Value) String() string { return strconv.FormatFloat(float64(v), 'f', -1, 64) }

// Constant is a template that prints text as it is.
func Constant(text string) Template { return Template{text: text} }

// NewTemplate compiles text.
func NewTemplate(text string) (Template, error) {
	if !strings.Contains(text, "{{") {
		return Constant(text), nil
	}
	src := text
	if strings.Contains(text, "$value") {
		src = "{{$value := .Value}}" + src
	}
	if strings.Contains(text, "$labels") {
		src = "{{$labels := .Labels}}" + src
	}
	tmpl, err := template.New("").Option("missingkey=zero").Funcs(ruleFunctions()).Parse(src)
	if err != nil {
		return Template{}, templateError(err)
	}
	return Template{text: text, tmpl: tmpl}, nil
}

// UnmarshalText compiles the template.
func (t *Template) UnmarshalText(text []byte) error {
	v, err := NewTemplate(string(text))
	if err != nil {
		return err
	}
	*t = v
	return nil
}

// MarshalText prints the template as it was written.
func (t Template) MarshalText() ([]byte, error) { return []byte(t.text), nil }

func (t Template) String() string { return t.text }

// Execute prints data, which has the fields Labels and, where $value may be
// used, Value. More than 64 KiB is an error.
func (t Template) Execute(data any) (string, error) {
	if t.tmpl == nil {
		return t.text, nil
	}
	var out bounded
	if err := t.tmpl.Execute(&out, data); err != nil {
		return "", templateError(err)
	}
	return out.text.String(), nil
}

// Expand is Execute with the error in the text's place, as in Prometheus: a
// faulty annotation must not keep an alert back.
func (t Template) Expand(data any) string {
	s, err := t.Execute(data)
	if err != nil {
		return "<error expanding template: " + err.Error() + ">"
	}
	return s
}

// place is what text/template puts before its errors: a template without a name,
// and a column that counts what NewTemplate added.
var place = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^template: :(\d+)(:\d+)?: (executing "" )?`)
})

func templateError(err error) error {
	return errors.New("the template cannot be used: " + place().ReplaceAllString(err.Error(), "line $1: "))
}

func ruleFunctions() template.FuncMap {
	fs := template.FuncMap(maps.Clone(amtemplate.DefaultFuncs))
	for _, clock := range []string{"now", "since", "routeLabels"} {
		delete(fs, clock)
	}
	fs["humanize"] = humanize
	return fs
}

// humanize prints a number with four digits and a metric prefix, as Prometheus
// does: 1234567 is 1.235M.
func humanize(v any) (string, error) {
	if own, ok := v.(Value); ok {
		v = float64(own)
	}
	f, err := templates.ConvertToFloat(v)
	if err != nil {
		return "", err
	}
	prefix := ""
	for _, p := range []string{"k", "M", "G", "T", "P", "E", "Z", "Y"} {
		if math.Abs(f) < 1000 {
			break
		}
		prefix, f = p, f/1000
	}
	return strconv.FormatFloat(f, 'g', 4, 64) + prefix, nil
}

// bounded collects up to maxPrinted bytes.
type bounded struct{ text strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > maxPrinted {
		return 0, errors.New("it prints more than 64 KiB")
	}
	return b.text.Write(p)
}
