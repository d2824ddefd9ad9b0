package alertmanager

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"tocsin/pkg/route"
)

var (
	count = flag.Uint64("scenarios", 4000, "how many random scenarios to play")
	seed  = flag.Uint64("seed", 1, "which ones")
)

// Alertmanager and Tocsin say the same, at the same time, for the same reason.
func TestRandom(t *testing.T) {
	workers := uint64(runtime.GOMAXPROCS(0))
	for w := range workers {
		t.Run(fmt.Sprintf("part %d of %d", w+1, workers), func(part *testing.T) {
			part.Parallel()
			for n := w; n < *count && !t.Failed(); n += workers {
				s := generate(*seed, n)
				if d := s.compare(part); d != "" {
					small := s.shrunk(part)
					part.Fatalf("scenario %d of seed %d: %s\n\nreduced: %s\n\n%s", n, *seed, d, small.compare(part), small)
				}
			}
		})
	}
}

// compare plays the scenario to both and tells how they differ, "" if not.
func (s scenario) compare(t *testing.T) string {
	d := s.differs(t, true)
	if d == "" && s.plain() {
		d = s.differs(t, false)
	}
	return d
}

// differs compares in one mode: with Alertmanager's faults or without.
func (s scenario) differs(t *testing.T, upstream bool) string {
	theirs, err := s.upstream(t)
	if err != nil {
		t.Fatalf("Alertmanager: %v\n%s", err, s)
	}
	ours, err := s.tocsin(t.Context(), upstream)
	if err != nil {
		return "Tocsin: " + err.Error()
	}
	if d := difference(theirs, ours); d != "" {
		return fmt.Sprintf("(Upstream: %v) %s", upstream, d)
	}
	return ""
}

// plain tells whether the scenario has nothing in it that Tocsin does better: no
// alert is muted, and no repeat_interval is a multiple of its group_interval.
func (s scenario) plain() bool {
	if len(s.config.InhibitRules)+len(s.config.TimeIntervals) > 0 || multiple(s.config.Route, 0, 0) {
		return false
	}
	return !slices.ContainsFunc(s.steps, func(st step) bool { _, is := st.do.(setSilence); return is })
}

// multiple tells whether a route of the tree repeats on the grid of its flushes.
func multiple(r *route.Config, interval, repeat time.Duration) bool {
	if r.GroupInterval != nil {
		interval = r.GroupInterval.Std()
	}
	if r.RepeatInterval != nil {
		repeat = r.RepeatInterval.Std()
	}
	return interval == 0 || repeat%interval == 0 || slices.ContainsFunc(r.Routes, func(child *route.Config) bool {
		return multiple(child, interval, repeat)
	})
}
