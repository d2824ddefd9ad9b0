package intake_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tocsin/pkg/intake"
)

// What is wrong with a message is told with its place, and nothing of it is taken.
func TestRefused(t *testing.T) {
	one := func(fields string) string { return `{"version":"4","alerts":[{` + fields + `}]}` }
	falcon := func(content string) string { return "content=" + strings.ReplaceAll(content, "#", "%23") }
	tencent := func(rest string) string {
		return `{"alarmPolicyInfo":{"conditions":{"metricName":"m"}},` + rest + `}`
	}
	for _, tt := range []struct{ name, body, want string }{
		{"alertmanager", ``, "the body is empty: JSON is expected"},
		{"alertmanager", " \n", "the body is empty: JSON is expected"},
		{"alertmanager", `{"version":"4","alerts":[{"status":"fir`, "the JSON ends too soon"},
		{"alertmanager", `{"version":"4"`, "the JSON ends too soon"},
		{"alertmanager", `{"a":1} {"b":2}`, "byte 7: more follows behind the JSON value"},
		{"alertmanager", `{"a":1,}`, "byte 6: it is not JSON: "},
		{"alertmanager", `{"labels":1,"labels":2}`, `the name "labels" is there twice in one object`},
		{"alertmanager", one(`"labels":{"a":"1","a":"2"}`), `the name "a" is there twice in one object`},
		{"alertmanager", "{\"a\":\"\xff\"}", "it is not JSON: invalid UTF-8"},
		{"alertmanager", `{"a":"\ud800"}`, "it is not JSON: invalid surrogate pair"},
		{"alertmanager", strings.Repeat(`{"a":`, 66) + "1" + strings.Repeat("}", 66), "nested more than 64 deep"},
		{"alertmanager", "[" + strings.Repeat("0,", 100_001) + "0]", "more than 100000 values in one message"},
		{"alertmanager", `[]`, "an array where an object is expected"},
		{"alertmanager", `null`, "null where an object is expected"},
		{"alertmanager", `"x"`, "a string where an object is expected"},
		{"alertmanager", `{}`, "alerts: is missing"},
		{"alertmanager", `{"version":"5","alerts":[]}`, `version: "5" is not known: 4 or 3 is`},
		{"alertmanager", `{"version":"4","alerts":{}}`, "alerts: an object where an array is expected"},
		{"alertmanager", `{"version":"4","alerts":[1]}`, "alerts[0]: a number where an object is expected"},
		{"alertmanager", one(`"status":"firing"`), "alerts[0].labels: is missing"},
		{"alertmanager", one(`"status":"firing","labels":[]`), "alerts[0].labels: an array where an object is expected"},
		{"alertmanager", one(`"status":"firing","labels":{"a":{"b":1}}`), "alerts[0].labels.a: an object where text is expected"},
		{"alertmanager", one(`"status":"firing","labels":{},"annotations":"x"`), "alerts[0].annotations: a string where an object is expected"},
		{"alertmanager", one(`"status":"burning","labels":{}`), `alerts[0].status: "burning" is neither firing nor resolved`},
		{"alertmanager", one(`"labels":{}`), "alerts[0].status: is missing"},
		{"alertmanager", one(`"status":"firing","labels":{},"startsAt":"yesterday"`), `alerts[0].startsAt: "yesterday" is not a time: write it like 2026-01-02T15:04:05Z`},
		{"alertmanager", one(`"status":"firing","labels":{},"startsAt":"2026-11-20T10:00:00+24:00"`), "is not a time"},
		{"grafana", `{"version":"4","alerts":[]}`, `version: "4" is not known: 1 is`},

		{"tencent-monitor", `{}`, "metricName: is missing, and so is eventName"},
		{"tencent-monitor", tencent(`"alarmStatus":"2"`), `alarmStatus: "2" is neither 1 (it fires) nor 0 (it is over)`},
		{"tencent-monitor", tencent(`"alarmStatus":null`), "alarmStatus: is missing"},
		{"tencent-monitor", tencent(`"alarmStatus":1,"alarmObjInfo":[]`), "alarmObjInfo: an array where an object is expected"},
		{"tencent-monitor", tencent(`"alarmStatus":1,"firstOccurTime":"soon"`), `firstOccurTime: "soon" is not a time`},

		{"zabbix", `{"event_name":"n"}`, "event_value: is missing"},
		{"zabbix", `{"event_name":"n","event_value":2}`, `event_value: "2" is neither 1 (a problem) nor 0 (it is over)`},
		{"zabbix", `{"event_value":1}`, "event_name: is missing, and so is trigger_name"},
		{"zabbix", `{"event_name":"{EVENT.NAME}","event_value":1}`, "event_name: is missing, and so is trigger_name"},
		{"zabbix", `{"event_name":"n","event_value":1,"event_date":"1 May"}`, `event_date: "1 May 00:00:00" is not a time`},
		{"zabbix", `{"event_name":"n","event_value":1,"event_tags":[1]}`, "event_tags[0]: a number where an object is expected"},

		{"aliyun", `{}`, "alertState: is missing"},
		{"aliyun", `{"alertName":"a","alertState":"null"}`, "alertState: is missing"},
		{"aliyun", `{"alertState":"OK"}`, "alertName: is missing"},
		{"aliyun", `{"alertName":"a","alertState":"BAD"}`, `alertState: "BAD" is none of ALERT, OK and INSUFFICIENT_DATA`},

		{"open-falcon/im", ``, "there is no field in it"},
		{"open-falcon/im", `tos=a`, "content: is missing"},
		{"open-falcon/im", "content=%zz", "it is not a form"},
		{"open-falcon/im", "content=%ff", `the field "content" is not UTF-8`},
		{"open-falcon/im", "content=a&content=b", `the field "content" is there twice`},
		{"open-falcon/im", strings.Repeat("a", 10) + "=1&" + manyFields(1001), "1002 fields, no more than 1000 are taken"},
		{"open-falcon/im", falcon("hello"), "content: a line begins with a priority and a status, such as [P0][PROBLEM]"},
		{"open-falcon/im", falcon("[PX][OK]"), "content: a line begins with a priority"},
		{"open-falcon/im", falcon("[P0][MAYBE][h][][n all(#1) m  1>0][O1 2026-11-20 22:00:00]"), `content: the status "MAYBE" is neither PROBLEM nor OK`},
		{"open-falcon/im", falcon("[P0][OK][h"), "content: its third bracket, the endpoint, does not close"},
		{"open-falcon/im", falcon("[P0][OK][h]x"), "content: its fourth bracket is missing"},
		{"open-falcon/im", falcon("[P0][OK][h][][n all(#1) m  1>0]"), "content: its last two brackets, the expression and the time, are missing"},
		{"open-falcon/im", falcon("[P0][OK][h][][n m  1>0][O1 2026-11-20 22:00:00]"), "content: its fifth bracket has "},
		{"open-falcon/im", falcon("[P0][OK][h][][n all(#1) m 10][O1 2026-11-20 22:00:00]"), "content: its fifth bracket has "},
		{"open-falcon/im", falcon("[P0][OK][h][][n all(#1) m  1>0][O1 now]"), `content: its last bracket has the time "now"`},
		{"open-falcon/im", falcon("[P0][OK] many cpu"), "content: \"many cpu\" follows its status"},
		{"open-falcon/mail", "subject=x&content=y", "content: is not the body of Open-Falcon's mails; and subject: a line begins"},
	} {
		t.Run(tt.name+"/"+tt.want, func(t *testing.T) {
			in := intake.Input{Body: []byte(tt.body), Media: intake.JSON, Now: now}
			if strings.HasPrefix(tt.name, "open-falcon") {
				in.Media = intake.Form
			}
			_, err := decoder(t, tt.name)(in)
			var fault *intake.Error
			if !errors.As(err, &fault) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%.100s: %v, want %s", tt.body, err, tt.want)
			}
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("an error of %d bytes", len(err.Error()))
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

func decoder(t testing.TB, name string) intake.Decoder {
	t.Helper()
	for _, s := range intake.Systems() {
		if s.Name == name {
			return s.Decode
		}
	}
	t.Fatalf("there is no decoder %q", name)
	return nil
}

// Fields that nobody knows are kept, but not without bound.
func TestExtraIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"event_name":"n","event_value":1`)
	for i := range 1000 {
		fmt.Fprintf(&b, `,"field%04d":"%s"`, i, strings.Repeat("长", 2000))
	}
	b.WriteString("}")
	out, err := decoder(t, "zabbix")(intake.Input{Body: []byte(b.String()), Media: intake.JSON, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for name, value := range out.Alerts[0].Annotations {
		size += len(name) + len(value)
	}
	a := out.Alerts[0].Annotations
	if size > 9<<10 || a["truncated_fields"] != "true" || !strings.HasPrefix(a["field0000"], "长长") || !strings.HasSuffix(a["field0000"], "长…") {
		t.Errorf("%d bytes are kept, of field0000 %q", size, a["field0000"][max(0, len(a["field0000"])-10):])
	}
}

// Times that cannot be are mended: what fires does not begin in the future, what
// is over does not end there nor before it began.
func TestTimes(t *testing.T) {
	const early, late = "2026-11-20T14:00:00Z", "2026-11-20T15:00:00Z" // it is 14:30
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
		body := `{"alerts":[{"labels":{"a":"b"},` + tt.fields + `}]}`
		out, err := intake.Alertmanager(intake.Input{Body: []byte(body), Now: now, Zone: shanghai})
		if err != nil {
			t.Errorf("%s: %v", tt.fields, err)
			continue
		}
		a := out.Alerts[0]
		starts, ends := a.StartsAt.UTC().Format("15:04"), ""
		if !a.EndsAt.IsZero() {
			ends = a.EndsAt.UTC().Format("15:04")
		}
		if starts != tt.starts || ends != tt.ends {
			t.Errorf("%s: %s to %q, want %s to %q", tt.fields, starts, ends, tt.starts, tt.ends)
		}
	}
}

// Tencent Cloud Monitor finds its sessionId in the answer.
func TestReply(t *testing.T) {
	body := `{"sessionId":"s-1","alarmStatus":"1","alarmPolicyInfo":{"conditions":{"metricName":"m"}}}`
	out, err := intake.TencentMonitor(intake.Input{Body: []byte(body), Now: now})
	if err != nil || out.Reply["sessionId"] != "s-1" || out.Reply["retCode"] != 0 {
		t.Errorf("%v, %v", out.Reply, err)
	}
}
