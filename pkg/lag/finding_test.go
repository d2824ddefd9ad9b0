package lag

import (
	"context"
	"slices"
	"testing"
	"time"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/memory"
)

// The table in the comment of advance, for whatever was found.
func TestAdvanceByFinding(t *testing.T) {
	r := &Rule{For: setting.Duration(2 * time.Minute)}
	nothing, pending, due := ActiveAlert{}, ActiveAlert{Since: at(9)}, ActiveAlert{Since: at(8)}
	fires, fired := ActiveAlert{Since: at(5), Firing: true}, ActiveAlert{Since: at(8), Firing: true}
	tests := []struct {
		found result
		want  [4]ActiveAlert // of nothing, pending for 1m, pending for 2m, firing
	}{
		{unknown, [4]ActiveAlert{nothing, pending, due, fires}},
		{met, [4]ActiveAlert{{Since: at(10)}, pending, fired, fires}},
		{hysteresis, [4]ActiveAlert{nothing, nothing, nothing, fires}},
		{notMet, [4]ActiveAlert{nothing, nothing, nothing, nothing}},
	}
	for _, tt := range tests {
		for i, was := range []ActiveAlert{nothing, pending, due, fires} {
			if got := r.advance(was, tt.found, at(10)); got != tt.want[i] {
				t.Errorf("found %d: %+v became %+v, want %+v", tt.found, was, got, tt.want[i])
			}
		}
	}
}

// old is a partition that lags by lag and whose oldest unread message is between
// so many minutes old; negative is not known.
func old(id int32, lag int64, atLeast, atMost float64) Partition {
	p := Partition{ID: id, Committed: 100, End: 100 + lag, Lag: lag, Known: true, Age: &Age{Reason: "no clock"}}
	if atLeast >= 0 {
		minutes := func(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }
		p.Age = &Age{AtLeast: minutes(atLeast), AtMost: minutes(atMost), Known: true}
	}
	return p
}

func gone(id int32, lag, lost int64) Partition {
	return Partition{ID: id, Committed: 100, Start: 100 + lost, End: 100 + lost + lag, Lag: lag, Lost: lost, Known: true}
}

var (
	noCommit = Partition{ID: 8, Committed: -1, End: 50, Reason: NoCommit}
	refused  = Partition{ID: 9, Committed: -1, End: -1, Reason: "denied"}
)

func find(r *Rule, snap *Snapshot, partitions ...Partition) result {
	j := NewEvaluator([]Rule{*r}, "c", "en")
	topic := &Topic{Name: "t", Partitions: partitions}
	return j.rules[0].evaluate(&ruleInput{j, snap, at(10), &Group{Name: "g"}, topic, &topicView{lagSum: sumLag(partitions)}})
}

