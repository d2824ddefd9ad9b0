package trend

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"
)

const (
	// reach is how far back the log end offsets are remembered at least.
	reach = 24 * time.Hour
	// fineness is which part of an age the time between two of them may be, but
	// for those of neighbouring polls.
	fineness = 8
	// maxMarks bounds them: polls a second apart come to 110.
	maxMarks = 128
)

// Age tells how long ago the message at position was produced, by where the log
// ended at the polls: at least and at most so long before now. Both are bounds,
// and nothing in between is guessed; they are apart by the time between two
// polls, or by an eighth of the age where that is more. atMost is Never when the
// message is older than all that is remembered, which is a day or more of what
// was polled. A position at the newest end or beyond is that of a message which
// can only be younger than the last poll.
//
// It is not known when fewer than two polls saw the log, as after a topic was
// created anew. Bounds are as exact as the times given to Add are those at which
// the offsets were read.
func (w *Window) Age(topic string, id int32, position int64, now time.Time) (atLeast, atMost time.Duration, known bool) {
	var buffer [maxMarks]int64
	var ends []int64 // newest first
	for b := walk(w.ends[topic]); b.next() && b.id <= id; {
		if b.id == id {
			ends = decodeEnds(b.body, buffer[:0], len(w.marks))
		}
	}
	atMost = Never
	seen := 0
	for i, end := range ends {
		if end == unknown {
			continue
		}
		seen++
		mark := w.marks[len(w.marks)-1-i]
		if end <= position {
			if atMost == Never {
				atMost = ago(now, mark)
			}
			if seen > 1 {
				break
			}
			continue
		}
		atLeast = ago(now, mark)
	}
	if seen < 2 {
		return 0, Never, false
	}
	return atLeast, atMost, true
}

func ago(now time.Time, t int64) time.Duration { return max(0, now.Sub(at(t))) }

// thin returns the marks that are left when one at t comes, and which of the old
// ones go.
func thin(marks []int64, t int64) (left []int64, dropped []int) {
	left = make([]int64, 0, len(marks)+1)
	for i, mark := range marks {
		switch {
		case i > len(marks)-size: // stays: it is one of the last polls
		case len(left) == 0 && (marks[i+1] <= t-reach.Milliseconds() || len(marks)-i >= maxMarks),
			len(left) > 0 && marks[i+1]-left[len(left)-1] <= (t-marks[i+1])/fineness:
			dropped = append(dropped, i)
			continue
		}
		left = append(left, mark)
	}
	return left, dropped
}

// endSeen is the end of a partition as one group's answer had it.
type endSeen struct {
	id  int32
	end int64
}

// ends takes in where the logs end.
func (p *poll) ends(groups []Group, complete bool) {
	w := p.Window
	seen := make(map[string][]endSeen, len(p.before))
	for i := range groups {
		g := &groups[i]
		complete = complete && g.Complete
		for j := range g.Topics {
			t := &g.Topics[j]
			all := seen[t.Name]
			for k := range t.Partitions {
				if valid(&t.Partitions[k]) {
					all = append(all, endSeen{t.Partitions[k].ID, t.Partitions[k].End})
				}
			}
			seen[t.Name] = all
		}
	}
	for topic := range p.before {
		if _, ok := seen[topic]; !ok && !complete {
			seen[topic] = nil
		}
	}
	w.ends = make(map[string][]byte, len(seen))
	for topic, ends := range seen {
		slices.SortFunc(ends, func(a, b endSeen) int {
			return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.end, b.end))
		})
		if data := p.endsOf(p.before[topic], ends); len(data) > 0 {
			w.ends[topic] = data
		}
	}
}

