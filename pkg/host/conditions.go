package host

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

const (
	// minRunRetention is for how long a run that another one replaced may report again
	// and count as another machine. It is OfflineAfter if that is longer.
	minRunRetention = 5 * time.Minute
	// maxRuns bounds the runs that a heartbeat has.
	maxRuns = 8
	// silentIntervals is after how many intervals a service counts as silent.
	silentIntervals = 3
)

// run is one run of an agent. Its id is made at the start: one that another run has
// replaced never comes back, unless two agents report with the host's id.
type run struct {
	ID      string `json:"id"`
	Address string `json:"address,omitempty"`
	// At is the time of its last report, ReturnedAt that of the first one after another
	// run had replaced it.
	At         time.Time `json:"at"`
	ReturnedAt time.Time `json:"returned_at,omitzero"`
}

// serviceMark is when a service was last reported.
type serviceMark struct {
	At time.Time `json:"at"`
	// SilentAfter is the service's at that time: the agent takes a while to apply a
	// shorter interval.
	SilentAfter time.Duration `json:"silent_after,omitempty"`
}

func runRetention(offlineAfter time.Duration) time.Duration {
	return max(minRunRetention, offlineAfter)
}

// afterRun returns the runs after a report of one of them, that one first. Runs that
// have not reported for retention are left out.
func afterRun(runs []run, now time.Time, id, address string, retention time.Duration) []run {
	if id == "" { // the sender is not an agent that has one
		return runs
	}
	current, others := run{ID: id}, []run(nil)
	for i, r := range runs {
		switch {
		case r.ID == id:
			current = r
			if i > 0 && r.ReturnedAt.IsZero() {
				current.ReturnedAt = now
			}
		case now.Sub(r.At) < retention:
			others = append(others, r)
		}
	}
	current.At, current.Address = now, cmp.Or(address, current.Address)
	return append([]run{current}, others[:min(len(others), maxRuns-1)]...)
}

// duplicates returns the runs of different machines that report with the host's id, in
// order of their addresses, none if there is one machine. Two runs have taken turns for
// OfflineAfter, and both have reported since a time: neither a restart, after which the old
// run does not return, nor an agent that is restored once from a snapshot, nor a change of
// address is a duplicate.
func (h heartbeat) duplicates(now, since time.Time, offlineAfter time.Duration) []run {
	var runs []run
	for _, r := range h.Runs {
		lasted := !r.ReturnedAt.IsZero() && r.At.Sub(r.ReturnedAt) >= offlineAfter
		if lasted && !r.At.Before(since) && now.Sub(r.At) < runRetention(offlineAfter) {
			runs = append(runs, r)
		}
	}
	if len(runs) < 2 {
		return nil
	}
	slices.SortFunc(runs, func(a, b run) int { return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.ID, b.ID)) })
	return runs
}

// afterService returns the marks after a report of a service. Those of services that the
// host does not collect are left out.
func afterService(marks map[string]serviceMark, h *Host, service string, at time.Time) map[string]serviceMark {
	next := make(map[string]serviceMark, len(h.Services))
	for name, mark := range marks {
		if _, collects := h.Services[name]; collects {
			next[name] = mark
		}
	}
	if s, collects := h.Services[service]; collects && !at.Before(next[service].At) {
		next[service] = serviceMark{at, s.silentAfter}
	}
	return next
}

// silentServices returns the names of the services that stopped reporting while their
// host lived: it has reported other services since. A service that has never reported
// is not among them.
func (h heartbeat) silentServices(host *Host, offlineAfter time.Duration) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(h.Services)) {
		s, mark := host.Services[name], h.Services[name]
		if s.silentAfter == 0 {
			continue
		}
		since := mark.At
		if h.Up.After(since) { // after a silence of the host all its services get time
			since = h.Up
		}
		if !since.Add(max(s.silentAfter, mark.SilentAfter, offlineAfter)).After(h.Live) {
			names = append(names, name)
		}
	}
	return names
}

