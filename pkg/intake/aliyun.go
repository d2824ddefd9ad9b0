package intake

import (
	"cmp"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// Aliyun reads the callbacks of Alibaba Cloud Monitor: those of thresholds, a
// form or JSON, and those of events, JSON. A value that is missing may be the
// text null.
func Aliyun(in Input) (Output, error) {
	top, err := openEither(in)
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
	if state := top.get("alertState"); state.is() || !top.get("product").is() {
		al = aliyunThreshold(top, state.need(), in.Now)
	} else {
		al = aliyunEvent(top, in.Now)
	}
	return Output{Alerts: []*alert.Alert{al}}, top.doc.fault()
}

func aliyunThreshold(top, state node, now time.Time) *alert.Alert {
	text := func(names ...string) string { return top.get(names...).text() }
	dimensions := aliyunDimensions(top.get("dimensions"))

	d := newDraft(top.get("alertName").need().text())
	d.label("namespace", text("namespace", "metricProject"))
	d.label("metric", text("metricName", "rawMetricName"))
	d.label("instance", cmp.Or(text("instanceName"), dimensions.get("instanceId").text()))
	d.label("rule_id", text("ruleId"))
	for _, m := range dimensions.members() {
		d.own("dimension_", m.name, m.node.text())
	}
	labels := top.get("customLabels")
	if s, ok := labels.value.(string); ok {
		labels.value = parsed(s)
	}
	for _, m := range labels.members() {
		d.own("custom_", m.name, m.node.text())
	}

	d.note("summary", strings.TrimSpace(text("metricName", "rawMetricName")+" "+text("curValue")+text("unit")))
	d.note("current_value", text("curValue"))
	d.note("expression", top.get("expression").plain())
	d.note("level", text("triggerLevel"))
	d.note("duration", text("lastTime"))
	d.note("region", text("regionName", "regionId"))
	d.extra(top, "alertName", "alertState", "curValue", "dimensions", "expression", "instanceName", "metricName", "rawMetricName", "metricProject",
		"namespace", "triggerLevel", "preTriggerLevel", "ruleId", "timestamp", "userId", "lastTime", "unit", "groupId", "regionId", "regionName",
		"transId", "signature", "customLabels")

	at := top.get("timestamp").time(beijing)
	switch state.text() {
	case "ALERT", "ALARM", "INSUFFICIENT_DATA": // what is not known is not over
		d.note("state", state.text())
		return d.fires(at, now)
	case "OK":
		return d.ends(at, at, now)
	default:
		state.doc.fail(state.path(), "%q is none of ALERT, OK and INSUFFICIENT_DATA", cut(state.text(), maxQuote))
		return nil
	}
}

// aliyunEvent reads what happened to a resource: nobody will say that it is over.
func aliyunEvent(top node, now time.Time) *alert.Alert {
	text := func(names ...string) string { return top.get(names...).text() }
	d := newDraft(top.get("name").need().text())
	d.label("namespace", text("product"))
	d.label("instance", text("instanceName", "resourceId"))
	d.note("summary", strings.TrimSpace(text("product")+" "+text("name")))
	d.note("level", text("level"))
	d.note("resource", text("resourceId"))
	d.note("region", text("regionId"))
	d.extra(top, "product", "name", "level", "instanceName", "resourceId", "regionId", "id", "userId", "eventTime")
	d.Timeout = true
	return d.fires(top.get("eventTime").time(beijing), now)
}

// aliyunDimensions reads {k=v, k=v}, or JSON: an object, or an array of one; or
// either as text.
func aliyunDimensions(n node) node {
	if s, ok := n.value.(string); ok {
		if n.value = parsed(s); n.value == nil {
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

// parsed is the value that a text is the JSON of, nil when it is none.
func parsed(s string) any {
	v, err := parseJSON([]byte(s))
	if err != nil {
		return nil
	}
	return v
}

// parsePairs reads {k=v, k=v}. What has no name belongs to the value before it.
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
