package intake

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// Zabbix reads what the media type of examples/zabbix sends, or any webhook of
// Zabbix that names its parameters as Zabbix's own media types do: JSON or a
// form. The sender's macros that could not be resolved arrive as they are
// written, {LIKE.THIS}, and are dropped.
func Zabbix(in Input) (Output, error) {
	top, err := openEither(in)
	if err != nil {
		return Output{}, err
	}
	dropMacros(top)
	al := zabbixAlert(top, in)
	return Output{Alerts: []*alert.Alert{al}}, top.doc.fault()
}

// zabbixSeverities are Zabbix's names of its severities, by number.
var zabbixSeverities = [...]string{"Not classified", "Information", "Warning", "Average", "High", "Disaster"}

var zabbixFields = []string{
	"event_id", "event_value", "event_status", "event_name", "event_severity", "event_nseverity", "trigger_severity", "trigger_nseverity",
	"event_date", "event_time", "event_timestamp", "event_recovery_date", "event_recovery_time", "event_recovery_timestamp",
	"event_tags", "event_tagsjson", "event_recovery_value", "event_update_status", "trigger_id", "trigger_name", "trigger_status",
	"host_name", "host", "hostname", "alert_subject", "alert_message", "trigger_description", "zabbix_url",
	// The parameters of the media type that are for itself.
	"url", "token", "URL", "To", "Subject", "Message", "HTTPProxy",
}

func zabbixAlert(top node, in Input) *alert.Alert {
	text := func(names ...string) string { return top.get(names...).text() }
	name := text("trigger_name", "event_name")
	if name == "" {
		top.doc.fail("event_name", "is missing, and so is trigger_name")
	}
	d := newDraft(name)
	d.label("host", text("host_name", "host", "hostname"))
	// An operator may change an event's severity while it lasts; its trigger's
	// stays.
	severity := cmp.Or(text("trigger_severity"), severityName(text("trigger_nseverity")), text("event_severity"), severityName(text("event_nseverity")))
	d.label(alert.SeverityLabel, severity)
	d.label("trigger_id", text("trigger_id"))
	d.label("event_id", text("event_id"))
	zabbixTags(d, top.get("event_tagsjson", "event_tags"))

	d.note("summary", text("alert_subject", "Subject", "event_name"))
	d.note("description", text("alert_message", "Message", "trigger_description"))
	if now := text("event_severity"); now != severity {
		d.note("event_severity", now)
	}
	d.extra(top, zabbixFields...)
	d.GeneratorURL = zabbixURL(text("zabbix_url"), text("trigger_id"), text("event_id"))

	start := zabbixTime(top, "event_timestamp", "event_date", "event_time", in.Zone)
	status := top.get("event_value", "event_status", "trigger_status", "trigger_value").need()
	switch strings.ToUpper(status.text()) {
	case "1", "PROBLEM":
		return d.fires(start, in.Now)
	case "0", "OK", "RESOLVED":
		end := zabbixTime(top, "event_recovery_timestamp", "event_recovery_date", "event_recovery_time", in.Zone)
		return d.ends(start, end, in.Now)
	default:
		top.doc.fail(status.path(), "%q is neither 1 (a problem) nor 0 (it is over)", cut(status.text(), maxQuote))
		return nil
	}
}

func severityName(number string) string {
	if len(number) == 1 && number[0] >= '0' && int(number[0]-'0') < len(zabbixSeverities) {
		return zabbixSeverities[number[0]-'0']
	}
	return number
}

// zabbixTags reads {EVENT.TAGSJSON}, an array of {"tag", "value"}, as JSON or as
// its text; or {EVENT.TAGS}, "name:value, name:value". A tag that is there with
// several values gets them all.
func zabbixTags(d *draft, tags node) {
	if s, ok := tags.value.(string); ok {
		tags.value = parseTags(s)
	}
	values := map[string][]string{}
	for _, tag := range tags.list() {
		name := tag.get("tag", "name").text()
		values[name] = append(values[name], cmp.Or(tag.get("value").text(), "true"))
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		slices.Sort(values[name])
		if name != "" {
			d.own("tag_", name, strings.Join(values[name], ","))
		}
	}
}

func parseTags(s string) any {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil
	}
	if strings.HasPrefix(s, "[") {
		if v, err := parseJSON([]byte(s)); err == nil {
			return v
		}
	}
	var tags []any
	for _, tag := range strings.Split(s, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(tag), ":")
		tags = append(tags, map[string]any{"tag": strings.TrimSpace(name), "value": strings.TrimSpace(value)})
	}
	return tags
}

// zabbixTime reads a time that is seconds since 1970, as from Zabbix 7, or a date
// and a time of day.
func zabbixTime(top node, stamp, date, clock string, zone *time.Location) time.Time {
	if n := top.get(stamp); n.is() {
		return n.time(zone)
	}
	day := top.get(date)
	if !day.is() {
		return time.Time{}
	}
	day.value = day.text() + " " + cmp.Or(top.get(clock).text(), "00:00:00")
	return day.time(zone)
}

// zabbixURL leads to the event in Zabbix's own pages.
func zabbixURL(base, trigger, event string) string {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || trigger == "" || event == "" {
		return ""
	}
	u = u.JoinPath("tr_events.php")
	u.RawQuery = url.Values{"triggerid": {trigger}, "eventid": {event}}.Encode()
	return u.String()
}

// dropMacros removes the members that are nothing but an unresolved macro.
func dropMacros(top node) {
	members := top.object()
	for name, v := range members {
		if s, ok := v.(string); ok && isMacro(strings.TrimSpace(s)) {
			delete(members, name)
		}
	}
}

// isMacro tells whether s is a macro such as {EVENT.ID}, {$ZABBIX.URL} or
// {HOST.NAME1}, or what Zabbix writes for one that has no value.
func isMacro(s string) bool {
	if s == "*UNKNOWN*" {
		return true
	}
	name, opened := strings.CutPrefix(s, "{")
	name, closed := strings.CutSuffix(name, "}")
	return opened && closed && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._$#?") == ""
}
