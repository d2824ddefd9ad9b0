package dispatch

import (
	"context"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// alertRecord is an alert as stored.
type alertRecord struct {
	*alert.Alert
	Groups []string // ids of the groups that it is in
}

// MarshalBinary appends the groups, one a line, to the alert's binary form.
func (r alertRecord) MarshalBinary() ([]byte, error) {
	b, err := r.AppendBinary(make([]byte, 0, 512))
	return append(b, strings.Join(r.Groups, "\n")...), err
}

// UnmarshalBinary decodes what MarshalBinary returned.
func (r *alertRecord) UnmarshalBinary(b []byte) error {
	r.Alert = new(alert.Alert)
	groups, err := r.ReadBinary(b)
	if len(groups) > 0 {
		r.Groups = strings.Split(string(groups), "\n")
	}
	return err
}

// header is the stored state of a group apart from its members and logs. Its item is
// due at the next flush.
type header struct {
	// NextFlush is the next flush by group_wait or group_interval. The group may be
	// due earlier because of repeat_schedule or resolved_at_once.
	NextFlush time.Time `json:"grid"`
	// Flushed reports whether there was a flush after group_wait.
	Flushed bool `json:"flushed,omitempty"`

	RouteID string       `json:"route"`
	Key     string       `json:"key"`
	Labels  alert.Labels `json:"labels,omitempty"`
}

func newHeader(g route.Group, nextFlush time.Time) header {
	return header{NextFlush: nextFlush, RouteID: g.RouteID, Key: g.Key, Labels: g.Labels}
}

func alertKey(fp alert.Fingerprint) string { return keyspace.Alert + fp.String() }
func groupKey(id string) string            { return keyspace.Group + id }
func memberPrefix(id string) string        { return keyspace.Member + id + "/" }
func memberKey(id string, fp alert.Fingerprint) string {
	return memberPrefix(id) + fp.String()
}
func logKey(id, receiver string, in outbox.Integration) string {
	return keyspace.Log + id + "/" + receiver + "/" + in.Name()
}

// group is a group as loaded for a flush.
type group struct {
	id     string
	item   store.Item // of the header
	header header
	// route is nil if the configuration no longer has the group's route.
	route   *route.Route
	logs    []integrationLog // one for each integration of the route's receiver
	members []member
	// incomplete reports that some members could not be read.
	incomplete bool
}

// member is an alert of a group.
type member struct {
	item   store.Item
	rec    alertRecord
	fp     alert.Fingerprint
	routed bool       // the group's route still matches the alert
	mute   MuteStatus // if routed
}

// integrationLog is the last notification of the group to an integration.
type integrationLog struct {
	integration outbox.Integration
	last        *logEntry // nil if there was none
}

// loadGroup reads the group with this header and the mute status of its members,
// after it has moved those to other groups that the configuration routes elsewhere.
func (e *Engine) loadGroup(ctx context.Context, now time.Time, item store.Item, mutes *mutes) (*group, error) {
	g := &group{id: item.Key[len(keyspace.Group):], item: item}
	if err := e.loadMembers(ctx, g); err != nil {
		return nil, err
	}
	if _, err := store.Decode(item, &g.header); err != nil {
		found := e.deriveHeader(g, now)
		if !found && g.incomplete {
			return nil, err
		}
		e.log.Error("cannot read a group's header; it is derived from its alerts", "err", err)
	}
	g.route = e.root.Find(g.header.RouteID)
	if g.route != nil && !g.route.Owns(g.id, g.header.Labels) {
		g.route = nil
	}
	e.routeMembers(g)
	if moved, err := e.reroute(ctx, now, g); err != nil {
		return nil, err
	} else if moved {
		if err := e.loadMembers(ctx, g); err != nil {
			return nil, err
		}
		e.routeMembers(g)
	}
	if err := e.loadLogs(ctx, g); err != nil {
		return nil, err
	}
	for i := range g.members {
		m := &g.members[i]
		if !m.routed {
			continue
		}
		var err error
		if m.mute, err = mutes.status(ctx, m.rec.Labels, g.route); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// loadMembers reads the alerts of a group. One that cannot be read stays in the
// group until it is replaced.
func (e *Engine) loadMembers(ctx context.Context, g *group) error {
	g.members, g.incomplete = nil, false
	prefix := memberPrefix(g.id)
	for page, err := range store.Pages(ctx, e.store, prefix, pageSize) {
		if err != nil {
			return err
		}
		keys := make([]string, len(page))
		for i, it := range page {
			keys[i] = keyspace.Alert + it.Key[len(prefix):]
		}
		items, err := e.store.Get(ctx, keys...)
		if err != nil {
			return err
		}
		for _, it := range items {
			m := member{item: it}
			found, err := store.Decode(it, &m.rec)
			if !found || err != nil {
				e.log.Error("cannot read an alert; its group is flushed without it", "key", it.Key, "group", g.id, "err", err)
				g.incomplete = true
				continue
			}
			m.fp = m.rec.Fingerprint()
			g.members = append(g.members, m)
		}
	}
	return nil
}

// routeMembers sets for each member whether the group's route matches it.
func (e *Engine) routeMembers(g *group) {
	for i := range g.members {
		m := &g.members[i]
		m.routed = g.route != nil && slices.Contains(e.root.Match(m.rec.Labels), g.route)
	}
}

// reroute adds firing members whose route has changed with the configuration to
// the groups where they belong now, and reports whether there were any. The flush
// removes them from this group afterwards.
func (e *Engine) reroute(ctx context.Context, now time.Time, g *group) (moved bool, err error) {
	var alerts []*alert.Alert
	for _, m := range g.members {
		if !m.routed && !m.rec.ResolvedAt(now) {
			alerts = append(alerts, m.rec.Alert)
		}
	}
	if len(alerts) == 0 {
		return false, nil
	}
	return true, e.Ingest(ctx, now, alerts)
}

// deriveHeader sets the header of a group, due now, from the alerts in it, and
// reports whether it found the group's route and labels.
func (e *Engine) deriveHeader(g *group, now time.Time) (found bool) {
	for _, m := range g.members {
		for _, r := range e.root.Match(m.rec.Labels) {
			if derived := r.GroupFor(m.rec.Labels); derived.ID == g.id {
				g.header = newHeader(derived, now)
				return true
			}
		}
	}
	g.header = header{NextFlush: now}
	return false
}

// loadLogs reads the last notification to each integration of the group's receiver.
func (e *Engine) loadLogs(ctx context.Context, g *group) error {
	if g.route == nil {
		return nil
	}
	receiver := e.outbox.Receiver(g.route.Receiver)
	if len(receiver.Integrations) == 0 {
		return nil
	}
	keys := make([]string, len(receiver.Integrations))
	for i, in := range receiver.Integrations {
		keys[i] = logKey(g.id, receiver.Name, in)
	}
	items, err := e.store.Get(ctx, keys...)
	if err != nil {
		return err
	}
	for i, in := range receiver.Integrations {
		l := integrationLog{integration: in}
		var last logEntry
		if found, err := store.Decode(items[i], &last); err != nil {
			e.log.Error("cannot read an integration's notification log; it is notified again", "key", keys[i], "err", err)
		} else if found {
			l.last = &last
		}
		g.logs = append(g.logs, l)
	}
	return nil
}
