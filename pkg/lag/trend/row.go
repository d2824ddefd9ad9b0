package trend

import (
	"encoding/binary"
	"iter"
	"math"
	"math/bits"
)

const (
	// offsetLimit is above every offset and lag of a real Kafka, and so low
	// that differences between smaller ones do not overflow.
	offsetLimit = 1 << 62
	// markerLag is how many messages a transaction marker may leave unread.
	markerLag = 1
)

// row is the polls of a partition as one group sees it.
type row struct {
	id int32
	// known has a bit for each poll that has the partition, the oldest lowest.
	known   uint16
	samples [windowSize]sample // by poll
	// frozenSince is set when the commit of the oldest known sample is older
	// than the window: the first poll with it, in unix milliseconds, and the
	// lag at that poll.
	frozenSince, frozenLag int64
	// tail is what the offsets from the commit on have, with TailMarkers those up to
	// tailEnd.
	tail    Tail
	tailEnd int64
	// openSince is the first poll, in unix milliseconds, since which messages of open
	// transactions have followed the same end; 0 if none do.
	openSince int64
	// lastSeen is, while no poll of the window has the partition, the last one
	// that had, in unix milliseconds.
	lastSeen int64
}

// sample is a partition in one poll.
type sample struct{ commit, end, lag int64 }

// dropOldest removes the oldest poll, at time t, from the window.
func (r *row) dropOldest(t int64) {
	dropped := r.samples[0]
	wasKnown := r.known&1 != 0
	r.known >>= 1
	copy(r.samples[:], r.samples[1:])
	switch {
	case !wasKnown:
	case r.known == 0:
		r.frozenSince, r.frozenLag, r.lastSeen, r.tail = 0, 0, t, TailUnknown
	case r.samples[bits.TrailingZeros16(r.known)].commit != dropped.commit:
		r.frozenSince, r.frozenLag = 0, 0
	case r.frozenSince == 0 || r.frozenLag <= markerLag:
		r.frozenSince, r.frozenLag = t, dropped.lag
	}
}

// record adds the newest poll, at time t. It reports whether the poll has valid offsets.
//
// Earlier polls are dropped when the topic was deleted and created again: its
// end falls, or its commit was beyond the end and goes back.
func (r *row) record(newest int, p *Partition, t int64) bool {
	if !validPartition(p) {
		return false
	}
	s := sample{p.Committed, p.End, p.Lag}
	if r.known == 0 {
		r.lastSeen, r.frozenLag, r.openSince = 0, 0, 0
	} else if last := r.samples[bits.Len16(r.known)-1]; s.end < last.end || last.commit > last.end && s.commit < last.commit {
		r.known, r.frozenSince, r.frozenLag, r.tail = 0, 0, 0, TailUnknown
	} else if last.commit != s.commit {
		r.tail = TailUnknown
	}
	switch {
	case !p.OpenTransaction:
		r.openSince = 0
	case r.openSince == 0 || r.known == 0 || r.samples[bits.Len16(r.known)-1].end != s.end:
		r.openSince = t
	}
	r.known |= 1 << newest
	r.samples[newest] = s
	return true
}

// A row is stored as
//
//	uint16   known, with flagCompact when the optional columns are left out
//	byte     the optional columns; not with flagCompact
//	uvarint  frozenSince, or without known polls lastSeen
//	uvarint  frozenLag; only if the number before is not 0
//	varint…  for each known poll: how far the end is after the commit
//	varint…  columnEnds: the end
//	varint…  columnDeleted: the deleted messages between commit and end, which are
//	         not in the lag
//	uvarint  columnTail: tailEnd after the last known commit, times two, plus 1 for
//	         TailMessage
//	uvarint  columnOpen: openSince
//
// The first two columns hold differences from the poll before.
const (
	flagCompact = 1 << windowSize

	// columnEnds is there when the group's ends differ from those in
	// Window.ends, which all groups share.
	columnEnds    = 1
	columnDeleted = 2
	columnTail    = 4
	columnOpen    = 8
)

