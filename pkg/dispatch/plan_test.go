package dispatch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
)

// planNow is the time of the planned flushes.
var planNow = time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)

// seconds returns the time that is s seconds after planNow.
func seconds(s float64) time.Time { return planNow.Add(time.Duration(s * float64(time.Second))) }

// newMember returns a member whose fingerprint is fp, which fired an hour ago.
func newMember(fp alert.Fingerprint, options ...func(*member)) member {
	a := &alert.Alert{Labels: alert.Labels{"n": fmt.Sprint(uint64(fp))}, StartsAt: seconds(-3600)}
	m := member{item: store.Item{Key: alertKey(fp)}, rec: alertRecord{Alert: a}, fp: fp, routed: true}
	for _, option := range options {
		option(&m)
	}
	return m
}

func isResolved(m *member) { m.rec.EndsAt = seconds(-1) }
func isSilenced(m *member) { m.mute = MuteStatus{SilencedBy: []string{"s"}} }
func wasMuted(m *member)   { m.wasMuted = true }
func isRerouted(m *member) { m.routed = false }
func isFormer(g *group)    { g.logs[0].former = true }

// newGroup returns a group that is due at planNow, with group_interval 5m and
// repeat_interval 1h. It has one integration, which is notified of resolved alerts
// and was last notified at what last says, if it is not nil.
func newGroup(last *logEntry, members ...member) *group {
	return &group{
		id: "g", item: store.Item{Key: groupKey("g"), Version: 1}, header: header{NextFlush: planNow, Flushed: true, Key: "{}:{}"},
		route:   &route.Route{ID: "{}", Receiver: "ops", GroupInterval: 5 * time.Minute, RepeatInterval: time.Hour},
		logs:    []integrationLog{{receiver: "ops", integration: outbox.Integration{Kind: notify.Kind{Name: "test"}, SendResolved: true}, last: last}},
		members: members,
	}
}

// logged returns a log entry of alerts that were notified as firing a minute ago.
func logged(firing ...alert.Fingerprint) *logEntry {
	return &logEntry{Firing: firing, At: seconds(-60)}
}

// describe returns a plan as lines: one for each notification, log entry and
// removal, and one for the header.
func describe(p flushPlan) string {
	var lines []string
	for _, n := range p.notify {
		var alerts []string
		for _, a := range n.alerts {
			alerts = append(alerts, a.Labels["n"])
		}
		slices.Sort(alerts)
		lines = append(lines, fmt.Sprintf("notify %s: %s %s", n.integration.Name(), n.reason, strings.Join(alerts, ",")))
	}
	for _, l := range p.logs {
		if l.delete {
			lines = append(lines, "delete the log")
			continue
		}
		lines = append(lines, fmt.Sprintf("log firing=%d resolved=%d muted=%d at=%v", l.entry.Firing, l.entry.Resolved, l.entry.Muted, l.entry.At.Sub(planNow)))
	}
	for _, m := range p.markMuted {
		lines = append(lines, fmt.Sprintf("mark %d", uint64(m.fp)))
	}
	for _, m := range p.remove {
		lines = append(lines, fmt.Sprintf("remove %d", uint64(m.fp)))
	}
	switch {
	case p.onlyDue:
		lines = append(lines, fmt.Sprintf("only due=%v", p.due.Sub(planNow)))
	case p.deleteGroup:
		lines = append(lines, "delete the group")
	default:
		lines = append(lines, fmt.Sprintf("due=%v next=%v", p.due.Sub(planNow), p.header.NextFlush.Sub(planNow)))
	}
	return strings.Join(lines, "\n")
}

