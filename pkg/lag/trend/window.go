package trend

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

const (
	// windowSize is from how many polls a partition is evaluated.
	windowSize = 15
	// forgetAfter is for how long a partition that cannot be read any more is
	// Unknown. After that it is as one that never could be read.
	forgetAfter = 24 * time.Hour
)

// Window is the recent polls of one cluster. The zero Window is empty.
//
// Partitions, log ends and lag histories stay in their stored encoding and are
// decoded only to evaluate them. That takes about 60 bytes a partition, and
// makes Decode and Encode cheap.
//
// A Window is not safe for concurrent use with Add.
type Window struct {
	// snapshotTimes are the polls of which ends holds the log ends, and
	// historyTimes those of which the topics hold a lag, in unix milliseconds,
	// oldest first.
	snapshotTimes, historyTimes []int64

	groups map[string]*group
	ends   map[string][]byte // by topic: a partition blob of log ends, see encodeEnds
}

// pollTimes returns the times of the polls from which partitions are evaluated:
// the newest snapshots.
func (w *Window) pollTimes() []int64 {
	return w.snapshotTimes[max(0, len(w.snapshotTimes)-windowSize):]
}

type group struct {
	members Members
	topics  map[string]*topic
}

type topic struct {
	rows []byte // a partition blob of rows, see row.encode
	lags []byte // the newest of them at the newest historyTime, see appendLag
}

// Add records a poll at now. It ignores a poll that is not later than the
// newest one.
//
// A group, topic or partition that is missing from an incomplete poll keeps its
// history. A group or topic that is missing from a complete poll is forgotten
// at once; partitions that are gone, and topics that a group has unsubscribed
// from, age out of the window.
//
// complete is whether the list of groups is. With partitions false it records only
// the lag of each topic, and forgets the polls of partitions.
func (w *Window) Add(now time.Time, groups []Group, complete, partitions bool) {
	t := now.UnixMilli()
	if n := len(w.historyTimes); n > 0 && t <= w.historyTimes[n-1] {
		return
	}
	p := pollUpdate{Window: w, partitions: partitions, oldEnds: w.ends, oldPolls: w.pollTimes()}
	p.addTimes(t)
	w.ends = nil
	if partitions {
		p.updateEnds(groups, complete)
	}
	if w.groups == nil {
		w.groups = make(map[string]*group, len(groups))
	}
	polled := make(map[string]*Group, len(groups))
	for i := range groups {
		polled[groups[i].Name] = &groups[i]
	}
	for name, g := range w.groups {
		if polled[name] == nil {
			if complete {
				delete(w.groups, name)
			} else {
				p.updateGroup(g, &Group{Members: g.members})
			}
		}
	}
	for name, from := range polled {
		g := w.groups[name]
		if g == nil {
			g = &group{topics: make(map[string]*topic, len(from.Topics))}
			w.groups[name] = g
		}
		p.updateGroup(g, from)
	}
	for name, g := range w.groups {
		if len(g.topics) == 0 {
			delete(w.groups, name)
		}
	}
}

// Topics iterates over the groups and topics in the window.
func (w *Window) Topics() iter.Seq2[string, string] {
	return func(yield func(group, topic string) bool) {
		for name, g := range w.groups {
			for topic := range g.topics {
				if !yield(name, topic) {
					return
				}
			}
		}
	}
}

// pollUpdate is a Window while Add records a poll in it.
type pollUpdate struct {
	*Window
	partitions bool

	oldEnds          map[string][]byte // Window.ends before the poll
	oldPolls         []int64           // pollTimes before it
	droppedSnapshots []int             // indexes in snapshotTimes before it
	replaceNewest    bool              // the poll replaces the newest lag of each history
}

// addTimes adds a poll at t to the times of the window.
func (p *pollUpdate) addTimes(t int64) {
	w := p.Window
	p.replaceNewest = tooClose(w.historyTimes)
	w.historyTimes = appendTime(w.historyTimes, t)
	if !p.partitions {
		w.snapshotTimes = nil
		return
	}
	w.snapshotTimes, p.droppedSnapshots = downsample(w.snapshotTimes, t)
	w.snapshotTimes = append(w.snapshotTimes, t)
}

