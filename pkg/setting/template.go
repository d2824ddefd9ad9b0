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

// maxOutput bounds the output of a template, in bytes.
const maxOutput = 64 << 10

// Template is a label or annotation of a rule. It is written as in Prometheus's rules,
// with $labels and $value. Its functions are Alertmanager's, except for those that read
// the clock, and Prometheus's humanize. Text without "{{" is a constant.
type Template struct {
	text string
	tmpl *template.Template
}

// Value is a number in templates. As in Prometheus it is a float, so that printf "%.0f"
// works; it prints without an exponent.
type Value float64

func (v Value) String() string { return strconv.FormatFloat(float64(v), 'f', -1, 64) }

// Constant returns a template that prints text unchanged.
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

// MarshalText returns the template as it was written.
func (t Template) MarshalText() ([]byte, error) { return []byte(t.text), nil }

func (t Template) String() string { return t.text }

// Execute executes the template on data, which has a field Labels and, where $value is
// allowed, a field Value. Output of more than 64 KiB is an error.
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

// Expand is like Execute, but returns the error as text in place of the output, as
// Prometheus does: a broken annotation must not stop an alert.
func (t Template) Expand(data any) string {
	s, err := t.Execute(data)
	if err != nil {
		return "<error expanding template: " + err.Error() + ">"
	}
	return s
}

// errorPrefix matches the position at the beginning of text/template's errors. Its
// column is wrong because NewTemplate adds text to the template.
var errorPrefix = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^template: :(\d+)(:\d+)?: (executing "" )?`)
})

func templateError(err error) error {
	return errors.New("the template cannot be used: " + errorPrefix().ReplaceAllString(err.Error(), "line $1: "))
}

// ruleFunctions returns the functions of templates.
func ruleFunctions() template.FuncMap {
	fs := template.FuncMap(maps.Clone(amtemplate.DefaultFuncs))
	for _, name := range []string{"now", "since", "routeLabels"} {
		delete(fs, name)
	}
	fs["humanize"] = humanize
	return fs
}

// humanize formats a number with four digits and a metric prefix, as Prometheus does:
// 1234567 is 1.235M.
func humanize(v any) (string, error) {
	if number, ok := v.(Value); ok {
		v = float64(number)
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

// bounded is a writer that accepts up to maxOutput bytes.
type bounded struct{ text strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > maxOutput {
		return 0, errors.New("it prints more than 64 KiB")
	}
	return b.text.Write(p)
}
