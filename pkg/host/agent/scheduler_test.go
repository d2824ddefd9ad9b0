package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// collected is what a scheduler of a test put, by service.
type collected struct {
	mu sync.Mutex
	at map[string][]time.Duration // since the beginning
}

func (c *collected) of(name string) []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.at[name])
}

// newScheduler returns a scheduler whose plugins are what open returns.
func newScheduler(open func(service) (plugin, error)) (*scheduler, *collected, *logs) {
	begin, c := time.Now(), &collected{at: map[string][]time.Duration{}}
	log, l := newLog()
	return &scheduler{id: "web-1", open: open, log: log, put: func(name string, _ any, at time.Time) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.at[name] = append(c.at[name], at.Sub(begin))
		return nil
	}}, c, l
}

func simple(f func(ctx context.Context) (any, error)) plugin {
	return plugin{collect: func(ctx context.Context, _ time.Time) (any, error) { return f(ctx) }}
}

func quick(context.Context) (any, error) { return 1, nil }

// steady wants count times, the first within the interval, the others each one
// interval later.
func steady(t *testing.T, name string, got []time.Duration, interval time.Duration, count int) {
	t.Helper()
	if len(got) != count || got[0] >= interval {
		t.Fatalf("%s: at %v, want %d, the first before %s", name, got, count, interval)
	}
	for i := range got {
		if want := got[0] + time.Duration(i)*interval; got[i] != want {
			t.Errorf("%s: number %d at %s, want %s", name, i, got[i], want)
		}
	}
}

func TestScheduleIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, got, _ := newScheduler(func(service) (plugin, error) { return simple(quick), nil })
		ctx, cancel := context.WithCancel(t.Context())
		s.apply(ctx, []service{{"A", "p", 15 * time.Second}, {"B", "p", time.Minute}, {"C", "p", 1500 * time.Millisecond}})
		time.Sleep(time.Hour)
		cancel()
		s.stop(time.Second)
		steady(t, "A", got.of("A"), 15*time.Second, 240)
		steady(t, "B", got.of("B"), time.Minute, 60)
		steady(t, "C", got.of("C"), 1500*time.Millisecond, 2400)
	})
}

// Hosts and services do not begin at once: over 1000 of them every tenth of the
// interval has its share.
func TestPhase(t *testing.T) {
	var tenths [10]int
	for i := range 1000 {
		s := service{fmt.Sprint("S", i%8), "cpu", time.Minute}
		p := phase(fmt.Sprint("web-", i/8), s)
		if p != phase(fmt.Sprint("web-", i/8), s) || p < 0 || p >= time.Minute {
			t.Fatal(p)
		}
		tenths[p/(6*time.Second)]++
	}
	for _, n := range tenths {
		if n < 60 || n > 140 {
			t.Errorf("tenths %v, want about 100 in each", tenths)
			break
		}
	}
}

// A plugin that hangs disturbs no other; what it missed is skipped, not made up
// for, and it is never run twice at a time.
func TestScheduleHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := 0
		s, got, l := newScheduler(func(sv service) (plugin, error) {
			switch sv.plugin {
			case "slow": // 25 s every 10 s
				return simple(func(context.Context) (any, error) {
					if running++; running > 1 {
						t.Error("it runs twice at a time")
					}
					time.Sleep(25 * time.Second)
					running--
					return 1, nil
				}), nil
			case "stuck":
				return simple(func(context.Context) (any, error) { time.Sleep(24 * time.Hour); return 1, nil }), nil
			default:
				return simple(quick), nil
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		s.apply(ctx, []service{{"Good", "p", 10 * time.Second}, {"Slow", "slow", 10 * time.Second}, {"Stuck", "stuck", 10 * time.Second}})
		time.Sleep(5 * time.Minute)
		cancel()
		begin := time.Now()
		s.stop(5 * time.Second)
		if d := time.Since(begin); d != 5*time.Second || l.has("does not end") != 1 {
			t.Errorf("it stopped after %s, want 5s\n%s", d, l)
		}
		steady(t, "Good", got.of("Good"), 10*time.Second, 30)
		if at := got.of("Slow"); len(at) != 10 {
			t.Errorf("slow at %v, want every 30 s", at)
		}
		status := s.services()
		if len(status) != 3 || status[1].Name != "Slow" || status[1].Skipped != 20 || status[1].Collected != 10 {
			t.Errorf("slow: %+v, want 10 collected and 20 skipped", status[1])
		}
		if status[2].Skipped != 29 || status[2].Collected != 0 || len(got.of("Stuck")) != 0 {
			t.Errorf("stuck: %+v, want 29 skipped", status[2])
		}
		time.Sleep(24 * time.Hour) // let it end, as the test must
	})
}

