package host

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// evaluation is the result of a report, or of a change of the configuration, for
// one service of a host.
type evaluation struct {
	host     *Host
	messages *messages
	at       time.Time

	next  breaches // the state after the evaluation
	ended []breach // those that fired before and are not in next, or have other labels there
	// firing are the alerts that fire, resolved those that ended.
	firing, resolved []*alert.Alert
}

// evaluate evaluates the rules for a service on its data. It reads no clock.
//
// An alert starts when the value first breached the rule. It ends with the report
// whose value no longer does, or which has the other elements of a wildcard but not
// this one. A value that is missing or not a number changes nothing.
func evaluate(h *Host, service string, data any, last breaches, at time.Time, m *messages) *evaluation {
	ev := &evaluation{host: h, messages: m, at: at}
	byRule := map[string]map[string]breach{}
	for _, b := range last.List {
		if byRule[b.Rule] == nil {
			byRule[b.Rule] = map[string]breach{}
		}
		byRule[b.Rule][b.Element] = b
	}
	for _, r := range h.rules[service] {
		ev.evaluateRule(r, data, byRule[r.key])
		delete(byRule, r.key)
	}
	for _, key := range slices.Sorted(maps.Keys(byRule)) {
		for _, element := range slices.Sorted(maps.Keys(byRule[key])) {
			ev.end(byRule[key][element], m.ruleChanged)
		}
	}
	ev.finalize()
	return ev
}

// evaluateConfig ends the breaches of a host that was removed (nil) or deactivated,
// and of a service or a rule that was removed.
func evaluateConfig(h *Host, service string, last breaches, at time.Time, m *messages) *evaluation {
	ev := &evaluation{host: h, messages: m, at: at}
	for _, b := range last.List {
		switch {
		case h == nil || !h.Active:
			ev.end(b, m.hostRemoved)
		case h.Services[service] == (Service{}):
			ev.end(b, m.serviceRemoved)
		case !slices.ContainsFunc(h.rules[service], func(r *rule) bool { return r.key == b.Rule }):
			ev.end(b, m.ruleChanged)
		default:
			ev.next.List = append(ev.next.List, b)
		}
	}
	ev.finalize()
	return ev
}

// evaluateRule evaluates one rule. last has its breaches by element.
func (ev *evaluation) evaluateRule(r *rule, data any, last map[string]breach) {
	readings, complete := r.readings(data)
	seen := make(map[string]bool, len(readings))
	for _, v := range readings {
		seen[v.element] = true
		before := last[v.element]
		b := r.next(before, v, ev.at)
		switch {
		case !b.Firing && before.Firing:
			ev.addAlert(r, v, before, ev.at)
			ev.ended = append(ev.ended, before)
		case b.Firing && v.known:
			b.Labels = ev.alertLabels(r, v)
			if before.Firing && !maps.Equal(before.Labels, b.Labels) {
				ev.end(before, ev.messages.ruleChanged)
			}
			ev.addAlert(r, v, b, time.Time{})
		}
		ev.add(r, v, b)
	}
	for _, element := range slices.Sorted(maps.Keys(last)) {
		switch b := last[element]; {
		case seen[element]:
		case r.By != "" && !r.selects(element):
			ev.end(b, ev.messages.ruleChanged)
		case complete:
			ev.end(b, ev.messages.elementRemoved)
		default:
			ev.next.List = append(ev.next.List, b)
		}
	}
}

// add adds a breach to the next state, unless it is zero.
func (ev *evaluation) add(r *rule, v reading, b breach) {
	if !b.Since.IsZero() {
		b.Rule, b.Element = r.key, v.element
		ev.next.List = append(ev.next.List, b)
	}
}

// alertLabels returns the labels of a rule's alert. As in Prometheus, a label with
// an empty value is left out.
func (ev *evaluation) alertLabels(r *rule, v reading) alert.Labels {
	labels := maps.Clone(ev.host.Labels)
	labels[alert.NameLabel] = r.Alert
	if r.By != "" {
		labels.SetNonEmpty(r.By, v.element)
	}
	if len(r.Labels) == 0 {
		return labels
	}
	data := labelData{maps.Clone(labels)}
	for name, text := range r.Labels {
		delete(labels, name)
		labels.SetNonEmpty(name, text.Expand(data))
	}
	return labels
}

// addAlert adds the alert of a breach that fires, or that the reading ended;
// endsAt is zero while it fires.
func (ev *evaluation) addAlert(r *rule, v reading, b breach, endsAt time.Time) {
	data := TemplateData{Labels: b.Labels, Value: setting.Value(v.value), Threshold: setting.Value(r.limit())}
	a := &alert.Alert{Labels: b.Labels, StartsAt: b.Since, EndsAt: endsAt, Annotations: alert.Labels{
		alert.ValueAnnotation:     alert.FormatNumber(float64(data.Value)),
		alert.ThresholdAnnotation: alert.FormatNumber(float64(data.Threshold)),
	}}
	summary := ev.messages.beyondLimit
	if !endsAt.IsZero() {
		summary = ev.messages.withinLimit
	}
	if _, custom := r.Annotations[alert.SummaryAnnotation]; !custom {
		a.SetSummary(fmt.Sprintf(summary, ev.host.Name, r.elementPath(v.element), formatValue(v.value), formatValue(r.limit())))
	}
	for name, text := range r.Annotations {
		delete(a.Annotations, name)
		a.Annotations.SetNonEmpty(name, text.Expand(data))
	}
	if endsAt.IsZero() {
		ev.firing = append(ev.firing, a)
	} else {
		ev.resolved = append(ev.resolved, a)
	}
}

// end ends a breach that has no current value. reason is a format with the host's
// name and the alert's.
func (ev *evaluation) end(b breach, reason string) {
	if !b.Firing {
		return
	}
	ev.ended = append(ev.ended, b)
	a := &alert.Alert{Labels: b.Labels, StartsAt: b.Since, EndsAt: ev.at}
	a.SetSummary(fmt.Sprintf(reason, b.Labels[alert.HostnameLabel], b.Labels[alert.NameLabel]))
	ev.resolved = append(ev.resolved, a)
}

// finalize sorts the next state and removes the ends of alerts that still fire:
// two rules may raise the same alert.
func (ev *evaluation) finalize() {
	slices.SortFunc(ev.next.List, func(a, b breach) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Element, b.Element))
	})
	firing := make(map[alert.Fingerprint]bool, len(ev.firing))
	for _, a := range ev.firing {
		firing[a.Fingerprint()] = true
	}
	ev.resolved = slices.DeleteFunc(ev.resolved, func(a *alert.Alert) bool { return firing[a.Fingerprint()] })
}

// beforeIngest returns the state to store until the ended alerts were ingested. They
// still fire in it, so that the next evaluation ends them again if this one is
// interrupted.
func (ev *evaluation) beforeIngest() breaches {
	if len(ev.ended) == 0 {
		return ev.next
	}
	state := breaches{slices.Clone(ev.ended)}
	for _, b := range ev.next.List {
		if !slices.ContainsFunc(ev.ended, func(e breach) bool { return e.Rule == b.Rule && e.Element == b.Element }) {
			state.List = append(state.List, b)
		}
	}
	return state
}
