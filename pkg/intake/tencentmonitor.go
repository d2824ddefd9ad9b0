package intake

import (
	"cmp"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// beijing is the zone of the times in the callbacks of Tencent Cloud and of
// Alibaba Cloud, which name none.
var beijing = time.FixedZone("CST", 8*60*60)

// TencentMonitor reads the callbacks of Tencent Cloud Monitor
// (document/product/248/9066), of metrics and of events. The sender repeats what
// is not answered with sessionId and retCode 0.
func TencentMonitor(in Input) (Output, error) {
	top, err := open(in.Body)
	if err != nil {
		return Output{}, err
	}
	al := tencentAlert(top, in.Now)
	reply := map[string]any{"sessionId": top.get("sessionId").text(), "retCode": 0}
	return Output{Alerts: []*alert.Alert{al}, Reply: reply}, top.doc.fault()
}

func tencentAlert(top node, now time.Time) *alert.Alert {
	object, policy := top.get("alarmObjInfo"), top.get("alarmPolicyInfo")
	conditions, dimensions := policy.get("conditions"), object.get("dimensions")
	name := conditions.get("metricName", "eventName")
	if name.text() == "" {
		name.doc.fail(name.path(), "is missing, and so is eventName")
	}

	d := newDraft(name.text())
	d.label("policy", cmp.Or(policy.get("policyName").text(), policy.get("policyId").text()))
	d.label("namespace", object.get("namespace").text())
	d.label("region", object.get("region").text())
	d.label("instance", cmp.Or(dimensions.get("unInstanceId").text(), dimensions.get("objId").text()))
	for _, m := range dimensions.members() {
		if s, ok := scalar(m.node.value); ok {
			d.own("dimension_", m.name, s)
		} else { // objDetail, which is about the object and not its name
			d.note(m.name, cut(m.node.plain(), maxExtraValue))
		}
	}

	d.note("summary", tencentSummary(conditions))
	d.note("object", dimensions.get("objName").text())
	d.note("current_value", conditions.get("currentValue").text())
	d.note("threshold", conditions.get("calcValue").text())
	d.note("duration", top.get("durationTime").text())
	d.note("policy_id", policy.get("policyId").text())
	d.note("policy_type", policy.get("policyTypeCName").text())
	for _, m := range top.get("additionalMsg").list() {
		d.note(m.get("key").text(), m.get("value").plain())
	}
	d.extra(conditions, "metricName", "metricShowName", "calcType", "calcValue", "calcUnit", "currentValue", "unit",
		"productName", "productShowName", "eventName", "eventShowName", "alarmNotifyType", "alarmNotifyPeriod", "period", "periodNum")
	d.extra(policy, "policyId", "policyType", "policyName", "policyTypeCName", "conditions")
	d.extra(object, "region", "namespace", "appId", "uin", "dimensions")
	d.extra(top, "sessionId", "alertId", "alarmStatus", "alarmType", "alarmObjInfo", "alarmPolicyInfo", "additionalMsg",
		"firstOccurTime", "durationTime", "recoverTime")

	start := top.get("firstOccurTime").time(beijing)
	switch status := top.get("alarmStatus").need(); status.text() {
	case "1":
		return d.fires(start, now)
	case "0":
		return d.ends(start, top.get("recoverTime").time(beijing), now)
	default:
		status.doc.fail(status.path(), "%q is neither 1 (it fires) nor 0 (it is over)", cut(status.text(), maxQuote))
		return nil
	}
}

// tencentSummary says what is wrong in the sender's own words: the shown name of
// the metric, its value and the threshold, or the shown names of the event.
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
