package trend

import (
	"cmp"
	"slices"
	"time"
)

// size is how many polls a partition is judged by.
const size = 15

// forgetAfter is for how long a partition that was known and is not any more
// stays Unknown. Then it is as one that never was known.
const forgetAfter = 24 * time.Hour

// Window is the last polls of one cluster. The zero Window remembers nothing.
//
// What it keeps of a partition, a topic or a history stays in the form in which
// it is stored, and is unpacked where it is asked about: it is about 60 bytes a
// partition, and reading and storing a window costs next to nothing.
//
// A Window is not safe for concurrent use with Add.
type Window struct {
	// marks and times are when ends and lags were seen, in unix milliseconds,
	// oldest first. The last marks are the polls.
	marks, times []int64
	groups       map[string]*group
	ends         map[string][]byte // by topic: its partitions' ends at marks
}

// polls are when the partitions were seen.
func (w *Window) polls() []int64 { return w.marks[max(0, len(w.marks)-size):] }

type group struct {
	members Members
	topics  map[string]*topic
}

type topic struct {
	rows []byte // its partitions at the polls
	lags []byte // its lag at times
}

// Add takes one poll in. A second Add at the same or an earlier time than the
// last is ignored.
//
// A group, topic or partition that is missing from an incomplete poll keeps what
// is known of it; a group or topic that is missing from a complete one is
// forgotten at once. Partitions that are gone, and topics to which a group does
// not subscribe any more, age out of the window.
//
// Without partitions only the history of each topic's lag is kept, and what was
// known of partitions is forgotten.
func (w *Window) Add(now time.Time, groups []Group, complete bool, partitions bool) {
	t := now.UnixMilli()
	if n := len(w.times); n > 0 && t <= w.times[n-1] {
		return
	}
	p := poll{Window: w, partitions: partitions, before: w.ends, polled: w.polls()}
	p.begin(t)
	w.ends = nil
	if partitions {
		p.ends(groups, complete)
	}
	if w.groups == nil {
		w.groups = make(map[string]*group, len(groups))
	}
	seen := make(map[string]*Group, len(groups))
	for i := range groups {
		seen[groups[i].Name] = &groups[i]
	}
	for name, g := range w.groups {
		if seen[name] == nil {
			if complete {
				delete(w.groups, name)
			} else {
				p.group(g, &Group{Members: g.members})
			}
		}
	}
	for name, s := range seen {
		g := w.groups[name]
		if g == nil {
			g = &group{topics: make(map[string]*topic, len(s.Topics))}
			w.groups[name] = g
		}
		p.group(g, s)
	}
	for name, g := range w.groups {
		if len(g.topics) == 0 {
			delete(w.groups, name)
		}
	}
}

// poll is a poll that is being taken in.
type poll struct {
	*Window
	partitions bool
	before     map[string][]byte // the ends before it
	polled     []int64           // the polls before it
	dropped    []int             // which of the old marks go
	replaced   bool              // the newest point of the histories makes room
}

// begin makes room for a poll at t.
func (p *poll) begin(t int64) {
	w := p.Window
	p.replaced = tooClose(w.times)
	w.times = nextTimes(w.times, t)
	if !p.partitions {
		w.marks = nil
		return
	}
	w.marks, p.dropped = thin(w.marks, t)
	w.marks = append(w.marks, t)
}

// group takes in what was seen of a group.
func (p *poll) group(g *group, seen *Group) {
	g.members = seen.Members
	topics := make(map[string]*Topic, len(seen.Topics))
	for i := range seen.Topics {
		topics[seen.Topics[i].Name] = &seen.Topics[i]
	}
	for name, t := range g.topics {
		if topics[name] == nil {
			if seen.Complete {
				delete(g.topics, name)
			} else {
				p.topic(name, t, nil, false)
			}
		}
	}
	for name, s := range topics {
		t := g.topics[name]
		if t == nil {
			t = &topic{}
			g.topics[name] = t
		}
		if s.Unsubscribed {
			p.topic(name, t, nil, true)
		} else {
			p.topic(name, t, s.Partitions, seen.Complete)
		}
	}
	for name, t := range g.topics {
		if len(t.rows) == 0 && len(t.lags) == 0 {
			delete(g.topics, name)
		}
	}
}

// topic takes in what was seen of a topic; complete tells that a partition that
// is missing is gone.
func (p *poll) topic(name string, t *topic, seen []Partition, complete bool) {
	lag := sum(seen)
	if p.partitions {
		if p.rows(name, t, seen, complete) {
			lag = unknown
		}
	} else {
		t.rows = nil
	}
	t.lags = nextLags(t.lags, lag, p.replaced, len(p.times))
}

// rows takes in what was seen of a topic's partitions. It tells whether one that
// the window knows was not seen.
func (p *poll) rows(name string, t *topic, seen []Partition, complete bool) (blind bool) {
	byID := func(a, b Partition) int { return cmp.Compare(a.ID, b.ID) }
	if !slices.IsSortedFunc(seen, byID) {
		seen = slices.SortedStableFunc(slices.Values(seen), byID)
	}
	polls := p.polls()
	newest := len(polls) - 1
	was, is := recently(p.before[name], len(p.polled)), recently(p.Window.ends[name], len(polls))
	old, out := walk(t.rows), newBlob(len(t.rows)+8)
	var r row
	for more := old.next(); more || len(seen) > 0; {
		r = row{}
		if more && (len(seen) == 0 || old.id <= seen[0].ID) {
			r.id = old.id
			r.decode(old.body, len(p.polled), was.of(r.id))
			if len(p.polled) == size {
				r.age(p.polled[0])
			}
			more = old.next()
		} else {
			r.id = seen[0].ID
		}
		mentioned, took := len(seen) > 0 && seen[0].ID == r.id, false
		if mentioned {
			took = r.add(newest, &seen[0])
			for len(seen) > 0 && seen[0].ID == r.id {
				seen = seen[1:]
			}
		}
		switch {
		case r.known != 0:
			blind = blind || !took
		case r.held == 0, complete && !mentioned, polls[newest]-r.held > forgetAfter.Milliseconds():
			continue
		}
		ends := is.of(r.id)
		out.add(r.id, func(to []byte) []byte { return r.encode(to, ends) })
	}
	t.rows = out.data
	return blind
}

// find returns what is kept of a partition.
func (w *Window) find(group, topic string, id int32) (r row, members Members, ok bool) {
	g := w.groups[group]
	if g == nil || g.topics[topic] == nil {
		return r, 0, false
	}
	for b := walk(g.topics[topic].rows); b.next() && b.id <= id; {
		if b.id == id {
			r.id = id
			polls := len(w.polls())
			r.decode(b.body, polls, recently(w.ends[topic], polls).of(id))
			return r, g.members, true
		}
	}
	return r, 0, false
}
