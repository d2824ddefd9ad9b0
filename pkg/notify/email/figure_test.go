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
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/notify/notifytest"
)

// watched are topics with five minutes of lag up to now, the time of sending.
func watched() []*alert.Alert {
	alerts := fewTopics()
	for i, a := range alerts {
		// date -u -d '2026-11-20 02:30' +%s
		a.Annotations["lag_history"] = fmt.Sprintf("1795141800/60:0,900,,2500,7000,%d", 12345+i)
	}
	return alerts
}

func figureMail(t *testing.T, c *Config, alerts []*alert.Alert) smtp.Mail {
	t.Helper()
	return delivered(t, c, &alert.Notification{ID: "n1", GroupKey: "{}:{}", Receiver: "ops", At: now, Alerts: alerts})
}

// structure prints the parts of a mail, one line each, without their boundaries.
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

func TestFigures(t *testing.T) {
	m := figureMail(t, newConfig("ops@example.com"), watched())
	notifytest.CompareGolden(t, "lag-figures.zh.html", m.HTML)
	notifytest.CompareGolden(t, "lag-figures.structure.txt", structure(t, m.Raw))

	images := regexp.MustCompile(`<img src="cid:([^"]*)" alt="([^"]*)"`).FindAllStringSubmatch(m.HTML, -1)
	if len(images) != 3 || len(m.Inline) != 3 {
		t.Fatalf("%d images in the HTML, %d in the mail", len(images), len(m.Inline))
	}
	for i, topic := range []string{"order-paid", "order-created", "order-shipped-with-a-rather-long-name"} { // by their lag
		if want := "order-worker / " + topic + " 最近 5 分钟的积压曲线"; images[i][2] != want {
			t.Errorf("image %d is for %q, want %q", i, images[i][2], want)
		}
		a := watched()[[]int{1, 0, 2}[i]]
		h, err := alert.ParseLagHistory(a.Annotations[alert.LagHistoryAnnotation])
		if err != nil {
			t.Fatal(err)
		}
		series := chart.Series{Title: "order-worker / " + topic, Last: h.Last, Step: h.Step, Values: h.Values,
			Threshold: 2000, From: a.StartsAt, Zone: time.FixedZone("UTC+8", 8*60*60)}
		want, err := chart.PNG(series)
		if got := m.Inline[images[i][1]]; err != nil || got.Type != "image/png" || !bytes.Equal(got.Content, want) {
			t.Errorf("image %d is %s of %d bytes, want %d, %v", i, got.Type, len(got.Content), len(want), err)
		}
	}
	if strings.Contains(m.Text+m.HTML, "lag_history") || strings.Contains(m.Text+m.HTML, "1795141800") {
		t.Errorf("the history is in the text:\n%s", m.Text)
	}
}

func TestNoFigures(t *testing.T) {
	no := false
	off, own := newConfig("ops@example.com"), newConfig("ops@example.com")
	off.Picture = &no
	own.HTML = "<p>{{ .CommonAnnotations.lag_history }}{{ len .Alerts }}</p>"
	resolved := newConfig("ops@example.com")
	yes := true
	resolved.SendResolved = &yes
	for _, tt := range []struct {
		name   string
		config *Config
		alerts []*alert.Alert
	}{
		{"not wanted", off, watched()}, {"a body of one's own", own, watched()[:1]},
		{"over", resolved, over(watched())}, {"no history", newConfig("ops@example.com"), fewTopics()},
	} {
		m := figureMail(t, tt.config, tt.alerts)
		if got := structure(t, m.Raw); got != "multipart/alternative\n  text/plain\n  text/html\n" || len(m.Inline) != 0 || strings.Contains(m.HTML, "<img") {
			t.Errorf("%s:\n%s%s", tt.name, got, m.HTML)
		}
		if strings.Contains(m.HTML, "1795141800") {
			t.Errorf("%s: the history is shown", tt.name)
		}
	}
}

// Ten topics have three pictures, and each recipient gets them.
func TestFiguresAreFew(t *testing.T) {
	alerts := manyTopics()
	for _, a := range alerts {
		a.Annotations["lag_history"] = "1795141800/60:0,100,300,500,900"
	}
	server, e := startProvider(t, smtp.Config{})
	n := &alert.Notification{ID: "n1", Receiver: "ops", At: now, Alerts: alerts}
	all(t, send(t.Context(), t, newConfig("a@example.com, b@example.com"), e, n), "a@example.com", "b@example.com")
	for _, m := range server.Inbox() {
		if len(m.Inline) != 3 {
			t.Errorf("%s has %d pictures", m.To, len(m.Inline))
		}
	}
}
