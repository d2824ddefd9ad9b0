package render

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	amtemplate "github.com/prometheus/alertmanager/template"

	"tocsin/pkg/alert"
)

func view() *View {
	return NewView(&alert.Notification{
		Receiver: "ops", Reason: "first notification", At: at,
		GroupLabels: alert.Labels{"alertname": "DiskFull"}, RouteLabels: alert.Labels{"team": "storage"},
		Alerts: []*alert.Alert{
			{Labels: alert.Labels{"alertname": "DiskFull", "instance": "a<b"}, Annotations: alert.Labels{"summary": "full"}, StartsAt: at.Add(-time.Hour)},
			{Labels: alert.Labels{"alertname": "DiskFull", "instance": "c"}, Annotations: alert.Labels{"summary": "full"}, StartsAt: at.Add(-time.Hour)},
		},
	}, &Style{ExternalURL: "https://alerts.example.com"})
}

// TestAsAlertmanager executes texts here and in Alertmanager's own engine.
func TestAsAlertmanager(t *testing.T) {
	upstream, err := amtemplate.FromGlobs(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range []string{
		"plain",
		"{{ .CommonLabels.alertname }} {{ .CommonLabels.nothing }}.",
		`{{ template "email.default.subject" . }}`,
		`{{ template "__alertmanagerURL" . }}`,
		`{{ range .Alerts }}{{ .Labels.instance | toUpper }};{{ end }}`,
		`{{ .GroupLabels.SortedPairs.Values | join "," | title }} {{ reReplaceAll "u+" "o" .CommonAnnotations.summary }}`,
		`{{ with dict "a" (list 1 2) }}{{ toJson . }}{{ end }} {{ humanizeDuration 3700.0 }} {{ base64encode "x?y" }}`,
		`{{ len .Alerts.Firing }} {{ .Status }} {{ .Receiver }} {{ .NotificationReason }} {{ match "^D" .CommonLabels.alertname }}`,
		`{{ define "mine" }}<{{ . }}>{{ end }}{{ template "mine" .Status }}`,
	} {
		v := view()
		want, err := upstream.ExecuteTextString(src, v.Data())
		if err != nil {
			t.Fatalf("%s: Alertmanager: %v", src, err)
		}
		wantHTML, err := upstream.ExecuteHTMLString(src, v.Data())
		if err != nil {
			t.Fatalf("%s: Alertmanager: %v", src, err)
		}
		var none *Templates
		x, err := none.CompileText(src)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		h, err := none.CompileHTML(src)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		for range 2 { // the second execution finds nothing of the first
			if got, err := x.Execute(v); err != nil || got != want {
				t.Errorf("%s: %q, %v; Alertmanager has %q", src, got, err, want)
			}
			if got, err := h.Execute(v); err != nil || got != wantHTML {
				t.Errorf("%s: html %q, %v; Alertmanager has %q", src, got, err, wantHTML)
			}
		}
	}
}

// What Alertmanager takes from the wall clock is taken from the notification.
func TestFunctionsOfTheNotification(t *testing.T) {
	x, err := (*Templates)(nil).CompileText(`{{ now.Unix }} {{ (index .Alerts 0).StartsAt | since }} {{ routeLabels "team" }}{{ routeLabels "none" }}`)
	if err != nil {
		t.Fatal(err)
	}
	// 2026-11-20T15:10:10Z
	if got, err := x.Execute(view()); err != nil || got != "1795187410 1h0m0s storage" {
		t.Errorf("%q, %v", got, err)
	}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFiles(t *testing.T) {
	file := write(t, "a.tmpl", `{{ define "mine" }}mine {{ .Status }}{{ end }}{{ define "__subject" }}own subject{{ end }}{{ define "around" }}[{{ template "wecom.default" . }}]{{ end }}`)
	templates, err := ParseTemplates(file, filepath.Join(filepath.Dir(file), "nothing*.tmpl"))
	if err != nil {
		t.Fatal(err)
	}
	v := view()
	v.Builtin = func() string { return "built in" }
	for src, want := range map[string]string{
		`{{ template "mine" . }}`:                  "mine firing",
		`{{ template "email.default.subject" . }}`: "own subject",
		`{{ template "around" . }}`:                "[built in]",
	} {
		x, err := templates.CompileText(src, "wecom.default")
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		if got, err := x.Execute(v); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", src, got, err, want)
		}
	}
}

func TestBuiltin(t *testing.T) {
	none, err := ParseTemplates()
	if err != nil {
		t.Fatal(err)
	}
	redefined, err := ParseTemplates(write(t, "a.tmpl", `{{ define "wecom.default" }}mine{{ end }}`))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		templates *Templates
		src       string
		pure      bool
		want      string
	}{
		{none, `{{ template "wecom.default" . }}`, true, "built in"},
		{none, " {{- template `wecom.default` . -}}\n", true, "built in"},
		{none, `>> {{ template "wecom.default" . }}`, false, ">> built in"},
		{none, `{{ range .Alerts }}{{ template "wecom.default" . }};{{ end }}`, false, "built in;built in;"},
		{none, `constant`, false, "constant"},
		{redefined, `{{ template "wecom.default" . }}`, false, "mine"},
	}
	for _, tt := range tests {
		x, err := tt.templates.CompileText(tt.src, "wecom.default")
		if err != nil {
			t.Fatalf("%s: %v", tt.src, err)
		}
		v := view()
		v.Builtin = func() string { return "built in" }
		got, err := x.Execute(v)
		if err != nil || got != tt.want || x.Builtin() != tt.pure {
			t.Errorf("%s: %q, %v, Builtin %v; want %q, %v", tt.src, got, err, x.Builtin(), tt.want, tt.pure)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for src, want := range map[string]string{
		"{{ .A ":                                 "unclosed action",
		"{{ nofunc }}":                           `"nofunc" not defined`,
		`{{ template "wecom.defualt" . }}`:       `template "wecom.defualt" is not defined`,
		`{{ if .A }}{{ template "x" }}{{ end }}`: `template "x" is not defined`,
		`{{ with .A }}{{ else }}{{ template "y" }}{{ end }}`:            `template "y" is not defined`,
		`{{ define "a" }}{{ template "z" }}{{ end }}{{ template "a" }}`: `template "z" is not defined`,
	} {
		_, text := (*Templates)(nil).CompileText(src, "wecom.default")
		_, html := (*Templates)(nil).CompileHTML(src)
		for _, err := range []error{text, html} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", src, err, want)
			}
		}
	}
	if _, err := ParseTemplates(write(t, "bad.tmpl", "{{ define }}")); err == nil || !strings.Contains(err.Error(), "bad.tmpl:1") {
		t.Errorf("bad file: %v", err)
	}
	if _, err := ParseTemplates("[a-"); err == nil {
		t.Error("a malformed pattern is accepted")
	}
}

