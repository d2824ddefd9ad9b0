package intake

import (
	"cmp"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// Aliyun decodes the callbacks of Alibaba Cloud Monitor, as a form or JSON: threshold
// alarms, subscribed events, and the events of the older rules. An absent value may be
// the text null.
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
	var alerts []*alert.Alert
	switch state := top.get("alertState"); {
	case top.get("alert").present():
		alerts = []*alert.Alert{aliyunSubscription(top, in.Now)}
	case state.present() || !top.get("product").present():
		alerts = aliyunThreshold(top, state.required(), in.Now)
	default:
		alerts = []*alert.Alert{aliyunEvent(top, in.Now)}
	}
	return Output{Alerts: alerts}, top.doc.err()
}

// aliyunThreshold decodes an alarm. The label severity distinguishes the levels of an
// alarm: when the level changes, the alert of the level before ends, and a recovery,
// which does not always name the level before, resolves the alerts of all levels.
func aliyunThreshold(top, state node, now time.Time) []*alert.Alert {
	at, level, before := top.get("timestamp").time(beijing), aliyunLevel(top, "triggerLevel"), aliyunLevel(top, "preTriggerLevel")
	newAlarm := func(severity string) *draft {
		d := aliyunAlarm(top)
		d.label(alert.SeverityLabel, severity)
		return d
	}
	switch state.text() {
	case "ALERT", "ALARM", "INSUFFICIENT_DATA": // an unknown state is not resolved
		level = cmp.Or(level, before)
		d := newAlarm(level)
		d.annotate("state", state.text())
		alerts := []*alert.Alert{d.firing(at, now)}
		if before != "" && before != level {
			d := newAlarm(before)
			d.annotate(alert.EndedAnnotation, alert.EndedChanged)
			alerts = append(alerts, d.resolved(at, at, now))
		}
		return alerts
	case "OK":
		var alerts []*alert.Alert
		for _, severity := range []string{"", alert.SeverityCritical, alert.SeverityWarning, alert.SeverityInfo} {
			alerts = append(alerts, newAlarm(severity).resolved(at, at, now))
		}
		return alerts
	default:
		state.doc.fail(state.path(), "%q is none of ALERT, OK and INSUFFICIENT_DATA", truncate(state.text(), maxQuote))
		return nil
	}
}

// aliyunLevel returns the severity of a level, "" for OK and for an unknown one.
func aliyunLevel(n node, names ...string) string {
	level := n.get(names...).text()
	if level == "OK" {
		return ""
	}
	return alert.ParseSeverity(level)
}

// aliyunAlarm returns a draft with what the alerts of all levels of an alarm share.
func aliyunAlarm(top node) *draft {
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
	d.annotate("duration", text("lastTime"))
	d.annotate("region", text("regionName", "regionId"))
	d.annotateUnknown(top, "alertName", "alertState", "curValue", "dimensions", "expression", "instanceName", "metricName", "rawMetricName", "metricProject",
		"namespace", "triggerLevel", "preTriggerLevel", "ruleId", "timestamp", "userId", "lastTime", "unit", "groupId", "regionId", "regionName",
		"transId", "signature", "customLabels")
	return d
}

// aliyunSubscription decodes a subscribed event, whose member alert is JSON text in a
// form. The id is that of all messages about one event.
func aliyunSubscription(top node, now time.Time) *alert.Alert {
	event := top.get("alert")
	if s, ok := event.value.(string); ok {
		event.value = jsonOrNil(s)
		if event.value == nil {
			event.doc.fail(event.path(), "is not JSON")
		}
	}
	meta := event.get("meta").get("sysEventMeta")
	text := func(names ...string) string { return event.get(names...).text() }
	metaText := func(names ...string) string { return meta.get(names...).text() }

	eventName := cmp.Or(text("eventName"), metaText("name"))
	if eventName == "" {
		event.doc.fail(event.path()+".eventName", "is missing")
	}
	d := newDraft(eventName)
	d.label("namespace", text("product"))
	d.label(alert.InstanceLabel, cmp.Or(metaText("instanceName"), text("arn"), metaText("resourceId")))
	d.label(alert.SeverityLabel, cmp.Or(aliyunLevel(event, "severity"), aliyunLevel(top, "severity"), aliyunLevel(meta, "level")))
	d.label("dedup_id", text("dedupId"))

	d.annotate(alert.SummaryAnnotation, strings.TrimSpace(cmp.Or(metaText("serviceTypeZh"), text("product"))+" "+cmp.Or(metaText("eventNameZh"), eventName)))
	d.annotate("status", metaText("status"))
	d.annotate("resource", cmp.Or(text("arn"), metaText("resourceId")))
	d.annotate("region", metaText("regionNameZh", "regionId"))
	d.annotate("strategy", top.get("strategyName").text())
	if content := event.get("eventRawContent").anyText(); content != "{}" {
		d.annotate("content", truncate(content, maxUnknownField))
	}

	at := event.get("timestamp").time(beijing)
	switch status := event.get("alertStatus").required(); status.text() {
	case "TRIGGERED":
		// Few events report their end.
		d.Timeout = text("source") == "SYS_EVENT"
		return d.firing(at, now)
	case "RESOLVED":
		return d.resolved(at, at, now)
	default:
		status.doc.fail(status.path(), "%q is neither TRIGGERED nor RESOLVED", truncate(status.text(), maxQuote))
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
	d.label(alert.SeverityLabel, aliyunLevel(top, "level"))
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
