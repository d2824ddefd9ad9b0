package alertmanager

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	eventCount = flag.Uint64("event-scenarios", 200, "`number` of random scenarios with reloads, restarts, outages and refusals")
	eventFirst = flag.Uint64("event-first", 0, "`number` of the first of them")
)

// TestRandomEvents checks that Alertmanager's engine and Tocsin's send the same
// notifications, apart from their times, after each event of random scenarios, or differ
// in the documented kinds only.
func TestRandomEvents(t *testing.T) {
	var mu sync.Mutex
	counts := map[string]int{}
	count := func(kinds []string) {
		mu.Lock()
		defer mu.Unlock()
		counts[cmp.Or(strings.Join(kinds, ", "), "none")]++
	}
	workers := uint64(runtime.GOMAXPROCS(0))
	t.Run("parts", func(t *testing.T) {
		for w := range workers {
			t.Run(fmt.Sprintf("part %d of %d", w+1, workers), func(part *testing.T) {
				part.Parallel()
				for n := *eventFirst + w; n < *eventFirst+*eventCount; n += workers {
					s := generateEvents(*seed, n)
					kinds, fault := s.differences(part, true)
					if len(kinds) == 0 && fault == "" && s.hasNoDifferences() {
						kinds, fault = s.differences(part, false)
					}
					if fault != "" {
						part.Errorf("scenario %d of seed %d: %s\n\n%s", n, *seed, fault, s)
						continue
					}
					count(kinds)
				}
			})
		}
	})
	for _, kinds := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%5d scenarios with differences: %s", counts[kinds], kinds)
	}
}

// differences plays the scenario to both, with Config.Upstream on or off, and returns
// the kinds of documented differences, or a fault.
func (s scenario) differences(t *testing.T, upstream bool) (kinds []string, fault string) {
	expanded := s.expand()
	theirs, err := expanded.playUpstream(t)
	if err != nil {
		t.Fatalf("Alertmanager: %v\n%s", err, s)
	}
	ours, err := expanded.playTocsin(t.Context(), upstream)
	if err != nil {
		return nil, "Tocsin: " + err.Error()
	}
	difference := s.differ(theirs.sent, ours.sent)
	if difference == "" {
		return nil, ""
	}
	if kinds, fault = s.kinds(theirs, ours); fault != "" {
		fault = fmt.Sprintf("(Upstream: %v) %s\n%s", upstream, fault, difference)
	}
	return kinds, fault
}

// differ returns how notifications differ, apart from their times between two steps,
// or "".
func (s scenario) differ(theirs, ours []sentNotification) string {
	return firstDifference(s.windows(theirs), s.windows(ours))
}

// windows returns notifications without their times, sorted in each of the windows that
// begin with the steps.
func (s scenario) windows(sent []sentNotification) []string {
	since := func(t time.Time) string { return (&transcript{begin: s.begin}).since(t) }
	var lines []string
	for _, n := range sent {
		window := len(s.steps)
		for window > 0 && s.begin.Add(s.steps[window-1].at).After(n.at) {
			window--
		}
		line := fmt.Sprintf("%03d (from %v) %s %s: %s", window, s.steps[max(0, window-1)].at, n.to(), n.group, n.reason)
		for _, a := range n.alerts {
			state := "firing"
			if !a.firing() {
				state = "resolved " + since(a.end)
			}
			line += fmt.Sprintf("\n\t%s %s since %s", formatLabels(a.labels), state, since(a.start))
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}