func TestPlan(t *testing.T) {
	with := func(g *group, change func(*group)) *group { change(g); return g }
	for _, test := range []struct {
		name     string
		group    *group
		upstream bool
		want     []string
	}{
		{"first notification", newGroup(nil, newMember(1), newMember(2)), false, []string{
			"notify test/0: first notification 1,2", "log firing=[1 2] resolved=[] muted=[] at=0s", "due=5m0s next=5m0s"}},
		{"nothing new", newGroup(logged(1), newMember(1)), false, []string{"due=5m0s next=5m0s"}},
		{"some resolved", newGroup(logged(1, 2), newMember(1), newMember(2, isResolved)), false, []string{
			"notify test/0: some alerts resolved 1,2", "log firing=[1] resolved=[2] muted=[] at=0s", "remove 2", "due=5m0s next=5m0s"}},
		{"all resolved", newGroup(logged(1), newMember(1, isResolved)), false, []string{
			"notify test/0: all alerts resolved 1", "log firing=[] resolved=[1] muted=[] at=0s", "remove 1", "delete the group"}},
		{"resolved before it was notified", newGroup(nil, newMember(1, isResolved)), false, []string{"remove 1", "delete the group"}},
		{"empty group", newGroup(nil), false, []string{"delete the group"}},
		{"empty group with unreadable members", with(newGroup(nil), func(g *group) { g.incomplete = true }), false, []string{"due=5m0s next=5m0s"}},

		{"repetition", newGroup(&logEntry{Firing: set(1), At: seconds(-3600)}, newMember(1)), false, []string{
			"notify test/0: repeat interval elapsed 1", "log firing=[1] resolved=[] muted=[] at=0s", "due=5m0s next=5m0s"}},
		{"repetition is one group_interval late in Alertmanager", newGroup(&logEntry{Firing: set(1), At: seconds(-3600)}, newMember(1)), true, []string{"due=5m0s next=5m0s"}},

		{"silenced", newGroup(nil, newMember(1, isSilenced), newMember(2)), false, []string{
			"notify test/0: first notification 2", "log firing=[2] resolved=[] muted=[] at=0s", "mark 1", "due=5m0s next=5m0s"}},
		{"all silenced from the start are looked at again after group_wait", newGroup(nil, newMember(1, isSilenced)), false, []string{
			"mark 1", "due=1s next=1s"}},
		{"all silenced from the start wait for group_interval in Alertmanager", newGroup(nil, newMember(1, isSilenced)), true, []string{
			"mark 1", "due=5m0s next=5m0s"}},
		{"all silenced after a notification", newGroup(logged(1), newMember(1, isSilenced)), false, []string{"due=5m0s next=5m0s"}},
		{"silenced for life, and resolved while others fire", newGroup(logged(1), newMember(1), newMember(2, wasMuted, isResolved)), false, []string{
			"remove 2", "due=5m0s next=5m0s"}},
		{"silenced for life, in Alertmanager", newGroup(logged(1), newMember(1), newMember(2, wasMuted, isResolved)), true, []string{
			"notify test/0: some alerts resolved 1,2", "log firing=[1] resolved=[2] muted=[] at=0s", "remove 2", "due=5m0s next=5m0s"}},
		{"silenced for life, and resolved with the others", newGroup(logged(1), newMember(1, isResolved), newMember(2, wasMuted, isResolved)), false, []string{
			"notify test/0: all alerts resolved 1,2", "log firing=[] resolved=[1 2] muted=[] at=0s", "remove 1", "remove 2", "delete the group"}},
		{"silenced at first, then notified and resolved", newGroup(logged(1, 2), newMember(1), newMember(2, wasMuted, isResolved)), false, []string{
			"notify test/0: some alerts resolved 1,2", "log firing=[1] resolved=[2] muted=[] at=0s", "remove 2", "due=5m0s next=5m0s"}},
		{"resolved while silenced stays in the group", newGroup(logged(1), newMember(1, isSilenced, isResolved)), false, []string{
			"log firing=[] resolved=[] muted=[1] at=-1m0s", "due=5m0s next=5m0s"}},
		{"resolved while silenced is dropped by Alertmanager", newGroup(logged(1), newMember(1, isSilenced, isResolved)), true, []string{
			"remove 1", "delete the group"}},
		{"resolved while silenced is notified afterwards", newGroup(&logEntry{Muted: set(1), At: seconds(-60)}, newMember(1, isResolved)), false, []string{
			"notify test/0: all alerts resolved 1", "log firing=[] resolved=[1] muted=[] at=0s", "remove 1", "delete the group"}},
		{"resolved while silenced and never notified is removed", newGroup(logged(2), newMember(1, isSilenced, isResolved), newMember(2)), false, []string{
			"remove 1", "due=5m0s next=5m0s"}},

		{"send_resolved off, all resolved", with(newGroup(logged(1), newMember(1, isResolved)), func(g *group) { g.logs[0].integration.SendResolved = false }), false, []string{
			"log firing=[] resolved=[1] muted=[] at=0s", "remove 1", "delete the group"}},
		{"send_resolved off, one resolved and one new", with(newGroup(logged(1), newMember(1, isResolved), newMember(2)), func(g *group) { g.logs[0].integration.SendResolved = false }), false, []string{
			"notify test/0: new alerts added 2", "log firing=[2] resolved=[1] muted=[] at=0s", "remove 1", "due=5m0s next=5m0s"}},

		{"late by more than an interval", with(newGroup(nil, newMember(1)), func(g *group) { g.header.NextFlush = seconds(-700) }), false, []string{
			"notify test/0: first notification 1", "log firing=[1] resolved=[] muted=[] at=-1m40s", "due=3m20s next=3m20s"}},
		{"early, all resolved", with(newGroup(logged(1), newMember(1, isResolved)), func(g *group) { g.header.NextFlush = seconds(100) }), false, []string{
			"notify test/0: all alerts resolved 1", "log firing=[] resolved=[1] muted=[] at=0s", "remove 1", "delete the group"}},
		{"early, others fire", with(newGroup(logged(1, 2), newMember(1, isResolved), newMember(2)), func(g *group) { g.header.NextFlush = seconds(100) }), false, []string{
			"only due=1m40s"}},
		{"due within the millisecond", with(newGroup(nil, newMember(1)), func(g *group) { g.header.NextFlush = planNow.Add(time.Microsecond) }), false, []string{
			"notify test/0: first notification 1", "log firing=[1] resolved=[] muted=[] at=0s", "due=5m0s next=5m0s"}},

		{"repeat_schedule, an age was reached", with(newGroup(&logEntry{Firing: set(1), At: seconds(-60)}, newMember(1)), func(g *group) {
			g.route.RepeatSchedule = []time.Duration{time.Hour, 62 * time.Minute}
			g.header.NextFlush = seconds(200)
		}), false, []string{"notify test/0: repeat interval elapsed 1", "log firing=[1] resolved=[] muted=[] at=0s", "due=2m0s next=3m20s"}},
		{"repeat_schedule, no age was reached", with(newGroup(&logEntry{Firing: set(1), At: seconds(-60)}, newMember(1)), func(g *group) {
			g.route.RepeatSchedule = []time.Duration{50 * time.Minute, 70 * time.Minute}
		}), false, []string{"due=5m0s next=5m0s"}},

		{"an alert belongs to another group, which took over its log", newGroup(logged(2), newMember(1, isRerouted), newMember(2)), false, []string{"remove 1", "due=5m0s next=5m0s"}},
		{"an alert belongs to another group, which does not notify the integration", newGroup(logged(1, 2), newMember(1, isRerouted), newMember(2)), false, []string{
			"log firing=[1 2] resolved=[] muted=[] at=-1m0s", "due=5m0s next=5m0s"}},
		{"an alert of another group is not repeated", newGroup(&logEntry{Firing: set(1, 2), At: seconds(-3600)}, newMember(1, isRerouted), newMember(2)), false, []string{
			"notify test/0: repeat interval elapsed 2", "log firing=[1 2] resolved=[] muted=[] at=0s", "due=5m0s next=5m0s"}},
		{"an alert of another group resolved", newGroup(logged(1, 2), newMember(1, isRerouted, isResolved), newMember(2)), false, []string{
			"notify test/0: some alerts resolved 1", "log firing=[2] resolved=[] muted=[] at=-1m0s", "remove 1", "due=5m0s next=5m0s"}},
		{"the last alert of another group resolved", newGroup(logged(1), newMember(1, isRerouted, isResolved)), false, []string{
			"notify test/0: all alerts resolved 1", "log firing=[] resolved=[] muted=[] at=-1m0s", "remove 1", "delete the group"}},
		{"a former integration waits for the end", with(newGroup(logged(1), newMember(1)), isFormer), false, []string{
			"log firing=[1] resolved=[] muted=[] at=-1m0s", "due=5m0s next=5m0s"}},
		{"a former integration is notified of the end", with(newGroup(logged(1, 2), newMember(1), newMember(2, isResolved)), isFormer), false, []string{
			"notify test/0: some alerts resolved 2", "log firing=[1] resolved=[] muted=[] at=-1m0s", "remove 2", "due=5m0s next=5m0s"}},
		{"a former integration is notified of a muted end later", with(newGroup(logged(1), newMember(1, isResolved, isSilenced)), isFormer), false, []string{
			"log firing=[1] resolved=[] muted=[] at=-1m0s", "due=5m0s next=5m0s"}},
		{"a former integration was notified of all", with(newGroup(logged(1), newMember(1, isResolved)), isFormer), false, []string{
			"notify test/0: all alerts resolved 1", "delete the log", "remove 1", "delete the group"}},
		{"the route is gone", with(newGroup(nil, newMember(1, isRerouted)), func(g *group) { g.route, g.logs = nil, nil }), false, []string{"remove 1", "delete the group"}},
		{"the route is gone and a member unreadable", with(newGroup(nil), func(g *group) { g.route, g.logs, g.incomplete = nil, nil, true }), false, []string{"due=5m0s next=0s"}},

		{"integrations are independent", with(newGroup(logged(1), newMember(1)), func(g *group) {
			g.logs = append(g.logs, integrationLog{receiver: "ops", integration: outbox.Integration{Kind: notify.Kind{Name: "test"}, Index: 1}})
		}), false, []string{"notify test/1: first notification 1", "log firing=[1] resolved=[] muted=[] at=0s", "due=5m0s next=5m0s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := fmt.Sprintf("%+v %+v", *test.group, test.group.logs[:min(1, len(test.group.logs))])
			got, want := describe(plan(test.group, planNow, test.upstream)), strings.Join(test.want, "\n")
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if after := fmt.Sprintf("%+v %+v", *test.group, test.group.logs[:min(1, len(test.group.logs))]); after != before {
				t.Errorf("the group was changed: got\n%s\nwant\n%s", after, before)
			}
			if again := describe(plan(test.group, planNow, test.upstream)); again != got {
				t.Errorf("planned again: got\n%s\nwant\n%s", again, got)
			}
		})
	}
}

