package trend

import (
	"encoding/binary"
	"iter"
	"math"
	"math/bits"
)

// tooLarge is an offset or lag that no Kafka has: differences of smaller ones do
// not overflow.
const tooLarge = 1 << 62

// markers is how many messages may be left by transactions' markers.
const markers = 1

// row is what the window has of a partition of a group.
type row struct {
	id int32
	// known has a bit for each poll that saw the partition, the oldest lowest.
	known   uint16
	samples [size]sample // by poll
	// held is, while any poll saw the partition, since when the commit has
	// stood where the oldest of them saw it, if that is before the window, with
	// so much left to read then; or 0. Otherwise it is when the partition was
	// last seen. In unix milliseconds.
	held, heldLag int64
}

// sample is a partition as one poll saw it.
type sample struct{ commit, end, lag int64 }

// age takes the oldest poll, at time t, out of the window.
func (r *row) age(t int64) {
	gone := r.samples[0]
	was := r.known&1 != 0
	r.known >>= 1
	copy(r.samples[:], r.samples[1:])
	switch {
	case !was:
	case r.known == 0:
		r.held, r.heldLag = t, 0
	case r.samples[bits.TrailingZeros16(r.known)].commit != gone.commit:
		r.held, r.heldLag = 0, 0
	case r.held == 0 || r.heldLag <= markers:
		r.held, r.heldLag = t, gone.lag
	}
}

// add takes in what the newest poll saw; it tells whether it saw anything.
//
// A log end that falls is that of a topic that was created anew, and so is it
// when a commit that was beyond the end goes back: nothing before it counts.
func (r *row) add(newest int, p *Partition) bool {
	if !valid(p) {
		return false
	}
	s := sample{p.Committed, p.End, p.Lag}
	if r.known == 0 {
		r.held, r.heldLag = 0, 0
	} else if last := r.samples[bits.Len16(r.known)-1]; s.end < last.end || last.commit > last.end && s.commit < last.commit {
		r.known, r.held, r.heldLag = 0, 0, 0
	}
	r.known |= 1 << newest
	r.samples[newest] = s
	return true
}

// A row is stored as two bytes of known, with plain; then, unless it is plain,
// how it is not; held and, if that is not 0, heldLag; then columns, of each poll
// that is known the difference from the one before: how far the end is from the
// commit; the end; the deleted messages, which are between commit and end and not
// in the lag.
const (
	plain = 1 << size // the last two columns are left out
	// ownEnds tells that there are ends: the group was told others than those
	// that are kept for all groups. deletions tells that there are such.
	ownEnds   = 1
	deletions = 2
)

// encode appends the row as it is stored. ends are those kept for all groups, by
// poll.
func (r *row) encode(to []byte, ends *[size]int64) []byte {
	var kind byte
	for i := range r.polls() {
		s := &r.samples[i]
		if s.end != ends[i] {
			kind |= ownEnds
		}
		if s.lag != max(0, s.end-s.commit) {
			kind |= deletions
		}
	}
	if kind == 0 {
		to = binary.LittleEndian.AppendUint16(to, r.known|plain)
	} else {
		to = append(binary.LittleEndian.AppendUint16(to, r.known), kind)
	}
	to = binary.AppendUvarint(to, uint64(max(0, r.held)))
	if r.held > 0 {
		to = binary.AppendUvarint(to, uint64(r.heldLag))
	}
	var before int64
	for i := range r.polls() {
		gap := r.samples[i].end - r.samples[i].commit
		to = binary.AppendUvarint(to, zigzag(gap-before))
		before = gap
	}
	if kind&ownEnds != 0 {
		before = 0
		for i := range r.polls() {
			to = binary.AppendUvarint(to, zigzag(r.samples[i].end-before))
			before = r.samples[i].end
		}
	}
	if kind&deletions != 0 {
		for i := range r.polls() {
			s := &r.samples[i]
			to = binary.AppendUvarint(to, zigzag(s.end-s.commit-s.lag))
		}
	}
	return to
}

// decode reads what encode wrote, in a window of so many polls. Of garbage it
// makes a row that nothing is known of.
func (r *row) decode(body []byte, polls int, ends *[size]int64) {
	if len(body) < 2 {
		return
	}
	head := binary.LittleEndian.Uint16(body)
	body = body[2:]
	var kind byte
	if head&plain == 0 && len(body) > 0 {
		kind, body = body[0], body[1:]
	}
	r.known = head & (1<<polls - 1)
	n := numbers{data: body}
	r.held = int64(n.unsigned() & math.MaxInt64)
	if r.held > 0 {
		r.heldLag = int64(n.unsigned() & math.MaxInt64)
	}
	var gaps [size]int64
	var before int64
	for i := range r.polls() {
		before += n.signed()
		gaps[i] = before
	}
	before = 0
	for i := range r.polls() {
		s := &r.samples[i]
		s.end = ends[i]
		if kind&ownEnds != 0 {
			before += n.signed()
			s.end = before
		}
		s.commit, s.lag = s.end-gaps[i], max(0, gaps[i])
	}
	for i := range r.polls() {
		s := &r.samples[i]
		if kind&deletions != 0 {
			s.lag = gaps[i] - n.signed()
		}
		if !possible(s.commit) || !possible(s.end) || !possible(s.lag) {
			*r = row{id: r.id}
			return
		}
	}
}

// polls goes through the polls that saw the partition, oldest first.
func (r *row) polls() iter.Seq[int] {
	return func(yield func(int) bool) {
		for set := r.known; set != 0; set &= set - 1 {
			if !yield(bits.TrailingZeros16(set)) {
				return
			}
		}
	}
}

// possible tells that a number may be an offset or a lag.
func possible(n int64) bool { return n >= 0 && n < tooLarge }

func valid(p *Partition) bool {
	return p.Known && p.ID >= 0 && possible(p.Committed) && possible(p.End) && possible(p.Lag)
}
