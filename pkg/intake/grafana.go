package intake

import (
	"strings"

	"tocsin/pkg/alert"
)

// Grafana decodes the webhooks of Grafana's unified alerting, whose alerts are those
// of Alertmanager, and of the legacy alerting before Grafana 11. A contact point with a
// custom payload needs NewGeneric.
func Grafana(in Input) (Output, error) {
	top, err := open(in.Body)
	if err == nil && !top.get("alerts").present() && top.get("ruleName").present() {
		al := grafanaLegacy(top, in)
		return Output{Alerts: []*alert.Alert{al}}, top.doc.err()
	}
	return decodeWebhook(in, "1")
}

// grafanaEnd returns the value of alert.EndedAnnotation for the reason that Grafana gives
// for an end that is not a recovery: Updated, MissingSeries, Paused, NoData, Error or
// RuleDeleted.
func grafanaEnd(reason string) string {
	switch reason {
	case "":
		return ""
	case "MissingSeries":
		return alert.EndedExpired
	default:
		return alert.EndedChanged
	}
}

// grafanaLegacy decodes the notification of a rule. The rule's values of all series
// are in one notification.
func grafanaLegacy(top node, in Input) *alert.Alert {
	text := func(name string) string { return top.get(name).text() }
	d := newDraft(top.get("ruleName").required().text())
	d.label("rule_id", text("ruleId"))
	for name, value := range top.get("tags").texts() {
		d.senderLabel("tag_", name, value)
	}
	d.annotate(alert.SummaryAnnotation, text("message"))
	var values []string
	for _, m := range top.get("evalMatches").list() {
		values = append(values, m.get("metric").text()+" = "+m.get("value").text())
	}
	d.annotate("current_value", truncate(strings.Join(values, ", "), maxUnknownField))
	d.annotate("image_url", text("imageUrl"))
	d.annotateUnknown(top, "title", "ruleId", "ruleName", "ruleUrl", "state", "evalMatches", "message", "imageUrl", "tags", "orgId", "dashboardId", "panelId")
	d.GeneratorURL = text("ruleUrl")
	switch state := top.get("state").required(); state.text() {
	case "alerting", "no_data":
		d.annotate("state", state.text())
		return d.firing(in.Now, in.Now)
	case "ok":
		return d.resolved(in.Now, in.Now, in.Now)
	case "paused":
		d.annotate(alert.EndedAnnotation, alert.EndedChanged)
		return d.resolved(in.Now, in.Now, in.Now)
	default:
		state.doc.fail(state.path(), "%q is none of alerting, no_data, ok and paused", truncate(state.text(), maxQuote))
		return nil
	}
}
