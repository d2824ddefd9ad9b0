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

// Whatever is seen of one group, and whatever goes wrong with it, what is said
// of another stays word for word the same.
func TestOneGroupChangesNoOther(t *testing.T) {
	rules := []Rule{
		{Alert: "Many", MaxLag: ptr(300), For: minutes(2)},
		{Alert: "Late", MaxDelay: minutes(4), MaxLag: ptr(10)},
		status("Stuck", trend.Stalled, trend.Stopped), status("Back", trend.Rewind),
		{Alert: "Lost", Lost: true}, {Alert: "Grows", GrowingFor: minutes(5)},
	}
	for seed := range uint64(30) {
		heard := func(noise bool) string {
			rnd := rand.New(rand.NewPCG(seed, 1))
			other := rand.New(rand.NewPCG(seed, 2))
			r := &scripted{oldest: map[string]time.Time{}, states: map[string]string{"g": "Empty"}}
			e := &ear{}
			w := watcher(memory.New(), e, map[string]Reader{"c": r})
			w.Config.Rules = rules
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
				g := of("g", part(0, commit, end), gone(1, rnd.Int64N(9), max(0, rnd.Int64N(20)-18)))
				r.oldest["g/t/0"] = at(float64(m) - float64(rnd.IntN(8)))
				r.groups = []Group{g}
				if noise {
					r.groups = append(r.groups, random(other))
				}
				mustPoll(t, w, float64(m))
				for _, a := range e.words {
					if a.Labels[alert.GroupLabel] == "g" {
						out = append(out, fmt.Sprint(brief([]*alert.Alert{a}), a.Annotations))
					}
				}
				e.words = nil
			}
			return strings.Join(out, "\n")
		}
		if alone, beside := heard(false), heard(true); alone != beside || alone == "" {
			t.Fatalf("seed %d: alone\n%s\nbeside another group\n%s", seed, alone, beside)
		}
	}
}

// random is a group of which anything may be seen. It shares the topic.
func random(rnd *rand.Rand) Group {
	g := of("x")
	for id := range int32(rnd.IntN(4)) {
		p := part(id, rnd.Int64N(1000), 1000+rnd.Int64N(100000))
		switch rnd.IntN(6) {
		case 0:
			p = refused
		case 1:
			p = noCommit
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
