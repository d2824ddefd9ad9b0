package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// inactiveInterval is how often the heartbeat of an inactive host is read.
const inactiveInterval = time.Hour

// offlineRecord is the stored record of an offline host. As long as it is stored
// the host has an alert.
type offlineRecord struct {
	// Since is the time of the last report.
	Since time.Time `json:"since"`
	// Labels are the labels of the alert. They are needed to end it when the
	// configuration has other labels now.
	Labels  alert.Labels `json:"labels"`
	Address string       `json:"address,omitempty"`
	// Values are the latest values as text for people.
	Values string `json:"reported,omitempty"`

	id   string
	item store.Item
}

// offlineLabels returns the labels of the alert of an offline host.
func offlineLabels(h *Host) alert.Labels {
	l := maps.Clone(h.Labels)
	l[alert.NameLabel] = alert.HostOfflineAlert
	return l
}

// firingAlert returns the alert of an offline host. allOffline adds that no host
// reports.
func (r *offlineRecord) firingAlert(m *messages, allOffline bool) *alert.Alert {
	name := r.Labels[alert.HostnameLabel]
	a := &alert.Alert{Labels: r.Labels, StartsAt: r.Since, Annotations: alert.Labels{}}
	if r.Address != "" {
		a.Annotations[alert.AddressAnnotation] = r.Address
		a.SetSummary(fmt.Sprintf(m.offlineWithAddress, name, r.Address))
	} else {
		a.SetSummary(fmt.Sprintf(m.offline, name))
	}
	a.Annotations.SetNonEmpty(alert.LastValuesAnnotation, r.Values)
	if allOffline {
		a.SetDescription(m.allOffline)
	}
	return a
}

// onlineAlert returns the resolved alert of a host that reports again.
func (r *offlineRecord) onlineAlert(at time.Time, m *messages, address string) *alert.Alert {
	a := r.endedAlert(at)
	a.SetSummary(fmt.Sprintf(m.online, r.Labels[alert.HostnameLabel]))
	a.Annotations.SetNonEmpty(alert.AddressAnnotation, address)
	return a
}

// removedAlert returns the ended alert of a host that does not report again. reason
// is a format with the host's name.
func (r *offlineRecord) removedAlert(at time.Time, reason string) *alert.Alert {
	a := r.endedAlert(at)
	text := fmt.Sprintf(reason, r.Labels[alert.HostnameLabel])
	a.SetSummary(text)
	a.SetDescription(text)
	return a
}

func (r *offlineRecord) endedAlert(at time.Time) *alert.Alert {
	start := r.Since
	if start.After(at) { // a clock was ahead
		start = at
	}
	return &alert.Alert{Labels: r.Labels, StartsAt: start, EndsAt: at, Annotations: alert.Labels{}}
}