// condition is an alert about a host that reports: a silent service, or a second machine
// with its id if Service is empty.
type condition struct {
	Service string    `json:"service,omitempty"`
	Since   time.Time `json:"since"`
	// Labels are the labels of the alert. They are needed to end it when the
	// configuration has other labels now.
	Labels alert.Labels `json:"labels"`
}

// conditions is the stored list of a host's conditions. As long as one is stored it has
// an alert.
type conditions struct {
	List []condition `json:"list"`
}

func conditionLabels(h *Host, service string) alert.Labels {
	labels := maps.Clone(h.Labels)
	labels[alert.NameLabel] = alert.DuplicateHostAlert
	if service != "" {
		labels[alert.NameLabel], labels[alert.ServiceNameLabel] = alert.ServiceSilentAlert, service
	}
	return labels
}

// findConditions returns the conditions that a heartbeat shows.
func findConditions(h *Host, b heartbeat, now time.Time, offlineAfter time.Duration) []condition {
	if !h.Active {
		return nil
	}
	var list []condition
	if runs := b.duplicates(now, b.Up, offlineAfter); runs != nil {
		first := slices.MinFunc(runs, func(a, b run) int { return a.ReturnedAt.Compare(b.ReturnedAt) })
		list = append(list, condition{Since: first.ReturnedAt, Labels: conditionLabels(h, "")})
	}
	for _, service := range b.silentServices(h, offlineAfter) {
		list = append(list, condition{service, b.Services[service].At, conditionLabels(h, service)})
	}
	return list
}

// addConditions returns the change that stores conditions besides those that are stored,
// none if all of them are.
func (w *Watcher) addConditions(ctx context.Context, id string, found []condition) ([]store.Change, error) {
	if len(found) == 0 {
		return nil, nil
	}
	items, err := w.Store.Get(ctx, keyspace.HostCondition+id)
	if err != nil {
		return nil, fmt.Errorf("read the conditions of host %s: %w", id, err)
	}
	var stored conditions
	if _, err := store.Decode(items[0], &stored); err != nil {
		w.Log.Error("conditions of a host cannot be read and are replaced: its alerts may have to be resolved by hand", "host", id, "err", err)
		stored = conditions{}
	}
	before := len(stored.List)
	for _, c := range found {
		if !slices.ContainsFunc(stored.List, func(s condition) bool { return s.Service == c.Service }) {
			stored.List = append(stored.List, c)
		}
	}
	if len(stored.List) == before {
		return nil, nil
	}
	c, err := store.Encode(items[0].Key, stored)
	c.If = store.Unchanged(items[0])
	return []store.Change{c}, err
}

// checkConditions ends the alerts of conditions that are over, and passes the others to
// Ingest. It returns how many fire.
func (w *Watcher) checkConditions(ctx context.Context, now time.Time, offline map[string]*offlineRecord) (firing int, err error) {
	var items []store.Item
	err = forEach(ctx, w.Store, keyspace.HostCondition, func(it store.Item) error {
		items = append(items, it)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read the conditions of hosts: %w", err)
	}
	for batch := range slices.Chunk(items, batchSize) {
		n, err := w.checkConditionBatch(ctx, now, batch, offline)
		firing += n
		if err != nil {
			return firing, err
		}
	}
	return firing, nil
}

func (w *Watcher) checkConditionBatch(ctx context.Context, now time.Time, items []store.Item, offline map[string]*offlineRecord) (int, error) {
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = it.Key[len(keyspace.HostCondition):]
	}
	hosts, err := w.readHeartbeats(ctx, ids)
	if err != nil {
		return 0, err
	}
	var firing, ended []*alert.Alert
	var changes [][]store.Change
	for i, it := range items {
		var last, next conditions
		if _, err := store.Decode(it, &last); err != nil {
			w.Log.Error("conditions of a host cannot be read: its alerts may have to be resolved by hand", "host", ids[i], "err", err)
			continue
		}
		for _, c := range last.List {
			var over *alert.Alert
			if c, over = w.checkCondition(now, c, hosts[i], offline[ids[i]] != nil); over != nil {
				ended = append(ended, over)
			}
			if c.Labels != nil {
				next.List = append(next.List, c)
				firing = append(firing, c.alert(messagesIn(w.Language), hosts[i].heartbeat, now, w.Inventory.offlineAfter))
			}
		}
		c, err := encodeConditions(it, next)
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(c.Value, it.Value) {
			changes = append(changes, []store.Change{c})
		}
	}
	if err := w.ingest(ctx, now, ended); err != nil {
		return 0, err
	}
	if _, err := w.commit(ctx, now, changes); err != nil {
		return 0, err
	}
	return len(firing), w.ingest(ctx, now, firing)
}

