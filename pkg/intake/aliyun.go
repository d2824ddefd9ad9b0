package intake

import (
	"cmp"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// Aliyun decodes the callbacks of Alibaba Cloud Monitor: threshold alarms as a form
// or JSON, and events as JSON. An absent value may be the text null.
func Aliyun(in Input) (Output, error) {
	top, err := openFormOrJSON(in)
	if err != nil {
		return Output{}, err
	}
	members := top.object()
	for name, v := range members {
		if v == "null" {
			delete(members, name)
		}
	}
	var al *alert.Alert
	if state := top.get("alertState"); state.present() || !top.get("product").present() {
		al = aliyunThreshold(top, state.required(), in.Now)
	} else {
		al = aliyunEvent(top, in.Now)
	}
	return Output{Alerts: []*alert.Alert{al}}, top.doc.err()
}

func aliyunThreshold(top, state node, now time.Time) *alert.Alert {
	text := func(names ...string) string { return top.get(names...).text() }
	dimensions := aliyunDimensions(top.get("dimensions"))

	d := newDraft(top.get("alertName").required().text())
	d.label("namespace", text("namespace", "metricProject"))
	d.label("metric", text("metricName", "rawMetricName"))
	d.label(alert.InstanceLabel, cmp.Or(text("instanceName"), dimensions.get("instanceId").text()))
	d.label("rule_id", text("ruleId"))
	for _, m := range dimensions.members() {
		d.senderLabel("dimension_", m.name, m.node.text())
	}
	labels := top.get("customLabels")
	if s, ok := labels.value.(string); ok {
		labels.value = jsonOrNil(s)
	}
	for _, m := range labels.members() {
		d.senderLabel("custom_", m.name, m.node.text())
	}

	d.annotate(alert.SummaryAnnotation, strings.TrimSpace(text("metricName", "rawMetricName")+" "+text("curValue")+text("unit")))
	d.annotate("current_value", text("curValue"))
	d.annotate("expression", top.get("expression").anyText())
	d.annotate("level", text("triggerLevel"))
	d.annotate("duration", text("lastTime"))
	d.annotate("region", text("regionName", "regionId"))
	d.annotateUnknown(top, "alertName", "alertState", "curValue", "dimensions", "expression", "instanceName", "metricName", "rawMetricName", "metricProject",
		"namespace", "triggerLevel", "preTriggerLevel", "ruleId", "timestamp", "userId", "lastTime", "unit", "groupId", "regionId", "regionName",
		"transId", "signature", "customLabels")

	at := top.get("timestamp").time(beijing)
	switch state.text() {
	case "ALERT", "ALARM", "INSUFFICIENT_DATA": // an unknown state is not resolved
		d.annotate("state", state.text())
		return d.firing(at, now)
	case "OK":
		return d.resolved(at, at, now)
	default:
		state.doc.fail(state.path(), "%q is none of ALERT, OK and INSUFFICIENT_DATA", truncate(state.text(), maxQuote))
		return nil
	}
}

// aliyunEvent decodes an event of a resource, which has no recovery.
func aliyunEvent(top node, now time.Time) *alert.Alert {
	text := func(names ...string) string { return top.get(names...).text() }
	d := newDraft(top.get("name").required().text())
	d.label("namespace", text("product"))
	d.label(alert.InstanceLabel, text("instanceName", "resourceId"))
	d.annotate(alert.SummaryAnnotation, strings.TrimSpace(text("product")+" "+text("name")))
	d.annotate("level", text("level"))
	d.annotate("resource", text("resourceId"))
	d.annotate("region", text("regionId"))
	d.annotateUnknown(top, "product", "name", "level", "instanceName", "resourceId", "regionId", "id", "userId", "eventTime")
	d.Timeout = true
	return d.firing(top.get("eventTime").time(beijing), now)
}

// aliyunDimensions parses dimensions: {k=v, k=v}; or an object or an array of one
// object, as JSON or as the text of JSON.
func aliyunDimensions(n node) node {
	if s, ok := n.value.(string); ok {
		if n.value = jsonOrNil(s); n.value == nil {
			n.value = parsePairs(s)
		}
	}
	if items, ok := n.value.([]any); ok {
		n.value = nil
		if len(items) > 0 {
			n.value = items[0]
		}
	}
	return n
}

// jsonOrNil parses JSON, and returns nil for other text.
func jsonOrNil(s string) any {
	v, err := parseJSON([]byte(s))
	if err != nil {
		return nil
	}
	return v
}

// parsePairs parses {k=v, k=v}. A part without = belongs to the value before it.
func parsePairs(s string) map[string]any {
	s = strings.TrimSpace(s)
	s = strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	pairs := map[string]any{}
	name, value := "", ""
	for _, pair := range strings.Split(s, ",") {
		if n, v, ok := strings.Cut(pair, "="); ok {
			name, value = strings.TrimSpace(n), strings.TrimSpace(v)
		} else {
			value += "," + pair
		}
		if name != "" {
			pairs[name] = value
		}
	}
	return pairs
}
