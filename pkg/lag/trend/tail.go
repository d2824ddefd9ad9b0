package trend

import (
	"iter"
	"slices"
)

// PartitionTail describes the unread offsets of a partition as far as known: those from
// the commit on, up to End with TailMarkers.
type PartitionTail struct {
	ID   int32
	Tail Tail
	End  int64
}

// Idle returns the partitions of a topic in which the last three polls or more, over a
// minute or more, found the same commit, the same end, and something unread of an
// unknown kind.
func (w *Window) Idle(group, topic string) (ids []int32) {
	for r := range w.rows(group, topic, func([]byte) bool { return true }) {
		s := w.series(r)
		if s.n == 0 || s.last().lag == 0 || r.tail == TailMessage || r.tail == TailMarkers && r.tailEnd >= s.last().end {
			continue
		}
		i := s.n - 1
		for i > 0 && s.samples[i-1] == *s.last() {
			i--
		}
		if s.holdsFrom(i) {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// Tails iterates over the known tails of a topic's partitions.
func (w *Window) Tails(group, topic string) iter.Seq[PartitionTail] {
	return func(yield func(PartitionTail) bool) {
		for r := range w.rows(group, topic, hasTail) {
			if r.tail != TailUnknown && !yield(PartitionTail{r.id, r.tail, r.tailEnd}) {
				return
			}
		}
	}
}

// rows iterates over the rows of a topic whose stored form is selected. A row is valid
// until the next one.
func (w *Window) rows(group, topic string, selected func(body []byte) bool) iter.Seq[*row] {
	return func(yield func(*row) bool) {
		g := w.groups[group]
		if g == nil || g.topics[topic] == nil {
			return
		}
		polls := len(w.pollTimes())
		ends := newEndsCursor(w.ends[topic], polls)
		var r row
		for b := iterateBlob(g.topics[topic].rows); b.next(); {
			if !selected(b.body) {
				continue
			}
			r = row{id: b.id}
			if r.decode(b.body, polls, ends.seek(b.id)); !yield(&r) {
				return
			}
		}
	}
}

// SetTails records what the unread offsets of a topic's partitions have, until their
// commits move.
func (w *Window) SetTails(group, topic string, tails []PartitionTail) {
	g := w.groups[group]
	if g == nil || g.topics[topic] == nil {
		return
	}
	t, polls := g.topics[topic], len(w.pollTimes())
	cursor := newEndsCursor(w.ends[topic], polls)
	out := newBlobBuilder(len(t.rows) + 4*len(tails))
	for b := iterateBlob(t.rows); b.next(); {
		i := slices.IndexFunc(tails, func(t PartitionTail) bool { return t.ID == b.id })
		if i < 0 {
			out.add(b.id, func(to []byte) []byte { return append(to, b.body...) })
			continue
		}
		ends := cursor.seek(b.id)
		r := row{id: b.id}
		r.decode(b.body, polls, ends)
		r.tail, r.tailEnd = tails[i].Tail, tails[i].End
		out.add(b.id, func(to []byte) []byte { return r.encode(to, ends) })
	}
	t.rows = out.data
}
