package lag

import (
	"errors"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"

	amtemplate "github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/helpers/templates"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// maxText bounds what a template may print, in bytes.
const maxText = 64 << 10

// Template is a text of a rule, compiled when the configuration is read. It is
// written as in Prometheus's rules, with $labels and $value; its functions are
// Alertmanager's, without those that look at the clock, and Prometheus's
// humanize. Without "{{" it is a constant.
type Template struct {
	text string
	tmpl *template.Template
}

// Data is what an annotation may use.
type Data struct {
	// Labels are those of the alert, with the rule's: $labels.
	Labels alert.Labels
	// Value is the lag: $value.
	Value Value
	// Lag and Threshold are in messages; Threshold is max_lag, 0 without it.
	Lag, Threshold int64
	// Partitions are those furthest behind, at most five, worst first.
	Partitions []Partition
	// UnknownPartitions is how many partitions are left out of the lag.
	UnknownPartitions int
	// Delay is the age of the oldest unread message, at least; 0 while unknown.
	Delay setting.Duration
	// Status is the worst state of a partition: ok, growing, rewind, stalled or
	// stopped; "" while unknown.
	Status string
	// GrowingFor is for how long the lag has grown.
	GrowingFor setting.Duration
	// Lost is how many messages were deleted before the group had read them.
	Lost int64
	// RateIn and RateOut are messages per second that are produced and read; NaN
	// while unknown.
	RateIn, RateOut float64
	// Drain is how long it takes at these rates until all is read: "12m" or
	// "never"; "" while unknown.
	Drain string
}

// labelData is what a label may use, and an annotation of an alert whose topic
// is gone: there is no value to speak of.
type labelData struct{ Labels alert.Labels }

// Value is a lag in templates. It is a float, as in Prometheus, so that
// printf "%.0f" works, and prints as a whole number.
type Value float64

func (v Value) String() string { return strconv.FormatFloat(float64(v), 'f', -1, 64) }

// sample and sampleLabels are what templates are tried on when they are loaded.
var (
	sampleLabels = labelData{alert.Labels{alert.NameLabel: "Lag", clusterLabel: "c", groupLabel: "g", topicLabel: "t"}}
	sample       = Data{
		Labels: sampleLabels.Labels, Value: 2001, Lag: 2001, Threshold: 2000, UnknownPartitions: 1,
		Partitions: []Partition{{ID: 0, Committed: 1000, End: 3001, Lag: 2001, Known: true}},
		Delay:      setting.Duration(12 * time.Minute), Status: "growing", GrowingFor: setting.Duration(time.Minute),
		Lost: 1, RateIn: 20, RateOut: 10.5, Drain: "never",
	}
)

// NewTemplate compiles text.
func NewTemplate(text string) (Template, error) {
	if !strings.Contains(text, "{{") {
		return Template{text: text}, nil
	}
	src := text
	if strings.Contains(text, "$value") {
		src = "{{$value := .Value}}" + src
	}
	if strings.Contains(text, "$labels") {
		src = "{{$labels := .Labels}}" + src
	}
	tmpl, err := template.New("").Option("missingkey=zero").Funcs(funcs()).Parse(src)
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

func (t Template) execute(data any) (string, error) {
	if t.tmpl == nil {
		return t.text, nil
	}
	var out bounded
	if err := t.tmpl.Execute(&out, data); err != nil {
		return "", templateError(err)
	}
	return out.text.String(), nil
}

// expand is execute with the error in the text's place, as in Prometheus: a
// faulty annotation must not keep an alert back.
func (t Template) expand(data any) string {
	s, err := t.execute(data)
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

func funcs() template.FuncMap {
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
	f, err := templates.ConvertToFloat(plain(v))
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

// plain turns a Value into the type that Prometheus's functions know.
func plain(v any) any {
	if v, ok := v.(Value); ok {
		return float64(v)
	}
	return v
}

// bounded collects up to maxText bytes.
type bounded struct{ text strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > maxText {
		return 0, errors.New("it prints more than 64 KiB")
	}
	return b.text.Write(p)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