func (p *pollUpdate) updateGroup(g *group, polled *Group) {
	g.members = polled.Members
	topics := make(map[string]*Topic, len(polled.Topics))
	for i := range polled.Topics {
		topics[polled.Topics[i].Name] = &polled.Topics[i]
	}
	for name, t := range g.topics {
		if topics[name] == nil {
			if polled.Complete {
				delete(g.topics, name)
			} else {
				p.updateTopic(name, t, nil, false)
			}
		}
	}
	for name, from := range topics {
		t := g.topics[name]
		if t == nil {
			t = &topic{}
			g.topics[name] = t
		}
		if from.Unsubscribed {
			p.updateTopic(name, t, nil, true)
		} else {
			p.updateTopic(name, t, from.Partitions, polled.Complete)
		}
	}
	for name, t := range g.topics {
		if len(t.rows) == 0 && len(t.lags) == 0 {
			delete(g.topics, name)
		}
	}
}

// updateTopic records the partitions of a topic; with complete, a partition
// that is missing is gone.
func (p *pollUpdate) updateTopic(name string, t *topic, polled []Partition, complete bool) {
	lag := totalLag(polled)
	if p.partitions {
		if missing := p.updateRows(name, t, polled, complete); missing {
			lag = unknownValue
		}
	} else {
		t.rows = nil
	}
	t.lags = appendLag(t.lags, lag, p.replaceNewest, len(p.historyTimes))
}

// updateRows records the partitions of a topic. It reports whether the poll is
// missing one that is in the window.
func (p *pollUpdate) updateRows(name string, t *topic, polled []Partition, complete bool) (missing bool) {
	byID := func(a, b Partition) int { return cmp.Compare(a.ID, b.ID) }
	if !slices.IsSortedFunc(polled, byID) {
		polled = slices.SortedStableFunc(slices.Values(polled), byID)
	}
	polls := p.pollTimes()
	newest := len(polls) - 1
	oldEnds, newEnds := newEndsCursor(p.oldEnds[name], len(p.oldPolls)), newEndsCursor(p.Window.ends[name], len(polls))
	old, out := iterateBlob(t.rows), newBlobBuilder(len(t.rows)+8)
	var r row
	for more := old.next(); more || len(polled) > 0; {
		r = row{}
		if more && (len(polled) == 0 || old.id <= polled[0].ID) {
			r.id = old.id
			r.decode(old.body, len(p.oldPolls), oldEnds.seek(r.id))
			if len(p.oldPolls) == windowSize {
				r.dropOldest(p.oldPolls[0])
			}
			more = old.next()
		} else {
			r.id = polled[0].ID
		}
		present, recorded := len(polled) > 0 && polled[0].ID == r.id, false
		if present {
			recorded = r.record(newest, &polled[0], polls[newest])
			for len(polled) > 0 && polled[0].ID == r.id {
				polled = polled[1:]
			}
		}
		switch {
		case r.known != 0:
			missing = missing || !recorded
		case r.lastSeen == 0, complete && !present, polls[newest]-r.lastSeen > forgetAfter.Milliseconds():
			continue
		}
		ends := newEnds.seek(r.id)
		out.add(r.id, func(to []byte) []byte { return r.encode(to, ends) })
	}
	t.rows = out.data
	return missing
}

// findRow returns the stored polls of a partition, and the members of its
// group.
func (w *Window) findRow(group, topic string, id int32) (r row, members Members, ok bool) {
	g := w.groups[group]
	if g == nil || g.topics[topic] == nil {
		return r, 0, false
	}
	for b := iterateBlob(g.topics[topic].rows); b.next() && b.id <= id; {
		if b.id == id {
			r.id = id
			polls := len(w.pollTimes())
			r.decode(b.body, polls, newEndsCursor(w.ends[topic], polls).seek(id))
			return r, g.members, true
		}
	}
	return r, 0, false
}
