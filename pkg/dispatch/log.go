package dispatch

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// notificationLogs finds the logs of groups and moves alerts between them.
type notificationLogs struct {
	store  store.Store
	root   *route.Route
	outbox *outbox.Outbox
	log    *slog.Logger
}

// logEntry records the last notification of a group to an integration:
// Alertmanager's notification log.
type logEntry struct {
	// Firing are alerts of whose end the integration is to be notified.
	Firing   []alert.Fingerprint `json:"firing,omitempty"`
	Resolved []alert.Fingerprint `json:"resolved,omitempty"`
	// Muted are alerts that were notified as firing, and have resolved while they were
	// muted or were left out of a later notification because they were. They do not
	// count as firing, so that they are notified when they fire unmuted, and are still
	// to be notified as resolved.
	Muted []alert.Fingerprint `json:"ended,omitempty"`
	// At is the scheduled time of the flush.
	At time.Time `json:"at"`
	// Position is where the integration was configured: RECEIVER/CHANNEL/INDEX.
	Position string `json:"position,omitempty"`
}

// logKey returns the key of a group's log for an integration: by its identity, so
// that the log is found wherever the integration is configured, or by its position
// if it has none. Earlier versions wrote all logs by position.
func logKey(id, receiver string, in outbox.Integration) string {
	if in.Identity != "" {
		return keyspace.Log + id + "/" + in.Identity
	}
	return keyspace.Log + id + "/" + position(receiver, in)
}

func position(receiver string, in outbox.Integration) string { return receiver + "/" + in.Name() }

// storedLog is a log as it is stored.
type storedLog struct {
	item     store.Item
	identity string // of the integration; "" if the key is its position
	entry    logEntry
	// unreadable reports that the entry could not be read and is empty.
	unreadable bool
	changed    bool          // by moveAlerts
	retention  time.Duration // if changed
}

// stored returns all logs of a group.
func (n *notificationLogs) stored(ctx context.Context, id string) ([]*storedLog, error) {
	var logs []*storedLog
	prefix := keyspace.Log + id + "/"
	for page, err := range store.Pages(ctx, n.store, prefix, pageSize) {
		if err != nil {
			return nil, err
		}
		for _, it := range page {
			l := &storedLog{item: it}
			if _, err := store.Decode(it, &l.entry); err != nil {
				n.log.Error("cannot read an integration's notification log; it is notified again", "key", it.Key, "err", err)
				l.entry, l.unreadable = logEntry{}, true
			}
			if rest := it.Key[len(prefix):]; strings.Contains(rest, "/") {
				l.entry.Position = rest
			} else {
				l.identity = rest
			}
			logs = append(logs, l)
		}
	}
	return logs, nil
}

// claim returns the log of each of the receiver's integrations, nil where there
// is none: the one of the same identity, wherever it was configured, or else the
// one of the same position if its integration is not configured anywhere now.
func (n *notificationLogs) claim(logs []*storedLog, r *outbox.Receiver) []*storedLog {
	claimed := make([]*storedLog, len(r.Integrations))
	for i, in := range r.Integrations {
		byIdentity := func(l *storedLog) bool { return l.identity != "" && l.identity == in.Identity }
		byPosition := func(l *storedLog) bool {
			return l.entry.Position == position(r.Name, in) && (l.identity == "" || !n.outbox.Configured(l.identity))
		}
		for _, same := range []func(*storedLog) bool{byIdentity, byPosition} {
			if j := slices.IndexFunc(logs, same); j >= 0 {
				claimed[i] = logs[j]
				break
			}
		}
	}
	return claimed
}

// integrationOf returns the integration that is notified of the ends of a log which
// no integration of the group's receiver claims, and its receiver. It reports false
// if the integration was removed from a receiver that still exists: then the
// receiver's other integrations are notified.
func (n *notificationLogs) integrationOf(l *storedLog) (receiver string, in outbox.Integration, ok bool) {
	receiver, kind, index := splitPosition(l.entry.Position)
	r := n.outbox.Receiver(receiver)
	if l.identity != "" {
		if name, in, ok := n.outbox.Find(l.identity, receiver); ok {
			return name, in, true
		}
	}
	if r == nil {
		// The outbox has a fallback for receivers that do not exist.
		in = outbox.Integration{Index: index, SendResolved: true}
		in.Kind.Name = kind
		return receiver, in, receiver != ""
	}
	for _, in := range r.Integrations {
		if in.Kind.Name == kind && in.Index == index {
			return receiver, in, true
		}
	}
	return "", outbox.Integration{}, false
}

func splitPosition(position string) (receiver, kind string, index int) {
	rest, last := cutLast(position)
	receiver, kind = cutLast(rest)
	index, _ = strconv.Atoi(last)
	return receiver, kind, index
}

func cutLast(s string) (before, after string) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+1:]
}

// integrationLog is the last notification of the group to an integration.
type integrationLog struct {
	receiver    string
	integration outbox.Integration
	last        *logEntry  // nil if there was none
	item        store.Item // of the log; no key if there was none
	// former reports that the group's route does not notify the integration any
	// more. It is only notified of the ends of alerts that it was notified of.
	former bool
}

