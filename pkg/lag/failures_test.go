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

type worded struct{ error }

func (worded) Text(language string) string { return "cause in " + language }

func TestFailureLadder(t *testing.T) {
	j := NewEvaluator([]Rule{lagRule(0)}, "c", "zh")
	down := worded{errors.New("connection refused")}
	good := all(whole("g", topic("t", "1")))
	steps := []struct {
		minute float64
		err    error
		seen   *Snapshot
		want   string
	}{
		{0, nil, good, "Lag g t since 08:00:00 firing lag=1"},
		{1, down, nil, ""},
		{2, nil, good, "Lag g t since 08:00:00 firing lag=1"},
		{3, down, nil, ""},
		{4, fmt.Errorf("read: %w", down), nil, "TocsinPollFailed since 08:03:00 firing"},
		{5, down, nil, "TocsinPollFailed since 08:03:00 firing"},
		{6, nil, good, "TocsinPollFailed since 08:03:00 ended 08:06:00\nLag g t since 08:00:00 firing lag=1"},
		{7, down, nil, ""},
	}
	var state *ClusterState
	for _, s := range steps {
		var alerts []*alert.Alert
		if s.err != nil {
			state, alerts = j.EvaluateFailure(state, s.err, at(s.minute))
		} else {
			state, alerts = j.Evaluate(state, s.seen, at(s.minute))
		}
		if got := brief(alerts); got != s.want {
			t.Fatalf("minute %v:\ngot  %s\nwant %s", s.minute, got, s.want)
		}
		if s.minute == 4 {
			wantLabels := alert.Labels{"alertname": "TocsinPollFailed", "cluster": "c"}
			wantTexts := alert.Labels{
				"summary":     "读不到集群 c 的消费积压",
				"description": "cause in zh。恢复之前不判断它的积压，已有的告警保持不变。",
			}
			if a := alerts[0]; !maps.Equal(a.Labels, wantLabels) || !maps.Equal(a.Annotations, wantTexts) {
				t.Errorf("got %v %q", a.Labels, a.Annotations)
			}
		}
	}
}

func TestFailureLadderOfAGroup(t *testing.T) {
	denied := errors.New("not authorized")
	bad := Group{Name: "g", Err: denied}
	good := whole("g", topic("t", "0"))
	h := whole("h", topic("t", "1"))
	fires := "TocsinPollFailed g since 08:00:00 firing\n"
	lag := "Lag h t since 08:00:00 firing lag=1"
	tests := map[string]struct {
		seen []*Snapshot
		want string // of the last
	}{
		"once":                        {[]*Snapshot{all(bad, h)}, lag},
		"twice":                       {[]*Snapshot{all(bad, h), all(bad, h)}, fires + lag},
		"three times":                 {[]*Snapshot{all(bad, h), all(bad, h), all(bad, h)}, fires + lag},
		"not in a row":                {[]*Snapshot{all(bad, h), all(good, h), all(bad, h)}, lag},
		"over":                        {[]*Snapshot{all(bad, h), all(bad, h), all(good, h)}, "TocsinPollFailed g since 08:00:00 ended 08:02:00\n" + lag},
		"gone":                        {[]*Snapshot{all(bad, h), all(bad, h), all(h)}, "TocsinPollFailed g since 08:00:00 ended 08:02:00\n" + lag},
		"not reached is not success":  {[]*Snapshot{all(bad, h), {Groups: []Group{h}}, all(bad, h)}, fires + lag},
		"not reached says nothing":    {[]*Snapshot{all(bad, h), all(bad, h), {Groups: []Group{h}}}, lag},
		"some topics and then failed": {[]*Snapshot{all(bad, h), all(Group{Name: "g", Topics: good.Topics, Err: denied}, h)}, fires + lag},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := NewEvaluator([]Rule{lagRule(0)}, "c", "en")
			var state *ClusterState
			var alerts []*alert.Alert
			for i, seen := range tt.seen {
				state, alerts = j.Evaluate(state, seen, at(float64(i)))
			}
			if got := brief(alerts); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// When many groups cannot be read, that is told once for the cluster, with how
// many and why, and each is told for itself again only when they are few.
func TestManyUnreadGroupsAreOneAlert(t *testing.T) {
	late := errors.New("no time was left")
	groups := func(bad int) *Snapshot {
		s := &Snapshot{Complete: true}
		for i := range 6 {
			g := whole(string(rune('a' + i)))
			if i < bad {
				g = Group{Name: g.Name, Err: late}
			}
			s.Groups = append(s.Groups, g)
		}
		return s
	}
	j := NewEvaluator([]Rule{lagRule(0)}, "c", "en")
	var state *ClusterState
	for i, step := range []struct {
		bad  int
		want string
	}{
		{4, ""},
		{4, "TocsinPollFailed since 08:00:00 firing"},
		{6, "TocsinPollFailed since 08:00:00 firing"},
		{3, "TocsinPollFailed since 08:00:00 ended 08:03:00"},
		{3, "TocsinPollFailed a since 08:03:00 firing\nTocsinPollFailed b since 08:03:00 firing\nTocsinPollFailed c since 08:03:00 firing"},
		{0, "TocsinPollFailed a since 08:03:00 ended 08:05:00\nTocsinPollFailed b since 08:03:00 ended 08:05:00\nTocsinPollFailed c since 08:03:00 ended 08:05:00"},
	} {
		var alerts []*alert.Alert
		state, alerts = j.Evaluate(state, groups(step.bad), at(float64(i)))
		if got := brief(alerts); got != step.want {
			t.Fatalf("poll %d: got\n%s\nwant\n%s", i, got, step.want)
		}
		if i == 1 {
			if got := alerts[0].Annotations["description"]; !strings.Contains(got, "4 of 6 consumer groups could not be read: no time was left") {
				t.Errorf("description %q", got)
			}
		}
	}
}

// A part of the groups that cannot be listed is told like any other failure, and
// what it hides stays.
func TestGroupsThatCannotBeListed(t *testing.T) {
	r := &scripted{groups: []Group{of("g", part(0, 0, 9)), of("h", part(0, 0, 9))}}
	e := &ear{}
	w := watcher(memory.New(), e, map[string]Reader{"c": r})
	w.Config.Rules = []Rule{lagRule(5)}
	g, h := "Lag g t since 08:00:00 firing lag=9", "\nLag h t since 08:00:00 firing lag=9"
	for i, s := range []struct {
		err  error
		want string
	}{
		{nil, g + h},
		{worded{errors.New("broker 3 is down")}, g},
		{worded{errors.New("broker 3 is down")}, "TocsinPollFailed since 08:01:00 firing\n" + g},
		{nil, "TocsinPollFailed since 08:01:00 ended 08:03:00\n" + g + h},
	} {
		r.groups, r.err = []Group{of("g", part(0, 0, 9))}, s.err
		if s.err == nil {
			r.groups = append(r.groups, of("h", part(0, 0, 9)))
		}
		mustPoll(t, w, float64(i))
		if i == 2 {
			want := "some of the consumer groups could not be listed: cause in en. The rest is evaluated as usual; alerts about the part that cannot be read stay as they are."
			got := e.last(alert.PollFailedAlert).Annotations
			if got["description"] != want || got["partial"] != "true" || got["summary"] != "The consumer lag of cluster c is not seen in full" {
				t.Errorf("%q", got)
			}
		}
		if got := e.heard(); got != s.want {
			t.Fatalf("poll %d:\ngot  %s\nwant %s", i, got, s.want)
		}
	}
}
