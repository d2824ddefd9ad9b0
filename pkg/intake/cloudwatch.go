package intake

import (
	"cmp"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// cloudWatch reads an alarm of Amazon CloudWatch, in the form in which SNS brings
// it or in that of EventBridge. Both have the same labels.
func cloudWatch(top node, now time.Time) *alert.Alert {
	if top.get("detail-type").is() {
		return eventBridgeAlarm(top, now)
	}
	a := cloudWatchAlarm{
		name: top.get("AlarmName").need().text(), arn: top.get("AlarmArn").text(),
		account: top.get("AWSAccountId").text(), region: top.get("Region").text(),
		state: top.get("NewStateValue").need(), at: top.get("StateChangeTime").time(nil),
	}
	trigger := top.get("Trigger")
	metric := trigger
	if metrics := trigger.get("Metrics"); metrics.is() {
		metric = onlyMetric(metrics, "MetricStat", "Metric")
	}
	a.metric, a.namespace = metric.get("MetricName").text(), metric.get("Namespace").text()
	for _, d := range metric.get("Dimensions").list() {
		a.dimensions = append(a.dimensions, pair{d.get("name", "Name").text(), d.get("value", "Value").text()})
	}

	d := a.draft()
	d.note("summary", top.get("NewStateReason").text())
	d.note("description", top.get("AlarmDescription").text())
	d.note("threshold", trigger.get("Threshold").text())
	d.note("comparison", trigger.get("ComparisonOperator").text())
	d.note("alarm_rule", top.get("AlarmRule").text())
	d.extra(top, "AlarmName", "AlarmDescription", "AWSAccountId", "AlarmConfigurationUpdatedTimestamp", "NewStateValue", "NewStateReason",
		"StateChangeTime", "Region", "AlarmArn", "OldStateValue", "OKActions", "AlarmActions", "InsufficientDataActions", "Trigger", "AlarmRule")
	return a.settle(d, now)
}

// eventBridgeAlarm reads an event "CloudWatch Alarm State Change".
func eventBridgeAlarm(top node, now time.Time) *alert.Alert {
	if kind := top.get("detail-type"); kind.text() != "CloudWatch Alarm State Change" {
		kind.doc.fail(kind.path(), "%q is not taken: CloudWatch Alarm State Change is", cut(kind.text(), maxQuote))
	}
	detail := top.get("detail").need()
	configuration, state := detail.get("configuration"), detail.get("state")
	a := cloudWatchAlarm{
		name: detail.get("alarmName").need().text(), account: top.get("account").text(), region: top.get("region").text(),
		state: state.get("value").need(), at: state.get("timestamp").time(nil),
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
	d.note("summary", state.get("reason").text())
	d.note("description", configuration.get("description").text())
	d.extra(detail, "alarmName", "configuration", "previousState", "state")
	return a.settle(d, now)
}

// onlyMetric is the metric of an alarm that judges one; of a mathematical alarm
// on several there is none.
func onlyMetric(metrics node, stat, metric string) node {
	var only node
	for _, m := range metrics.list() {
		if s := m.get(stat); s.is() {
			if only.is() {
				return metrics.member(metric, nil)
			}
			only = s.get(metric)
		}
	}
	if !only.is() {
		return metrics.member(metric, nil)
	}
	return only
}

// cloudWatchAlarm is what both forms tell.
type cloudWatchAlarm struct {
	name, arn, account, region, namespace, metric string

	dimensions []pair
	state      node
	at         time.Time
}

// draft has the labels. SNS names the region as people do, "US East (N.
// Virginia)"; the alarm's ARN has its code.
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
		d.own("dimension_", t.name, t.value)
	}
	d.note("alarm_arn", a.arn)
	return d
}

// settle says whether the alarm fires. One without data does: what is not known
// is not well, and who wants no word of it sends none.
func (a *cloudWatchAlarm) settle(d *draft, now time.Time) *alert.Alert {
	d.note("state", a.state.text())
	switch a.state.text() {
	case "ALARM", "INSUFFICIENT_DATA":
		return d.fires(a.at, now)
	case "OK":
		return d.ends(a.at, a.at, now)
	default:
		a.state.doc.fail(a.state.path(), "%q is none of ALARM, OK and INSUFFICIENT_DATA", cut(a.state.text(), maxQuote))
		return nil
	}
}
