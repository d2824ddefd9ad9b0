package lag

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/store/memory"
)

func TestPollFailedOfACluster(t *testing.T) {
	e := NewEvaluator([]Rule{lagRule(0)}, "c", "zh")
	down := localizedError{errors.New("connection refused")}
	good := lagSnapshot("1")
	steps := []struct {
		err  error
		snap *Snapshot
		want string
	}{
		{nil, good, "Lag g t since 08:00:00 firing lag=1"},
		{down, nil, ""},
		{nil, good, "Lag g t since 08:00:00 firing lag=1"},
		{down, nil, ""},
		{fmt.Errorf("read: %w", down), nil, "TocsinPollFailed since 08:03:00 firing"},
		{down, nil, "TocsinPollFailed since 08:03:00 firing"},
		{nil, good, "TocsinPollFailed since 08:03:00 ended 08:06:00\nLag g t since 08:00:00 firing lag=1"},
		{down, nil, ""},
	}
	var state *ClusterState
	for i, s := range steps {
		var alerts []*alert.Alert
		if s.err != nil {
			state, alerts = e.EvaluateFailure(state, s.err, at(float64(i)))
		} else {
			state, alerts = e.Evaluate(state, s.snap, at(float64(i)))
		}
		if got := summarize(alerts); got != s.want {
			t.Fatalf("alerts at minute %d:\ngot  %s\nwant %s", i, got, s.want)
		}
		if i == 4 {
			wantLabels := alert.Labels{"alertname": "TocsinPollFailed", "cluster": "c"}
			wantAnnotations := alert.Labels{
				"summary":     "读不到集群 c 的消费积压",
				"description": "cause in zh。恢复之前不判断它的积压，已有的告警保持不变。",
			}
			if a := alerts[0]; !maps.Equal(a.Labels, wantLabels) || !maps.Equal(a.Annotations, wantAnnotations) {
				t.Errorf("alert = %v %q, want %v %q", a.Labels, a.Annotations, wantLabels, wantAnnotations)
			}
		}
	}
}

