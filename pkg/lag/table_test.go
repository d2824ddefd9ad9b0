package lag

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
)

func TestTable(t *testing.T) {
	slow := Rule{Alert: "Slow", MaxLag: ptr(100), For: setting.Duration(5 * time.Minute), Match: Match{ConsumerGroup: mustPattern(t, "g")}}
	high := Rule{Alert: "High", MaxLag: ptr(1000), ClearBelow: ptr(500), Match: Match{Topic: mustPattern(t, "[a-y].*")}}
	lower := Rule{Alert: "Lower", MaxLag: ptr(50), Match: Match{Topic: mustPattern(t, "b")}}
	cfg := &Config{Rules: []Rule{slow, high, lower}}
	state, _ := NewEvaluator(cfg.Rules, "c", "en").Evaluate(nil, newSnapshot(newGroup("g", newTopic("a", "101"), newTopic("was-high", "1001"))), at(0))

	snap := &Snapshot{Groups: []Group{
		newGroup("h", newTopic("b", "7"), newTopic("zeta", "5000")),
		{Name: "g", Err: errors.New("cut"), Topics: []Topic{
			newTopic("was-high", "0 200 300"), newTopic("a", "101 0"), newTopic("fine", "100"), newTopic("high", "1 1000"),
			newTopic("part", "5 ?"), newTopic("dark", "? ?"),
		}},
		newGroup("empty"),
	}}
	table := func(state *ClusterState) string {
		var b strings.Builder
		for _, row := range Table(cfg, "c", snap, state, at(5)) {
			show := func(p *int64) string {
				if p == nil {
					return "-"
				}
				return fmt.Sprint(*p)
			}
			fmt.Fprintf(&b, "%s %s/%s %s of %s", row.Cluster, row.Group, row.Topic, show(row.Lag), show(row.Threshold))
			if row.WorstPartition != nil {
				fmt.Fprintf(&b, " worst %d", *row.WorstPartition)
			}
			if row.UnknownPartitions > 0 {
				fmt.Fprintf(&b, " unknown %d %s", row.UnknownPartitions, row.Reason)
			}
			fmt.Fprintf(&b, " %s", row.AlertState)
			if row.Error != "" {
				fmt.Fprintf(&b, " %s", row.Error)
			}
			b.WriteByte('\n')
		}
		return b.String()
	}
	const withState = `c g/ - of - unknown cut
c g/a 101 of 100 worst 0 firing
c g/dark - of 100 unknown 2 error 3 unknown
c g/fine 100 of 100 worst 0 ok
c g/high 1001 of 1000 worst 1 firing
c g/part 5 of 100 worst 0 unknown 1 error 3 ok
c g/was-high 500 of 100 worst 2 firing
c h/b 7 of 50 worst 0 ok
c h/zeta 5000 of - worst 0 ok
`
	if got := table(state); got != withState {
		t.Errorf("table with a state = \n%s\nwant\n%s", got, withState)
	}
	// Without a state `for` begins now, and there is no firing alert to keep.
	withoutState := strings.NewReplacer(
		"a 101 of 100 worst 0 firing", "a 101 of 100 worst 0 pending",
		"was-high 500 of 100 worst 2 firing", "was-high 500 of 100 worst 2 pending",
	).Replace(withState)
	if got := table(nil); got != withoutState {
		t.Errorf("table without a state = \n%s\nwant\n%s", got, withoutState)
	}
}

// With AllAges and a window, the table shows the progress in every topic.
func TestTableProgress(t *testing.T) {
	r := &fakeReader{oldestUnread: map[string]time.Time{"g/t/0": at(1), "h/t/0": at(2.5)}, states: map[string]string{"g": "Empty"}}
	cfg := &Config{Rules: []Rule{{Alert: "Stopped", Status: []trend.State{trend.Stopped}}}}
	p := Poller{Config: cfg, Cluster: "c", Reader: r, Window: &trend.Window{}, AllAges: true}
	var snap *Snapshot
	for m := range int64(4) {
		h := newGroupOf("h", lostPartition(0, 60-12*m, 0)) // consumes 12 messages a minute, while none are produced
		h.Topics[0].Partitions[0].Committed += 12 * m
		h.Topics[0].Partitions[0].End = 160
		r.groups = []Group{newGroupOf("g", newPartition(0, 100, 160+60*m)), h, newGroupOf("new", lostPartition(0, 0, 4))}
		var err error
		if snap, err = p.Poll(t.Context(), at(float64(m))); err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.Marshal(Table(cfg, "c", snap, nil, at(3)))
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]any{
		{"consumer_group": "g", "state": "firing", "rule": "Stopped", "delay": 119., "status": "stopped", "rate_in": 1., "rate_out": 0., "drain": "never", "threshold": nil},
		{"consumer_group": "h", "state": "ok", "delay": 29., "status": "ok", "rate_in": 0., "rate_out": 0.2, "drain": "2m"},
		{"consumer_group": "new", "state": "ok", "delay": nil, "lost": 4., "status": "ok", "drain": "0s"},
	} {
		for name, v := range want {
			if got[i][name] != v {
				t.Errorf("%s: %s = %v, want %v", got[i]["consumer_group"], name, got[i][name], v)
			}
		}
	}
}
