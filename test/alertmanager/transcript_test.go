package alertmanager

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tocsin/pkg/alert"
)

// transcript records the result of a scenario: one line for each notification and
// each change of a silence, which begins with its time. It is safe for concurrent
// use.
type transcript struct {
	begin    time.Time
	mu       sync.Mutex
	lines    []string
	sent     []sentNotification // those that were accepted
	rejected []sentNotification
	refusing map[string]time.Time // until when an integration refuses notifications
}

// refuse makes an integration refuse notifications from now on.
func (tr *transcript) refuse(now time.Time, r refuse) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.refusing == nil {
		tr.refusing = map[string]time.Time{}
	}
	tr.refusing[r.integration] = now.Add(r.end)
}

// refuses reports whether the integration refuses the notification.
func (tr *transcript) refuses(s sentNotification) bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return s.at.Before(tr.refusing[s.to()])
}

var errRefused = errors.New("HTTP 404")

// add adds a line.
func (tr *transcript) add(at time.Time, format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.lines = append(tr.lines, fmt.Sprintf("%010.3f ", at.Sub(tr.begin).Seconds())+fmt.Sprintf(format, args...))
}

// sorted returns the lines in order of time, and those of one time in order of their
// text, since groups are flushed independently of each other.
func (tr *transcript) sorted() []string {
	return slices.Sorted(slices.Values(tr.lines))
}

// sentNotification is what both programs have of a notification.
type sentNotification struct {
	at          time.Time
	receiver    string
	integration int
	group       string
	reason      string
	groupLabels alert.Labels
	routeLabels alert.Labels
	alerts      []notifiedAlert // in their order in the notification
}

// to returns the name of the integration.
func (s sentNotification) to() string { return fmt.Sprintf("%s/%d", s.receiver, s.integration) }

// key identifies an alert of the notification and its integration.
func (s sentNotification) key(a notifiedAlert) statusKey {
	return statusKey{to: s.to(), alert: formatLabels(a.labels)}
}

type notifiedAlert struct {
	labels, annotations alert.Labels
	start, end          time.Time // end is zero while the alert fires
}

func (a notifiedAlert) firing() bool { return a.end.IsZero() }

// record adds the line of a notification. It returns errRefused if the integration
// refuses it.
func (tr *transcript) record(s sentNotification) error {
	refused := tr.refuses(s)
	tr.mu.Lock()
	if refused {
		tr.rejected = append(tr.rejected, s)
	} else {
		tr.sent = append(tr.sent, s)
	}
	tr.mu.Unlock()
	if refused {
		tr.add(s.at, "%s %s: refused", s.to(), s.group)
		return errRefused
	}
	alerts := make([]string, len(s.alerts))
	for i, a := range s.alerts {
		state := "firing"
		if !a.firing() {
			state = "resolved " + tr.since(a.end)
		}
		alerts[i] = fmt.Sprintf("%s %s since %s, pushed at %s", formatLabels(a.labels), state, tr.since(a.start), a.annotations["pushed"])
	}
	tr.add(s.at, "%s %s: %s %s %s\n\t%s", s.to(), s.group, s.reason,
		formatLabels(s.groupLabels), formatLabels(s.routeLabels), strings.Join(alerts, "\n\t"))
	return nil
}

// since returns the seconds from the scenario's begin to t.
func (tr *transcript) since(t time.Time) string {
	return strconv.FormatFloat(t.Sub(tr.begin).Seconds(), 'f', 3, 64)
}

// formatLabels returns labels as {name="value",…} in order of their names.
func formatLabels(l alert.Labels) string {
	var parts []string
	for _, name := range l.Names() {
		parts = append(parts, fmt.Sprintf("%s=%q", name, l[name]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// firstDifference returns the first lines in which two transcripts differ, or "".
func firstDifference(theirs, ours []string) string {
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
