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
	slow := Rule{Alert: "Slow", MaxLag: ptr(100), For: setting.Duration(5 * time.Minute), Match: Match{ConsumerGroup: pattern(t, "g")}}
	high := Rule{Alert: "High", MaxLag: ptr(1000), ClearBelow: ptr(500), Match: Match{Topic: pattern(t, "[a-y].*")}}
	lower := Rule{Alert: "Lower", MaxLag: ptr(50), Match: Match{Topic: pattern(t, "b")}}
	cfg := &Config{Rules: []Rule{slow, high, lower}}
	j := NewEvaluator(cfg.Rules, "c", "en")
	state, _ := j.Evaluate(nil, all(whole("g", topic("a", "101"), topic("was-high", "1001"))), at(0))

	snap := &Snapshot{Groups: []Group{
		whole("h", topic("b", "7"), topic("zeta", "5000")),
		{Name: "g", Err: errors.New("cut"), Topics: []Topic{
			topic("was-high", "0 200 300"), topic("a", "101 0"), topic("fine", "100"), topic("high", "1 1000"),
			topic("part", "5 ?"), topic("dark", "? ?"),
		}},
		whole("empty"),
	}}
	line := func(state *ClusterState, minute float64) string {
		var b strings.Builder
		for _, l := range Table(cfg, "c", snap, state, at(minute)) {
			show := func(p *int64) string {
				if p == nil {
					return "-"
				}
				return fmt.Sprint(*p)
			}
			fmt.Fprintf(&b, "%s %s/%s %s of %s", l.Cluster, l.Group, l.Topic, show(l.Lag), show(l.Threshold))
			if l.WorstPartition != nil {
				fmt.Fprintf(&b, " worst %d", *l.WorstPartition)
			}
			if l.UnknownPartitions > 0 {
				fmt.Fprintf(&b, " unknown %d %s", l.UnknownPartitions, l.Reason)
			}
			fmt.Fprintf(&b, " %s", l.AlertState)
			if l.Err != nil {
				fmt.Fprintf(&b, " %v", l.Err)
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
	if got := line(state, 5); got != withState {
		t.Errorf("got\n%s\nwant\n%s", got, withState)
	}
	// Without state, `for` begins now and hysteresis has nothing to hold.
	without := strings.NewReplacer(
		"a 101 of 100 worst 0 firing", "a 101 of 100 worst 0 pending",
		"was-high 500 of 100 worst 2 firing", "was-high 500 of 100 worst 2 pending",
	).Replace(withState)
	if got := line(nil, 5); got != without {
		t.Errorf("got\n%s\nwant\n%s", got, without)
	}
}

// A Look for people asks how old all unread messages are, and the window tells
// the rest.
func TestTableOfMoves(t *testing.T) {
	r := &scripted{oldest: map[string]time.Time{"g/t/0": at(1), "h/t/0": at(2.5)}, states: map[string]string{"g": "Empty"}}
	cfg := &Config{Rules: []Rule{{Alert: "Stopped", Status: []trend.State{trend.Stopped}}}}
	l := Poller{Config: cfg, Cluster: "c", Reader: r, Window: &trend.Window{}, AllAges: true}
	var snap *Snapshot
	for m := range int64(4) {
		h := of("h", gone(0, 60-12*m, 0)) // reads 12 of the 0 that come in a minute
		h.Topics[0].Partitions[0].Committed += 12 * m
		h.Topics[0].Partitions[0].End = 160
		r.groups = []Group{of("g", part(0, 100, 160+60*m)), h, of("new", gone(0, 0, 4))}
		var err error
		if snap, err = l.Poll(t.Context(), at(float64(m))); err != nil {
			t.Fatal(err)
		}
	}
	lines := Table(cfg, "c", snap, nil, at(3))
	data, err := json.Marshal(lines)
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
				t.Errorf("%s: %s is %v, want %v", got[i]["consumer_group"], name, got[i][name], v)
			}
		}
	}
}
