package host

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"tocsin/pkg/alert"
)

// entry is a value that is beyond a rule's limit: pending, or firing. The zero
// entry is one that is not.
type entry struct {
	Rule    string `json:"rule"` // its key
	Element string `json:"element,omitempty"`
	// Since is the first report that had it beyond the limit.
	Since  time.Time `json:"since"`
	Firing bool      `json:"firing,omitempty"`
	// Labels are those of the alert, while it fires: it is ended by them when the
	// rule is gone, or would make others.
	Labels alert.Labels `json:"labels,omitempty"`
}

// over is what is beyond limits of one service of a host.
type over struct {
	Entries []entry `json:"entries"`
}

// judgement is what follows from a report, or from a change of the configuration.
type judgement struct {
	host  *Host
	words *words
	at    time.Time

	next  over // to remember
	ended []entry
	// firing are the alerts that fire, ends those that are over.
	firing, ends []*alert.Alert
}

// judge compares the data of a service with the rules that are for it. It looks at
// no clock: what it says follows from its arguments.
//
// An alert starts when the value was first beyond the limit, and ends at the
// report that has it back, or that has the rest of a list but not its element. A
// value that is missing or is no number changes nothing.
func judge(h *Host, service string, data any, before over, at time.Time, w *words) *judgement {
	j := &judgement{host: h, words: w, at: at}
	was := map[string]map[string]entry{}
	for _, e := range before.Entries {
		if was[e.Rule] == nil {
			was[e.Rule] = map[string]entry{}
		}
		was[e.Rule][e.Element] = e
	}
	for _, r := range h.rules[service] {
		j.rule(r, data, was[r.key])
		delete(was, r.key)
	}
	for _, key := range slices.Sorted(maps.Keys(was)) {
		for _, element := range slices.Sorted(maps.Keys(was[key])) {
			j.end(was[key][element], w.ruleGone)
		}
	}
	j.settle()
	return j
}

// prune ends what nothing judges any more: of a host that is gone (nil) or not
// active, of a service or a rule that is gone.
func prune(h *Host, service string, before over, at time.Time, w *words) *judgement {
	j := &judgement{host: h, words: w, at: at}
	for _, e := range before.Entries {
		switch {
		case h == nil || !h.Active:
			j.end(e, w.hostGone)
		case h.Services[service] == (Service{}):
			j.end(e, w.serviceGone)
		case !slices.ContainsFunc(h.rules[service], func(r *rule) bool { return r.key == e.Rule }):
			j.end(e, w.ruleGone)
		default:
			j.next.Entries = append(j.next.Entries, e)
		}
	}
	j.settle()
	return j
}

// rule judges one rule; was is what it had beyond its limit, by element.
func (j *judgement) rule(r *rule, data any, was map[string]entry) {
	readings, complete := r.read(data)
	seen := make(map[string]bool, len(readings))
	for _, v := range readings {
		seen[v.element] = true
		old := was[v.element]
		is := r.advance(old, v, j.at)
		if !is.Firing {
			j.keep(r, v, is)
			if old.Firing {
				j.say(r, v, old, j.at)
				j.ended = append(j.ended, old)
			}
			continue
		}
		if !v.known {
			j.keep(r, v, is)
			continue
		}
		is.Labels = j.labels(r, v)
		if old.Firing && !maps.Equal(old.Labels, is.Labels) {
			j.end(old, j.words.ruleGone)
		}
		j.keep(r, v, is)
		j.say(r, v, is, time.Time{})
	}
	for _, element := range slices.Sorted(maps.Keys(was)) {
		switch e := was[element]; {
		case seen[element]:
		case complete:
			j.end(e, j.words.elementGone)
		default:
			j.next.Entries = append(j.next.Entries, e)
		}
	}
}

func (j *judgement) keep(r *rule, v reading, e entry) {
	if !e.Since.IsZero() {
		e.Rule, e.Element = r.key, v.element
		j.next.Entries = append(j.next.Entries, e)
	}
}

// settle puts everything in order, and drops ends of alerts that fire all the
// same: two rules may make one alert.
func (j *judgement) settle() {
	slices.SortFunc(j.next.Entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Element, b.Element))
	})
	fires := make(map[alert.Fingerprint]bool, len(j.firing))
	for _, a := range j.firing {
		fires[a.Fingerprint()] = true
	}
	j.ends = slices.DeleteFunc(j.ends, func(a *alert.Alert) bool { return fires[a.Fingerprint()] })
}

// held is the state to keep until the ends have been told: what ended is still
// firing in it.
func (j *judgement) held() over {
	if len(j.ended) == 0 {
		return j.next
	}
	held := over{slices.Clone(j.ended)}
	for _, e := range j.next.Entries {
		if !slices.ContainsFunc(j.ended, func(old entry) bool { return old.Rule == e.Rule && old.Element == e.Element }) {
			held.Entries = append(held.Entries, e)
		}
	}
	return held
}
