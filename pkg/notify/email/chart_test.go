package email

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/chart"
	"tocsin/pkg/notify/notifytest"
)

// alertsWithHistory returns alerts with five minutes of lag up to now, the time of
// sending.
func alertsWithHistory() []*alert.Alert {
	alerts := fewTopics()
	for i, a := range alerts {
		// date -u -d '2026-11-20 02:30' +%s
		a.Annotations["lag_history"] = fmt.Sprintf("1795141800/60:0,900,,2500,7000,%d", 12345+i)
	}
	return alerts
}

// structure returns the parts of a mail, one line each, without their boundaries.
func structure(t *testing.T, raw []byte) string {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(indent string, header func(string) string, body io.Reader)
	walk = func(indent string, header func(string) string, body io.Reader) {
		kind, params, err := mime.ParseMediaType(header("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, strings.TrimRight(indent+kind+" "+header("Content-Id")+" "+header("Content-Disposition"), " "))
		if params["boundary"] == "" {
			return
		}
		for r := multipart.NewReader(body, params["boundary"]); ; {
			p, err := r.NextPart()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			walk(indent+"  ", p.Header.Get, p)
		}
	}
	walk("", m.Header.Get, m.Body)
	return b.String()
}

func TestCharts(t *testing.T) {
	m := sendOne(t, newConfig("ops@example.com"), newNotification(alertsWithHistory()...))
	notifytest.CompareGolden(t, "lag-figures.zh.html", m.HTML)
	notifytest.CompareGolden(t, "lag-figures.structure.txt", structure(t, m.Raw))

	images := regexp.MustCompile(`<img src="cid:([^"]*)" alt="([^"]*)"`).FindAllStringSubmatch(m.HTML, -1)
	if len(images) != 3 || len(m.Inline) != 3 {
		t.Fatalf("got %d images in the HTML and %d in the mail, want 3", len(images), len(m.Inline))
	}
	for i, topic := range []string{"order-paid", "order-created", "order-shipped-with-a-rather-long-name"} { // by their lag
		if want := "order-worker / " + topic + " 最近 5 分钟的积压曲线"; images[i][2] != want {
			t.Errorf("got alternative text %q of image %d, want %q", images[i][2], i, want)
		}
		a := alertsWithHistory()[[]int{1, 0, 2}[i]]
		h, err := alert.ParseLagHistory(a.Annotations[alert.LagHistoryAnnotation])
		if err != nil {
			t.Fatal(err)
		}
		want, err := chart.PNG(chart.Series{Title: "order-worker / " + topic, Last: h.Last, Step: h.Step, Values: h.Values,
			Threshold: 2000, From: a.StartsAt, Zone: time.FixedZone("UTC+8", 8*60*60)})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Inline[images[i][1]]; got.Type != "image/png" || !bytes.Equal(got.Content, want) {
			t.Errorf("got image %d of type %s and %d bytes, want a PNG of %d", i, got.Type, len(got.Content), len(want))
		}
	}
	if strings.Contains(m.Text+m.HTML, "lag_history") || strings.Contains(m.Text+m.HTML, "1795141800") {
		t.Errorf("got the history in the text, want it hidden:\n%s", m.Text)
	}
}

func TestMailsWithoutCharts(t *testing.T) {
	switchedOff, customBody, sendsResolved := newConfig("ops@example.com"), newConfig("ops@example.com"), newConfig("ops@example.com")
	switchedOff.Picture = new(false)
	customBody.HTML = "<p>{{ .CommonAnnotations.lag_history }}{{ len .Alerts }}</p>"
	sendsResolved.SendResolved = new(true)
	for _, tt := range []struct {
		name   string
		config *Config
		alerts []*alert.Alert
	}{
		{"switched off", switchedOff, alertsWithHistory()},
		{"custom body", customBody, alertsWithHistory()[:1]},
		{"resolved", sendsResolved, resolved(alertsWithHistory())},
		{"no history", newConfig("ops@example.com"), fewTopics()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := sendOne(t, tt.config, newNotification(tt.alerts...))
			if got, want := structure(t, m.Raw), "multipart/alternative\n  text/plain\n  text/html\n"; got != want || len(m.Inline) != 0 || strings.Contains(m.HTML, "<img") {
				t.Errorf("got structure %q and %d images, want %q and none:\n%s", got, len(m.Inline), want, m.HTML)
			}
			if strings.Contains(m.HTML, "1795141800") {
				t.Error("got the history in the HTML, want it hidden")
			}
		})
	}
}

func TestEveryRecipientGetsAtMostThreeCharts(t *testing.T) {
	alerts := manyTopics()
	for _, a := range alerts {
		a.Annotations["lag_history"] = "1795141800/60:0,100,300,500,900"
	}
	inbox := sendAll(t, newConfig("a@example.com, b@example.com"), newNotification(alerts...))
	if len(inbox) != 2 {
		t.Fatalf("got %d mails, want 2", len(inbox))
	}
	for _, m := range inbox {
		if len(m.Inline) != 3 {
			t.Errorf("got %d charts to %s, want 3", len(m.Inline), m.To)
		}
	}
}
