package setting_test

import (
	"strings"
	"testing"

	"tocsin/pkg/setting"
)

// data is the data of the templates.
type data struct {
	Labels map[string]string
	Value  setting.Value
}

var onWeb1 = data{map[string]string{"host": "web-1"}, 2001}

func TestTemplate(t *testing.T) {
	for text, want := range map[string]string{
		"no template":                      "no template",
		"{{ $labels.host }}: {{ $value }}": "web-1: 2001",
		"{{ .Labels.host | toUpper }}":     "WEB-1",
		"{{ $labels.nothing }}":            "",
		`{{ printf "%.1f" $value }}`:       "2001.0", // a float, as in Prometheus
	} {
		t.Run(text, func(t *testing.T) {
			tmpl, err := setting.NewTemplate(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := tmpl.Execute(onWeb1); got != want || err != nil {
				t.Errorf("Execute: got %q, %v, want %q", got, err, want)
			}
			if got, err := tmpl.MarshalText(); string(got) != text || err != nil {
				t.Errorf("MarshalText: got %q, %v, want %q", got, err, text)
			}
		})
	}
}

func TestTemplateErrors(t *testing.T) {
	for text, want := range map[string]string{
		"90 % of {{":     "unclosed action",
		"{{ $nothing }}": "undefined variable",
		"{{ if }}":       "missing value for if",
		"a\n{{ .Value ":  "line 2: unclosed action",
		"{{ now }}":      `function "now" not defined`,
		"{{ .Lag }}":     "line 1: at <.Lag>: can't evaluate field Lag", // an error of Execute
		"{{ range $k, $v := $labels }}{{ printf \"%70000s\" $v }}{{ end }}": "it prints more than 64 KiB",
	} {
		t.Run(text, func(t *testing.T) {
			var tmpl setting.Template
			err := tmpl.UnmarshalText([]byte(text))
			if err == nil {
				var output string
				if output, err = tmpl.Execute(onWeb1); output != "" {
					t.Errorf("Execute: got %d bytes with the error, want none", len(output))
				}
				if got := tmpl.Expand(onWeb1); err != nil && got != "<error expanding template: "+err.Error()+">" {
					t.Errorf("Expand: got %q, want the error %q as text", got, err)
				}
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "the template cannot be used: ") {
				t.Errorf("got %v, want %q in it", err, want)
			}
		})
	}
}

func TestHumanize(t *testing.T) {
	tmpl, err := setting.NewTemplate("{{ humanize $value }}")
	if err != nil {
		t.Fatal(err)
	}
	// Prometheus prints the same.
	for in, want := range map[setting.Value]string{0: "0", 1: "1", 999: "999", 1000: "1k", 1234567: "1.235M", -1500: "-1.5k", 2e9: "2G"} {
		if got, err := tmpl.Execute(data{Value: in}); got != want || err != nil {
			t.Errorf("%v: got %s, %v, want %s", in, got, err, want)
		}
	}
	if tmpl, err = setting.NewTemplate("{{ humanize $labels }}"); err != nil {
		t.Fatal(err)
	}
	if got, err := tmpl.Execute(onWeb1); err == nil {
		t.Errorf("got %q for labels, want an error", got)
	}
}
