package intake_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tocsin/pkg/intake"
)

func TestErrors(t *testing.T) {
	webhook := func(fields string) string { return `{"version":"4","alerts":[{` + fields + `}]}` }
	falcon := func(content string) string { return "content=" + strings.ReplaceAll(content, "#", "%23") }
	tencent := func(rest string) string {
		return `{"alarmPolicyInfo":{"conditions":{"metricName":"m"}},` + rest + `}`
	}
	for _, tt := range []struct{ system, body, want string }{
		{"alertmanager", ``, "the body is empty: JSON is expected"},
		{"alertmanager", " \n", "the body is empty: JSON is expected"},
		{"alertmanager", `{"version":"4","alerts":[{"status":"fir`, "unexpected end of the JSON"},
		{"alertmanager", `{"version":"4"`, "unexpected end of the JSON"},
		{"alertmanager", `{"a":1} {"b":2}`, "byte 7: unexpected data after the JSON value"},
		{"alertmanager", `{"a":1,}`, "byte 6: invalid JSON: "},
		{"alertmanager", `{"labels":1,"labels":2}`, `duplicate name "labels" in one object`},
		{"alertmanager", webhook(`"labels":{"a":"1","a":"2"}`), `duplicate name "a" in one object`},
		{"alertmanager", "{\"a\":\"\xff\"}", "invalid JSON: invalid UTF-8"},
		{"alertmanager", `{"a":"\ud800"}`, "invalid JSON: invalid surrogate pair"},
		{"alertmanager", strings.Repeat(`{"a":`, 66) + "1" + strings.Repeat("}", 66), "nested more than 64 levels deep"},
		{"alertmanager", "[" + strings.Repeat("0,", 100_001) + "0]", "more than 100000 values in one message"},
		{"alertmanager", `[]`, "an array where an object is expected"},
		{"alertmanager", `null`, "null where an object is expected"},
		{"alertmanager", `"x"`, "a string where an object is expected"},
		{"alertmanager", `{}`, "alerts: is missing"},
		{"alertmanager", `{"version":"5","alerts":[]}`, `version: unknown version "5": 4 or 3 is supported`},
		{"alertmanager", `{"version":"4","alerts":{}}`, "alerts: an object where an array is expected"},
		{"alertmanager", `{"version":"4","alerts":[1]}`, "alerts[0]: a number where an object is expected"},
		{"alertmanager", webhook(`"status":"firing"`), "alerts[0].labels: is missing"},
		{"alertmanager", webhook(`"status":"firing","labels":[]`), "alerts[0].labels: an array where an object is expected"},
		{"alertmanager", webhook(`"status":"firing","labels":{"a":{"b":1}}`), "alerts[0].labels.a: an object where text is expected"},
		{"alertmanager", webhook(`"status":"firing","labels":{},"annotations":"x"`), "alerts[0].annotations: a string where an object is expected"},
		{"alertmanager", webhook(`"status":"burning","labels":{}`), `alerts[0].status: "burning" is neither firing nor resolved`},
		{"alertmanager", webhook(`"labels":{}`), "alerts[0].status: is missing"},
		{"alertmanager", webhook(`"status":"firing","labels":{},"startsAt":"yesterday"`), `alerts[0].startsAt: "yesterday" is not a time: write it like 2026-01-02T15:04:05Z`},
		{"alertmanager", webhook(`"status":"firing","labels":{},"startsAt":"2026-11-20T10:00:00+24:00"`), "is not a time"},
		{"grafana", `{"version":"4","alerts":[]}`, `version: unknown version "4": 1 is supported`},
		{"grafana", `{"ruleName":"r"}`, "state: is missing"},
		{"grafana", `{"ruleName":"r","state":"pending"}`, `state: "pending" is none of alerting, no_data, ok and paused`},

		{"tencent-monitor", `{"alarmStatus":1}`, "metricName: is missing, as is eventName"},
		{"tencent-monitor", tencent(`"alarmStatus":"2"`), `alarmStatus: "2" is neither 1 (firing) nor 0 (resolved)`},
		{"tencent-monitor", tencent(`"alarmStatus":null`), "alarmStatus: is missing"},
		{"tencent-monitor", tencent(`"alarmStatus":1,"alarmObjInfo":[]`), "alarmObjInfo: an array where an object is expected"},
		{"tencent-monitor", tencent(`"alarmStatus":1,"firstOccurTime":"soon"`), `firstOccurTime: "soon" is not a time`},

		{"zabbix", `{"event_name":"n"}`, "event_value: is missing"},
		{"zabbix", `{"event_name":"n","event_value":2}`, `event_value: "2" is neither 1 (problem) nor 0 (resolved)`},
		{"zabbix", `{"event_value":1}`, "event_name: is missing, as is trigger_name"},
		{"zabbix", `{"event_name":"{EVENT.NAME}","event_value":1}`, "event_name: is missing, as is trigger_name"},
		{"zabbix", `{"event_name":"n","event_value":1,"event_date":"1 May"}`, `event_date: "1 May 00:00:00" is not a time`},
		{"zabbix", `{"event_name":"n","event_value":1,"event_tags":[1]}`, "event_tags[0]: a number where an object is expected"},

		{"aliyun", `{}`, "alertState: is missing"},
		{"aliyun", `{"alertName":"a","alertState":"null"}`, "alertState: is missing"},
		{"aliyun", `{"alertState":"OK"}`, "alertName: is missing"},
		{"aliyun", `{"alertName":"a","alertState":"BAD"}`, `alertState: "BAD" is none of ALERT, OK and INSUFFICIENT_DATA`},

		{"aliyun", `{"alert":"x"}`, "alert: is not JSON"},
		{"aliyun", `{"alert":{"alertStatus":"TRIGGERED"}}`, "alert.eventName: is missing"},
		{"aliyun", `{"alert":{"eventName":"e"}}`, "alert.alertStatus: is missing"},
		{"aliyun", `{"alert":{"eventName":"e","alertStatus":"NEW"}}`, `alert.alertStatus: "NEW" is neither TRIGGERED nor RESOLVED`},

		{"open-falcon/im", ``, "no fields"},
		{"open-falcon/im", `tos=a`, "content: is missing"},
		{"open-falcon/im", "content=%zz", "invalid form"},
		{"open-falcon/im", "content=%ff", `the field "content" is not UTF-8`},
		{"open-falcon/im", "content=a&content=b", `duplicate field "content"`},
		{"open-falcon/im", strings.Repeat("a", 10) + "=1&" + manyFields(1001), "1002 fields: at most 1000 are allowed"},
		{"open-falcon/im", falcon("hello"), "content: a line begins with a priority and a status, such as [P0][PROBLEM]"},
		{"open-falcon/im", falcon("[PX][OK]"), "content: a line begins with a priority"},
		{"open-falcon/im", falcon("[P0][MAYBE][h][][n all(#1) m  1>0][O1 2026-11-20 22:00:00]"), `content: the status "MAYBE" is neither PROBLEM nor OK`},
		{"open-falcon/im", falcon("[P0][OK][h"), "content: the third bracket, the endpoint, is not closed"},
		{"open-falcon/im", falcon("[P0][OK][h]x"), "content: the fourth bracket is missing"},
		{"open-falcon/im", falcon("[P0][OK][h][][n all(#1) m  1>0]"), "content: the last two brackets, the expression and the time, are missing"},
		{"open-falcon/im", falcon("[P0][OK][h][][n m  1>0][O1 2026-11-20 22:00:00]"), "content: the fifth bracket has "},
		{"open-falcon/im", falcon("[P0][OK][h][][n all(#1) m 10][O1 2026-11-20 22:00:00]"), "content: the fifth bracket has "},
		{"open-falcon/im", falcon("[P0][OK][h][][n all(#1) m  1>0][O1 now]"), `content: the last bracket has the time "now"`},
		{"open-falcon/im", falcon("[P0][OK] many cpu"), "content: \"many cpu\" after the status"},
		{"open-falcon/mail", "subject=x&content=y", "content: is not a mail of Open-Falcon; and subject: a line begins"},
	} {
		t.Run(tt.system+"/"+tt.want, func(t *testing.T) {
			in := intake.Input{Body: []byte(tt.body), Media: intake.JSON, Now: now}
			if strings.HasPrefix(tt.system, "open-falcon") {
				in.Media = intake.Form
			}
			_, err := systemDecoder(t, tt.system)(in)
			var invalid *intake.Error
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%.100s: got %v, want an *intake.Error with %q", tt.body, err, tt.want)
			}
			if size := len(err.Error()); size > 500 {
				t.Errorf("got an error of %d bytes, want at most 500", size)
			}
		})
	}
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "f%d=&", i)
	}
	return b.String()
}

