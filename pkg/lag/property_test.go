package lag

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store/memory"
)

// The alerts of a group do not depend on the data and the errors of another one.
func TestGroupsAreIndependent(t *testing.T) {
	rules := []Rule{
		{Alert: "Many", MaxLag: ptr(300), For: minutes(2)},
		{Alert: "Late", MaxDelay: minutes(4), MaxLag: ptr(10)},
		statusRule("Stuck", trend.Stalled, trend.Stopped), statusRule("Back", trend.Rewind),
		{Alert: "Lost", Lost: true}, {Alert: "Grows", GrowingFor: minutes(5)},
	}
	for seed := range uint64(30) {
		// alerts returns those of the group g, alone or with another group.
		alerts := func(withOther bool) string {
			rnd := rand.New(rand.NewPCG(seed, 1))
			other := rand.New(rand.NewPCG(seed, 2))
			r := &fakeReader{oldestUnread: map[string]time.Time{}, states: map[string]string{"g": "Empty"}}
			rec := &ingestRecorder{}
			w := newRuleWatcher(memory.New(), rec, r, rules...)
			commit, end := int64(100), int64(100)
			var out []string
			for m := range 15 {
				end += rnd.Int64N(200)
				if rnd.IntN(3) > 0 {
					commit = min(end, commit+rnd.Int64N(200))
				}
				if rnd.IntN(12) == 0 {
					commit -= 50
				}
				g := newGroupOf("g", newPartition(0, commit, end), lostPartition(1, rnd.Int64N(9), max(0, rnd.Int64N(20)-18)))
				r.oldestUnread["g/t/0"] = at(float64(m) - float64(rnd.IntN(8)))
				r.groups = []Group{g}
				if withOther {
					r.groups = append(r.groups, randomGroup(other))
				}
				mustPoll(t, w, float64(m))
				for _, a := range rec.received {
					if a.Labels[alert.GroupLabel] == "g" {
						out = append(out, fmt.Sprint(summarize([]*alert.Alert{a}), a.Annotations))
					}
				}
				rec.received = nil
			}
			return strings.Join(out, "\n")
		}
		if alone, together := alerts(false), alerts(true); alone != together || alone == "" {
			t.Fatalf("seed %d: alerts with another group\n%s\nwant those without it\n%s", seed, together, alone)
		}
	}
}

// randomGroup returns a group with the same topic t and any data and errors.
func randomGroup(rnd *rand.Rand) Group {
	g := newGroupOf("x")
	for id := range int32(rnd.IntN(4)) {
		p := newPartition(id, rnd.Int64N(1000), 1000+rnd.Int64N(100000))
		switch rnd.IntN(6) {
		case 0:
			p = deniedPartition
		case 1:
			p = uncommittedPartition
		case 2:
			p.Lost = rnd.Int64N(100)
		}
		g.Topics[0].Partitions = append(g.Topics[0].Partitions, p)
	}
	g.Complete = rnd.IntN(2) == 0
	if rnd.IntN(4) == 0 {
		g.Err = errors.New("denied")
	}
	g.Topics[0].Unsubscribed = rnd.IntN(5) == 0
	return g
}
