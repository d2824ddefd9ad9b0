package intake

import (
	"slices"
	"strings"

	"tocsin/pkg/alert"
)

// Alertmanager reads what Alertmanager's webhook sends: version 4, and version 3
// of Alertmanager before 0.6, which has the same alerts.
func Alertmanager(in Input) (Output, error) {
	return prometheus(in, []string{"4", "3"})
}

// alertFields are the fields of an alert in the webhooks of Alertmanager and
// Grafana that are read, or that say nothing new.
var alertFields = []string{
	"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint",
	"dashboardURL", "panelURL", "embeddedImage", "enrichments",
}

// prometheus reads the form that Alertmanager and Grafana share.
func prometheus(in Input, versions []string) (Output, error) {
	top, err := open(in.Body)
	if err != nil {
		return Output{}, err
	}
	if version := top.get("version").text(); version != "" && !slices.Contains(versions, version) {
		top.doc.fail("version", "%q is not known: %s is", cut(version, maxQuote), strings.Join(versions, " or "))
	}
	var out Output
	for _, n := range top.get("alerts").need().list() {
		out.Alerts = append(out.Alerts, prometheusAlert(n, in))
	}
	return out, top.doc.fault()
}

// prometheusAlert reads one alert. One that fires carries no end, or the first
// day of the year 1.
func prometheusAlert(n node, in Input) *alert.Alert {
	d := newDraft("")
	for name, value := range n.get("labels").need().texts() {
		if !strings.HasPrefix(name, "__") || !strings.HasSuffix(name, "__") {
			d.label(name, value)
		}
	}
	for name, value := range n.get("annotations").texts() {
		d.note(name, value)
	}
	d.note("dashboard_url", n.get("panelURL", "dashboardURL").text())
	d.extra(n, alertFields...)
	d.GeneratorURL = n.get("generatorURL").text()
	start, end := n.get("startsAt").time(in.Zone), n.get("endsAt").time(in.Zone)
	switch status := n.get("status").need(); strings.ToLower(status.text()) {
	case "firing", "alerting":
		if end.After(in.Now) {
			d.EndsAt = end
		}
		return d.fires(start, in.Now)
	case "resolved", "ok", "normal":
		return d.ends(start, end, in.Now)
	default:
		n.doc.fail(status.path(), "%q is neither firing nor resolved", cut(status.text(), maxQuote))
		return nil
	}
}
