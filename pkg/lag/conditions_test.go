package lag

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/memory"
)

// The table in the comment of advance.
func TestAdvanceByResult(t *testing.T) {
	r := &Rule{For: setting.Duration(2 * time.Minute)}
	inactive, pending, due := ActiveAlert{}, ActiveAlert{Since: at(9)}, ActiveAlert{Since: at(8)}
	firing, fired := ActiveAlert{Since: at(5), Firing: true}, ActiveAlert{Since: at(8), Firing: true}
	tests := []struct {
		res  result
		want [4]ActiveAlert // from inactive, pending for 1m, pending for 2m, firing
	}{
		{unknown, [4]ActiveAlert{inactive, pending, due, firing}},
		{met, [4]ActiveAlert{{Since: at(10)}, pending, fired, firing}},
		{hysteresis, [4]ActiveAlert{inactive, inactive, inactive, firing}},
		{notMet, [4]ActiveAlert{inactive, inactive, inactive, inactive}},
	}
	for _, tt := range tests {
		for i, old := range []ActiveAlert{inactive, pending, due, firing} {
			if got := r.advance(old, tt.res, at(10), at(10)); got != tt.want[i] {
				t.Errorf("result %d: %+v became %+v, want %+v", tt.res, old, got, tt.want[i])
			}
		}
	}
}

// evaluateConditions evaluates a rule on a topic with partitions.
func evaluateConditions(r *Rule, snap *Snapshot, partitions ...Partition) result {
	e := NewEvaluator([]Rule{*r}, "c", "en")
	topic := &Topic{Name: "t", Partitions: partitions}
	in := e.input(snap, at(10), &Group{Name: "g"}, topic, &topicView{lagSum: sumLag(partitions)})
	return e.rules[0].evaluate(&in)
}

func TestConditions(t *testing.T) {
	delay := &Rule{MaxDelay: minutes(10)}
	delayHysteresis := &Rule{MaxDelay: minutes(10), ClearBelowDelay: minutes(5)}
	lost := &Rule{Lost: true}
	lag := &Rule{MaxLag: ptr(100), ClearBelow: ptr(50)}
	lagAndDelay := &Rule{MaxLag: ptr(100), ClearBelow: ptr(50), MaxDelay: minutes(10), ClearBelowDelay: minutes(5)}
	three := &Rule{MaxLag: ptr(100), MaxDelay: minutes(10), Lost: true}
	state := &Rule{MaxLag: ptr(100), Status: []trend.State{trend.Stalled}}
	growing := &Rule{MaxLag: ptr(100), GrowingFor: minutes(10)}
	onePartition := &Rule{MaxPartitionLag: ptr(100)}
	both := &Rule{MaxLag: ptr(150), MaxPartitionLag: ptr(100)}
	kafka, api := &Snapshot{}, &Snapshot{StartOffsetUnknown: true}
	tests := map[string]struct {
		rule       *Rule
		snap       *Snapshot
		partitions []Partition
		want       result
	}{
		"delay: older":                              {delay, kafka, []Partition{agedPartition(0, 5, 10.1, 11)}, met},
		"delay: as old as the limit":                {delay, kafka, []Partition{agedPartition(0, 5, 10, 10)}, notMet},
		"delay: younger":                            {delay, kafka, []Partition{agedPartition(0, 5, 9, 9.5)}, notMet},
		"delay: unknown age":                        {delay, kafka, []Partition{agedPartition(0, 5, -1, -1)}, unknown},
		"delay: bounds on both sides of the limit":  {delay, api, []Partition{agedPartition(0, 5, 9, 11)}, unknown},
		"delay: no upper bound":                     {delay, api, []Partition{agedPartition(0, 5, 3, 1e6)}, unknown},
		"delay: one partition is enough":            {delay, kafka, []Partition{agedPartition(0, 5, 1, 1), deniedPartition, agedPartition(2, 5, 12, 12)}, met},
		"delay: unknown age of one partition":       {delay, kafka, []Partition{agedPartition(0, 5, 1, 1), agedPartition(1, 5, -1, -1)}, unknown},
		"delay: one partition unreadable":           {delay, kafka, []Partition{agedPartition(0, 5, 1, 1), deniedPartition}, unknown},
		"delay: one partition without a commit":     {delay, kafka, []Partition{agedPartition(0, 5, 1, 1), uncommittedPartition}, notMet},
		"delay: all partitions without a commit":    {delay, kafka, []Partition{uncommittedPartition}, unknown},
		"delay: transaction marker":                 {delay, kafka, []Partition{agedPartition(0, 1, 60, 60)}, notMet},
		"delay: no lag":                             {delay, kafka, []Partition{newPartition(0, 5, 5)}, notMet},
		"delay: age not queried":                    {delay, kafka, []Partition{newPartition(0, 5, 9)}, unknown},
		"delay hysteresis: between the limits":      {delayHysteresis, kafka, []Partition{agedPartition(0, 5, 7, 8)}, hysteresis},
		"delay hysteresis: around the lower limit":  {delayHysteresis, kafka, []Partition{agedPartition(0, 5, 4, 6)}, hysteresis},
		"delay hysteresis: around both limits":      {delayHysteresis, api, []Partition{agedPartition(0, 5, 4, 11)}, unknown},
		"delay hysteresis: at most the lower limit": {delayHysteresis, kafka, []Partition{agedPartition(0, 5, 4, 5)}, notMet},

		"lost: one partition is enough":                     {lost, kafka, []Partition{lostPartition(0, 5, 0), lostPartition(1, 5, 7)}, met},
		"lost: nothing":                                     {lost, kafka, []Partition{lostPartition(0, 5, 0), uncommittedPartition}, notMet},
		"lost: nothing, one unreadable":                     {lost, kafka, []Partition{lostPartition(0, 5, 0), deniedPartition}, unknown},
		"lost: start offsets unknown":                       {lost, api, []Partition{lostPartition(0, 5, 0)}, unknown},
		"lost: all unreadable":                              {lost, kafka, []Partition{deniedPartition}, unknown},
		"lag and delay: both":                               {lagAndDelay, kafka, []Partition{agedPartition(0, 101, 11, 11)}, met},
		"lag and delay: lag only":                           {lagAndDelay, kafka, []Partition{agedPartition(0, 101, 1, 1)}, notMet},
		"lag and delay: delay only":                         {lagAndDelay, kafka, []Partition{agedPartition(0, 49, 11, 11)}, notMet},
		"lag and delay: neither, unknown":                   {lagAndDelay, kafka, []Partition{agedPartition(0, 49, -1, -1)}, notMet},
		"lag and delay: lag, unknown":                       {lagAndDelay, kafka, []Partition{agedPartition(0, 101, -1, -1)}, unknown},
		"lag and delay: lag, hysteresis":                    {lagAndDelay, kafka, []Partition{agedPartition(0, 101, 7, 7)}, hysteresis},
		"lag and delay: hysteresis, delay":                  {lagAndDelay, kafka, []Partition{agedPartition(0, 60, 11, 11)}, hysteresis},
		"lag and delay: hysteresis,unknown":                 {lagAndDelay, kafka, []Partition{agedPartition(0, 60, -1, -1)}, hysteresis},
		"three conditions: all":                             {three, kafka, []Partition{agedPartition(0, 101, 11, 11), lostPartition(1, 0, 3)}, met},
		"three conditions: two":                             {three, kafka, []Partition{agedPartition(0, 101, 11, 11)}, notMet},
		"three conditions: two, unknown":                    {three, api, []Partition{agedPartition(0, 101, 11, 11)}, unknown},
		"status: lag, no window":                            {state, kafka, []Partition{lostPartition(0, 101, 0)}, unknown},
		"status: no lag, no window":                         {state, kafka, []Partition{lostPartition(0, 99, 0)}, notMet},
		"growing: lag, no window":                           {growing, kafka, []Partition{lostPartition(0, 101, 0)}, unknown},
		"partition lag: all at the limit, the sum above it": {onePartition, kafka, []Partition{newPartition(0, 0, 100), newPartition(1, 0, 100)}, notMet},
		"partition lag: one above the limit":                {onePartition, kafka, []Partition{newPartition(0, 0, 1), newPartition(1, 0, 101)}, met},
		"partition lag: one above, one unreadable":          {onePartition, kafka, []Partition{deniedPartition, newPartition(1, 0, 101)}, met},
		"partition lag: one below, one unreadable":          {onePartition, kafka, []Partition{deniedPartition, newPartition(1, 0, 100)}, unknown},
		"partition lag: one without a commit":               {onePartition, kafka, []Partition{uncommittedPartition, newPartition(1, 0, 100)}, notMet},
		"sum and partition lag: both":                       {both, kafka, []Partition{newPartition(0, 0, 50), newPartition(1, 0, 101)}, met},
		"sum and partition lag: the sum only":               {both, kafka, []Partition{newPartition(0, 0, 100), newPartition(1, 0, 100)}, notMet},
		"lag: hysteresis":                                   {lag, kafka, []Partition{lostPartition(0, 60, 0)}, hysteresis},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := evaluateConditions(tt.rule, tt.snap, tt.partitions...); got != tt.want {
				t.Errorf("result = %d, want %d", got, tt.want)
			}
		})
	}
}

