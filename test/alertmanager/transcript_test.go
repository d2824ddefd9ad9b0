package alertmanager

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tocsin/pkg/alert"
)

// transcript is what came of a scenario, one line per notification and per
// change of a silence, each beginning with its time. It may be written to
// concurrently.
type transcript struct {
	begin time.Time
	mu    sync.Mutex
	lines []string
}

func (tr *transcript) note(at time.Time, format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.lines = append(tr.lines, fmt.Sprintf("%010.3f ", at.Sub(tr.begin).Seconds())+fmt.Sprintf(format, args...))
}

// sorted returns the lines in order of time. What happens at one time has no
// order: groups are flushed independently of each other.
func (tr *transcript) sorted() []string {
	return slices.Sorted(slices.Values(tr.lines))
}

// said is a notification in the terms that both programs have in common.
type said struct {
	at          time.Time
	receiver    string
	integration int
	group       string
	reason      string
	groupLabels alert.Labels
	routeLabels alert.Labels
	alerts      []told // in the order in which they were given
}

type told struct {
	labels, annotations alert.Labels
	start, end          time.Time // no end: it fires
}

func (tr *transcript) notification(s said) {
	alerts := make([]string, len(s.alerts))
	for i, a := range s.alerts {
		state := "firing"
		if !a.end.IsZero() {
			state = "resolved " + tr.since(a.end)
		}
		alerts[i] = fmt.Sprintf("%s %s since %s, said %s", printed(a.labels), state, tr.since(a.start), a.annotations["said"])
	}
	tr.note(s.at, "%s/%d %s: %s %s %s\n\t%s", s.receiver, s.integration, s.group, s.reason,
		printed(s.groupLabels), printed(s.routeLabels), strings.Join(alerts, "\n\t"))
}

func (tr *transcript) since(t time.Time) string {
	return strconv.FormatFloat(t.Sub(tr.begin).Seconds(), 'f', 3, 64)
}

func printed(l alert.Labels) string {
	var parts []string
	for _, name := range l.Names() {
		parts = append(parts, fmt.Sprintf("%s=%q", name, l[name]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// difference tells where two transcripts part, "" if nowhere.
func difference(theirs, ours []string) string {
	for i := range max(len(theirs), len(ours)) {
		a, b := "nothing more", "nothing more"
		if i < len(theirs) {
			a = theirs[i]
		}
		if i < len(ours) {
			b = ours[i]
		}
		if a != b {
			return fmt.Sprintf("after %d equal lines\nAlertmanager: %s\nTocsin:       %s", i, a, b)
		}
	}
	return ""
}
