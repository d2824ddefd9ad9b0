package outbox_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox/outboxtest"
)

func TestDigestKeepsItsReaders(t *testing.T) {
	p := phonesTo("A")
	e := newEnv(t, p.receiver("ops", 2, time.Minute))
	e.notify(at(0), "a", "b", "c")
	expectSent(t, &p.sent, "A: digest a,b,c")
}

// TestDigestWithOtherReadersIsNotSent has readers whom a template takes from the
// group, so that a digest would not reach them.
func TestDigestWithOtherReadersIsNotSent(t *testing.T) {
	p := &phones{numbers: func(n *alert.Notification) []string {
		if owner := n.GroupLabels["topic"]; owner != "" {
			return []string{owner[:1]}
		}
		return []string{"default"}
	}}
	e := newEnv(t, p.receiver("ops", 2, time.Minute))
	expectSummary(t, e.notify(at(0), "x1", "x2", "x3", "y1"), summary{3, 1}) // one of x's waits
	e.tick(at(60))
	slices.Sort(p.sent)
	expectSent(t, &p.sent, "x: first notification x1", "x: first notification x2", "x: first notification x3", "y: first notification y1")
}

// teamApp is a channel like WeCom's applications: one target, in whose quota all
// messages count, and readers whom a template names: those on duty, and the team if
// all alerts are of one.
type teamApp struct{ sent []string }

func (a *teamApp) Messages(n *alert.Notification) ([]notify.Message, error) {
	readers := "duty"
	team := n.Alerts[0].Labels["topic"][:1]
	if !slices.ContainsFunc(n.Alerts, func(a *alert.Alert) bool { return !strings.HasPrefix(a.Labels["topic"], team) }) {
		readers += "," + team
	}
	line := readers + ": " + outboxtest.Topics(n.Alerts)
	return []notify.Message{{Target: "app", Audience: readers, Units: []string{"1"}, Send: func(context.Context) []notify.Outcome {
		a.sent = append(a.sent, line)
		return notify.Outcomes([]string{"1"}, nil)
	}}}, nil
}

// TestAudiencesAreNotMerged checks that notifications with different readers are
// not merged although they share a quota.
func TestAudiencesAreNotMerged(t *testing.T) {
	app := &teamApp{}
	e := newEnv(t, outboxtest.WithQuota(outboxtest.Receiver("ops", "app", app), 4, time.Minute))
	expectSummary(t, e.notify(at(0), "a1", "b1", "a2", "b2", "a3", "b3"), summary{2, 0})
	slices.Sort(app.sent)
	expectSent(t, &app.sent, "duty,a: a1,a2,a3", "duty,b: b1,b2,b3")
}
