package lag

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// The tables in the comments of advance and checkMaxLag, at the bounds of every
// limit: max_lag 2000, clear_below 1500, for 2m.
func TestMaxLag(t *testing.T) {
	const (
		inactive = "inactive"
		pending  = "pending"
		firing   = "firing"
	)
	hysteresis := &Rule{MaxLag: ptr(2000), ClearBelow: ptr(1500), For: setting.Duration(2 * time.Minute)}
	plain := &Rule{MaxLag: ptr(2000), For: setting.Duration(2 * time.Minute)}
	atOnce := &Rule{MaxLag: ptr(2000)}
	zero := &Rule{MaxLag: ptr(0)}
	now := at(10)
	before := map[string]ActiveAlert{
		inactive: {},
		pending:  {Since: at(9)},
		"due":    {Since: at(8)},
		firing:   {Since: at(5), Firing: true},
	}
	tests := []struct {
		rule *Rule
		lags string    // of the partitions
		want [4]string // from inactive, pending for 1m, pending for 2m, firing
	}{
		{hysteresis, "", [4]string{inactive, pending, pending, firing}},
		{hysteresis, "? ?", [4]string{inactive, pending, pending, firing}},

		{hysteresis, "2001", [4]string{pending, pending, firing, firing}},
		{hysteresis, "1000 1001", [4]string{pending, pending, firing, firing}},
		{hysteresis, "2001 ?", [4]string{pending, pending, firing, firing}},
		{plain, "2001 ?", [4]string{pending, pending, firing, firing}},
		{atOnce, "2001", [4]string{firing, firing, firing, firing}},
		{atOnce, "? 2001", [4]string{firing, firing, firing, firing}},

		{hysteresis, "2000", [4]string{inactive, inactive, inactive, firing}},
		{hysteresis, "1000 1000", [4]string{inactive, inactive, inactive, firing}},
		{hysteresis, "1500", [4]string{inactive, inactive, inactive, firing}},
		{hysteresis, "1499", [4]string{inactive, inactive, inactive, inactive}},
		{plain, "2000", [4]string{inactive, inactive, inactive, inactive}},
		{plain, "0", [4]string{inactive, inactive, inactive, inactive}},

		{hysteresis, "2000 ?", [4]string{inactive, pending, pending, firing}},
		{hysteresis, "1499 ?", [4]string{inactive, pending, pending, firing}},
		{plain, "0 ?", [4]string{inactive, pending, pending, firing}},

		// A partition without a commit is not counted, and does not keep the alert
		// when another one has a commit.
		{plain, "2001 -", [4]string{pending, pending, firing, firing}},
		{plain, "0 -", [4]string{inactive, inactive, inactive, inactive}},
		{hysteresis, "1500 -", [4]string{inactive, inactive, inactive, firing}},
		{plain, "0 - ?", [4]string{inactive, pending, pending, firing}},
		{plain, "- -", [4]string{inactive, pending, pending, firing}},

		{zero, "1", [4]string{firing, firing, firing, firing}},
		{zero, "0", [4]string{inactive, inactive, inactive, inactive}},

		// A sum that overflows is the greatest number, not negative.
		{atOnce, fmt.Sprint(int64(math.MaxInt64), " ", int64(math.MaxInt64)), [4]string{firing, firing, firing, firing}},
		// An invalid negative lag does not reduce the sum.
		{atOnce, "2001 -5000", [4]string{firing, firing, firing, firing}},
	}
	for _, tt := range tests {
		name := fmt.Sprintf("max_lag %d, for %v, lags %q", *tt.rule.MaxLag, tt.rule.For, tt.lags)
		if tt.rule.ClearBelow != nil {
			name = fmt.Sprintf("clear_below %d, %s", *tt.rule.ClearBelow, name)
		}
		t.Run(name, func(t *testing.T) {
			for i, from := range []string{inactive, pending, "due", firing} {
				active := tt.rule.advance(before[from], tt.rule.checkMaxLag(sumLag(newTopic("t", tt.lags).Partitions)), now, now)
				got := inactive
				switch {
				case active.Firing:
					got = firing
				case !active.Since.IsZero():
					got = pending
				}
				if got != tt.want[i] {
					t.Errorf("%s became %s, want %s", from, got, tt.want[i])
				}
				since := before[from].Since
				if from == inactive {
					since = now
				}
				if got != inactive && !active.Since.Equal(since) {
					t.Errorf("%s has Since %v, want %v", from, active.Since, since)
				}
			}
		})
	}
}

// evaluations are snapshots of polls and the wanted alerts.
type evaluations []struct {
	minute float64
	snap   *Snapshot
	want   string
}

