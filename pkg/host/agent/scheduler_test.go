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

// collections records when each service was collected, as time since the start.
type collections struct {
	mu    sync.Mutex
	times map[string][]time.Duration
}

func (c *collections) of(name string) []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.times[name])
}

func newTestScheduler(open func(service) (plugin, error)) (*scheduler, *collections, *logOutput) {
	begin, c := time.Now(), &collections{times: map[string][]time.Duration{}}
	log, l := newTestLog()
	return &scheduler{id: "web-1", open: open, log: log, enqueue: func(name string, _ any, at time.Time) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.times[name] = append(c.times[name], at.Sub(begin))
		return nil
	}}, c, l
}

func newTestPlugin(collect func(ctx context.Context) (any, error)) plugin {
	return plugin{collect: func(ctx context.Context, _ time.Time) (any, error) { return collect(ctx) }}
}

func collectOne(context.Context) (any, error) { return 1, nil }

// wantSteady fails the test unless there are count collections, the first within
// the interval, the others one interval apart.
func wantSteady(t *testing.T, name string, got []time.Duration, interval time.Duration, count int) {
	t.Helper()
	if len(got) != count || got[0] >= interval {
		t.Fatalf("%s: got collections at %v, want %d, the first before %s", name, got, count, interval)
	}
	for i := range got {
		if want := got[0] + time.Duration(i)*interval; got[i] != want {
			t.Errorf("%s: got collection %d at %s, want %s", name, i, got[i], want)
		}
	}
}

func TestSchedulerIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, got, _ := newTestScheduler(func(service) (plugin, error) { return newTestPlugin(collectOne), nil })
		ctx, cancel := context.WithCancel(t.Context())
		s.apply(ctx, []service{{"A", "p", 15 * time.Second}, {"B", "p", time.Minute}, {"C", "p", 1500 * time.Millisecond}})
		time.Sleep(time.Hour)
		cancel()
		s.stop(time.Second)
		wantSteady(t, "A", got.of("A"), 15*time.Second, 240)
		wantSteady(t, "B", got.of("B"), time.Minute, 60)
		wantSteady(t, "C", got.of("C"), 1500*time.Millisecond, 2400)
	})
}

// The offsets of 1000 services of many hosts are spread over the interval, and
// constant.
func TestIntervalOffset(t *testing.T) {
	var tenths [10]int
	for i := range 1000 {
		s := service{fmt.Sprint("S", i%8), "cpu", time.Minute}
		offset := intervalOffset(fmt.Sprint("web-", i/8), s)
		if again := intervalOffset(fmt.Sprint("web-", i/8), s); offset != again || offset < 0 || offset >= time.Minute {
			t.Fatalf("got offsets %s and %s, want the same one within a minute", offset, again)
		}
		tenths[offset/(6*time.Second)]++
	}
	for _, n := range tenths {
		if n < 60 || n > 140 {
			t.Errorf("got %v services by tenth of the interval, want about 100 each", tenths)
			break
		}
	}
}

// A plugin that hangs delays no other. Its collections are skipped, not made later,
// and never run concurrently.
func TestSchedulerWithHangingPlugins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := 0
		s, got, l := newTestScheduler(func(sv service) (plugin, error) {
			switch sv.plugin {
			case "slow": // 25 s every 10 s
				return newTestPlugin(func(context.Context) (any, error) {
					if running++; running > 1 {
						t.Errorf("got %d collections at once, want 1", running)
					}
					time.Sleep(25 * time.Second)
					running--
					return 1, nil
				}), nil
			case "stuck":
				return newTestPlugin(func(context.Context) (any, error) { time.Sleep(24 * time.Hour); return 1, nil }), nil
			default:
				return newTestPlugin(collectOne), nil
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		s.apply(ctx, []service{{"Good", "p", 10 * time.Second}, {"Slow", "slow", 10 * time.Second}, {"Stuck", "stuck", 10 * time.Second}})
		time.Sleep(5 * time.Minute)
		cancel()
		begin := time.Now()
		s.stop(5 * time.Second)
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("got %s to stop, want 5s", d)
		}
		l.wantLine(t, "does not end")
		wantSteady(t, "Good", got.of("Good"), 10*time.Second, 30)
		if at := got.of("Slow"); len(at) != 10 {
			t.Errorf("Slow: got collections at %v, want one every 30 s", at)
		}
		status := s.services()
		if len(status) != 3 || status[1].Name != "Slow" || status[1].Skipped != 20 || status[1].Collected != 10 {
			t.Errorf("Slow: got %+v, want 10 collected and 20 skipped", status[1])
		}
		if status[2].Skipped != 29 || status[2].Collected != 0 || len(got.of("Stuck")) != 0 {
			t.Errorf("Stuck: got %+v, want 29 skipped", status[2])
		}
		time.Sleep(24 * time.Hour) // until the stuck collection ends, as synctest requires
	})
}

// A new configuration stops the services that are gone, starts new ones, and leaves
// the others undisturbed.
func TestSchedulerApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := map[string]int{}
		s, got, l := newTestScheduler(func(sv service) (plugin, error) {
			opened[sv.name]++
			if sv.plugin == "none" {
				return plugin{}, errors.New("no such plugin")
			}
			return newTestPlugin(collectOne), nil
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
		wantSteady(t, "Keep", got.of("Keep"), 10*time.Second, 12)
		for name, want := range map[string]int{"Change": 6 + 3, "Drop": 6, "New": 60} {
			if n := len(got.of(name)); n != want {
				t.Errorf("%s: got %d collections, want %d", name, n, want)
			}
		}
		if opened["Keep"] != 1 || opened["Change"] != 2 || opened["None"] != 1 {
			t.Errorf("got %v plugins opened, want Keep and None once, Change twice", opened)
		}
		l.wantLine(t, "None", "no such plugin")
	})
}

// A plugin with a baseline reads it at once, and has data from its first regular
// collection on.
func TestSchedulerReadsBaselines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		s, got, _ := newTestScheduler(func(service) (plugin, error) {
			return plugin{needsBaseline: true, collect: func(context.Context, time.Time) (any, error) {
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
			t.Errorf("at the start: got %d reads, want 1", n)
		}
		time.Sleep(3 * time.Minute)
		cancel()
		s.stop(time.Second)
		wantSteady(t, "A", got.of("A"), time.Minute, 3)
	})
}

// Failures are logged when they begin and when they end. A panic is a failure of
// its plugin only.
func TestSchedulerFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s, got, l := newTestScheduler(func(service) (plugin, error) {
			return newTestPlugin(func(context.Context) (any, error) {
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
			t.Errorf("failing: got %+v, want 4 failures, the last one a panic", st)
		}
		time.Sleep(4 * time.Minute)
		cancel()
		s.stop(time.Second)
		if st := s.services()[0]; st.Failed != 4 || st.Collected != 4 || st.Error != "" || len(got.of("A")) != 4 {
			t.Errorf("recovered: got %+v, want 4 failures, 4 collections and no error", st)
		}
		l.wantLine(t, "cannot be collected", "fault 1")
		l.wantLine(t, "cannot be collected")
		l.wantLine(t, "collected again")
	})
}
