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

// The tables in the comments of advance and count, with the edges of every limit:
// max_lag 2000, clear_below 1500, for 2m.
func TestAdvance(t *testing.T) {
	const (
		nothing = "nothing"
		pending = "pending"
		firing  = "firing"
	)
	hysteresis := &Rule{MaxLag: ptr(2000), ClearBelow: ptr(1500), For: setting.Duration(2 * time.Minute)}
	plain := &Rule{MaxLag: ptr(2000), For: setting.Duration(2 * time.Minute)}
	atOnce := &Rule{MaxLag: ptr(2000)}
	zero := &Rule{MaxLag: ptr(0)}
	now := at(10)
	was := map[string]ActiveAlert{
		nothing: {},
		pending: {Since: at(9)},
		"due":   {Since: at(8)},
		firing:  {Since: at(5), Firing: true},
	}
	tests := []struct {
		rule *Rule
		seen string // lags of the partitions
		// what becomes of: nothing, pending for 1m, pending for 2m, firing
		want [4]string
	}{
		{hysteresis, "", [4]string{nothing, pending, pending, firing}},
		{hysteresis, "? ?", [4]string{nothing, pending, pending, firing}},

		{hysteresis, "2001", [4]string{pending, pending, firing, firing}},
		{hysteresis, "1000 1001", [4]string{pending, pending, firing, firing}},
		{hysteresis, "2001 ?", [4]string{pending, pending, firing, firing}},
		{plain, "2001 ?", [4]string{pending, pending, firing, firing}},
		{atOnce, "2001", [4]string{firing, firing, firing, firing}},
		{atOnce, "? 2001", [4]string{firing, firing, firing, firing}},

		{hysteresis, "2000", [4]string{nothing, nothing, nothing, firing}},
		{hysteresis, "1000 1000", [4]string{nothing, nothing, nothing, firing}},
		{hysteresis, "1500", [4]string{nothing, nothing, nothing, firing}},
		{hysteresis, "1499", [4]string{nothing, nothing, nothing, nothing}},
		{plain, "2000", [4]string{nothing, nothing, nothing, nothing}},
		{plain, "0", [4]string{nothing, nothing, nothing, nothing}},

		{hysteresis, "2000 ?", [4]string{nothing, pending, pending, firing}},
		{hysteresis, "1499 ?", [4]string{nothing, pending, pending, firing}},
		{plain, "0 ?", [4]string{nothing, pending, pending, firing}},

		// What was never committed is left out of the sum, and keeps nothing from
		// ending once something was.
		{plain, "2001 -", [4]string{pending, pending, firing, firing}},
		{plain, "0 -", [4]string{nothing, nothing, nothing, nothing}},
		{hysteresis, "1500 -", [4]string{nothing, nothing, nothing, firing}},
		{plain, "0 - ?", [4]string{nothing, pending, pending, firing}},
		{plain, "- -", [4]string{nothing, pending, pending, firing}},

		{zero, "1", [4]string{firing, firing, firing, firing}},
		{zero, "0", [4]string{nothing, nothing, nothing, nothing}},

		// A sum that does not fit is as large as can be, not negative.
		{atOnce, fmt.Sprint(int64(math.MaxInt64), " ", int64(math.MaxInt64)), [4]string{firing, firing, firing, firing}},
		// A lag that must not be, below zero, is no credit for the others.
		{atOnce, "2001 -5000", [4]string{firing, firing, firing, firing}},
	}
	for _, tt := range tests {
		for i, from := range []string{nothing, pending, "due", firing} {
			is := tt.rule.advance(was[from], tt.rule.checkMaxLag(sumLag(topic("t", tt.seen).Partitions)), now)
			got := nothing
			switch {
			case is.Firing:
				got = firing
			case !is.Since.IsZero():
				got = pending
			}
			if got != tt.want[i] {
				t.Errorf("max %d, seen %q: %s became %s, want %s", *tt.rule.MaxLag, tt.seen, from, got, tt.want[i])
			}
			since := was[from].Since
			if from == nothing {
				since = now
			}
			if got != nothing && !is.Since.Equal(since) {
				t.Errorf("seen %q: %s starts at %v, want %v", tt.seen, from, is.Since, since)
			}
		}
	}
}

