package intake

import (
	"bytes"
	"cmp"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// beijing is the zone of the times in the callbacks of Tencent Cloud and Alibaba
// Cloud, which have none.
var beijing = time.FixedZone("CST", 8*60*60)

// TencentMonitor decodes the callbacks of Tencent Cloud Monitor on metrics and events
// (document/product/248/9066). The sender retries unless the response contains the
// sessionId and retCode 0. When the address is saved it is verified by a request
// without an alarm, which has no body, or none but the sessionId.
func TencentMonitor(in Input) (Output, error) {
	if len(bytes.TrimSpace(in.Body)) == 0 {
		return Output{Reply: map[string]any{"retCode": 0}}, nil
	}
	top, err := open(in.Body)
	if err != nil {
		return Output{}, err
	}
	reply := map[string]any{"sessionId": top.get("sessionId").text(), "retCode": 0}
	if members := top.object(); len(members) == 0 || len(members) == 1 && top.get("sessionId").present() {
		return Output{Reply: reply}, top.doc.err()
	}
	al := tencentAlert(top, in.Now)
	return Output{Alerts: []*alert.Alert{al}, Reply: reply}, top.doc.err()
}

func tencentAlert(top node, now time.Time) *alert.Alert {
	object, policy := top.get("alarmObjInfo"), top.get("alarmPolicyInfo")
	conditions, dimensions := policy.get("conditions"), object.get("dimensions")
	name := conditions.get("metricName", "eventName")
	if name.text() == "" {
		name.doc.fail(name.path(), "is missing, as is eventName")
	}

	d := newDraft(name.text())
	d.label("policy", cmp.Or(policy.get("policyName").text(), policy.get("policyId").text()))
	d.label("namespace", object.get("namespace").text())
	d.label("region", object.get("region").text())
	d.label(alert.InstanceLabel, cmp.Or(dimensions.get("unInstanceId").text(), dimensions.get("objId", "objName", "deviceName").text()))
	for _, m := range dimensions.members() {
		s, ok := scalar(m.node.value)
		switch {
		case m.name == "objName", m.name == "deviceName": // people change names
		case ok:
			d.senderLabel("dimension_", m.name, s)
		default: // objDetail, which describes the object rather than identifies it
			d.annotate(m.name, truncate(m.node.anyText(), maxUnknownField))
		}
	}

	d.annotate(alert.SummaryAnnotation, tencentSummary(conditions))
	d.annotate("object", dimensions.get("objName", "deviceName").text())
	d.annotate("current_value", conditions.get("currentValue").text())
	d.annotate(alert.ThresholdAnnotation, conditions.get("calcValue").text())
	d.annotate("duration", top.get("durationTime").text())
	d.annotate("policy_id", policy.get("policyId").text())
	d.annotate("policy_type", policy.get("policyTypeCName").text())
	for _, m := range top.get("additionalMsg").list() {
		d.annotate(m.get("key").text(), m.get("value").anyText())
	}
	d.annotateUnknown(conditions, "metricName", "metricShowName", "calcType", "calcValue", "calcUnit", "currentValue", "unit",
		"productName", "productShowName", "eventName", "eventShowName", "alarmNotifyType", "alarmNotifyPeriod", "period", "periodNum")
	d.annotateUnknown(policy, "policyId", "policyType", "policyName", "policyTypeCName", "conditions")
	d.annotateUnknown(object, "region", "namespace", "appId", "uin", "dimensions")
	d.annotateUnknown(top, "sessionId", "alertId", "alarmStatus", "alarmType", "alarmObjInfo", "alarmPolicyInfo", "additionalMsg",
		"firstOccurTime", "durationTime", "recoverTime")

	start := top.get("firstOccurTime").time(beijing)
	switch status := top.get("alarmStatus").required(); status.text() {
	case "1":
		return d.firing(start, now)
	case "0":
		return d.resolved(start, top.get("recoverTime").time(beijing), now)
	default:
		status.doc.fail(status.path(), "%q is neither 1 (firing) nor 0 (resolved)", truncate(status.text(), maxQuote))
		return nil
	}
}

// tencentSummary returns a summary in the sender's language: the display name of the
// metric, its value and the threshold, or the display names of the event.
func tencentSummary(conditions node) string {
	text := func(name string) string { return conditions.get(name).text() }
	if event := cmp.Or(text("eventShowName"), text("eventName")); event != "" {
		return strings.TrimSpace(text("productShowName") + " " + event)
	}
	var s strings.Builder
	s.WriteString(cmp.Or(text("metricShowName"), text("metricName")))
	if v := text("currentValue"); v != "" {
		s.WriteString(" " + v + text("unit"))
	}
	if v := text("calcValue"); v != "" {
		s.WriteString(" " + text("calcType") + " " + v + cmp.Or(text("calcUnit"), text("unit")))
	}
	return s.String()
}