func TestPlanCountsSuppressedAlerts(t *testing.T) {
	inhibited := func(m *member) { m.mute = MuteStatus{InhibitedBy: []string{"1"}, SilencedBy: []string{"s"}} }
	got := plan(newGroup(nil, newMember(1, isSilenced), newMember(2, inhibited), newMember(3)), planNow, false).suppressed
	if want := map[string]int{"silence": 1, "inhibition": 1}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestPlanLimitsRemovals checks that a flush which cannot remove all members makes
// the group due at once.
func TestPlanLimitsRemovals(t *testing.T) {
	for _, test := range []struct {
		resolved int
		due      time.Duration
		delete   bool
	}{
		{maxRemovals, 5 * time.Minute, true},
		{maxRemovals + 1, 0, false},
	} {
		t.Run(fmt.Sprint(test.resolved), func(t *testing.T) {
			g := newGroup(nil)
			for i := range test.resolved {
				g.members = append(g.members, newMember(alert.Fingerprint(i+1), isResolved))
			}
			p := plan(g, planNow, false)
			if len(p.remove) != maxRemovals || p.due.Sub(planNow) != test.due || p.deleteGroup != test.delete {
				t.Errorf("got %d removals, due in %v, delete %v; want %d, %v, %v", len(p.remove), p.due.Sub(planNow), p.deleteGroup, maxRemovals, test.due, test.delete)
			}
		})
	}
}