// A story is a sequence of polls: minute, what was seen, what was said.
type story []struct {
	minute float64
	seen   *Snapshot
	want   string
}

func (s story) tell(t *testing.T, j *Evaluator) *ClusterState {
	t.Helper()
	var state *ClusterState
	for _, step := range s {
		next, alerts := j.Evaluate(state, step.seen, at(step.minute))
		if got := brief(alerts); got != step.want {
			t.Fatalf("minute %v:\ngot  %s\nwant %s", step.minute, got, step.want)
		}
		// Through the store and back nothing may change.
		data, err := next.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if state, err = DecodeState(data); err != nil {
			t.Fatal(err)
		}
		if again, _ := state.Encode(); string(again) != string(data) {
			t.Fatalf("minute %v: state %s became %s", step.minute, data, again)
		}
	}
	return state
}

func TestForIsCountedByTheClock(t *testing.T) {
	rule := lagRule(2000)
	rule.For = setting.Duration(2 * time.Minute)
	over, low := all(whole("g", topic("t", "2001"))), all(whole("g", topic("t", "2000")))
	tests := map[string]story{
		"every minute": {
			{0, over, ""}, {1, over, ""},
			{2, over, "Lag g t since 08:00:00 firing lag=2001"},
			{3, over, "Lag g t since 08:00:00 firing lag=2001"},
			{4, low, "Lag g t since 08:00:00 ended 08:04:00 lag=2000"},
			{5, low, ""},
		},
		"late by a second": {{0, over, ""}, {1.99, over, ""}, {3, over, "Lag g t since 08:00:00 firing lag=2001"}},
		"missed polls":     {{0, over, ""}, {9, over, "Lag g t since 08:00:00 firing lag=2001"}},
		"low in between begins anew": {
			{0, over, ""}, {1, low, ""}, {2, over, ""}, {3, over, ""},
			{4, over, "Lag g t since 08:02:00 firing lag=2001"},
		},
		"unknown in between does not": {
			{0, over, ""},
			{1, all(whole("g", topic("t", "?"))), ""},
			{2, all(whole("g", topic("t", "2000 ?"))), ""},
			{3, over, "Lag g t since 08:00:00 firing lag=2001"},
		},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) { s.tell(t, NewEvaluator([]Rule{rule}, "c", "en")) })
	}
}

func TestHysteresis(t *testing.T) {
	rule := lagRule(2000)
	rule.ClearBelow = ptr(1500)
	seen := func(lags string) *Snapshot { return all(whole("g", topic("t", lags))) }
	story{
		{0, seen("2000"), ""},
		{1, seen("1200 801"), "Lag g t since 08:01:00 firing lag=2001"},
		{2, seen("2000 0"), "Lag g t since 08:01:00 firing lag=2000"},
		{3, seen("1500 0"), "Lag g t since 08:01:00 firing lag=1500"},
		{4, seen("1499 0"), "Lag g t since 08:01:00 ended 08:04:00 lag=1499"},
		{5, seen("1600 0"), ""},
		{6, seen("2001 0"), "Lag g t since 08:06:00 firing lag=2001"},
	}.tell(t, NewEvaluator([]Rule{rule}, "c", "en"))
}

func TestWhatIsNotSeenStays(t *testing.T) {
	fires := "Lag g t since 08:00:00 firing lag=2001"
	ends := "Lag g t since 08:00:00 ended 08:02:00"
	over := all(whole("g", topic("t", "2001")))
	denied := errors.New("denied")
	tests := map[string]struct {
		seen *Snapshot
		want string
	}{
		"no partition known":          {all(whole("g", topic("t", "? ?"))), ""},
		"low but for an unknown one":  {all(whole("g", topic("t", "5 ?"))), "Lag g t since 08:00:00 firing lag=5"},
		"topic absent, group unread":  {all(Group{Name: "g", Complete: true, Err: denied}), ""},
		"topic absent, group cut":     {all(Group{Name: "g", Topics: []Topic{topic("u", "1")}}), ""},
		"group absent, list cut":      {&Snapshot{Groups: []Group{whole("h")}}, ""},
		"topic absent, list cut":      {&Snapshot{Groups: []Group{whole("g", topic("u", "1"))}}, ends},
		"topic absent from the group": {all(whole("g", topic("u", "1"))), ends},
		"group absent from the list":  {all(whole("h")), ends},
		"nothing there at all":        {all(), ends},
		"seen low before the group's end": {all(Group{Name: "g", Topics: []Topic{topic("t", "7")}, Err: denied}),
			"Lag g t since 08:00:00 ended 08:02:00 lag=7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			after := story{{3, over, "Lag g t since 08:03:00 firing lag=2001"}}
			if !strings.Contains(tt.want, "ended") {
				after[0].want = fires
			}
			s := append(story{{0, over, fires}, {2, tt.seen, tt.want}}, after...)
			s.tell(t, NewEvaluator([]Rule{lagRule(2000)}, "c", "en"))
		})
	}
}

