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

// newView returns the view of a notification with two firing alerts.
func newView() *View {
	return NewView(&alert.Notification{
		Receiver: "ops", Reason: "first notification", At: at,
		GroupLabels: alert.Labels{"alertname": "DiskFull"}, RouteLabels: alert.Labels{"team": "storage"},
		Alerts: []*alert.Alert{
			{Labels: alert.Labels{"alertname": "DiskFull", "instance": "a<b"}, Annotations: alert.Labels{"summary": "full"}, StartsAt: at.Add(-time.Hour)},
			{Labels: alert.Labels{"alertname": "DiskFull", "instance": "c"}, Annotations: alert.Labels{"summary": "full"}, StartsAt: at.Add(-time.Hour)},
		},
	}, &Style{ExternalURL: "https://alerts.example.com"})
}

// TestExecuteAsAlertmanager compares with Alertmanager's own template engine.
func TestExecuteAsAlertmanager(t *testing.T) {
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
		t.Run(src, func(t *testing.T) {
			v := newView()
			want, err := upstream.ExecuteTextString(src, v.Data())
			if err != nil {
				t.Fatalf("Alertmanager: %v", err)
			}
			wantHTML, err := upstream.ExecuteHTMLString(src, v.Data())
			if err != nil {
				t.Fatalf("Alertmanager: %v", err)
			}
			x, err := (*Templates)(nil).CompileText(src)
			if err != nil {
				t.Fatal(err)
			}
			h, err := (*Templates)(nil).CompileHTML(src)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // an execution leaves nothing for the next
				if got, err := x.Execute(v); err != nil || got != want {
					t.Errorf("text: got %q, %v, want %q", got, err, want)
				}
				if got, err := h.Execute(v); err != nil || got != wantHTML {
					t.Errorf("HTML: got %q, %v, want %q", got, err, wantHTML)
				}
			}
		})
	}
}

// TestNotificationFunctions checks that the present is the time of the notification.
func TestNotificationFunctions(t *testing.T) {
	x, err := (*Templates)(nil).CompileText(`{{ now.Unix }} {{ (index .Alerts 0).StartsAt | since }} {{ routeLabels "team" }}{{ routeLabels "none" }}`)
	if err != nil {
		t.Fatal(err)
	}
	// 2026-11-20T15:10:10Z
	if got, err := x.Execute(newView()); err != nil || got != "1795187410 1h0m0s storage" {
		t.Errorf("got %q, %v, want %q", got, err, "1795187410 1h0m0s storage")
	}
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTemplateFiles(t *testing.T) {
	file := writeFile(t, "a.tmpl", `{{ define "mine" }}mine {{ .Status }}{{ end }}{{ define "__subject" }}own subject{{ end }}{{ define "around" }}[{{ template "wecom.default" . }}]{{ end }}`)
	templates, err := ParseTemplates(file, filepath.Join(filepath.Dir(file), "nothing*.tmpl"))
	if err != nil {
		t.Fatal(err)
	}
	v := newView()
	v.Builtin = func() string { return "built in" }
	for name, tt := range map[string]struct{ src, want string }{
		"a name of the file":                      {`{{ template "mine" . }}`, "mine firing"},
		"Alertmanager's name, partly redefined":   {`{{ template "email.default.subject" . }}`, "own subject"},
		"a name that refers to the channel's own": {`{{ template "around" . }}`, "[built in]"},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := templates.CompileText(tt.src, "wecom.default")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := x.Execute(v); err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestBuiltinNames(t *testing.T) {
	noFiles, err := ParseTemplates()
	if err != nil {
		t.Fatal(err)
	}
	redefined, err := ParseTemplates(writeFile(t, "a.tmpl", `{{ define "wecom.default" }}mine{{ end }}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		templates *Templates
		src       string
		builtin   bool
		want      string
	}{
		"a call":                     {noFiles, `{{ template "wecom.default" . }}`, true, "built in"},
		"a call with trimmed space":  {noFiles, " {{- template `wecom.default` . -}}\n", true, "built in"},
		"a call after text":          {noFiles, `>> {{ template "wecom.default" . }}`, false, ">> built in"},
		"a call in a loop":           {noFiles, `{{ range .Alerts }}{{ template "wecom.default" . }};{{ end }}`, false, "built in;built in;"},
		"no call":                    {noFiles, `constant`, false, "constant"},
		"a call of a redefined name": {redefined, `{{ template "wecom.default" . }}`, false, "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := tt.templates.CompileText(tt.src, "wecom.default")
			if err != nil {
				t.Fatal(err)
			}
			v := newView()
			v.Builtin = func() string { return "built in" }
			got, err := x.Execute(v)
			if err != nil || got != tt.want || x.Builtin() != tt.builtin {
				t.Errorf("got %q, %v and Builtin %v, want %q and %v", got, err, x.Builtin(), tt.want, tt.builtin)
			}
		})
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
		t.Run(src, func(t *testing.T) {
			_, text := (*Templates)(nil).CompileText(src, "wecom.default")
			_, html := (*Templates)(nil).CompileHTML(src)
			for kind, err := range map[string]error{"text": text, "HTML": html} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got %v, want an error with %q", kind, err, want)
				}
			}
		})
	}
}

func TestParseTemplatesErrors(t *testing.T) {
	if _, err := ParseTemplates(writeFile(t, "bad.tmpl", "{{ define }}")); err == nil || !strings.Contains(err.Error(), "bad.tmpl:1") {
		t.Errorf("an invalid file: got %v, want an error with bad.tmpl:1", err)
	}
	if _, err := ParseTemplates("[a-"); err == nil {
		t.Error("a malformed pattern: got no error")
	}
}

func TestExecuteErrors(t *testing.T) {
	for name, src := range map[string]string{
		"a missing field":        "{{ .Nothing.There }}",
		"a function that panics": `{{ reReplaceAll "(" "" "x" }}`,
		"an index out of range":  "{{ index .Alerts 7 }}",
		"endless recursion":      `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`,
		"more than a mebibyte":   `{{ range 100 }}{{ printf "%20000d" 1 }}{{ end }}`,
	} {
		t.Run(name, func(t *testing.T) {
			x, err := (*Templates)(nil).CompileText(src)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := x.Execute(newView()); err == nil || got != "" {
				t.Errorf("got %d bytes and error %v, want an error only", len(got), err)
			}
		})
	}
}

func TestHTMLEscapes(t *testing.T) {
	h, err := (*Templates)(nil).CompileHTML(`<b>{{ (index .Alerts 0).Labels.instance }}</b>{{ "<i>" | safeHtml }}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.Execute(newView()); err != nil || got != "<b>a&lt;b</b><i>" {
		t.Errorf("got %q, %v, want %q", got, err, "<b>a&lt;b</b><i>")
	}
}

// TestConcurrentExecution checks that concurrent executions do not mix up their
// notifications.
func TestConcurrentExecution(t *testing.T) {
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
					t.Errorf("got %q, %v, want %q", got, err, "resolved "+name)
				}
			}
		})
	}
	wg.Wait()
}
