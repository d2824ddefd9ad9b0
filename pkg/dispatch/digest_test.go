package dispatch_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/notify"
)

// users is a channel like WeCom's applications: one target, whose quota all
// messages count in, and readers whom a template names: those on duty, and the
// team that all the alerts are of.
type users struct{ sent []string }

func (u *users) Messages(n *alert.Notification) ([]notify.Message, error) {
	readers := "duty"
	team := n.Alerts[0].Labels["topic"][:1]
	if !slices.ContainsFunc(n.Alerts, func(a *alert.Alert) bool { return !strings.HasPrefix(a.Labels["topic"], team) }) {
		readers += "," + team
	}
	line := readers + ": " + names(n.Alerts)
	return []notify.Message{{Target: "app", Audience: readers, Units: []string{"1"}, Send: func(context.Context) []notify.Outcome {
		u.sent = append(u.sent, line)
		return notify.Outcomes([]string{"1"}, nil)
	}}}, nil
}

// What different people read is not merged, though it shares a quota: nobody
// misses what was meant for them.
func TestDigestsKeepTheirReaders(t *testing.T) {
	u := &users{}
	in := dispatch.Integration{Kind: notify.Kind{Name: "app", Quotas: []notify.Quota{{Messages: 4, Per: time.Minute}}}, SendResolved: true, Notifier: u}
	w := newWorld(t, byTopic(), &dispatch.Receiver{Name: "ops", Integrations: []dispatch.Integration{in}})
	w.fire(at(0), "a1", "b1", "a2", "b2", "a3", "b3")
	if sum := w.tick(at(0)); sum.Sent != 2 || sum.Owed != 0 {
		t.Errorf("%+v, want 2 sent and none owed", sum)
	}
	slices.Sort(u.sent)
	if want := []string{"duty,a: a1,a2,a3", "duty,b: b1,b2,b3"}; !slices.Equal(u.sent, want) {
		t.Errorf("sent %q, want %q", u.sent, want)
	}
}