// Rules that only their numbers tell apart do not share their pending time.
func TestEqualRules(t *testing.T) {
	long, short := lagRule(10), lagRule(100)
	long.For, short.For = setting.Duration(10*time.Minute), setting.Duration(time.Minute)
	seen := func(lag string) *Snapshot { return all(whole("g", topic("t", lag))) }
	story{
		{0, seen("50"), ""},
		{5, seen("101"), ""},
		{6, seen("101"), "Lag g t since 08:05:00 firing lag=101"},
	}.tell(t, NewEvaluator([]Rule{long, short}, "c", "en"))
}

func TestChangedRules(t *testing.T) {
	over := all(whole("g", topic("t", "2001")))
	base := lagRule(2000)
	base.Labels = texts(t, "severity", "warning")
	state, _ := NewEvaluator([]Rule{base}, "c", "en").Evaluate(nil, over, at(0))

	relabeled := base
	relabeled.Labels = texts(t, "severity", "critical")
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
			if got := brief(alerts); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			for _, a := range alerts {
				if a.Labels["severity"] == "" {
					t.Errorf("%v lost its label", a.Labels)
				}
			}
			if name == "removed" && !next.empty() {
				t.Errorf("state is left: %+v", next)
			}
		})
	}
}

// A pending topic that vanishes was never told and says nothing.
func TestPendingVanishes(t *testing.T) {
	rule := lagRule(10)
	rule.For = setting.Duration(time.Hour)
	state := story{
		{0, all(whole("g", topic("t", "11"))), ""},
		{1, all(whole("g")), ""},
	}.tell(t, NewEvaluator([]Rule{rule}, "c", "en"))
	if !state.empty() {
		t.Errorf("state is left: %+v", state)
	}
}

func TestJudgeDoesNotChangeWhatItWasGiven(t *testing.T) {
	rules := []Rule{lagRule(0)}
	j := NewEvaluator(rules, "c", "en")
	state, _ := j.Evaluate(nil, all(whole("g", topic("t", "1"), topic("u", "1"))), at(0))
	before, _ := state.Encode()
	j.Evaluate(state, all(Group{Name: "g", Topics: []Topic{topic("t", "0")}}), at(1))
	j.EvaluateFailure(state, errors.New("x"), at(1))
	j.EndAll(state, at(1))
	(&ClusterState{}).withEnded(state).mergeTopics(state.Rules[0].Rule, map[string]map[string]ActiveAlert{"g": {"v": {Since: at(1)}}})
	if after, _ := state.Encode(); string(after) != string(before) {
		t.Errorf("%s became %s", before, after)
	}
}

func TestWorst(t *testing.T) {
	lags := func(all ...int64) (partitions []Partition) {
		for id, lag := range all {
			partitions = append(partitions, Partition{ID: int32(id), Lag: lag, Known: lag >= 0})
		}
		return partitions
	}
	for _, tt := range []struct {
		partitions []Partition
		want       string
	}{
		{nil, ""},
		{lags(0, 0), ""},
		{lags(0, 3, -1, 7), "3:7,1:3"},
		{lags(5, 9, 9, 1, 7, 7, 9, 0), "1:9,2:9,6:9,4:7,5:7"},
		{lags(1, 2, 3, 4, 5, 6, 7), "6:7,5:6,4:5,3:4,2:3"},
		{lags(4, 4, 4, 4, 4, 4, 4), "0:4,1:4,2:4,3:4,4:4"},
	} {
		if got := alert.FormatPartitions(partitionLags(worstPartitions(tt.partitions))); got != tt.want {
			t.Errorf("worst = %s, want %s", got, tt.want)
		}
	}
}