// A lag that has not been growing for long enough keeps a firing alert.
func TestGrowingForHasHysteresis(t *testing.T) {
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
			p := newPartition(0, 100*m, 100*m+500+tt.rise*m)
			snap := newSnapshot(newGroupOf("g", p))
			w.Add(at(float64(m)), trendGroups(snap), true, true)
			snap.Trend = w
			if m == 0 || m == 1 || m == 3 || m == 7 {
				got = append(got, evaluateConditions(&Rule{GrowingFor: setting.Duration(6 * time.Minute)}, snap, p))
			}
		}
		if !slices.Equal(got, tt.want[:]) {
			t.Errorf("results with a rise of %d = %v, want %v", tt.rise, got, tt.want)
		}
	}
}

// constantCounts is an AgeReader with the same OlderCount for every partition, and
// without exact ages.
type constantCounts struct {
	fakeReader
	OlderCount
}

func (c *constantCounts) CountOlder(_ context.Context, _ time.Time, partitions []GroupPartition, thresholds []time.Duration) [][]OlderCount {
	return slices.Repeat([][]OlderCount{slices.Repeat([]OlderCount{c.OlderCount}, len(thresholds))}, len(partitions))
}

// One old message may be a transaction marker, which stays unread.
func TestMaxDelayIgnoresATransactionMarker(t *testing.T) {
	for messages, want := range map[int64]string{0: "", 1: "", 2: "Late g t since 08:00:00 firing lag=5"} {
		t.Run(fmt.Sprintf("%d older messages", messages), func(t *testing.T) {
			r := &constantCounts{fakeReader{groups: []Group{newGroupOf("g", newPartition(0, 0, 5))}, ageReason: "no answer in time"}, OlderCount{Messages: messages, Known: true}}
			rec := &ingestRecorder{}
			mustPoll(t, newRuleWatcher(memory.New(), rec, r, Rule{Alert: "Late", MaxDelay: minutes(10)}), 0)
			// Without an exact age the delay is the limit.
			if got := rec.last("Late").Annotations["delay"]; want != "" && got != "600" {
				t.Errorf("delay = %q, want 600", got)
			}
			wantAlerts(t, rec, 0, want)
		})
	}
}
