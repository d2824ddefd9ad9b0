package alertmanager

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/route"
)

// fire and resolve begin and end alerts in a source that behaves as Prometheus does: it
// sends those that fire every resend, and the end of one until it is received.
type (
	fire    struct{ alerts []alert.Labels }
	resolve struct{ alerts []alert.Labels }
)

// reload changes the configuration, and reloads it.
type reload struct {
	// groupBy is the root's new group_by; nil keeps it.
	groupBy []string
	// matchers are those of a route to receiver that is inserted before all others.
	matchers []string
	receiver string
}

// down ends the process, or takes its store out of reach, until the end. Alertmanager,
// whose store is its own disk, is restarted in either case.
type down struct {
	store bool
	end   time.Duration
}

// up ends a down; it is added by expand.
type up struct{}

func (f fire) String() string    { return "fire" + formatAll(f.alerts) }
func (r resolve) String() string { return "resolve" + formatAll(r.alerts) }
func (up) String() string        { return "up" }

func (r reload) String() string {
	switch {
	case r.groupBy != nil:
		return "reload group_by " + strings.Join(r.groupBy, " ")
	case r.matchers != nil:
		return fmt.Sprintf("reload insert %s {%s}", r.receiver, strings.Join(r.matchers, ","))
	}
	return "reload"
}

func (d down) String() string {
	if d.store {
		return fmt.Sprintf("outage end=%v", d.end)
	}
	return fmt.Sprintf("restart end=%v", d.end)
}

func formatAll(all []alert.Labels) (s string) {
	for _, l := range all {
		s += " " + formatLabels(l)
	}
	return s
}

// parseEvent parses an event: its words, its sets in braces, and its end.
func parseEvent(words, sets []string, end time.Duration) (action, error) {
	switch verb := words[0]; {
	case verb == "fire" || verb == "resolve":
		alerts, err := parseLabels(sets)
		if verb == "resolve" {
			return resolve{alerts}, err
		}
		return fire{alerts}, err
	case verb == "reload" && len(words) == 1:
		return reload{}, nil
	case verb == "reload" && words[1] == "group_by":
		return reload{groupBy: words[2:]}, nil
	case verb == "reload" && words[1] == "insert" && len(words) == 3 && len(sets) == 1:
		return reload{receiver: words[2], matchers: strings.Split(strings.Trim(sets[0], "{}"), ",")}, nil
	case verb == "restart" || verb == "outage":
		return down{verb == "outage", end}, nil
	}
	return nil, errors.New("unknown action")
}

// change returns the configuration after the reload.
func (r reload) change(c config) config {
	root := *c.Route
	if r.groupBy != nil {
		root.GroupBy = r.groupBy
	}
	if r.matchers != nil {
		root.Routes = append([]*route.Config{{Receiver: r.receiver, Matchers: r.matchers}}, root.Routes...)
	}
	c.Route = &root
	return c
}

const (
	// resend is how often a source sends alerts that fire, and lease how long they fire
	// if they are not sent again.
	resend = 30 * time.Second
	lease  = 4 * resend
	// startDelay is --dispatch.start-delay: sources send alerts again before the first
	// notification.
	startDelay = 40 * time.Second
)

// expand returns the scenario with what the sources send in place of fire and resolve.
// What they send while the process is down is lost.
func (s scenario) expand() scenario {
	type active struct {
		alert.Labels
		since time.Duration
	}
	firing, resolved := map[alert.Fingerprint]active{}, map[alert.Fingerprint]active{}
	ends := map[alert.Fingerprint]time.Duration{} // of resolved
	sent := map[alert.Fingerprint]bool{}
	var upAt time.Duration
	var steps []step
	send := func(at time.Duration, a active, end time.Duration) {
		steps = append(steps, step{at, push{alerts: []alert.Labels{a.Labels}, start: a.since - at, end: end - at}})
	}
	tick := resend + 500*time.Millisecond
	for _, st := range append(slices.Clone(s.steps), step{at: s.length}) {
		for ; tick < st.at; tick += resend {
			if tick >= upAt && upAt > 0 {
				steps = append(steps, step{upAt, up{}})
				upAt = 0
			}
			if upAt > 0 {
				continue
			}
			for _, fp := range slices.Sorted(maps.Keys(resolved)) {
				send(tick, resolved[fp], ends[fp])
			}
			clear(resolved)
			for _, fp := range slices.Sorted(maps.Keys(firing)) {
				send(tick, firing[fp], tick+lease)
				sent[fp] = true
			}
		}
		switch do := st.do.(type) {
		case fire:
			var now []alert.Labels
			for _, l := range do.alerts {
				fp := l.Fingerprint()
				if _, waits := resolved[fp]; waits || firing[fp].Labels != nil {
					continue
				}
				firing[fp] = active{l, st.at}
				now = append(now, l)
				sent[fp] = upAt == 0
			}
			if upAt == 0 && len(now) > 0 {
				steps = append(steps, step{st.at, push{alerts: now, end: lease}})
			}
		case resolve:
			for _, l := range do.alerts {
				fp := l.Fingerprint()
				a, fires := firing[fp]
				delete(firing, fp)
				switch {
				case !fires:
				case upAt == 0:
					send(st.at, a, st.at)
				case sent[fp]:
					resolved[fp], ends[fp] = a, st.at
				}
			}
		case down:
			steps = append(steps, st)
			upAt = st.at + do.end
		case nil:
		default:
			if upAt == 0 {
				steps = append(steps, st)
			}
		}
	}
	s.steps = steps
	return s
}

// hasEvents reports whether the scenario has events besides those of a push.
func (s scenario) hasEvents() bool {
	return slices.ContainsFunc(s.steps, func(st step) bool {
		switch st.do.(type) {
		case fire, resolve, reload, down:
			return true
		}
		return false
	})
}
