package intake_test

import (
	"maps"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/intake"
	"tocsin/pkg/setting"
)

// newGeneric returns the decoder of a generic hook with the template.
func newGeneric(t testing.TB, template string) intake.Decoder {
	t.Helper()
	d, err := intake.NewGeneric(intake.GenericConfig{Name: "ci", Alerts: template})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestGeneric(t *testing.T) {
	const body = `{"job":"build \"x\" {{ .Query }}\r\n<@all>","n":12345678901234567890,"ok":false,"list":[{"h":"a"},{"h":"b"}],"value":"95.5"}`
	job := "build \"x\" {{ .Query }}\r\n<@all>"
	for _, tt := range []struct {
		name, template string
		want           []alert.Labels
	}{
		{"one", `{"labels": {"alertname": {{ .Body.job | toJson }}}, "status": "firing"}`, []alert.Labels{{"alertname": job}}},
		{"a list", `[{{ range $i, $x := .Body.list }}{{ if $i }},{{ end }}{"labels": {"alertname": "A", "h": {{ $x.h | toJson }}}}{{ end }}]`, []alert.Labels{{"alertname": "A", "h": "a"}, {"alertname": "A", "h": "b"}}},
		{"nothing", `{{ if .Body.ok }}{"labels": {}}{{ end }}`, nil},
		{"an empty list", `[]`, nil},
		{"header and query", `{"labels": {"alertname": {{ .Header.Get "X-Job" | toJson }}, "q": {{ .Query.Get "q" | toJson }}}}`, []alert.Labels{{"alertname": "nightly", "q": "1&2"}}},
		{"scalars", `{"labels": {"alertname": "A", "n": {{ .Body.n | toJson }}, "ok": {{ .Body.ok }}, "none": {{ .Body.none | toJson }}, "text": "{{ .Body.none }}"}}`, []alert.Labels{{"alertname": "A", "n": "12345678901234567890", "ok": "false"}}},
		{"numbers", `{"labels": {"alertname": "{{ if gt (number .Body.value) 90.0 }}high{{ else }}low{{ end }}"}}`, []alert.Labels{{"alertname": "high"}}},
		{"functions", `{"labels": {"alertname": {{ .Body.value | reReplaceAll "[.]" "_" | toUpper | toJson }}}}`, []alert.Labels{{"alertname": "95_5"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := newGeneric(t, tt.template)(intake.Input{
				Body: []byte(body), Media: intake.JSON, Now: now,
				Header: textproto.MIMEHeader{"X-Job": {"nightly"}}, Query: url.Values{"q": {"1&2"}},
			})
			if err != nil || len(out.Alerts) != len(tt.want) {
				t.Fatalf("got %d alerts, %v, want %d", len(out.Alerts), err, len(tt.want))
			}
			for i, want := range tt.want {
				if got := out.Alerts[i].Labels; !maps.Equal(got, want) {
					t.Errorf("alert %d: got %v, want %v", i, got, want)
				}
			}
		})
	}
}

// TestGenericTimes checks that the status decides whether an alert is resolved and,
// without one, the end as in API v2.
func TestGenericTimes(t *testing.T) {
	for _, tt := range []struct {
		fields                   string
		resolved, noEnd, timeout bool
	}{
		{`"status":"firing"`, false, true, false},
		{`"status":"firing","endsAt":"2026-11-20T14:00:00Z"`, false, true, false},
		{`"status":"resolved"`, true, false, false},
		{`"x":1`, false, true, true},
		{`"endsAt":"2026-11-20T14:00:00Z"`, true, false, false},
		{`"endsAt":"2026-11-20T15:00:00Z"`, false, false, false},
	} {
		t.Run(tt.fields, func(t *testing.T) {
			out, err := newGeneric(t, `{"labels":{"a":"b"},`+tt.fields+`}`)(intake.Input{Body: []byte(`{}`), Media: intake.JSON, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			a := out.Alerts[0]
			if a.ResolvedAt(now) != tt.resolved || a.EndsAt.IsZero() != tt.noEnd || a.Timeout != tt.timeout {
				t.Errorf("got end %v, timeout %v; want resolved %v, no end %v, timeout %v", a.EndsAt, a.Timeout, tt.resolved, tt.noEnd, tt.timeout)
			}
		})
	}
}

func TestGenericBodies(t *testing.T) {
	for _, tt := range []struct{ media, body, template, want string }{
		{intake.Form, "job=a+b", `{"labels":{"x":{{ .Body.job | toJson }}}}`, "a b"},
		{intake.Text, "disk full", `{"labels":{"x":{{ .Body | toJson }}}}`, "disk full"},
		{intake.Text, `{"job":"j"}`, `{"labels":{"x":{{ .Body.job | toJson }}}}`, "j"},
		{intake.JSON, `["j"]`, `{"labels":{"x":{{ index .Body 0 | toJson }}}}`, "j"},
	} {
		t.Run(tt.media+" "+tt.body, func(t *testing.T) {
			out, err := newGeneric(t, tt.template)(intake.Input{Body: []byte(tt.body), Media: tt.media, Now: now})
			if err != nil || out.Alerts[0].Labels["x"] != tt.want {
				t.Errorf("got %v, %v, want the label x=%q", out.Alerts, err, tt.want)
			}
		})
	}
}

func TestGenericErrors(t *testing.T) {
	for _, tt := range []struct{ template, body, want string }{
		{`{"labels": {"a": "{{ .Body.job }}"}}`, `{"job":"x\",\"a\":\"y"}`, "the output of the hook's template: "},
		{`{"labels": {"a": "{{ .Body.job }}"}}`, `{"job":"x\",\"b\":\"y"`, "unexpected end of the JSON"},
		{`{"labels": `, `{}`, "the output of the hook's template: "},
		{`{"annotations": {}}`, `{}`, "alerts[0].labels: is missing"},
		{`{"labels": {"a": {{ .Body.job | toJson }}}}`, `{"job":{"x":1}}`, "alerts[0].labels.a: an object where text is expected"},
		{`"x"`, `{}`, "alerts: a string where an array is expected"},
		{`{"labels": {}, "status": "odd"}`, `{}`, `alerts[0].status: "odd" is neither firing nor resolved`},
		{`{{ .Body.a.b.c }}`, `{"a":"x"}`, "executing the hook's template failed"},
		{`{{ number .Body.a }}`, `{"a":"x"}`, `"x" is not a number`},
		{`{{ range .Body }}{{ range $.Body }}{{ range $.Body }}{{ range $.Body }}{{ range $.Body }}xxxxxxxxxxxx{{ end }}{{ end }}{{ end }}{{ end }}{{ end }}`, "[" + strings.Repeat("0,", 20) + "0]", "it prints more than 1048576 bytes"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			_, err := newGeneric(t, tt.template)(intake.Input{Body: []byte(tt.body), Media: intake.JSON, Now: now})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("template %s: got %v, want an error with %q", tt.template, err, tt.want)
			}
		})
	}
	if _, err := newGeneric(t, "")(intake.Input{Body: []byte("\xff"), Media: intake.Text}); err == nil {
		t.Error("text that is not UTF-8: got no error")
	}
}

// TestGenericConfig checks that a template that fails with every message is a fault of
// the configuration.
func TestGenericConfig(t *testing.T) {
	for _, tt := range []struct {
		config intake.GenericConfig
		want   string
	}{
		{intake.GenericConfig{Name: "ci-1", Alerts: "[]"}, ""},
		{intake.GenericConfig{Alerts: "[]"}, "is missing"},
		{intake.GenericConfig{Name: "a/b", Alerts: "[]"}, "cannot be part of a path"},
		{intake.GenericConfig{Name: "ci"}, "is missing"},
		{intake.GenericConfig{Name: "ci", Alerts: "{{ .Body"}, "unclosed action"},
		{intake.GenericConfig{Name: "ci", Alerts: "{{ now }}"}, `function "now" not defined`},
	} {
		t.Run(tt.config.Name+" "+tt.config.Alerts, func(t *testing.T) {
			var f setting.Faults
			tt.config.Validate(&f)
			faults := f.List()
			if tt.want == "" && len(faults) > 0 || tt.want != "" && (len(faults) != 1 || !strings.Contains(faults[0].Message, tt.want)) {
				t.Errorf("got %v, want %q", faults, tt.want)
			}
		})
	}
}