func TestConditions(t *testing.T) {
	minutes := func(n int) setting.Duration { return setting.Duration(time.Duration(n) * time.Minute) }
	delay := &Rule{MaxDelay: minutes(10)}
	held := &Rule{MaxDelay: minutes(10), ClearBelowDelay: minutes(5)}
	lost := &Rule{Lost: true}
	count := &Rule{MaxLag: ptr(100), ClearBelow: ptr(50)}
	both := &Rule{MaxLag: ptr(100), ClearBelow: ptr(50), MaxDelay: minutes(10), ClearBelowDelay: minutes(5)}
	all := &Rule{MaxLag: ptr(100), MaxDelay: minutes(10), Lost: true}
	state := &Rule{MaxLag: ptr(100), Status: []trend.State{trend.Stalled}}
	grow := &Rule{MaxLag: ptr(100), GrowingFor: minutes(10)}
	kafka, api := &Snapshot{}, &Snapshot{StartOffsetUnknown: true}
	tests := map[string]struct {
		rule *Rule
		snap *Snapshot
		seen []Partition
		want result
	}{
		"older":                             {delay, kafka, []Partition{old(0, 5, 10.1, 11)}, met},
		"as old as the limit":               {delay, kafka, []Partition{old(0, 5, 10, 10)}, notMet},
		"younger":                           {delay, kafka, []Partition{old(0, 5, 9, 9.5)}, notMet},
		"nobody can tell":                   {delay, kafka, []Partition{old(0, 5, -1, -1)}, unknown},
		"bounds on both sides of the limit": {delay, api, []Partition{old(0, 5, 9, 11)}, unknown},
		"no bound above":                    {delay, api, []Partition{old(0, 5, 3, 1e6)}, unknown},
		"one late partition is enough":      {delay, kafka, []Partition{old(0, 5, 1, 1), refused, old(2, 5, 12, 12)}, met},
		"one unknown partition":             {delay, kafka, []Partition{old(0, 5, 1, 1), old(1, 5, -1, -1)}, unknown},
		"one refused partition":             {delay, kafka, []Partition{old(0, 5, 1, 1), refused}, unknown},
		"one without a commit":              {delay, kafka, []Partition{old(0, 5, 1, 1), noCommit}, notMet},
		"none but without a commit":         {delay, kafka, []Partition{noCommit}, unknown},
		"a transaction marker":              {delay, kafka, []Partition{old(0, 1, 60, 60)}, notMet},
		"nothing to read":                   {delay, kafka, []Partition{{ID: 0, Committed: 5, End: 5, Known: true}}, notMet},
		"not asked":                         {delay, kafka, []Partition{{ID: 0, Committed: 5, End: 9, Lag: 4, Known: true}}, unknown},
		"held between":                      {held, kafka, []Partition{old(0, 5, 7, 8)}, hysteresis},
		"held, about the lower limit":       {held, kafka, []Partition{old(0, 5, 4, 6)}, hysteresis},
		"held, about both limits":           {held, api, []Partition{old(0, 5, 4, 11)}, unknown},
		"held, low":                         {held, kafka, []Partition{old(0, 5, 4, 5)}, notMet},

		"lost":                            {lost, kafka, []Partition{gone(0, 5, 0), gone(1, 5, 7)}, met},
		"nothing lost":                    {lost, kafka, []Partition{gone(0, 5, 0), noCommit}, notMet},
		"nothing lost, one refused":       {lost, kafka, []Partition{gone(0, 5, 0), refused}, unknown},
		"what was lost cannot be learnt":  {lost, api, []Partition{gone(0, 5, 0)}, unknown},
		"nothing known":                   {lost, kafka, []Partition{refused}, unknown},
		"many and late":                   {both, kafka, []Partition{old(0, 101, 11, 11)}, met},
		"many, not late":                  {both, kafka, []Partition{old(0, 101, 1, 1)}, notMet},
		"late, not many":                  {both, kafka, []Partition{old(0, 49, 11, 11)}, notMet},
		"few, and nobody knows how late":  {both, kafka, []Partition{old(0, 49, -1, -1)}, notMet},
		"many, and nobody knows how late": {both, kafka, []Partition{old(0, 101, -1, -1)}, unknown},
		"many, between in time":           {both, kafka, []Partition{old(0, 101, 7, 7)}, hysteresis},
		"late, between in number":         {both, kafka, []Partition{old(0, 60, 11, 11)}, hysteresis},
		"between in number, unknown":      {both, kafka, []Partition{old(0, 60, -1, -1)}, hysteresis},
		"three of three":                  {all, kafka, []Partition{old(0, 101, 11, 11), gone(1, 0, 3)}, met},
		"two of three":                    {all, kafka, []Partition{old(0, 101, 11, 11)}, notMet},
		"two of three and one unknown":    {all, api, []Partition{old(0, 101, 11, 11)}, unknown},
		"many, without a window":          {state, kafka, []Partition{gone(0, 101, 0)}, unknown},
		"few, without a window":           {state, kafka, []Partition{gone(0, 99, 0)}, notMet},
		"growth, without a window":        {grow, kafka, []Partition{gone(0, 101, 0)}, unknown},
		"count alone, as ever":            {count, kafka, []Partition{gone(0, 60, 0)}, hysteresis},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := find(tt.rule, tt.snap, tt.seen...); got != tt.want {
				t.Errorf("found %d, want %d", got, tt.want)
			}
		})
	}
}

// A lag that grows, but not for long enough, begins no alert and ends none.
func TestGrowthBetween(t *testing.T) {
	for _, tt := range []struct {
		rise int64
		want [4]result // after 1, 2, 4 and 8 polls
	}{
		{50, [4]result{unknown, hysteresis, hysteresis, met}},
		{0, [4]result{unknown, notMet, notMet, notMet}},
	} {
		w := &trend.Window{}
		var got []result
		for m := range int64(8) {
			p := part(0, 100*m, 100*m+500+tt.rise*m)
			snap := all(of("g", p))
			w.Add(at(float64(m)), trendGroups(snap), true, true)
			snap.Trend = w
			if m == 0 || m == 1 || m == 3 || m == 7 {
				got = append(got, find(&Rule{GrowingFor: setting.Duration(6 * time.Minute)}, snap, p))
			}
		}
		if !slices.Equal(got, tt.want[:]) {
			t.Errorf("rising by %d: %v, want %v", tt.rise, got, tt.want)
		}
	}
}

// older is a Timer that says so much of every row, and knows no exact age.
type older struct {
	scripted
	OlderCount
}

func (o *older) CountOlder(_ context.Context, _ time.Time, rows []GroupPartition, thresholds []time.Duration) [][]OlderCount {
	return slices.Repeat([][]OlderCount{slices.Repeat([]OlderCount{o.OlderCount}, len(thresholds))}, len(rows))
}

// A transaction marker may be as old as it likes.
func TestAMarkerIsNotLate(t *testing.T) {
	for messages, want := range map[int64]string{0: "", 1: "", 2: "Late g t since 08:00:00 firing lag=5"} {
		r := &older{scripted{groups: []Group{of("g", part(0, 0, 5))}, blind: "no answer in time"}, OlderCount{Messages: messages, Known: true}}
		e := &ear{}
		w := watcher(memory.New(), e, map[string]Reader{"c": r})
		w.Config.Rules = []Rule{{Alert: "Late", MaxDelay: minutes(10)}}
		mustPoll(t, w, 0)
		a := e.last("Late")
		if got := e.heard(); got != want {
			t.Errorf("%d older: %s, want %s", messages, got, want)
		}
		// How old exactly nobody could tell: it is above the limit.
		if want != "" && a.Annotations["delay"] != "600" {
			t.Errorf("delay %q", a.Annotations["delay"])
		}
	}
}