func TestPollFailedOfAGroup(t *testing.T) {
	denied := errors.New("not authorized")
	bad := Group{Name: "g", Err: denied}
	good := newGroup("g", newTopic("t", "0"))
	h := newGroup("h", newTopic("t", "1"))
	fires := "TocsinPollFailed g since 08:00:00 firing\n"
	ends := "TocsinPollFailed g since 08:00:00 ended 08:02:00\n"
	lag := "Lag h t since 08:00:00 firing lag=1"
	tests := map[string]struct {
		snaps []*Snapshot
		want  string // alerts of the last
	}{
		"one failure":                             {[]*Snapshot{newSnapshot(bad, h)}, lag},
		"two failures":                            {[]*Snapshot{newSnapshot(bad, h), newSnapshot(bad, h)}, fires + lag},
		"three failures":                          {[]*Snapshot{newSnapshot(bad, h), newSnapshot(bad, h), newSnapshot(bad, h)}, fires + lag},
		"failures not in a row":                   {[]*Snapshot{newSnapshot(bad, h), newSnapshot(good, h), newSnapshot(bad, h)}, lag},
		"success ends it":                         {[]*Snapshot{newSnapshot(bad, h), newSnapshot(bad, h), newSnapshot(good, h)}, ends + lag},
		"removal of the group ends it":            {[]*Snapshot{newSnapshot(bad, h), newSnapshot(bad, h), newSnapshot(h)}, ends + lag},
		"missing from an incomplete list between": {[]*Snapshot{newSnapshot(bad, h), {Groups: []Group{h}}, newSnapshot(bad, h)}, fires + lag},
		"missing from an incomplete list at last": {[]*Snapshot{newSnapshot(bad, h), newSnapshot(bad, h), {Groups: []Group{h}}}, lag},
		"failure after some topics":               {[]*Snapshot{newSnapshot(bad, h), newSnapshot(Group{Name: "g", Topics: good.Topics, Err: denied}, h)}, fires + lag},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := summarize(lastAlerts(NewEvaluator([]Rule{lagRule(0)}, "c", "en"), tt.snaps...)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// Many failed groups share the alert of the cluster; a few have one each.
func TestPollFailedOfManyGroups(t *testing.T) {
	groups := func(failed int) *Snapshot {
		s := newSnapshot()
		for i := range 6 {
			g := newGroup(string(rune('a' + i)))
			if i < failed {
				g = Group{Name: g.Name, Err: errors.New("no time was left")}
			}
			s.Groups = append(s.Groups, g)
		}
		return s
	}
	e := NewEvaluator([]Rule{lagRule(0)}, "c", "en")
	var state *ClusterState
	for i, step := range []struct {
		failed int
		want   string
	}{
		{4, ""},
		{4, "TocsinPollFailed since 08:00:00 firing"},
		{6, "TocsinPollFailed since 08:00:00 firing"},
		{3, "TocsinPollFailed since 08:00:00 ended 08:03:00"},
		{3, "TocsinPollFailed a since 08:03:00 firing\nTocsinPollFailed b since 08:03:00 firing\nTocsinPollFailed c since 08:03:00 firing"},
		{0, "TocsinPollFailed a since 08:03:00 ended 08:05:00\nTocsinPollFailed b since 08:03:00 ended 08:05:00\nTocsinPollFailed c since 08:03:00 ended 08:05:00"},
	} {
		var alerts []*alert.Alert
		state, alerts = e.Evaluate(state, groups(step.failed), at(float64(i)))
		if got := summarize(alerts); got != step.want {
			t.Fatalf("alerts of poll %d: got\n%s\nwant\n%s", i, got, step.want)
		}
		if i == 1 {
			want := "4 of 6 consumer groups could not be read completely, such as a: no time was left. The rest is evaluated as usual"
			if got := alerts[0].Annotations["description"]; !strings.Contains(got, want) {
				t.Errorf("description = %q, want %q in it", got, want)
			}
		}
	}
}

// The error of an incomplete list of groups fires like a failure, and the alerts of
// groups that are missing from it stay.
func TestPollFailedOfAnIncompleteList(t *testing.T) {
	g, h := newGroupOf("g", newPartition(0, 0, 9)), newGroupOf("h", newPartition(0, 0, 9))
	r := &fakeReader{}
	rec := &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, r, lagRule(5))
	gFires, hFires := "Lag g t since 08:00:00 firing lag=9", "\nLag h t since 08:00:00 firing lag=9"
	down := localizedError{errors.New("broker 3 is down")}
	for i, s := range []struct {
		err  error
		want string
	}{
		{nil, gFires + hFires},
		{down, gFires},
		{down, "TocsinPollFailed since 08:01:00 firing\n" + gFires},
		{nil, "TocsinPollFailed since 08:01:00 ended 08:03:00\n" + gFires + hFires},
	} {
		r.groups, r.listErr = []Group{g}, s.err
		if s.err == nil {
			r.groups = append(r.groups, h)
		}
		mustPoll(t, w, float64(i))
		if i == 2 {
			want := alert.Labels{
				"summary":     "The consumer lag of cluster c is not seen in full",
				"description": "some of the consumer groups could not be listed: cause in en. The rest is evaluated as usual; alerts about the part that cannot be read stay as they are.",
				"partial":     "true",
			}
			if got := rec.last(alert.PollFailedAlert).Annotations; !maps.Equal(got, want) {
				t.Errorf("annotations = %q, want %q", got, want)
			}
		}
		wantAlerts(t, rec, float64(i), s.want)
	}
}

// What a failed poll says of the part that was read.
func TestPollFailedOfAPart(t *testing.T) {
	leaderless := Partition{ID: 1, Committed: 5, End: -1, Reason: "it has no leader"}
	partly := func(name string) Group {
		return Group{Name: name, Topics: []Topic{{Name: "t", Partitions: []Partition{newPartition(0, 0, 9), leaderless}}}, Err: errors.New("it has no leader")}
	}
	unread := Group{Name: "u", Err: errors.New("denied")}
	for name, tt := range map[string]struct {
		groups      []Group
		summary     string
		description string
	}{
		"a partition without a leader": {
			[]Group{partly("g")}, "The lag of consumer group g is not seen in full (cluster c)",
			"it has no leader. The rest is evaluated as usual; alerts about the part that cannot be read stay as they are.",
		},
		"a group": {
			[]Group{newGroup("g"), unread}, "The lag of consumer group u cannot be read (cluster c)",
			"denied. Until it can be read again its lag is not evaluated, and firing alerts stay as they are.",
		},
		"many groups in part": {
			[]Group{partly("a"), partly("b"), partly("c"), partly("d")}, "The consumer lag of cluster c is not seen in full",
			"4 of 4 consumer groups could not be read completely, such as a: it has no leader. The rest is evaluated as usual; alerts about the part that cannot be read stay as they are.",
		},
		"all groups": {
			[]Group{{Name: "a", Err: unread.Err}, {Name: "b", Err: unread.Err}, {Name: "c", Err: unread.Err}, unread}, "The consumer lag of cluster c cannot be read",
			"4 of 4 consumer groups could not be read completely, such as a: denied. Until it can be read again its lag is not evaluated, and firing alerts stay as they are.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			snap := newSnapshot(tt.groups...)
			alerts := lastAlerts(NewEvaluator([]Rule{lagRule(100)}, "c", "en"), snap, snap)
			if len(alerts) != 1 {
				t.Fatalf("alerts = %s, want one", summarize(alerts))
			}
			wantAnnotations(t, alerts[0], map[string]string{"summary": tt.summary, "description": tt.description})
		})
	}
}
