package dispatch_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
)

// paced is a receiver whose channel may be sent 20 messages a minute.
func paced(c *channel) *outbox.Receiver {
	in := integration(c, "robot")
	in.Kind.Quotas = []notify.Quota{{Messages: 20, Per: time.Minute}}
	return &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{in}}
}

// byTopic makes every topic a group of its own.
func byTopic() route.Config {
	r := newRouteConfig("0s", "5m", "4h")
	r.GroupBy = []string{"topic"}
	return r
}

func numbered(prefix string, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("%s%03d", prefix, i))
	}
	return names
}

// Twenty groups are twenty messages; one more than the quota, and they are one.
func TestQuotaMergesWhatItCannotTake(t *testing.T) {
	for n, want := range map[int]int{19: 19, 20: 20, 21: 1, 500: 1} {
		c := &channel{}
		w := newWorld(t, byTopic(), paced(c))
		topics := numbered("t", n)
		w.fire(at(0), topics...)
		if sum := w.tick(at(0)); sum.Sent != want || sum.Pending != 0 {
			t.Fatalf("%d groups: %+v, want %d sent and none owed", n, sum, want)
		}
		var said []string
		for _, s := range c.said {
			for _, a := range s.Alerts {
				said = append(said, a.Labels["topic"])
			}
			if merged := n > 20; merged != (s.Merged == n) {
				t.Errorf("%d groups: one message says it stands for %d", n, s.Merged)
			}
		}
		if slices.Sort(said); !slices.Equal(said, topics) {
			t.Errorf("%d groups: said %d topics", n, len(said))
		}
	}
}

// The quota holds over ticks, restarts and instances, and nothing is dropped:
// what does not fit waits until it does.
func TestQuotaHoldsOverTime(t *testing.T) {
	c := &channel{}
	w := newWorld(t, byTopic(), paced(c))
	var times []time.Duration
	var said []string
	listen := func(now time.Time) {
		for _, s := range c.said {
			times = append(times, now.Sub(t0))
			for _, a := range s.Alerts {
				said = append(said, a.Labels["topic"])
			}
		}
		c.said = nil
	}
	var all []string
	for second := range 100 { // one new group each second
		now := at(float64(second))
		name := fmt.Sprintf("t%03d", second)
		all = append(all, name)
		w.fire(now, name)
		if second%7 == 0 {
			w.restart(byTopic())
		}
		w.tick(now)
		listen(now)
	}
	for second := 100; second < 300; second++ {
		w.tick(at(float64(second)))
		listen(at(float64(second)))
	}
	for i := range times {
		if i >= 20 && times[i]-times[i-20] < time.Minute {
			t.Errorf("21 messages between %v and %v", times[i-20], times[i])
		}
	}
	if slices.Sort(said); !slices.Equal(said, all) {
		t.Errorf("of %d topics %d were said", len(all), len(said))
	}
}

// A digest of more parts than the quota takes goes out over several minutes, each
// part once.
func TestLongDigest(t *testing.T) {
	c := &channel{units: numbered("part", 30)}
	w := newWorld(t, byTopic(), paced(c))
	w.fire(at(0), "a", "b")
	if sum := w.tick(at(0)); sum.Sent != 20 || sum.Pending != 1 {
		t.Fatalf("%+v, want 20 parts sent and the rest owed", sum)
	}
	if sum := w.tick(at(59.9)); sum.Sent != 0 {
		t.Fatalf("%+v within the minute", sum)
	}
	if sum := w.tick(at(60)); sum.Sent != 10 || sum.Pending != 0 {
		t.Fatalf("%+v, want the other 10 parts", sum)
	}
	if len(c.said) != 30 {
		t.Errorf("%d parts said, want 30", len(c.said))
	}
}