// readOffline returns the records of all offline hosts.
func (w *Watcher) readOffline(ctx context.Context) ([]*offlineRecord, error) {
	var records []*offlineRecord
	err := forEach(ctx, w.Store, keyspace.HostOffline, func(it store.Item) error {
		r := &offlineRecord{id: it.Key[len(keyspace.HostOffline):], item: it}
		if _, err := store.Decode(it, r); err != nil {
			w.Log.Error("record of an offline host cannot be read: its alert may have to be resolved by hand", "host", r.id, "err", err)
			return nil
		}
		records = append(records, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the offline hosts: %w", err)
	}
	return records, nil
}

// resolveOffline ends the alerts of hosts that are online again or no longer
// watched. It returns the records of the others by id.
func (w *Watcher) resolveOffline(ctx context.Context, now time.Time, records []*offlineRecord) (offline map[string]*offlineRecord, err error) {
	offline = make(map[string]*offlineRecord, len(records))
	for batch := range slices.Chunk(records, batchSize) {
		ids := make([]string, len(batch))
		for i, r := range batch {
			ids[i] = r.id
		}
		hosts, err := w.readHeartbeats(ctx, ids)
		if err != nil {
			return nil, err
		}
		var ended []*alert.Alert
		var changes [][]store.Change
		for i, r := range batch {
			a, c := w.endOffline(now, r, hosts[i])
			if a == nil {
				offline[r.id] = r
				continue
			}
			ended = append(ended, a)
			changes = append(changes, c)
		}
		if err := w.ingest(ctx, now, ended); err != nil {
			return nil, err
		}
		if _, err := w.commit(ctx, now, changes); err != nil {
			return nil, err
		}
	}
	return offline, nil
}

// hasReported reports whether the host has reported since the record was made.
func (r *offlineRecord) hasReported(now time.Time, b heartbeat, offlineAfter time.Duration) bool {
	if r.Since.After(now) { // a clock was ahead when it was made
		return !b.Live.After(now) && isRecent(now, b.Live, offlineAfter)
	}
	return b.Live.After(r.Since)
}

// endOffline returns the end of an offline host's alert and the changes to commit
// after it was ingested, nil if the host is still offline.
func (w *Watcher) endOffline(now time.Time, r *offlineRecord, h hostHeartbeat) (ended *alert.Alert, changes []store.Change) {
	m := messagesIn(w.Language)
	deleteRecord := deleteUnchanged(r.item)
	register := w.Inventory.register
	switch {
	case h.host == nil:
		return r.removedAlert(now, m.hostUnwatched), []store.Change{deleteRecord, deleteUnchanged(h.item)}
	case !h.host.Active:
		return r.removedAlert(now, m.hostUnwatched), []store.Change{deleteRecord}
	case r.hasReported(now, h.heartbeat, w.Inventory.offlineAfter):
		onlineSince := h.heartbeat.Live
		if h.heartbeat.Up.After(r.Since) {
			onlineSince = h.heartbeat.Up
		}
		return r.onlineAlert(onlineSince, m, h.heartbeat.Address), []store.Change{deleteRecord}
	case h.host.registeredBy != "" && now.Sub(r.Since) >= register.forgetAfter:
		return r.removedAlert(now, m.hostUnwatched), []store.Change{deleteRecord, deleteUnchanged(h.item), {Key: keyspace.HostEnrolled + r.id, Delete: true}}
	case !maps.Equal(r.Labels, offlineLabels(h.host)):
		// It is still offline: this check finds it again, with its new labels.
		return r.removedAlert(now, m.hostRelabeled), []store.Change{deleteRecord,
			{Key: h.item.Key, Value: h.item.Value, Due: now, If: store.Unchanged(h.item)}}
	default:
		return nil, nil
	}
}

// findOffline checks the hosts that are due and stores which of them go offline. It
// adds the records of those to offline, and returns how many hosts it read.
func (w *Watcher) findOffline(ctx context.Context, now time.Time, offline map[string]*offlineRecord) (polled int, err error) {
	for {
		due, err := w.Store.Due(ctx, hostQueue, now, batchSize)
		if err != nil {
			return polled, fmt.Errorf("read the hosts that are due: %w", err)
		}
		if len(due) == 0 {
			return polled, nil
		}
		polled += len(due)
		changed, err := w.checkDue(ctx, now, due, offline)
		if err != nil {
			return polled, err
		}
		// A host that reported in the meantime is no longer due. If another instance
		// changed all hosts of the batch, it will check the rest, too.
		if len(due) < batchSize || !changed {
			return polled, nil
		}
	}
}

// checkDue checks hosts that are due, and reports whether it changed any. A host
// that it changed is no longer due.
func (w *Watcher) checkDue(ctx context.Context, now time.Time, due []store.Item, offline map[string]*offlineRecord) (changed bool, err error) {
	ids := make([]string, len(due))
	for i, it := range due {
		ids[i] = it.Key[len(keyspace.Host):]
	}
	hosts, err := w.findHosts(ctx, ids)
	if err != nil {
		return false, err
	}
	changes := make([][]store.Change, len(due))
	records := make([]*offlineRecord, len(due))
	for i, it := range due {
		if changes[i], records[i], err = w.checkHost(ctx, now, hosts[i], it, offline[ids[i]] != nil); err != nil {
			return false, err
		}
	}
	committed, err := w.commit(ctx, now, changes)
	for i, r := range records {
		if committed[i] && r != nil {
			offline[ids[i]] = r
		}
	}
	return slices.Contains(committed, true), err
}

// checkHost returns the changes for a host that is due, and the record if it goes
// offline now. it is the host's heartbeat.
func (w *Watcher) checkHost(ctx context.Context, now time.Time, h *Host, it store.Item, alreadyOffline bool) (changes []store.Change, r *offlineRecord, err error) {
	if h == nil {
		return []store.Change{deleteUnchanged(it)}, nil, nil
	}
	checked := store.Reschedule(it, time.Time{})
	var last heartbeat
	if _, err := store.Decode(it, &last); err != nil {
		w.Log.Error("heartbeat cannot be read: the host is not checked until it reports again", "host", h.ID, "err", err)
		return []store.Change{checked}, nil, nil
	}
	switch {
	case !h.Active:
		checked.Due = now.Add(inactiveInterval)
		return []store.Change{checked}, nil, nil
	case isRecent(now, last.At, w.Inventory.offlineAfter): // or offline_after was raised
		checked.Due = last.At.Add(w.Inventory.offlineAfter)
		added, err := w.addConditions(ctx, h.ID, findConditions(h, last, now, w.Inventory.offlineAfter))
		return append(added, checked), nil, err
	case alreadyOffline:
		return []store.Change{checked}, nil, nil
	}
	values, err := latestValues(ctx, w.Store, h)
	if err != nil {
		return nil, nil, fmt.Errorf("read the values of host %s: %w", h.ID, err)
	}
	data := make(map[string]json.RawMessage, len(values))
	for name, v := range values {
		data[name] = v.Data
	}
	r = &offlineRecord{id: h.ID, Since: last.At, Labels: offlineLabels(h), Address: last.Address, Values: messagesIn(w.Language).summarizeValues(h, data)}
	c, err := store.Encode(keyspace.HostOffline+h.ID, r)
	return []store.Change{checked, c}, r, err
}

// ingestOffline passes the alerts of all offline hosts to Ingest, those that went
// offline last first. If no host is due to go offline any more, none reports.
func (w *Watcher) ingestOffline(ctx context.Context, now time.Time, offline map[string]*offlineRecord) error {
	if len(offline) == 0 {
		return nil
	}
	nextDue, err := w.Store.NextDue(ctx, hostQueue)
	if err != nil {
		return fmt.Errorf("read when the next host is due: %w", err)
	}
	allOffline := nextDue.IsZero() && len(offline) > 1
	records := slices.SortedFunc(maps.Values(offline), func(a, b *offlineRecord) int {
		if c := b.Since.Compare(a.Since); c != 0 {
			return c
		}
		return a.Labels.Compare(b.Labels)
	})
	for batch := range slices.Chunk(records, batchSize) {
		alerts := make([]*alert.Alert, len(batch))
		for i, r := range batch {
			alerts[i] = r.firingAlert(messagesIn(w.Language), allOffline)
		}
		if err := w.ingest(ctx, now, alerts); err != nil {
			return err
		}
	}
	return nil
}

// commit commits the changes of several hosts and reports for each whether it
// succeeded. Changes that conflict are left to the next check.
func (w *Watcher) commit(ctx context.Context, now time.Time, changes [][]store.Change) (committed []bool, err error) {
	committed = make([]bool, len(changes))
	if len(changes) == 0 {
		return committed, nil
	}
	switch err := w.Store.Commit(ctx, now, slices.Concat(changes...)...); {
	case err == nil:
		for i := range committed {
			committed[i] = true
		}
		return committed, nil
	case !errors.Is(err, store.ErrConflict):
		return committed, fmt.Errorf("store the state of hosts: %w", err)
	}
	for i, c := range changes {
		err := w.Store.Commit(ctx, now, c...)
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return committed, fmt.Errorf("store the state of hosts: %w", err)
		}
		committed[i] = err == nil
	}
	return committed, nil
}

// findHosts returns the hosts of ids, nil for those that do not exist.
func (w *Watcher) findHosts(ctx context.Context, ids []string) ([]*Host, error) {
	hosts := make([]*Host, len(ids))
	var keys []string
	var indexes []int // of keys in ids
	for i, id := range ids {
		if hosts[i] = w.Inventory.hosts[id]; hosts[i] == nil && w.Inventory.register != nil {
			keys, indexes = append(keys, keyspace.HostEnrolled+id), append(indexes, i)
		}
	}
	if len(keys) == 0 {
		return hosts, nil
	}
	items, err := w.Store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("read the registered hosts: %w", err)
	}
	for n, it := range items {
		hosts[indexes[n]] = w.Inventory.registeredHost(ids[indexes[n]], it)
	}
	return hosts, nil
}

// hostHeartbeat is a host with its heartbeat.
type hostHeartbeat struct {
	host      *Host // nil if it was removed
	heartbeat heartbeat
	item      store.Item // of the heartbeat
}

func (w *Watcher) readHeartbeats(ctx context.Context, ids []string) ([]hostHeartbeat, error) {
	hosts, err := w.findHosts(ctx, ids)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = heartbeatKey(id)
	}
	items, err := w.Store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("read the heartbeats: %w", err)
	}
	list := make([]hostHeartbeat, len(ids))
	for i, it := range items {
		list[i] = hostHeartbeat{host: hosts[i], item: it}
		if _, err := store.Decode(it, &list[i].heartbeat); err != nil {
			w.Log.Error("heartbeat cannot be read: the host stays offline until it reports again", "host", ids[i], "err", err)
		}
	}
	return list, nil
}