// run evaluates the snapshots and returns the last state.
func (steps evaluations) run(t *testing.T, e *Evaluator) *ClusterState {
	t.Helper()
	var state *ClusterState
	for _, step := range steps {
		next, alerts := e.Evaluate(state, step.snap, at(step.minute))
		if got := summarize(alerts); got != step.want {
			t.Fatalf("alerts at minute %v:\ngot  %s\nwant %s", step.minute, got, step.want)
		}
		// Encoding and decoding must not change the state.
		data, err := next.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if state, err = DecodeState(data); err != nil {
			t.Fatal(err)
		}
		if again, _ := state.Encode(); string(again) != string(data) {
			t.Fatalf("state at minute %v = %s after decoding, want %s", step.minute, again, data)
		}
	}
	return state
}

func TestForElapsesByTheClock(t *testing.T) {
	rule := lagRule(2000)
	rule.For = setting.Duration(2 * time.Minute)
	over, low := lagSnapshot("2001"), lagSnapshot("2000")
	tests := map[string]evaluations{
		"every minute": {
			{0, over, ""}, {1, over, ""},
			{2, over, "Lag g t since 08:00:00 firing lag=2001"},
			{3, over, "Lag g t since 08:00:00 firing lag=2001"},
			{4, low, "Lag g t since 08:00:00 ended 08:04:00 lag=2000"},
			{5, low, ""},
		},
		"late by a second": {{0, over, ""}, {1.99, over, ""}, {3, over, "Lag g t since 08:00:00 firing lag=2001"}},
		"missed polls":     {{0, over, ""}, {9, over, "Lag g t since 08:00:00 firing lag=2001"}},
		"a lower lag between restarts it": {
			{0, over, ""}, {1, low, ""}, {2, over, ""}, {3, over, ""},
			{4, over, "Lag g t since 08:02:00 firing lag=2001"},
		},
		"an unknown lag between does not": {
			{0, over, ""},
			{1, lagSnapshot("?"), ""},
			{2, lagSnapshot("2000 ?"), ""},
			{3, over, "Lag g t since 08:00:00 firing lag=2001"},
		},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) { s.run(t, NewEvaluator([]Rule{rule}, "c", "en")) })
	}
}

func TestHysteresis(t *testing.T) {
	rule := lagRule(2000)
	rule.ClearBelow = ptr(1500)
	evaluations{
		{0, lagSnapshot("2000"), ""},
		{1, lagSnapshot("1200 801"), "Lag g t since 08:01:00 firing lag=2001"},
		{2, lagSnapshot("2000 0"), "Lag g t since 08:01:00 firing lag=2000"},
		{3, lagSnapshot("1500 0"), "Lag g t since 08:01:00 firing lag=1500"},
		{4, lagSnapshot("1499 0"), "Lag g t since 08:01:00 ended 08:04:00 lag=1499"},
		{5, lagSnapshot("1600 0"), ""},
		{6, lagSnapshot("2001 0"), "Lag g t since 08:06:00 firing lag=2001"},
	}.run(t, NewEvaluator([]Rule{rule}, "c", "en"))
}

func TestAlertsWithoutDataStay(t *testing.T) {
	fires := "Lag g t since 08:00:00 firing lag=2001"
	ends := "Lag g t since 08:00:00 ended 08:02:00"
	over := lagSnapshot("2001")
	denied := errors.New("denied")
	tests := map[string]struct {
		snap *Snapshot
		want string
	}{
		"no partition known":         {lagSnapshot("? ?"), ""},
		"low, one partition unknown": {lagSnapshot("5 ?"), "Lag g t since 08:00:00 firing lag=5"},
		"no topic, group failed":     {newSnapshot(Group{Name: "g", Complete: true, Err: denied}), ""},
		"no topic, incomplete group": {newSnapshot(Group{Name: "g", Topics: []Topic{newTopic("u", "1")}}), ""},
		"no group, incomplete list":  {&Snapshot{Groups: []Group{newGroup("h")}}, ""},
		"no topic, incomplete list":  {&Snapshot{Groups: []Group{newGroup("g", newTopic("u", "1"))}}, ends},
		"no topic, complete group":   {newSnapshot(newGroup("g", newTopic("u", "1"))), ends},
		"no group, complete list":    {newSnapshot(newGroup("h")), ends},
		"no groups, complete list":   {newSnapshot(), ends},
		"low, group failed later": {newSnapshot(Group{Name: "g", Topics: []Topic{newTopic("t", "7")}, Err: denied}),
			"Lag g t since 08:00:00 ended 08:02:00 lag=7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			after := evaluations{{3, over, "Lag g t since 08:03:00 firing lag=2001"}}
			if !strings.Contains(tt.want, "ended") {
				after[0].want = fires
			}
			s := append(evaluations{{0, over, fires}, {2, tt.snap, tt.want}}, after...)
			s.run(t, NewEvaluator([]Rule{lagRule(2000)}, "c", "en"))
		})
	}
}

