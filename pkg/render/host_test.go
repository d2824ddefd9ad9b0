package render

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"tocsin/pkg/alert"
)

// silentHost is a host whose last report is some time ago.
func silentHost(id string, since time.Duration) *alert.Alert {
	return &alert.Alert{
		Labels:      alert.Labels{"alertname": "HostOffline", "host": id, "hostname": id + ".example.com", "project": "oms"},
		Annotations: alert.Labels{"address": "10.0.0.7", "last_values": "CPU 93.5%, memory 71%", "summary": "The host is offline"},
		StartsAt:    at.Add(-since),
	}
}

// back is the end of a host's silence.
func back(a *alert.Alert) *alert.Alert {
	over := ended(a)
	over.Annotations = alert.Labels{"address": "10.0.0.9", "summary": "The host reports again"}
	return over
}

func TestOneHost(t *testing.T) {
	doc := document("zh", silentHost("web-1", 70*time.Second))
	if doc.Title != "[告警] 主机失联 · web-1.example.com / web-1" || doc.Lead != "已经 1 分钟 10 秒没有上报" {
		t.Errorf("%q, %q", doc.Title, doc.Lead)
	}
	// at is 2026-11-20 23:10:10 in Shanghai.
	want := []Field{{"最后上报", "11-20 23:09:00"}, {"最后地址", "10.0.0.7"}, {"最后数据", "CPU 93.5%, memory 71%"},
		{"主机", "web-1"}, {"主机名", "web-1.example.com"}, {"project", "oms"}}
	if !reflect.DeepEqual(doc.Facts, want) {
		t.Errorf("facts %v, want %v", doc.Facts, want)
	}
	doc = document("en", back(silentHost("web-1", time.Hour)))
	want = []Field{{"Started", "11-20 22:10:10"}, {"Ended", "11-20 23:10:10"}, {"Last address", "10.0.0.9"},
		{"Host", "web-1"}, {"Hostname", "web-1.example.com"}, {"project", "oms"}}
	if doc.Lead != "Reporting again after 1h" || !reflect.DeepEqual(doc.Facts, want) {
		t.Errorf("back: %q, %v", doc.Lead, doc.Facts)
	}
	// It did not come back: it is not watched any more.
	gone := back(silentHost("web-1", time.Hour))
	gone.Annotations = alert.Labels{"description": "not watched any more"}
	if doc = document("en", gone); doc.Lead != "not watched any more" || doc.fact("Details") != "" {
		t.Errorf("gone: %q, %v", doc.Lead, doc.Facts)
	}
}

func TestSeveralHosts(t *testing.T) {
	alerts := []*alert.Alert{silentHost("web-1", 70*time.Second), silentHost("web-2", 60*time.Second)}
	doc := document("en", alerts...)
	if doc.Title != "[FIRING] Host offline (2 hosts)" || doc.fact("Last report") != "11-20 23:09:00 – 11-20 23:09:10" || doc.fact("project") != "oms" || doc.fact("address") != "" {
		t.Errorf("%q, %v", doc.Title, doc.Facts)
	}
	want := Item{Severity: Warning, Title: "web-1.example.com / web-1", Headline: "No report for 1m 10s",
		Fields: []Field{{"Last report", "11-20 23:09:00"}, {"Last address", "10.0.0.7"}, {"Last values", "CPU 93.5%, memory 71%"}}}
	if !reflect.DeepEqual(doc.Items[0], want) {
		t.Errorf("%+v, want %+v", doc.Items[0], want)
	}
	// Nobody reports: what all have to say is said once.
	for _, a := range alerts {
		a.Annotations["description"] = "No host reports at all"
	}
	if doc = document("en", alerts...); doc.fact("Details") != "No host reports at all" || len(doc.Items[0].Fields) != 3 {
		t.Errorf("%v, %v", doc.Facts, doc.Items[0])
	}
	// A site of a hundred has a line for each.
	alerts = nil
	for i := range 100 {
		alerts = append(alerts, silentHost(fmt.Sprintf("web-%02d", i), 70*time.Second))
	}
	doc = document("zh", append(alerts, back(silentHost("db-1", time.Hour)))...)
	if doc.Title != "[告警] 主机失联（100 台主机，另有 1 台已恢复）" || doc.fact("最后上报") != "11-20 23:09:00" {
		t.Errorf("%q, %v", doc.Title, doc.Facts)
	}
	if got, want := doc.Items[0], (Item{Severity: Warning, Title: "web-00.example.com / web-00", Headline: "已经 1 分钟 10 秒没有上报 · 10.0.0.7"}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := doc.Items[100]; !got.Resolved || got.Headline != "恢复上报，失联了 1 小时" {
		t.Errorf("%+v", got)
	}
}