// encode appends the stored form of the row. ends are those in Window.ends, by
// poll.
func (r *row) encode(to []byte, ends *[windowSize]int64) []byte {
	var columns byte
	for i := range r.polls() {
		s := &r.samples[i]
		if s.end != ends[i] {
			columns |= columnEnds
		}
		if s.lag != max(0, s.end-s.commit) {
			columns |= columnDeleted
		}
	}
	if r.tail != TailUnknown && r.known != 0 {
		columns |= columnTail
	}
	if r.openSince > 0 && r.known != 0 {
		columns |= columnOpen
	}
	if columns == 0 {
		to = binary.LittleEndian.AppendUint16(to, r.known|flagCompact)
	} else {
		to = append(binary.LittleEndian.AppendUint16(to, r.known), columns)
	}
	since := r.frozenSince
	if r.known == 0 {
		since = r.lastSeen
	}
	to = binary.AppendUvarint(to, uint64(max(0, since)))
	if since > 0 {
		to = binary.AppendUvarint(to, uint64(r.frozenLag))
	}
	var previous int64
	for i := range r.polls() {
		distance := r.samples[i].end - r.samples[i].commit
		to = binary.AppendVarint(to, distance-previous)
		previous = distance
	}
	if columns&columnEnds != 0 {
		previous = 0
		for i := range r.polls() {
			to = binary.AppendVarint(to, r.samples[i].end-previous)
			previous = r.samples[i].end
		}
	}
	if columns&columnDeleted != 0 {
		for i := range r.polls() {
			s := &r.samples[i]
			to = binary.AppendVarint(to, s.end-s.commit-s.lag)
		}
	}
	if columns&columnTail != 0 {
		v := uint64(max(0, r.tailEnd-r.lastCommit())) << 1
		if r.tail == TailMessage {
			v |= 1
		}
		to = binary.AppendUvarint(to, v)
	}
	if columns&columnOpen != 0 {
		to = binary.AppendUvarint(to, uint64(r.openSince))
	}
	return to
}

// lastCommit returns the commit of the newest known poll.
func (r *row) lastCommit() int64 { return r.samples[bits.Len16(r.known)-1].commit }

// hasTail reports whether the stored form of a row has columnTail.
func hasTail(body []byte) bool {
	return len(body) > 2 && binary.LittleEndian.Uint16(body)&flagCompact == 0 && body[2]&columnTail != 0
}

// decode parses the stored form of a row in a window of so many polls. A row
// with impossible offsets becomes one without any known poll.
func (r *row) decode(body []byte, polls int, ends *[windowSize]int64) {
	if len(body) < 2 {
		return
	}
	head := binary.LittleEndian.Uint16(body)
	body = body[2:]
	var columns byte
	if head&flagCompact == 0 && len(body) > 0 {
		columns, body = body[0], body[1:]
	}
	r.known = head & (1<<polls - 1)
	n := varintReader{rest: body}
	since := int64(n.uvarint() & math.MaxInt64)
	if since > 0 {
		r.frozenLag = int64(n.uvarint() & math.MaxInt64)
	}
	if r.known == 0 {
		r.lastSeen = since
	} else {
		r.frozenSince = since
	}
	var distances [windowSize]int64
	var previous int64
	for i := range r.polls() {
		previous += n.varint()
		distances[i] = previous
	}
	previous = 0
	for i := range r.polls() {
		s := &r.samples[i]
		s.end = ends[i]
		if columns&columnEnds != 0 {
			previous += n.varint()
			s.end = previous
		}
		s.commit, s.lag = s.end-distances[i], max(0, distances[i])
	}
	for i := range r.polls() {
		s := &r.samples[i]
		if columns&columnDeleted != 0 {
			s.lag = distances[i] - n.varint()
		}
		if !validOffset(s.commit) || !validOffset(s.end) || !validOffset(s.lag) {
			*r = row{id: r.id}
			return
		}
	}
	if columns&columnTail != 0 && r.known != 0 {
		v := n.uvarint()
		r.tail, r.tailEnd = TailMarkers, r.lastCommit()+int64(v>>1)
		if v&1 != 0 {
			r.tail = TailMessage
		}
		if !validOffset(r.tailEnd) {
			r.tail, r.tailEnd = TailUnknown, 0
		}
	}
	if columns&columnOpen != 0 && r.known != 0 {
		r.openSince = int64(n.uvarint() & math.MaxInt64)
	}
}

// polls iterates over the known polls, oldest first.
func (r *row) polls() iter.Seq[int] {
	return func(yield func(int) bool) {
		for set := r.known; set != 0; set &= set - 1 {
			if !yield(bits.TrailingZeros16(set)) {
				return
			}
		}
	}
}

// validOffset reports whether n can be an offset or a lag.
func validOffset(n int64) bool { return n >= 0 && n < offsetLimit }

func validPartition(p *Partition) bool {
	return p.Known && p.ID >= 0 && validOffset(p.Committed) && validOffset(p.End) && validOffset(p.Lag)
}
