package alertmanager

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/route"
)

var (
	count = flag.Uint64("scenarios", 4000, "`number` of random scenarios")
	seed  = flag.Uint64("seed", 1, "`number` that the scenarios are generated from")
)

// TestRandomScenarios checks that Alertmanager's engine and Tocsin's send the same
// notifications at the same times for the same reasons. A scenario in which they
// differ is reduced before it is printed.
func TestRandomScenarios(t *testing.T) {
	workers := uint64(runtime.GOMAXPROCS(0))
	for w := range workers {
		t.Run(fmt.Sprintf("part %d of %d", w+1, workers), func(part *testing.T) {
			part.Parallel()
			for n := w; n < *count && !t.Failed(); n += workers {
				s := generate(*seed, n)
				if d := s.compare(part); d != "" {
					small := s.reduce(part)
					part.Fatalf("scenario %d of seed %d: %s\n\nreduced: %s\n\n%s", n, *seed, d, small.compare(part), small)
				}
			}
		})
	}
}

// TestKnownDifferences has the scenarios in testdata/differ in which Tocsin differs
// on purpose: each with the reason, and with both programs' lines where they part.
// Some differ only with Config.Upstream off.
func TestKnownDifferences(t *testing.T) {
	files, err := filepath.Glob("testdata/differ/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files and %v, want some", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(string(b), "---\n")
			if len(parts) != 3 {
				t.Fatalf("got %d parts, want the configuration, the steps and the difference", len(parts))
			}
			s, err := parseScenario(parts[0] + "---\n" + parts[1])
			if err != nil {
				t.Fatal(err)
			}
			if s.hasEvents() {
				s = s.expand()
			}
			got := s.compareMode(t, true)
			if got == "" {
				got = s.compareMode(t, false)
			}
			if got += "\n"; got != parts[2] {
				t.Errorf("got the difference\n%s\nwant\n%s", got, parts[2])
			}
		})
	}
}

// compare plays the scenario to both and returns how they differ, or "".
func (s scenario) compare(t *testing.T) string {
	d := s.compareMode(t, true)
	if d == "" && s.hasNoDifferences() {
		d = s.compareMode(t, false)
	}
	return d
}

// compareMode compares with Config.Upstream on or off.
func (s scenario) compareMode(t *testing.T, upstream bool) string {
	theirs, err := s.playUpstream(t)
	if err != nil {
		t.Fatalf("Alertmanager: %v\n%s", err, s)
	}
	ours, err := s.playTocsin(t.Context(), upstream)
	if err != nil {
		return "Tocsin: " + err.Error()
	}
	if d := firstDifference(theirs.sorted(), ours.sorted()); d != "" {
		return fmt.Sprintf("(Upstream: %v) %s", upstream, d)
	}
	return ""
}

// hasNoDifferences reports whether the scenario has nothing in which Tocsin differs
// with Config.Upstream off: no alert is muted, and no repeat_interval is a multiple
// of its group_interval.
func (s scenario) hasNoDifferences() bool {
	if len(s.config.InhibitRules)+len(s.config.TimeIntervals) > 0 || repeatsOnFlush(s.config.Route, 0, 0) {
		return false
	}
	return !slices.ContainsFunc(s.steps, func(st step) bool { _, is := st.do.(setSilence); return is })
}

// repeatsOnFlush reports whether a route of the tree has a repeat_interval that is a
// multiple of its group_interval; the arguments are inherited.
func repeatsOnFlush(r *route.Config, interval, repeat time.Duration) bool {
	if r.GroupInterval != nil {
		interval = r.GroupInterval.Std()
	}
	if r.RepeatInterval != nil {
		repeat = r.RepeatInterval.Std()
	}
	return interval == 0 || repeat%interval == 0 || slices.ContainsFunc(r.Routes, func(child *route.Config) bool {
		return repeatsOnFlush(child, interval, repeat)
	})
}
