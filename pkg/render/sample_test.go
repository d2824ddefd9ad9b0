package render

import (
	"strings"
	"testing"
)

// A template that cannot succeed is an error of compiling with samples; one that fails
// on certain data only is none.
func TestCompileWithSamples(t *testing.T) {
	all := (*Templates)(nil).WithSamples(&Style{ExternalURL: "https://alerts.example.com"})
	firing := all.FiringOnly()
	for _, tt := range []struct {
		name, src string
		templates *Templates
		want      string // "" is no error
	}{
		{"an unknown field", "{{ .CommonLabel.x }}", all, "can't evaluate field CommonLabel"},
		{"an unknown field of an alert", "{{ range .Alerts }}{{ .Name }}{{ end }}", all, "can't evaluate field Name"},
		{"an unknown field behind a label that is usually missing", "{{ if .CommonLabels.rare }}{{ .Nope }}{{ end }}", all, "can't evaluate field Nope"},
		{"an unknown field behind the absence of a label", "{{ if not .CommonLabels.rare }}{{ .Nope }}{{ end }}", all, "can't evaluate field Nope"},
		{"an unknown field in a template that is called", `{{ define "mine" }}{{ .Nope }}{{ end }}{{ template "mine" . }}`, all, "can't evaluate field Nope"},
		{"a field of a text", "{{ .CommonLabels.severity.x }}", all, "can't evaluate field x in type string"},
		{"a function that always fails", `{{ reReplaceAll "(" "" .Status }}`, all, "missing closing"},
		{"a function with an argument of another type", "{{ toUpper .Alerts }}", all, "wrong type for value"},
		{"too much output", "{{ range 99999 }}" + strings.Repeat("x", 99) + "{{ end }}", all, "more than 1 MiB"},
		{"the first firing alert where none may fire", "{{ (index .Alerts.Firing 0).Status }}", all, "out of range"},
		{"the first resolved alert where none may be resolved", "{{ (index .Alerts.Resolved 0).Status }}", all, "out of range"},
		{"the first firing alert of a text of firing alerts", "{{ (index .Alerts.Firing 0).Status }}", firing, ""},

		{"a label that the samples do not have", "{{ .CommonLabels.rare }}{{ .GroupLabels.rare }}{{ .CommonAnnotations.rare }}{{ .RouteLabels.rare }}", all, ""},
		{"an index beyond a small group", "{{ (index .Alerts 7).Labels.x }}", all, ""},
		{"a part of a label that may be too short", "{{ slice .CommonLabels.commit 0 7 }}", all, ""},
		{"a number from an annotation", "{{ humanizeDuration .CommonAnnotations.age }}", all, ""},
		{"a number from an annotation by index", `{{ humanizeDuration (index .CommonAnnotations "my age") }}`, all, ""},
		{"a number from a variable's annotation", "{{ range $a := .Alerts }}{{ humanizeDuration $a.Annotations.age }}{{ end }}", all, ""},
		{"a number from the annotation of an alert", "{{ humanizeDuration (index .Alerts 0).Annotations.age }}", all, ""},
		{"a date from an annotation", `{{ mustToDate "2006-01-02" .CommonAnnotations.day }}`, all, ""},
		{"a decoded annotation", "{{ base64decode .CommonAnnotations.payload }}", all, ""},
		{"a time zone from a label", "{{ (tz .CommonLabels.zone now).Format \"15:04\" }}", all, ""},
		{"a regular expression from a label", "{{ match .CommonLabels.pattern .Status }}", all, ""},
		{"nothing printed", "{{ if .CommonLabels.rare }}x{{ end }}", all, ""},
		{"Alertmanager's own templates", `{{ template "slack.default.title" . }}{{ template "slack.default.text" . }}{{ template "email.default.subject" . }}`, all, ""},
		{"templates without samples", "{{ .Nope }}", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check := func(kind string, err error) {
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("%s: got error %v, want %q", kind, err, tt.want)
				}
			}
			_, err := tt.templates.CompileText(tt.src)
			check("text", err)
			_, err = tt.templates.CompileHTML(tt.src)
			check("HTML", err)
		})
	}
}
