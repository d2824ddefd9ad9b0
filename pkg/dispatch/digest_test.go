package dispatch_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
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
	in := outbox.Integration{Kind: notify.Kind{Name: "app", Quotas: []notify.Quota{{Messages: 4, Per: time.Minute}}}, SendResolved: true, Notifier: u}
	w := newWorld(t, byTopic(), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{in}})
	w.fire(at(0), "a1", "b1", "a2", "b2", "a3", "b3")
	if sum := w.tick(at(0)); sum.Sent != 2 || sum.Pending != 0 {
		t.Errorf("%+v, want 2 sent and none owed", sum)
	}
	slices.Sort(u.sent)
	if want := []string{"duty,a: a1,a2,a3", "duty,b: b1,b2,b3"}; !slices.Equal(u.sent, want) {
		t.Errorf("sent %q, want %q", u.sent, want)
	}
}

// robots is a channel whose address is a template: each team has a robot of its
// own. The robot of team a is shut.
type robots struct {
	shut bool
	sent []string
}

func (r *robots) Messages(n *alert.Notification) ([]notify.Message, error) {
	robot, line := n.Alerts[0].Labels["topic"][:1], names(n.Alerts)
	return []notify.Message{{Target: robot, Units: []string{"1"}, Send: func(context.Context) []notify.Outcome {
		if r.shut && robot == "a" {
			r.sent = append(r.sent, line+" refused")
			return notify.Outcomes([]string{"1"}, &notify.Error{Class: notify.Rate, Message: "shut", RetryAfter: 10 * time.Minute})
		}
		r.sent = append(r.sent, line)
		return notify.Outcomes([]string{"1"}, nil)
	}}}, nil
}

// A target that takes no more for now is asked once, and holds up none of the
// channel's other targets.
func TestShutTargetHoldsUpItself(t *testing.T) {
	r := &robots{shut: true}
	in := outbox.Integration{Kind: notify.Kind{Name: "robot", Quotas: []notify.Quota{{Messages: 20, Per: time.Minute}}}, SendResolved: true, Notifier: r}
	w := newWorld(t, byTopic(), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{in}})
	w.fire(at(0), "a1", "a2", "b1", "b2")
	w.tick(at(0))
	slices.Sort(r.sent)
	if len(r.sent) != 3 || !strings.HasSuffix(r.sent[0], "refused") || !slices.Equal(r.sent[1:], []string{"b1", "b2"}) {
		t.Errorf("sent %q, want one refusal, b1 and b2", r.sent)
	}
	r.shut, r.sent = false, nil
	if w.tick(at(599)); r.sent != nil {
		t.Errorf("sent %q while the robot was shut", r.sent)
	}
	w.tick(at(601))
	if slices.Sort(r.sent); !slices.Equal(r.sent, []string{"a1", "a2"}) {
		t.Errorf("sent %q afterwards, want a1 and a2", r.sent)
	}
}