// A configuration that changes stops what is gone, begins what is new, and leaves
// the rest as it is.
func TestScheduleApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := map[string]int{}
		s, got, l := newScheduler(func(sv service) (plugin, error) {
			opened[sv.name]++
			if sv.plugin == "none" {
				return plugin{}, errors.New("no such plugin")
			}
			return simple(quick), nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		s.apply(ctx, []service{{"Keep", "p", 10 * time.Second}, {"Change", "p", 10 * time.Second}, {"Drop", "p", 10 * time.Second}, {"None", "none", 10 * time.Second}})
		time.Sleep(time.Minute)
		s.apply(ctx, []service{{"Keep", "p", 10 * time.Second}, {"Change", "p", 20 * time.Second}, {"None", "none", 10 * time.Second}, {"New", "p", time.Second}})
		time.Sleep(time.Minute)
		s.apply(ctx, nil)
		time.Sleep(time.Minute)
		cancel()
		s.stop(time.Second)
		steady(t, "Keep", got.of("Keep"), 10*time.Second, 12)
		if n := len(got.of("Change")); n != 6+3 {
			t.Errorf("Change: %d, want 6 and 3", n)
		}
		if n := len(got.of("Drop")); n != 6 {
			t.Errorf("Drop: %d, want 6", n)
		}
		if n := len(got.of("New")); n != 60 {
			t.Errorf("New: %d, want 60", n)
		}
		if opened["Keep"] != 1 || opened["Change"] != 2 || opened["None"] != 1 || l.has("None", "no such plugin") != 1 {
			t.Errorf("opened %v\n%s", opened, l)
		}
	})
}

// What compares is read at once, and has something to say from its first turn
// on.
func TestScheduleCompares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		s, got, _ := newScheduler(func(service) (plugin, error) {
			return plugin{compares: true, collect: func(context.Context, time.Time) (any, error) {
				if reads.Add(1) == 1 {
					return nil, nil
				}
				return 1, nil
			}}, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		s.apply(ctx, []service{{"A", "p", time.Minute}})
		synctest.Wait()
		if n := reads.Load(); n != 1 {
			t.Errorf("%d reads at the start, want 1", n)
		}
		time.Sleep(3 * time.Minute)
		cancel()
		s.stop(time.Second)
		steady(t, "A", got.of("A"), time.Minute, 3)
	})
}

// A failure is logged when it begins and when it ends, and a plugin that panics
// takes nothing with it.
func TestScheduleFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s, got, l := newScheduler(func(service) (plugin, error) {
			return simple(func(context.Context) (any, error) {
				switch n++; {
				case n <= 3:
					return nil, fmt.Errorf("fault %d", n)
				case n == 4:
					panic("odd machine")
				}
				return 1, nil
			}), nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		s.apply(ctx, []service{{"A", "p", time.Minute}})
		time.Sleep(4 * time.Minute)
		if st := s.services()[0]; st.Failed != 4 || st.Error != "plugin p fails on this machine: odd machine" || st.Last == nil {
			t.Errorf("%+v", st)
		}
		time.Sleep(4 * time.Minute)
		cancel()
		s.stop(time.Second)
		if st := s.services()[0]; st.Failed != 4 || st.Collected != 4 || st.Error != "" || len(got.of("A")) != 4 {
			t.Errorf("%+v", st)
		}
		if l.has("is not collected", "fault 1") != 1 || l.has("not collected") != 1 || l.has("collected again") != 1 {
			t.Errorf("the log:\n%s", l)
		}
	})
}