// ofRoute returns the logs of the integrations of the group's receiver and
// those of former ones.
func (n *notificationLogs) ofRoute(r *route.Route, stored []*storedLog) (logs []integrationLog) {
	var current []*storedLog
	if r != nil {
		receiver := n.outbox.Receiver(r.Receiver)
		current = n.claim(stored, receiver)
		for i, in := range receiver.Integrations {
			l := integrationLog{receiver: receiver.Name, integration: in}
			if c := current[i]; c != nil {
				l.item = c.item
				if !c.unreadable {
					l.last = &c.entry
				}
			}
			logs = append(logs, l)
		}
	}
	for _, s := range stored {
		if slices.Contains(current, s) {
			continue
		}
		if receiver, in, ok := n.integrationOf(s); ok {
			logs = append(logs, integrationLog{receiver: receiver, integration: in, last: &s.entry, item: s.item, former: true})
		}
	}
	return logs
}

// reached returns those logs of a group that the alerts on the routes leave behind
// when they move: the integration is notified in one of the new groups, or nobody
// is to be notified. The integrations of a removed receiver have the root's as their
// fallback.
func (n *notificationLogs) reached(logs []*storedLog, routes []*route.Route) (reached []*storedLog) {
	for _, l := range logs {
		receiver, _, ok := n.integrationOf(l)
		removed := n.outbox.Receiver(receiver) == nil
		for _, r := range routes {
			if !ok || removed && r.Receiver == n.root.Receiver || slices.Contains(n.claim(logs, n.outbox.Receiver(r.Receiver)), l) {
				reached = append(reached, l)
				break
			}
		}
	}
	return reached
}

// move is a firing alert that the configuration routes to other groups than those
// that it was in.
type move struct {
	fp     alert.Fingerprint
	routes []*route.Route
	groups []route.Group // of the routes
	left   []string      // the IDs of groups in which it does not belong any more
}

// moveAlerts returns the changes that move alerts from the logs of the groups that
// they leave to those of their new groups, so that no integration is notified again.
// An alert stays in the log of an integration that its new groups do not notify,
// which is still to be notified of its end.
func (n *notificationLogs) moveAlerts(ctx context.Context, now time.Time, moves []move) ([]store.Change, error) {
	groups := map[string][]*storedLog{}
	load := func(id string) (err error) {
		if _, loaded := groups[id]; !loaded {
			groups[id], err = n.stored(ctx, id)
		}
		return err
	}
	for _, m := range moves {
		for _, left := range m.left {
			if err := load(left); err != nil {
				return nil, err
			}
			notified := func(l *storedLog) bool { return l.entry.includes(m.fp) }
			if !slices.ContainsFunc(groups[left], notified) {
				continue
			}
			for i, r := range m.routes {
				id := m.groups[i].ID
				if err := load(id); err != nil {
					return nil, err
				}
				groups[id] = n.takeOver(groups[id], groups[left], id, r, m.fp)
			}
			for _, l := range n.reached(groups[left], m.routes) {
				if l.entry.includes(m.fp) {
					isMoved := func(fp alert.Fingerprint) bool { return fp == m.fp }
					l.entry.Firing = slices.DeleteFunc(l.entry.Firing, isMoved)
					l.entry.Muted = slices.DeleteFunc(l.entry.Muted, isMoved)
					l.changed, l.retention = true, max(l.retention, logRetention(m.routes[0]))
				}
			}
		}
	}
	var changes []store.Change
	for _, logs := range groups {
		for _, l := range logs {
			if !l.changed {
				continue
			}
			c, err := store.Encode(l.item.Key, l.entry)
			if err != nil {
				return nil, err
			}
			c.Expires = now.Add(l.retention + outageRetention)
			if len(l.entry.Firing)+len(l.entry.Muted) == 0 {
				c = store.Change{Key: l.item.Key, Delete: true}
			}
			c.If = store.Unchanged(l.item)
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// takeOver adds an alert to the logs of the group with the ID, to, for the
// integrations of its route that were notified of it according to the logs of another
// group, from. It returns the logs.
func (n *notificationLogs) takeOver(to, from []*storedLog, id string, r *route.Route, fp alert.Fingerprint) []*storedLog {
	receiver := n.outbox.Receiver(r.Receiver)
	existing := n.claim(to, receiver)
	for i, source := range n.claim(from, receiver) {
		if source == nil || !source.entry.includes(fp) {
			continue
		}
		l, in := existing[i], receiver.Integrations[i]
		if l == nil {
			l = &storedLog{item: store.Item{Key: logKey(id, receiver.Name, in)}, identity: in.Identity}
			l.entry.Position = position(receiver.Name, in)
			to = append(to, l)
		}
		list := &l.entry.Firing
		if slices.Contains(source.entry.Muted, fp) {
			list = &l.entry.Muted
		}
		if !l.entry.includes(fp) {
			j, _ := slices.BinarySearch(*list, fp)
			*list = slices.Insert(*list, j, fp)
		}
		if source.entry.At.After(l.entry.At) {
			l.entry.At = source.entry.At
		}
		l.changed, l.retention = true, max(l.retention, logRetention(r))
	}
	return to
}