// endsOf takes in where the logs of one topic end. seen is by partition, then by
// end.
func (p *poll) endsOf(before []byte, seen []endSeen) []byte {
	old, out := walk(before), newBlob(len(before)+8)
	var buffer [maxMarks + 1]int64
	for more := old.next(); more || len(seen) > 0; {
		id, ends := int32(0), buffer[:1] // newest first
		if more && (len(seen) == 0 || old.id <= seen[0].id) {
			id = old.id
			ends = decodeEnds(old.body, ends, len(p.marks)-1+len(p.dropped))
			ends = p.drop(ends)
			more = old.next()
		} else {
			id = seen[0].id
		}
		n := 0
		for n < len(seen) && seen[n].id == id {
			n++
		}
		ends = newest(ends, seen[:n])
		seen = seen[n:]
		if len(ends) > 0 {
			out.add(id, func(to []byte) []byte { return encodeEnds(to, ends) })
		}
	}
	return out.data
}

// drop takes those of the dropped marks out of ends, the first of which is the
// new mark's.
func (p *poll) drop(ends []int64) []int64 {
	oldest := len(p.marks) - 1 + len(p.dropped) // where the oldest mark's would be
	for _, i := range slices.Backward(p.dropped) {
		// Those dropped so far were behind it.
		if at := oldest - i; at < len(ends) {
			ends = slices.Delete(ends, at, at+1)
			oldest--
		}
	}
	return ends
}

// newest fills in the first of ends with what a poll saw. Of several that groups
// were told, moments apart, the least counts that does not fall behind what is
// known. When all do, the topic was created anew and ends begin with it. It
// returns none when none is known.
func newest(ends []int64, seen []endSeen) []int64 {
	last := int64(unknown)
	for _, end := range ends[1:] {
		if last = end; last != unknown {
			break
		}
	}
	switch {
	case len(seen) > 0:
		ends[0] = seen[0].end
		for _, s := range seen {
			if s.end >= last {
				ends[0] = s.end
				return ends
			}
		}
		return ends[:1]
	case last == unknown:
		return nil
	default:
		ends[0] = unknown
		return ends
	}
}

// encodeEnds appends ends, newest first, as they are stored: 0 for one that is
// not known, otherwise 1 more than it is less than the one before that is known,
// or of the first, than it is.
func encodeEnds(to []byte, ends []int64) []byte {
	for len(ends) > 0 && ends[len(ends)-1] == unknown {
		ends = ends[:len(ends)-1]
	}
	before := int64(unknown)
	for _, end := range ends {
		switch {
		case end == unknown:
			to = append(to, 0)
			continue
		case before == unknown:
			to = binary.AppendUvarint(to, uint64(end)+1)
		default:
			to = binary.AppendUvarint(to, uint64(before-end)+1)
		}
		before = end
	}
	return to
}

// decodeEnds appends what encodeEnds wrote, at most limit of them. It stops
// before what cannot be.
func decodeEnds(body []byte, to []int64, limit int) []int64 {
	before := int64(unknown)
	for n := (numbers{data: body}); n.more() && limit > 0; limit-- {
		v := n.unsigned()
		switch {
		case v == 0:
			to = append(to, unknown)
			continue
		case v > tooLarge || before != unknown && int64(v-1) > before:
			return to
		case before == unknown:
			before = int64(v - 1)
		default:
			before -= int64(v - 1)
		}
		to = append(to, before)
	}
	return to
}

// recent goes through where the logs of a topic ended at the polls.
type recent struct {
	*walker
	more  bool
	polls int
	ends  [size]int64
}

func recently(ends []byte, polls int) *recent {
	r := &recent{walker: walk(ends), polls: polls}
	r.more = r.next()
	return r
}

// of returns the ends of a partition by poll. Ids must rise from call to call.
func (r *recent) of(id int32) *[size]int64 {
	for r.more && r.id < id {
		r.more = r.next()
	}
	for i := range r.ends {
		r.ends[i] = unknown
	}
	if r.more && r.id == id {
		var buffer [size]int64
		for i, end := range decodeEnds(r.body, buffer[:0], r.polls) {
			r.ends[r.polls-1-i] = end
		}
	}
	return &r.ends
}
