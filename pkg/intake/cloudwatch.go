package intake

import (
	"cmp"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// cloudWatch decodes an alarm of Amazon CloudWatch in the form of SNS or of
// EventBridge. Both result in the same labels.
func cloudWatch(top node, now time.Time) *alert.Alert {
	if top.get("detail-type").present() {
		return eventBridgeAlarm(top, now)
	}
	a := cloudWatchAlarm{
		name: top.get("AlarmName").required().text(), arn: top.get("AlarmArn").text(),
		account: top.get("AWSAccountId").text(), region: top.get("Region").text(),
		state: top.get("NewStateValue").required(), at: top.get("StateChangeTime").time(nil),
	}
	trigger := top.get("Trigger")
	metric := trigger
	if metrics := trigger.get("Metrics"); metrics.present() {
		metric = onlyMetric(metrics, "MetricStat", "Metric")
	}
	a.metric, a.namespace = metric.get("MetricName").text(), metric.get("Namespace").text()
	for _, d := range metric.get("Dimensions").list() {
		a.dimensions = append(a.dimensions, pair{d.get("name", "Name").text(), d.get("value", "Value").text()})
	}

	d := a.draft()
	d.annotate(alert.SummaryAnnotation, top.get("NewStateReason").text())
	d.annotate(alert.DescriptionAnnotation, top.get("AlarmDescription").text())
	d.annotate(alert.ThresholdAnnotation, trigger.get("Threshold").text())
	d.annotate("comparison", trigger.get("ComparisonOperator").text())
	d.annotate("alarm_rule", top.get("AlarmRule").text())
	d.annotateUnknown(top, "AlarmName", "AlarmDescription", "AWSAccountId", "AlarmConfigurationUpdatedTimestamp", "NewStateValue", "NewStateReason",
		"StateChangeTime", "Region", "AlarmArn", "OldStateValue", "OKActions", "AlarmActions", "InsufficientDataActions", "Trigger", "AlarmRule")
	return a.finish(d, now)
}

// cloudWatchEvent is the type of EventBridge's events about alarms.
const cloudWatchEvent = "CloudWatch Alarm State Change"

// eventBridgeAlarm decodes an event of the type cloudWatchEvent.
func eventBridgeAlarm(top node, now time.Time) *alert.Alert {
	if kind := top.get("detail-type"); kind.text() != cloudWatchEvent {
		kind.doc.fail(kind.path(), "unknown event %q: %s is supported", truncate(kind.text(), maxQuote), cloudWatchEvent)
	}
	detail := top.get("detail").required()
	configuration, state := detail.get("configuration"), detail.get("state")
	a := cloudWatchAlarm{
		name: detail.get("alarmName").required().text(), account: top.get("account").text(), region: top.get("region").text(),
		state: state.get("value").required(), at: state.get("timestamp").time(nil),
	}
	if resources := top.get("resources").list(); len(resources) > 0 {
		a.arn = resources[0].text()
	}
	metric := onlyMetric(configuration.get("metrics"), "metricStat", "metric")
	a.metric, a.namespace = metric.get("name").text(), metric.get("namespace").text()
	for _, m := range metric.get("dimensions").members() {
		a.dimensions = append(a.dimensions, pair{m.name, m.node.text()})
	}

	d := a.draft()
	d.annotate(alert.SummaryAnnotation, state.get("reason").text())
	d.annotate(alert.DescriptionAnnotation, configuration.get("description").text())
	d.annotateUnknown(detail, "alarmName", "configuration", "previousState", "state")
	return a.finish(d, now)
}

// onlyMetric returns the metric of an alarm on a single metric; absent for metric
// math on several.
func onlyMetric(metrics node, stat, metric string) node {
	var only node
	for _, m := range metrics.list() {
		if s := m.get(stat); s.present() {
			if only.present() {
				return metrics.member(metric, nil)
			}
			only = s.get(metric)
		}
	}
	if !only.present() {
		return metrics.member(metric, nil)
	}
	return only
}

// cloudWatchAlarm are the values that both forms contain.
type cloudWatchAlarm struct {
	name, arn, account, region, namespace, metric string

	dimensions []pair
	state      node
	at         time.Time
}

// draft returns a draft with the labels. SNS has the name of the region, "US East
// (N. Virginia)"; the alarm's ARN has its code.
func (a *cloudWatchAlarm) draft() *draft {
	d := newDraft(a.name)
	account, region := a.account, a.region
	// arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME
	if parts := strings.SplitN(a.arn, ":", 7); len(parts) == 7 && parts[0] == "arn" && parts[2] == "cloudwatch" {
		region, account = cmp.Or(parts[3], region), cmp.Or(account, parts[4])
	}
	d.label("account", account)
	d.label("region", region)
	d.label("namespace", a.namespace)
	d.label("metric", a.metric)
	for _, t := range a.dimensions {
		d.senderLabel("dimension_", t.name, t.value)
	}
	d.annotate("alarm_arn", a.arn)
	return d
}

// finish returns the alert. An alarm without data fires, because its state is unknown.
// If missing data must not notify, the alarm has no action for that state.
func (a *cloudWatchAlarm) finish(d *draft, now time.Time) *alert.Alert {
	d.annotate("state", a.state.text())
	switch a.state.text() {
	case "ALARM", "INSUFFICIENT_DATA":
		return d.firing(a.at, now)
	case "OK":
		return d.resolved(a.at, a.at, now)
	default:
		a.state.doc.fail(a.state.path(), "%q is none of ALARM, OK and INSUFFICIENT_DATA", truncate(a.state.text(), maxQuote))
		return nil
	}
}
