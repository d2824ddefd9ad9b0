package setting_test

import (
	"strings"
	"testing"

	"tocsin/pkg/setting"
)

// data is what the templates of these tests may use.
type data struct {
	Labels map[string]string
	Value  setting.Value
}

var onWeb1 = data{map[string]string{"host": "web-1"}, 2001}

func TestTemplate(t *testing.T) {
	for text, want := range map[string]string{
		"90 % of {{":                       "", // a fault
		"no template":                      "no template",
		"{{ $labels.host }}: {{ $value }}": "web-1: 2001",
		"{{ .Labels.host | toUpper }}":     "WEB-1",
		"{{ $labels.nothing }}":            "",
		// A float, as in Prometheus.
		`{{ printf "%.1f" $value }}`: "2001.0",
	} {
		tmpl, err := setting.NewTemplate(text)
		if (err != nil) != strings.HasSuffix(text, "{{") {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if err != nil {
			continue
		}
		if got, err := tmpl.Execute(onWeb1); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
		if written, err := tmpl.MarshalText(); string(written) != text || err != nil {
			t.Errorf("%q is written as %q, %v", text, written, err)
		}
	}
}

func TestTemplateFaults(t *testing.T) {
	for text, want := range map[string]string{
		"{{ $nothing }}": "undefined variable",
		"{{ if }}":       "missing value for if",
		"a\n{{ .Value ":  "line 2: unclosed action",
		"{{ now }}":      `function "now" not defined`,
		"{{ .Lag }}":     "line 1: at <.Lag>: can't evaluate field Lag", // found when it is executed
		"{{ range $k, $v := $labels }}{{ printf \"%70000s\" $v }}{{ end }}": "it prints more than 64 KiB",
	} {
		var tmpl setting.Template
		err := tmpl.UnmarshalText([]byte(text))
		if err == nil {
			var printed string
			if printed, err = tmpl.Execute(onWeb1); printed != "" {
				t.Errorf("%q printed %d bytes", text, len(printed))
			}
			if got := tmpl.Expand(onWeb1); err != nil && got != "<error expanding template: "+err.Error()+">" {
				t.Errorf("%q expands to %q", text, got)
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "the template cannot be used: ") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestHumanize(t *testing.T) {
	tmpl, err := setting.NewTemplate("{{ humanize $value }}")
	if err != nil {
		t.Fatal(err)
	}
	// What Prometheus prints for the same numbers.
	for in, want := range map[setting.Value]string{0: "0", 1: "1", 999: "999", 1000: "1k", 1234567: "1.235M", -1500: "-1.5k", 2e9: "2G"} {
		if got, err := tmpl.Execute(data{Value: in}); got != want || err != nil {
			t.Errorf("%v: %s, %v, want %s", in, got, err, want)
		}
	}
	if tmpl, err = setting.NewTemplate("{{ humanize $labels }}"); err != nil {
		t.Fatal(err)
	}
	if got, err := tmpl.Execute(onWeb1); err == nil {
		t.Errorf("labels were humanized: %s", got)
	}
}