// systemDecoder returns the decoder of the system with the given name.
func systemDecoder(t testing.TB, name string) intake.Decoder {
	t.Helper()
	for _, s := range intake.Systems() {
		if s.Name == name {
			return s.Decode
		}
	}
	t.Fatalf("no system %q", name)
	return nil
}

func TestUnknownFieldsAreLimited(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"event_name":"n","event_value":1`)
	for i := range 1000 {
		fmt.Fprintf(&b, `,"field%04d":"%s"`, i, strings.Repeat("长", 2000))
	}
	b.WriteString("}")
	out, err := systemDecoder(t, "zabbix")(intake.Input{Body: []byte(b.String()), Media: intake.JSON, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	size, got := 0, out.Alerts[0].Annotations
	for name, value := range got {
		size += len(name) + len(value)
	}
	if size > 9<<10 || got["truncated_fields"] != "true" {
		t.Errorf("got %d bytes of annotations and truncated_fields %q, want at most 9 KiB and true", size, got["truncated_fields"])
	}
	if first := got["field0000"]; !strings.HasPrefix(first, "长长") || !strings.HasSuffix(first, "长…") {
		t.Errorf("field0000: got %q … %q, want it truncated between characters", first[:min(len(first), 6)], first[max(0, len(first)-10):])
	}
}

// TestTimes checks that a firing alert never starts in the future, and that a resolved
// one ends neither in the future nor before its start.
func TestTimes(t *testing.T) {
	const early, late = "2026-11-20T14:00:00Z", "2026-11-20T15:00:00Z" // now is 14:30
	for _, tt := range []struct{ fields, starts, ends string }{
		{`"status":"firing"`, "14:30", ""},
		{`"status":"firing","startsAt":"` + early + `"`, "14:00", ""},
		{`"status":"firing","startsAt":"` + late + `"`, "14:30", ""},
		{`"status":"firing","startsAt":"` + early + `","endsAt":"` + early + `"`, "14:00", ""},
		{`"status":"firing","startsAt":"` + early + `","endsAt":"` + late + `"`, "14:00", "15:00"},
		{`"status":"resolved"`, "14:30", "14:30"},
		{`"status":"resolved","startsAt":"` + early + `"`, "14:00", "14:30"},
		{`"status":"resolved","startsAt":"` + early + `","endsAt":"` + late + `"`, "14:00", "14:30"},
		{`"status":"resolved","startsAt":"` + late + `","endsAt":"` + early + `"`, "14:00", "14:00"},
		{`"status":"firing","startsAt":1795183200`, "14:00", ""},
		{`"status":"firing","startsAt":"1795183200000"`, "14:00", ""},
		{`"status":"firing","startsAt":"2026-11-20 22:00:00"`, "14:00", ""}, // local time
	} {
		t.Run(tt.fields, func(t *testing.T) {
			body := `{"alerts":[{"labels":{"a":"b"},` + tt.fields + `}]}`
			out, err := intake.Alertmanager(intake.Input{Body: []byte(body), Now: now, Zone: shanghai})
			if err != nil {
				t.Fatal(err)
			}
			a := out.Alerts[0]
			starts, ends := a.StartsAt.UTC().Format("15:04"), ""
			if !a.EndsAt.IsZero() {
				ends = a.EndsAt.UTC().Format("15:04")
			}
			if starts != tt.starts || ends != tt.ends {
				t.Errorf("got %s to %q, want %s to %q", starts, ends, tt.starts, tt.ends)
			}
		})
	}
}

// TestTencentReply checks that the response contains the sessionId.
func TestTencentReply(t *testing.T) {
	body := `{"sessionId":"s-1","alarmStatus":"1","alarmPolicyInfo":{"conditions":{"metricName":"m"}}}`
	out, err := intake.TencentMonitor(intake.Input{Body: []byte(body), Now: now})
	if err != nil || out.Reply["sessionId"] != "s-1" || out.Reply["retCode"] != 0 {
		t.Errorf("got %v, %v, want sessionId s-1 and retCode 0", out.Reply, err)
	}
}
