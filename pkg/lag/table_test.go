package lag

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/setting"
)

func TestTable(t *testing.T) {
	slow := Rule{Alert: "Slow", MaxLag: ptr(100), For: setting.Duration(5 * time.Minute), Match: Match{ConsumerGroup: pattern(t, "g")}}
	high := Rule{Alert: "High", MaxLag: ptr(1000), ClearBelow: ptr(500), Match: Match{Topic: pattern(t, "[a-y].*")}}
	lower := Rule{Alert: "Lower", MaxLag: ptr(50), Match: Match{Topic: pattern(t, "b")}}
	cfg := &Config{Rules: []Rule{slow, high, lower}}
	j := NewJudge(cfg.Rules, "c", "en")
	state, _ := j.Seen(nil, all(whole("g", topic("a", "101"), topic("was-high", "1001"))), at(0))

	snap := &Snapshot{Groups: []Group{
		whole("h", topic("b", "7"), topic("zeta", "5000")),
		{Name: "g", Err: errors.New("cut"), Topics: []Topic{
			topic("was-high", "0 200 300"), topic("a", "101 0"), topic("fine", "100"), topic("high", "1 1000"),
			topic("part", "5 ?"), topic("dark", "? ?"),
		}},
		whole("empty"),
	}}
	line := func(state *State, minute float64) string {
		var b strings.Builder
		for _, l := range Table(cfg, "c", snap, state, at(minute)) {
			show := func(p *int64) string {
				if p == nil {
					return "-"
				}
				return fmt.Sprint(*p)
			}
			fmt.Fprintf(&b, "%s %s/%s %s of %s", l.Cluster, l.Group, l.Topic, show(l.Lag), show(l.Threshold))
			if l.Worst != nil {
				fmt.Fprintf(&b, " worst %d", *l.Worst)
			}
			if l.Unknown > 0 {
				fmt.Fprintf(&b, " unknown %d %s", l.Unknown, l.Reason)
			}
			fmt.Fprintf(&b, " %s", l.State)
			if l.Err != nil {
				fmt.Fprintf(&b, " %v", l.Err)
			}
			b.WriteByte('\n')
		}
		return b.String()
	}
	const withState = `c g/ - of - unknown cut
c g/a 101 of 100 worst 0 firing
c g/dark - of 100 unknown 2 no commit unknown
c g/fine 100 of 100 worst 0 ok
c g/high 1001 of 1000 worst 1 firing
c g/part 5 of 100 worst 0 unknown 1 no commit ok
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
