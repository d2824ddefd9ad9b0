package intake

import (
	"slices"
	"strings"

	"tocsin/pkg/alert"
)

// Alertmanager decodes the webhooks of Alertmanager: version 4, and version 3 of
// Alertmanager before 0.6, whose alerts are the same.
func Alertmanager(in Input) (Output, error) { return decodeWebhook(in, "4", "3") }

// alertFields are the fields of an alert that are decoded, or that repeat others.
var alertFields = []string{
	"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint",
	"dashboardURL", "panelURL", "embeddedImage", "enrichments",
}

func decodeWebhook(in Input, versions ...string) (Output, error) {
	top, err := open(in.Body)
	if err != nil {
		return Output{}, err
	}
	if version := top.get("version").text(); version != "" && !slices.Contains(versions, version) {
		top.doc.fail("version", "unknown version %q: %s is supported", truncate(version, maxQuote), strings.Join(versions, " or "))
	}
	list, truncated := top.get("alerts").required().list(), top.get("truncatedAlerts").text()
	if err := top.doc.err(); err != nil {
		return Output{}, err
	}
	out, err := decodeList(list, in, decodeWebhookAlert)
	if truncated != "0" {
		for _, a := range out.Alerts {
			a.Annotations.SetNonEmpty(alert.TruncatedAnnotation, truncated)
		}
	}
	return out, err
}

// decodeWebhookAlert decodes one alert. A firing alert has no end, or the first day
// of year 1.
func decodeWebhookAlert(n node, in Input) *alert.Alert {
	d := newDraft("")
	for name, value := range n.get("labels").required().texts() {
		if !strings.HasPrefix(name, "__") || !strings.HasSuffix(name, "__") {
			d.label(name, value)
		}
	}
	for name, value := range n.get("annotations").texts() {
		d.annotate(name, value)
	}
	d.annotate(alert.DashboardAnnotation, n.get("panelURL", "dashboardURL").text())
	d.annotateUnknown(n, alertFields...)
	d.GeneratorURL = n.get("generatorURL").text()
	start, end := n.get("startsAt").time(in.Zone), n.get("endsAt").time(in.Zone)
	switch status := n.get("status").required(); strings.ToLower(status.text()) {
	case "firing", "alerting":
		if end.After(in.Now) {
			d.EndsAt = end
		}
		return d.firing(start, in.Now)
	case "resolved", "ok", "normal":
		d.annotate(alert.EndedAnnotation, grafanaEnd(d.Annotations["grafana_state_reason"]))
		return d.resolved(start, end, in.Now)
	default:
		n.doc.fail(status.path(), "%q is neither firing nor resolved", truncate(status.text(), maxQuote))
		return nil
	}
}
