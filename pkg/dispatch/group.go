package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
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
	// MutedSince is since when all alerts are muted at each flush of a group that was
	// never notified.
	MutedSince time.Time `json:"mutedSince,omitzero"`

	Key    string       `json:"key"`
	Labels alert.Labels `json:"labels,omitempty"`
}

func newHeader(g route.Group, nextFlush time.Time) header {
	return header{NextFlush: nextFlush, Key: g.Key, Labels: g.Labels}
}

// The values of member items.
const (
	memberNew   = "1"
	memberMuted = "m" // the alert was muted at a flush before it was ever notified
)

func alertKey(fp alert.Fingerprint) string { return keyspace.Alert + fp.String() }
func groupKey(id string) string            { return keyspace.Group + id }
func memberPrefix(id string) string        { return keyspace.Member + id + "/" }
func memberKey(id string, fp alert.Fingerprint) string {
	return memberPrefix(id) + fp.String()
}

// group is a group as loaded for a flush.
type group struct {
	id     string
	item   store.Item // of the header
	header header
	// route is the one that puts members into the group; nil if there is none with
	// the present configuration.
	route   *route.Route
	logs    []integrationLog
	members []member
	// incomplete reports that some members could not be read.
	incomplete bool
}

// member is an alert of a group.
type member struct {
	item   store.Item
	rec    alertRecord
	fp     alert.Fingerprint
	routed bool // the group's route puts the alert into this group
	mute   MuteStatus
	// wasMuted reports that the alert was muted at a flush before it was ever
	// notified.
	wasMuted bool
}

// loadGroup reads the group with this header and the mute status of its members,
// after it has moved those to other groups that the configuration routes elsewhere.
func (e *Engine) loadGroup(ctx context.Context, now time.Time, item store.Item, mutes *mutes) (*group, error) {
	g := &group{id: item.Key[len(keyspace.Group):], item: item}
	if err := e.loadMembers(ctx, g, mutes.leases); err != nil {
		return nil, err
	}
	if _, err := store.Decode(item, &g.header); err != nil {
		e.log.Error("cannot read a group's header; it is derived from its alerts", "err", err)
		g.header = header{NextFlush: now}
	}
	g.routeMembers(e.root)
	if g.route == nil && g.header.Key == "" && g.incomplete {
		return nil, fmt.Errorf("neither the header of %s nor all of its alerts can be read", item.Key)
	}
	logs, err := e.logs.stored(ctx, g.id)
	if err != nil {
		return nil, err
	}
	if moved, err := e.reroute(ctx, now, g, logs); err != nil {
		return nil, err
	} else if moved {
		if err := e.loadMembers(ctx, g, mutes.leases); err != nil {
			return nil, err
		}
		g.routeMembers(e.root)
		if logs, err = e.logs.stored(ctx, g.id); err != nil {
			return nil, err
		}
	}
	g.logs = e.logs.ofRoute(g.route, logs)
	for i := range g.members {
		m := &g.members[i]
		var r *route.Route
		if m.routed {
			r = g.route
		}
		if m.mute, err = mutes.status(ctx, m.rec.Labels, r); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// loadMembers reads the alerts of a group, with their leases extended. One that cannot
// be read stays in the group until it is replaced.
func (e *Engine) loadMembers(ctx context.Context, g *group, leases leases) error {
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
		for i, it := range items {
			m := member{item: it, wasMuted: string(page[i].Value) == memberMuted}
			found, err := store.Decode(it, &m.rec)
			if !found || err != nil {
				e.log.Error("cannot read an alert; its group is flushed without it", "key", it.Key, "group", g.id, "err", err)
				g.incomplete = true
				continue
			}
			m.rec.Alert = leases.apply(m.rec.Alert)
			m.fp = m.rec.Fingerprint()
			g.members = append(g.members, m)
		}
	}
	return nil
}

// routeMembers sets for each member whether one of the routes that match it puts it
// into this group, and the group's route, key and labels from those that are.
func (g *group) routeMembers(root *route.Route) {
	g.route = nil
	for i := range g.members {
		m := &g.members[i]
		m.routed = false
		for _, r := range root.Match(m.rec.Labels) {
			if derived := r.GroupFor(m.rec.Labels); derived.ID == g.id {
				m.routed, g.route = true, r
				g.header.Key, g.header.Labels = derived.Key, derived.Labels
				break
			}
		}
	}
}

// reroute moves firing members that the present configuration puts into other
// groups, or whose log a group that they left still has, and reports whether there
// were any. The flush removes them from this group afterwards if they do not belong to
// it, except those of whose end one of its logs is still to be notified.
func (e *Engine) reroute(ctx context.Context, now time.Time, g *group, logs []*storedLog) (moved bool, err error) {
	var alerts []*alert.Alert
	stored := map[string][]*storedLog{g.id: logs}
	for _, m := range g.members {
		if m.rec.ResolvedAt(now) || m.routed && len(m.rec.Groups) == 1 {
			continue
		}
		routes := e.root.Match(m.rec.Labels)
		left, moves := slices.Clone(m.rec.Groups), false
		for _, r := range routes {
			id := r.GroupFor(m.rec.Labels).ID
			moves = moves || !slices.Contains(m.rec.Groups, id)
			left = slices.DeleteFunc(left, func(other string) bool { return other == id })
		}
		for _, id := range left {
			if _, loaded := stored[id]; !loaded {
				if stored[id], err = e.logs.stored(ctx, id); err != nil {
					return false, err
				}
			}
			moves = moves || slices.ContainsFunc(e.logs.reached(stored[id], routes), func(l *storedLog) bool { return l.entry.includes(m.fp) })
		}
		if moves {
			alerts = append(alerts, m.rec.Alert)
		}
	}
	if len(alerts) == 0 {
		return false, nil
	}
	return true, e.Ingest(ctx, now, alerts)
}
