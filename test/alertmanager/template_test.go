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

// userTemplates are templates with every function, method and field, as users write
// them.
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

// upstreamTemplateNames returns Alertmanager's templates and their names.
func upstreamTemplateNames(t *testing.T) (tmpl *template.Template, names []string) {
	var set *texttemplate.Template
	tmpl, err := template.FromGlobs(nil, func(text *texttemplate.Template, _ *htmltemplate.Template) { set = text })
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range set.Templates() {
		names = append(names, x.Name())
	}
	tmpl.ExternalURL = upstreamTemplates(t).ExternalURL
	return tmpl, slices.Sorted(slices.Values(names))
}

// randomNotification returns a notification, and its alerts as Alertmanager has them:
// without an end while they fire.
func randomNotification(r *rand.Rand) (*alert.Notification, []*amalert.Alert) {
	now := time.Now()
	n := &alert.Notification{Receiver: pick(r, "ops", "a.b+c"), Reason: "first notification", At: now,
		GroupLabels: randomLabels(r), RouteLabels: alert.Labels{"team": pick(r, "x", "{{ .Status }}")}}
	var theirs []*amalert.Alert
	for range 1 + r.IntN(4) {
		a := &alert.Alert{Labels: randomLabels(r), Annotations: randomLabels(r), StartsAt: now.Add(-time.Duration(r.IntN(1e14))), GeneratorURL: randomText(r)}
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
			a.EndsAt = now.Add(time.Minute) // Alertmanager's dispatcher removes this end
		}
		if !a.ResolvedAt(now) {
			theirs[len(theirs)-1].EndsAt = time.Time{}
		}
	}
	return n, theirs
}

// TestTemplates checks that Alertmanager's templates and a user's give the same text
// and HTML in both programs, or fail in both.
func TestTemplates(t *testing.T) {
	r := newRand(t)
	synctest.Test(t, func(t *testing.T) { // the clock stands still
		tmpl, names := upstreamTemplateNames(t)
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
					t.Fatalf("template %d, %s: got\n%q, %v\nwant Alertmanager's\n%q, %v", i, source, got, err, wantText, textErr)
				}
				html, err := own.CompileHTML(source)
				got = ""
				if err == nil {
					got, err = html.Execute(view)
				}
				if (err == nil) != (htmlErr == nil) || err == nil && got != wantHTML {
					t.Fatalf("HTML template %d, %s: got\n%q, %v\nwant Alertmanager's\n%q, %v", i, source, got, err, wantHTML, htmlErr)
				}
				if err != nil {
					failed++
				}
			}
		}
		if len(names) < 30 || failed < 8*8 {
			t.Errorf("got %d templates of Alertmanager and %d failures, want at least 30 and 64", len(names), failed)
		}
	})
}
