package wecomrobot

import (
	"bytes"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/chart"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

// history has six minutes of lag up to 23:10, one of them unknown.
const history = "1795187400/60:0,900,,2500,7000,12345" // date -d '2026-11-20 23:10 +0800' +%s

// watched returns an alert with that history.
func watched(topic, lag string) *alert.Alert {
	a := lagAlert(topic, lag, "5000", "", 2*time.Minute)
	a.Annotations["lag_history"] = history
	return a
}

// The chart of the worst topic follows the text, in a message of its own.
func TestChart(t *testing.T) {
	g := newGroup(t, "zh")
	n := notifytest.Notification(watched(notifytest.Topic, "12345"), watched("order_paid", "30000"))
	messages := notifytest.SendAll(t, g.notifier(t, Config{MentionMobiles: []string{"13800000000"}}), n)
	if !slices.Equal(notifytest.Units(messages), []string{"1/1", "mention", "picture"}) {
		t.Fatalf("got units %v, want the text, the mention and the chart", notifytest.Units(messages))
	}
	m := messages[2]
	if !m.Optional || messages[0].Optional || messages[1].Optional || m.Target != messages[0].Target {
		t.Errorf("got %+v, want only the chart optional, and one target", messages)
	}
	if want := "[order-worker / order_paid 最近 5 分钟的积压曲线]"; m.Text != want {
		t.Errorf("got %q, want %q", m.Text, want)
	}
	got := g.Inbox()[2]
	h, err := alert.ParseLagHistory(history)
	if err != nil {
		t.Fatal(err)
	}
	series := chart.Series{Title: "order-worker / order_paid", Last: h.Last, Step: h.Step, Values: h.Values,
		Threshold: 2000, From: notifytest.Ago(2 * time.Minute), Zone: notifytest.Shanghai}
	want, err := chart.PNG(series)
	if err != nil || got.Type != "image" || !bytes.Equal(got.Image, want) {
		t.Errorf("got %s of %d bytes, want the image of %d, %v", got.Type, len(got.Image), len(want), err)
	}
	if _, err := png.Decode(bytes.NewReader(got.Image)); err != nil {
		t.Errorf("got an image that is no PNG: %v", err)
	}
	if strings.Contains(messages[0].Text, "lag_history") || strings.Contains(messages[0].Text, "1795187400") {
		t.Errorf("got the history in the text:\n%s", messages[0].Text)
	}
}

func TestNoChart(t *testing.T) {
	no := false
	invalid, sparse := watched("a", "5000"), watched("b", "5000")
	invalid.Annotations["lag_history"] = "5000,6000"
	sparse.Annotations["lag_history"] = "1795187400/60:,,5000"
	for _, tt := range []struct {
		name     string
		config   Config
		alerts   []*alert.Alert
		accepted []string
	}{
		{"no history", Config{}, oneTopic(), nil},
		{"turned off", Config{Picture: &no}, []*alert.Alert{watched("a", "5000")}, nil},
		{"resolved", Config{}, notifytest.Resolved(watched("a", "5000")), nil},
		{"invalid history", Config{}, []*alert.Alert{invalid}, nil},
		{"too few values", Config{}, []*alert.Alert{sparse}, nil},
		{"already accepted", Config{}, []*alert.Alert{watched("a", "5000")}, []string{"picture"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, "zh")
			n := notifytest.Notification(tt.alerts...)
			n.AcceptedUnits = tt.accepted
			if got := notifytest.Units(notifytest.SendAll(t, g.notifier(t, tt.config), n)); !slices.Equal(got, []string{"1/1"}) {
				t.Errorf("got units %v, want the text alone", got)
			}
		})
	}
	// The first alert with a valid history has the chart.
	g := newGroup(t, "zh")
	mixed := append([]*alert.Alert{invalid, watched("good", "3000")}, notifytest.Resolved(watched("old", "9000"))...)
	if m := notifytest.SendAll(t, g.notifier(t, Config{}), notifytest.Notification(mixed...)); len(m) != 2 || !strings.Contains(m[1].Text, "good") {
		t.Errorf("got units %v, want the chart of the topic good", notifytest.Units(m))
	}
}

// A chart that WeCom rejects is an error like any other.
func TestChartRejected(t *testing.T) {
	g := newGroup(t, "zh")
	messages, err := g.notifier(t, Config{}).Messages(notifytest.Notification(watched("a", "5000")))
	if err != nil {
		t.Fatal(err)
	}
	g.Inject(1, wecom.Reject(45009, "api freq out of limit"))
	if out := messages[1].Send(t.Context()); len(out) != 1 || out[0].Unit != "picture" || notify.AsError(out[0].Err).Class != notify.Rate {
		t.Errorf("got %+v, want a rate error of the chart", out)
	}
}
