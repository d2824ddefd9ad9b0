package render

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"tocsin/pkg/alert"
)

func TestGenericItems(t *testing.T) {
	diskFull := func(instance, mount, summary string) *alert.Alert {
		a := newAlert(alert.Labels{"alertname": "DiskFull", "job": "node", "instance": instance, "mountpoint": mount, "severity": "critical"})
		a.Annotations = alert.Labels{"summary": summary, "description": "free some space", "value": instance}
		return a
	}
	doc := newDocument("en", diskFull("a", "/", "same"), diskFull("b", "/data", "same"))
	doc.expect(t, "[FIRING] DiskFull (2 alerts)", "same", map[string]string{"Details": "free some space", "job": "node"})
	want := Item{Severity: Critical, Title: "a / mountpoint=/", Fields: []Field{{"Started", "11-20 22:10:10 (for 1h)"}, {"value", "a"}}}
	if got := doc.Items[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("item: got %+v, want %+v", got, want)
	}
	doc = newDocument("en", diskFull("a", "/", "x"), diskFull("b", "/data", "y"))
	doc.expect(t, "[FIRING] DiskFull (2 alerts)", "free some space", nil)
	if got, want := doc.Items[1].Headline, "y"; got != want {
		t.Errorf("headline of the second item: got %q, want %q", got, want)
	}
}

func TestPollFailed(t *testing.T) {
	a := &alert.Alert{
		Labels:      alert.Labels{"alertname": "TocsinPollFailed", "cluster": "c", "consumer_group": "g"},
		Annotations: alert.Labels{"summary": "读不到", "description": "凭证过期"},
		StartsAt:    at.Add(-2 * time.Minute),
	}
	newDocument("zh", a).expect(t, "[告警] 读不到消费积压 · c / g", "现在看不到集群 c 里消费组 g 的积压，涨了也不会告警",
		map[string]string{"原因": "凭证过期", "处理": "检查访问凭证、网络和 Kafka 本身；能读到之后会自动恢复"})
	newDocument("en", resolved(a)).expect(t, "[RESOLVED] Consumer lag cannot be read · c / g", "Lag can be read again after 2m",
		map[string]string{"What to do": ""})

	a.Annotations["partial"] = "true"
	newDocument("zh", a).expect(t, "[告警] 读不到消费积压 · c / g", "集群 c 里消费组 g 的积压看不全，看得到的照常告警", map[string]string{"partial": ""})
	newDocument("en", a).expect(t, "[FIRING] Consumer lag cannot be read · c / g", "The lag of group g in cluster c is not seen in full; what is seen is watched", map[string]string{"partial": ""})
}

// offlineHost returns the alert of a host that sent its last report some time ago.
func offlineHost(id string, since time.Duration) *alert.Alert {
	return &alert.Alert{
		Labels:      alert.Labels{"alertname": "HostOffline", "host": id, "hostname": id + ".example.com", "project": "oms"},
		Annotations: alert.Labels{"address": "10.0.0.7", "last_values": "CPU 93.5%, memory 71%", "summary": "The host is offline"},
		StartsAt:    at.Add(-since),
	}
}

// backOnline returns the alert once the host reports again.
func backOnline(a *alert.Alert) *alert.Alert {
	a = resolved(a)
	a.Annotations = alert.Labels{"address": "10.0.0.9", "summary": "The host reports again"}
	return a
}

func TestHostOffline(t *testing.T) {
	removed := backOnline(offlineHost("web-1", time.Hour))
	removed.Annotations = alert.Labels{"description": "not watched any more"}
	// at is 2026-11-20 23:10:10 in Shanghai.
	for _, tt := range []struct {
		name, language string
		alert          *alert.Alert
		title, lead    string
		facts          []Field
	}{
		{"offline", "zh", offlineHost("web-1", 70*time.Second), "[告警] 主机失联 · web-1.example.com / web-1", "已经 1 分钟 10 秒没有上报", []Field{
			{"最后上报", "11-20 23:09:00"}, {"最后地址", "10.0.0.7"}, {"最后数据", "CPU 93.5%, memory 71%"},
			{"主机", "web-1"}, {"主机名", "web-1.example.com"}, {"project", "oms"}}},
		{"back online", "en", backOnline(offlineHost("web-1", time.Hour)), "[RESOLVED] Host offline · web-1.example.com / web-1", "Reporting again after 1h", []Field{
			{"Started", "11-20 22:10:10"}, {"Ended", "11-20 23:10:10"}, {"Last address", "10.0.0.9"},
			{"Host", "web-1"}, {"Hostname", "web-1.example.com"}, {"project", "oms"}}},
		{"removed while offline", "en", removed, "[RESOLVED] Host offline · web-1.example.com / web-1", "not watched any more", []Field{
			{"Started", "11-20 22:10:10"}, {"Ended", "11-20 23:10:10"},
			{"Host", "web-1"}, {"Hostname", "web-1.example.com"}, {"project", "oms"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := newDocument(tt.language, tt.alert)
			doc.expect(t, tt.title, tt.lead, nil)
			if !reflect.DeepEqual(doc.Facts, tt.facts) {
				t.Errorf("facts: got %v, want %v", doc.Facts, tt.facts)
			}
		})
	}
}

func TestSeveralHostsOffline(t *testing.T) {
	alerts := []*alert.Alert{offlineHost("web-1", 70*time.Second), offlineHost("web-2", 60*time.Second)}
	doc := newDocument("en", alerts...)
	doc.expect(t, "[FIRING] Host offline (2 hosts)", "The host is offline",
		map[string]string{"Last report": "11-20 23:09:00 – 11-20 23:09:10", "project": "oms", "address": ""})
	want := Item{Severity: Warning, Title: "web-1.example.com / web-1", Headline: "No report for 1m 10s",
		Fields: []Field{{"Last report", "11-20 23:09:00"}, {"Last address", "10.0.0.7"}, {"Last values", "CPU 93.5%, memory 71%"}}}
	if got := doc.Items[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("item: got %+v, want %+v", got, want)
	}
	for _, a := range alerts {
		a.Annotations["description"] = "No host reports at all"
	}
	doc = newDocument("en", alerts...)
	doc.expect(t, "[FIRING] Host offline (2 hosts)", "The host is offline", map[string]string{"Details": "No host reports at all"})
	if got, want := len(doc.Items[0].Fields), 3; got != want {
		t.Errorf("fields of an item without the shared description: got %d, want %d", got, want)
	}
}

func TestHundredHostsOffline(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 100 {
		alerts = append(alerts, offlineHost(fmt.Sprintf("web-%02d", i), 70*time.Second))
	}
	doc := newDocument("zh", append(alerts, backOnline(offlineHost("db-1", time.Hour)))...)
	doc.expect(t, "[告警] 主机失联（100 台主机，另有 1 台已恢复）", doc.Lead, map[string]string{"最后上报": "11-20 23:09:00"})
	for i, want := range map[int]Item{
		0:   {Severity: Warning, Title: "web-00.example.com / web-00", Headline: "已经 1 分钟 10 秒没有上报 · 10.0.0.7"},
		100: {Resolved: true, Severity: Warning, Title: "db-1.example.com / db-1", Headline: "恢复上报，失联了 1 小时"},
	} {
		if got := doc.Items[i]; !reflect.DeepEqual(got, want) {
			t.Errorf("item %d: got %+v, want %+v", i, got, want)
		}
	}
}