// Rules that differ only in their thresholds do not share their pending time.
func TestRulesWithTheSameIdentity(t *testing.T) {
	long, short := lagRule(10), lagRule(100)
	long.For, short.For = setting.Duration(10*time.Minute), setting.Duration(time.Minute)
	evaluations{
		{0, lagSnapshot("50"), ""},
		{5, lagSnapshot("101"), ""},
		{6, lagSnapshot("101"), "Lag g t since 08:05:00 firing lag=101"},
	}.run(t, NewEvaluator([]Rule{long, short}, "c", "en"))
}

func TestChangedRules(t *testing.T) {
	over := lagSnapshot("2001")
	base := lagRule(2000)
	base.Labels = mustTemplates(t, "severity", "warning")
	state, _ := NewEvaluator([]Rule{base}, "c", "en").Evaluate(nil, over, at(0))

	relabeled := base
	relabeled.Labels = mustTemplates(t, "severity", "critical")
	raised, lowered := base, base
	raised.MaxLag, lowered.MaxLag = ptr(3000), ptr(5)
	tests := map[string]struct {
		rules []Rule
		want  string
	}{
		"removed":      {nil, "Lag g t since 08:00:00 ended 08:01:00"},
		"relabeled":    {[]Rule{relabeled}, "Lag g t since 08:01:00 firing lag=2001\nLag g t since 08:00:00 ended 08:01:00"},
		"higher limit": {[]Rule{raised}, "Lag g t since 08:00:00 ended 08:01:00 lag=2001"},
		"lower limit":  {[]Rule{lowered}, "Lag g t since 08:00:00 firing lag=2001"},
		"twice":        {[]Rule{base, base}, "Lag g t since 08:00:00 firing lag=2001"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			next, alerts := NewEvaluator(tt.rules, "c", "en").Evaluate(state, over, at(1))
			if got := summarize(alerts); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			for _, a := range alerts {
				if a.Labels["severity"] == "" {
					t.Errorf("labels = %v, want a severity", a.Labels)
				}
			}
			if name == "removed" && !next.empty() {
				t.Errorf("state = %+v, want an empty one", next)
			}
		})
	}
}

// A pending alert whose topic is gone ends without an alert.
func TestPendingAlertOfARemovedTopic(t *testing.T) {
	rule := lagRule(10)
	rule.For = setting.Duration(time.Hour)
	state := evaluations{
		{0, lagSnapshot("11"), ""},
		{1, newSnapshot(newGroup("g")), ""},
	}.run(t, NewEvaluator([]Rule{rule}, "c", "en"))
	if !state.empty() {
		t.Errorf("state = %+v, want an empty one", state)
	}
}

func TestEvaluatorDoesNotModifyItsArguments(t *testing.T) {
	e := NewEvaluator([]Rule{lagRule(0)}, "c", "en")
	state, _ := e.Evaluate(nil, newSnapshot(newGroup("g", newTopic("t", "1"), newTopic("u", "1"))), at(0))
	before, _ := state.Encode()
	e.Evaluate(state, newSnapshot(Group{Name: "g", Topics: []Topic{newTopic("t", "0")}}), at(1))
	e.EvaluateFailure(state, errors.New("x"), at(1))
	e.EndAll(state, at(1))
	(&ClusterState{}).withEnded(state).mergeTopics(state.Rules[0].Rule, activeAlerts{"g": {"v": {Since: at(1)}}})
	if after, _ := state.Encode(); string(after) != string(before) {
		t.Errorf("state = %s, want %s", after, before)
	}
}

func TestWorstPartitions(t *testing.T) {
	partitions := func(lags ...int64) (list []Partition) {
		for id, lag := range lags {
			list = append(list, Partition{ID: int32(id), Lag: lag, Known: lag >= 0})
		}
		return list
	}
	for _, tt := range []struct {
		partitions []Partition
		want       string
	}{
		{nil, ""},
		{partitions(0, 0), ""},
		{partitions(0, 3, -1, 7), "3:7,1:3"},
		{partitions(5, 9, 9, 1, 7, 7, 9, 0), "1:9,2:9,6:9,4:7,5:7"},
		{partitions(1, 2, 3, 4, 5, 6, 7), "6:7,5:6,4:5,3:4,2:3"},
		{partitions(4, 4, 4, 4, 4, 4, 4), "0:4,1:4,2:4,3:4,4:4"},
	} {
		if got := alert.FormatPartitions(partitionLags(worstPartitions(tt.partitions))); got != tt.want {
			t.Errorf("worstPartitions(%v) = %s, want %s", tt.partitions, got, tt.want)
		}
	}
}
