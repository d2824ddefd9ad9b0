package intake

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// Zabbix decodes the messages of the media type in examples/zabbix, or of any webhook
// of Zabbix whose parameters have the names of Zabbix's own media types, as JSON or
// a form. Zabbix sends macros that it could not resolve as they are, {LIKE.THIS};
// they are removed.
func Zabbix(in Input) (Output, error) {
	top, err := openFormOrJSON(in)
	if err != nil {
		return Output{}, err
	}
	removeMacros(top)
	al := zabbixAlert(top, in)
	return Output{Alerts: []*alert.Alert{al}}, top.doc.err()
}

// zabbixSeverities are the names of Zabbix's severities, by number.
var zabbixSeverities = [...]string{"Not classified", "Information", "Warning", "Average", "High", "Disaster"}

var zabbixFields = []string{
	"event_id", "event_value", "event_status", "event_name", "event_severity", "event_nseverity", "trigger_severity", "trigger_nseverity",
	"event_date", "event_time", "event_timestamp", "event_recovery_date", "event_recovery_time", "event_recovery_timestamp",
	"event_tags", "event_tagsjson", "event_recovery_value", "event_update_status", "trigger_id", "trigger_name", "trigger_status",
	"host_name", "host", "hostname", "alert_subject", "alert_message", "trigger_description", "zabbix_url",
	// Parameters for the media type itself.
	"url", "token", "URL", "To", "Subject", "Message", "HTTPProxy",
}

func zabbixAlert(top node, in Input) *alert.Alert {
	text := func(names ...string) string { return top.get(names...).text() }
	name := text("trigger_name", "event_name")
	if name == "" {
		top.doc.fail("event_name", "is missing, as is trigger_name")
	}
	d := newDraft(name)
	d.label(alert.HostLabel, text("host_name", "host", "hostname"))
	// An operator may change the severity of an active event, but not of its
	// trigger. Names can be changed and translated, numbers cannot.
	severity := cmp.Or(severityName(text("trigger_nseverity")), text("trigger_severity"), severityName(text("event_nseverity")), text("event_severity"))
	d.label(alert.SeverityLabel, severity)
	d.label("trigger_id", text("trigger_id"))
	d.label("event_id", text("event_id"))
	zabbixTags(d, top.get("event_tagsjson", "event_tags"))

	d.annotate(alert.SummaryAnnotation, text("alert_subject", "Subject", "event_name"))
	d.annotate(alert.DescriptionAnnotation, text("alert_message", "Message", "trigger_description"))
	if cmp.Or(severityName(text("event_nseverity")), text("event_severity")) != severity {
		d.annotate("event_severity", text("event_severity", "event_nseverity"))
	}
	d.annotateUnknown(top, zabbixFields...)
	d.GeneratorURL = zabbixURL(text("zabbix_url"), text("trigger_id"), text("event_id"))

	start := zabbixTime(top, "event_timestamp", "event_date", "event_time", in.Zone)
	status := top.get("event_value", "event_status", "trigger_status", "trigger_value").required()
	switch strings.ToUpper(status.text()) {
	case "1", "PROBLEM":
		return d.firing(start, in.Now)
	case "0", "OK", "RESOLVED":
		end := zabbixTime(top, "event_recovery_timestamp", "event_recovery_date", "event_recovery_time", in.Zone)
		return d.resolved(start, end, in.Now)
	default:
		top.doc.fail(status.path(), "%q is neither 1 (problem) nor 0 (resolved)", truncate(status.text(), maxQuote))
		return nil
	}
}

// severityName returns Zabbix's own name of a severity's number.
func severityName(number string) string {
	if len(number) == 1 && number[0] >= '0' && int(number[0]-'0') < len(zabbixSeverities) {
		return zabbixSeverities[number[0]-'0']
	}
	return number
}

// zabbixTags sets labels for {EVENT.TAGSJSON}, an array of {"tag", "value"} as JSON
// or as the text of JSON, or for {EVENT.TAGS}, "name:value, name:value". The values
// of a repeated tag are joined.
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
			d.senderLabel("tag_", name, strings.Join(values[name], ","))
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

// zabbixTime parses a time in seconds since 1970, as of Zabbix 7, or a date and a
// time of day.
func zabbixTime(top node, stamp, date, clock string, zone *time.Location) time.Time {
	if n := top.get(stamp); n.present() {
		return n.time(zone)
	}
	day := top.get(date)
	if !day.present() {
		return time.Time{}
	}
	day.value = day.text() + " " + cmp.Or(top.get(clock).text(), "00:00:00")
	return day.time(zone)
}

// zabbixURL returns the address of the event in Zabbix's frontend.
func zabbixURL(base, trigger, event string) string {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || trigger == "" || event == "" {
		return ""
	}
	u = u.JoinPath("tr_events.php")
	u.RawQuery = url.Values{"triggerid": {trigger}, "eventid": {event}}.Encode()
	return u.String()
}

// removeMacros removes the members that are an unresolved macro.
func removeMacros(top node) {
	members := top.object()
	for name, v := range members {
		if s, ok := v.(string); ok && isMacro(strings.TrimSpace(s)) {
			delete(members, name)
		}
	}
}

// isMacro reports whether s is a macro such as {EVENT.ID}, {$ZABBIX.URL} or
// {HOST.NAME1}, or *UNKNOWN*, which Zabbix sends for a macro without a value.
func isMacro(s string) bool {
	if s == "*UNKNOWN*" {
		return true
	}
	name, opened := strings.CutPrefix(s, "{")
	name, closed := strings.CutSuffix(name, "}")
	return opened && closed && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._$#?") == ""
}
