package alertmanager

import (
	"fmt"
	htmltemplate "html/template"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	texttemplate "text/template"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"

	"tocsin/pkg/alert"
	"tocsin/pkg/render"
)

// userTemplates are what users write: every function, every method and every
// field there is.
var userTemplates = []string{
	"no template",
	"{{ .Receiver }} {{ .Status }} {{ .NotificationReason }} {{ .ExternalURL }} {{ .CommonLabels.nothing }} {{ .GroupLabels }}",
	"{{ range .Alerts }}{{ .Status }} {{ .Labels }} {{ .Annotations }} {{ .StartsAt }} {{ .EndsAt }} {{ .GeneratorURL }} {{ .Fingerprint }}\n{{ end }}",
	"{{ len .Alerts.Firing }} {{ .Alerts.Resolved | len }} {{ (index .Alerts 0).Labels.SortedPairs.Values | join \", \" }}",
	`{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}{{ .CommonLabels.Names }}{{ .CommonLabels.Values }}`,
	`{{ with .CommonLabels.Remove (stringSlice "job" "zone") }}{{ .SortedPairs }}{{ end }} {{ .CommonAnnotations.SortedPairs.Names.Join "-" }}`,
	`{{ toUpper .GroupLabels.job }} {{ toLower "ÄB" }} {{ title "two words" }} {{ trimSpace " x " }} {{ match "a.*" "xay" }} {{ reReplaceAll "(a)" "$1$1" "banana" }}`,
	`{{ safeHtml "<b>" }} {{ safeUrl "javascript:x" }} {{ urlUnescape "a%20b" }} {{ "<i>" }} {{ .CommonAnnotations.summary }}`,
	`{{ (index .Alerts 0).StartsAt | tz "Asia/Shanghai" | date "2006-01-02 15:04:05 MST" }} {{ now }} {{ since (index .Alerts 0).StartsAt | humanizeDuration }}`,
	`{{ toDate "2006-01-02" "2026-11-20" }} {{ toDate "2006-01-02" "x" }} {{ mustToDate "2006-01-02" "2026-11-20" }}`,
	`{{ toJson . }} {{ base64encode "主机" }} {{ base64decode "5Li75py6" }} {{ list 1 "a" | toJson }} {{ append (list 1) 2 }} {{ dict "a" 1 | toJson }}`,
	`{{ routeLabels "team" }} {{ .RouteLabels.team }} {{ routeLabels "nothing" }}`,
	`{{ template "__subject" . }}{{ define "mine" }}({{ .Status }}){{ end }}{{ template "mine" . }}`,
	// These fail.
	`{{ (index .Alerts 99).Status }}`,
	`{{ .Nothing }}`,
	`{{ mustToDate "2006-01-02" "x" }}`,
	`{{ match "(" "x" }}`,
	`{{ tz "Nowhere/None" now }}`,
	`{{ urlUnescape "%zz" }}`,
	`{{ dict "a" }}`,
	`{{ if }}`,
	`{{ nofunction 1 }}`,
	`{{ template "not.defined" . }}`,
}

// theirNames returns Alertmanager's templates and their names.
func theirNames(t *testing.T) (tmpl *template.Template, names []string) {
	var set *texttemplate.Template
	tmpl, err := template.FromGlobs(nil, func(text *texttemplate.Template, _ *htmltemplate.Template) { set = text })
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range set.Templates() {
		names = append(names, x.Name())
	}
	tmpl.ExternalURL = theirTemplates(t).ExternalURL
	return tmpl, slices.Sorted(slices.Values(names))
}

// randomNotification is one, and its alerts as Alertmanager has them: those that
// fire have no end.
func randomNotification(r *rand.Rand) (*alert.Notification, []*amalert.Alert) {
	now := time.Now()
	n := &alert.Notification{Receiver: pick(r, "ops", "a.b+c"), Reason: "first notification", At: now,
		GroupLabels: randomLabels(r), RouteLabels: alert.Labels{"team": pick(r, "x", "{{ .Status }}")}}
	var theirs []*amalert.Alert
	for range 1 + r.IntN(4) {
		a := &alert.Alert{Labels: randomLabels(r), Annotations: randomLabels(r), StartsAt: now.Add(-time.Duration(r.IntN(1e14))), GeneratorURL: text(r)}
		if r.IntN(2) == 0 {
			a.Annotations["summary"] = "a < b & c"
		}
		if r.IntN(2) == 0 {
			a.EndsAt = now.Add(-time.Duration(r.IntN(2) * 1e9))
		}
		n.Alerts = append(n.Alerts, a)
		theirs = append(theirs, &amalert.Alert{Alert: model.Alert{Labels: labelSet(a.Labels), Annotations: labelSet(a.Annotations),
			StartsAt: a.StartsAt, EndsAt: a.EndsAt, GeneratorURL: a.GeneratorURL}})
		if r.IntN(8) == 0 {
			a.EndsAt = now.Add(time.Minute) // Alertmanager's dispatcher takes this away
		}
		if !a.ResolvedAt(now) {
			theirs[len(theirs)-1].EndsAt = time.Time{}
		}
	}
	return n, theirs
}

// Alertmanager's own templates and a user's print the same for both, as text and
// as HTML, or fail for both.
func TestTemplates(t *testing.T) {
	r := rnd(t)
	synctest.Test(t, func(t *testing.T) { // the time stands still
		tmpl, names := theirNames(t)
		sources := slices.Clone(userTemplates)
		for _, name := range names {
			sources = append(sources, fmt.Sprintf("{{ template %q . }}", name))
		}
		var own *render.Templates
		failed := 0
		for i, source := range sources {
			for range 8 {
				n, theirs := randomNotification(r)
				data := tmpl.Data(n.Receiver, labelSet(n.GroupLabels), labelSet(n.RouteLabels), n.Reason, theirs...)
				template.MarkRouteLabelsRendered(data)
				wantText, textErr := tmpl.ExecuteTextString(source, data)
				wantHTML, htmlErr := tmpl.ExecuteHTMLString(source, data)
				view := render.NewView(n, &render.Style{ExternalURL: externalURL})
				text, err := own.CompileText(source)
				got := ""
				if err == nil {
					got, err = text.Execute(view)
				}
				if (err == nil) != (textErr == nil) || err == nil && got != wantText {
					t.Fatalf("template %d, %s\nAlertmanager %q, %v\nTocsin       %q, %v", i, source, wantText, textErr, got, err)
				}
				html, err := own.CompileHTML(source)
				got = ""
				if err == nil {
					got, err = html.Execute(view)
				}
				if (err == nil) != (htmlErr == nil) || err == nil && got != wantHTML {
					t.Fatalf("HTML template %d, %s\nAlertmanager %q, %v\nTocsin       %q, %v", i, source, wantHTML, htmlErr, got, err)
				}
				if err != nil {
					failed++
				}
			}
		}
		t.Logf("%d templates, of them %d of Alertmanager's; %d times both failed", len(sources), len(names), failed)
		if len(names) < 30 || failed < 8*8 {
			t.Error("there is too little to compare")
		}
	})
}