func TestExecuteErrors(t *testing.T) {
	for name, src := range map[string]string{
		"a field that is not there": "{{ .Nothing.There }}",
		"a function that panics":    `{{ reReplaceAll "(" "" "x" }}`,
		"an index out of range":     "{{ index .Alerts 7 }}",
		"endless recursion":         `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`,
		"more than a mebibyte":      `{{ range 100 }}{{ printf "%20000d" 1 }}{{ end }}`,
	} {
		x, err := (*Templates)(nil).CompileText(src)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := x.Execute(view()); err == nil || got != "" {
			t.Errorf("%s: %d bytes, error %v", name, len(got), err)
		}
	}
}

func TestHTMLEscapes(t *testing.T) {
	h, err := (*Templates)(nil).CompileHTML(`<b>{{ (index .Alerts 0).Labels.instance }}</b>{{ "<i>" | safeHtml }}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.Execute(view()); err != nil || got != "<b>a&lt;b</b><i>" {
		t.Errorf("%q, %v", got, err)
	}
}

// Executions at the same time do not see each other's notification.
func TestConcurrent(t *testing.T) {
	x, err := (*Templates)(nil).CompileText(`{{ .Status }} {{ routeLabels "n" }}`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := string(rune('a' + i))
			v := NewView(&alert.Notification{At: at, RouteLabels: alert.Labels{"n": name}}, &Style{})
			for range 50 {
				if got, err := x.Execute(v); err != nil || got != "resolved "+name {
					t.Errorf("%q, %v; want %q", got, err, "resolved "+name)
				}
			}
		})
	}
	wg.Wait()
}