func encodeConditions(it store.Item, next conditions) (c store.Change, err error) {
	if len(next.List) == 0 {
		return deleteUnchanged(it), nil
	}
	c, err = store.Encode(it.Key, next)
	c.If = store.Unchanged(it)
	return c, err
}

// checkCondition returns the condition if it lasts, with the labels that it has now, and
// the end of the alert that it had.
func (w *Watcher) checkCondition(now time.Time, c condition, h hostHeartbeat, offline bool) (next condition, ended *alert.Alert) {
	m, at, reason := messagesIn(w.Language), now, ""
	mark := h.heartbeat.Services[c.Service]
	switch {
	case h.host == nil || !h.host.Active:
		reason = m.hostRemoved
	case offline:
		reason = m.replacedByOffline
	case c.Service == "":
		if h.heartbeat.duplicates(now, time.Time{}, w.Inventory.offlineAfter) == nil {
			reason = m.oneMachine
		}
	case h.host.Services[c.Service] == (Service{}):
		reason = m.serviceRemoved
	case h.host.Services[c.Service].silentAfter == 0:
		reason = m.ruleChanged
	case mark.At.After(c.Since):
		reason, at = m.serviceReports, mark.At
	}
	if reason != "" {
		return condition{}, c.ended(at, reason)
	}
	labels := conditionLabels(h.host, c.Service)
	if maps.Equal(labels, c.Labels) {
		return c, nil
	}
	ended = c.ended(now, m.ruleChanged)
	c.Labels = labels
	return c, ended
}

// ended returns the end of the condition's alert. reason is a format with the host's
// name, the alert's and the service's.
func (c condition) ended(at time.Time, reason string) *alert.Alert {
	start := c.Since
	if start.After(at) { // a clock was ahead
		start = at
	}
	a := &alert.Alert{Labels: c.Labels, StartsAt: start, EndsAt: at}
	a.SetSummary(fmt.Sprintf(reason, c.Labels[alert.HostnameLabel], c.Labels[alert.NameLabel], c.Service))
	return a
}

// alert returns the alert of a condition that lasts.
func (c condition) alert(m *messages, b heartbeat, now time.Time, offlineAfter time.Duration) *alert.Alert {
	a := &alert.Alert{Labels: c.Labels, StartsAt: c.Since, Annotations: alert.Labels{}}
	name := c.Labels[alert.HostnameLabel]
	if c.Service != "" {
		a.SetSummary(fmt.Sprintf(m.serviceSilent, name, c.Service))
		a.SetDescription(m.serviceAdvice)
		return a
	}
	var addresses, ids, machines []string
	for _, r := range b.duplicates(now, time.Time{}, offlineAfter) {
		addresses, ids = append(addresses, r.Address), append(ids, r.ID)
		machines = append(machines, fmt.Sprintf(m.machine, cmp.Or(r.Address, "?"), r.ID))
	}
	a.Annotations.SetNonEmpty(alert.AddressAnnotation, strings.Join(slices.Compact(addresses), ", "))
	a.Annotations.SetNonEmpty(alert.RunIDsAnnotation, strings.Join(ids, ", "))
	a.SetSummary(fmt.Sprintf(m.duplicateHost, name, len(machines), strings.Join(machines, m.separator)))
	a.SetDescription(m.duplicateAdvice)
	return a
}
