package trend

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"
)

const (
	// minRetention is for how long log ends are kept at least.
	minRetention = 24 * time.Hour
	// resolutionDivisor is which part of their age two kept log ends may be
	// apart, unless they are of neighbouring polls.
	resolutionDivisor = 8
	// maxSnapshots bounds the kept log ends. Polls a second apart need 110.
	maxSnapshots = 128
)

// Age returns how long before now the message at position was produced, derived
// from the log ends of the polls. Both results are true bounds without any
// interpolation. They are apart by the interval between two polls, or by an
// eighth of the age if that is more. atMost is Never for a message older than
// all stored log ends, which cover the last 24 hours of polls at least. A
// position at or after the newest log end is of a message that can only be
// younger than the newest poll.
//
// The age is not known when fewer than two polls have the partition, for
// example after its topic was deleted and created again. The bounds are as
// exact as the times given to Add are the times at which offsets were read.
func (w *Window) Age(topic string, id int32, position int64, now time.Time) (atLeast, atMost time.Duration, known bool) {
	var buffer [maxSnapshots]int64
	var ends []int64 // newest first
	for b := iterateBlob(w.ends[topic]); b.next() && b.id <= id; {
		if b.id == id {
			ends = decodeEnds(b.body, buffer[:0], len(w.snapshotTimes))
		}
	}
	atMost = Never
	seen := 0
	for i, end := range ends {
		if end == unknownValue {
			continue
		}
		seen++
		t := w.snapshotTimes[len(w.snapshotTimes)-1-i]
		if end <= position {
			if atMost == Never {
				atMost = timeSince(t, now)
			}
			if seen > 1 {
				break
			}
			continue
		}
		atLeast = timeSince(t, now)
	}
	if seen < 2 {
		return 0, Never, false
	}
	return atLeast, atMost, true
}

func timeSince(t int64, now time.Time) time.Duration { return max(0, now.Sub(fromMillis(t))) }

// downsample returns the snapshot times to keep when a poll at t is added, and
// the indexes of those to drop. Older ones are kept further apart.
func downsample(times []int64, t int64) (kept []int64, dropped []int) {
	kept = make([]int64, 0, len(times)+1)
	for i, at := range times {
		switch {
		case i > len(times)-windowSize: // one of the polls that the window keeps
		case len(kept) == 0 && (times[i+1] <= t-minRetention.Milliseconds() || len(times)-i >= maxSnapshots),
			len(kept) > 0 && times[i+1]-kept[len(kept)-1] <= (t-times[i+1])/resolutionDivisor:
			dropped = append(dropped, i)
			continue
		}
		kept = append(kept, at)
	}
	return kept, dropped
}

// observedEnd is the log end of a partition as reported for one group.
type observedEnd struct {
	id  int32
	end int64
}

// updateEnds records the log ends of a poll.
func (p *pollUpdate) updateEnds(groups []Group, complete bool) {
	w := p.Window
	observed := make(map[string][]observedEnd, len(p.oldEnds))
	for i := range groups {
		g := &groups[i]
		complete = complete && g.Complete
		for j := range g.Topics {
			t := &g.Topics[j]
			all := observed[t.Name]
			for k := range t.Partitions {
				if validPartition(&t.Partitions[k]) {
					all = append(all, observedEnd{t.Partitions[k].ID, t.Partitions[k].End})
				}
			}
			observed[t.Name] = all
		}
	}
	for topic := range p.oldEnds {
		if _, ok := observed[topic]; !ok && !complete {
			observed[topic] = nil
		}
	}
	w.ends = make(map[string][]byte, len(observed))
	for topic, ends := range observed {
		slices.SortFunc(ends, func(a, b observedEnd) int {
			return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.end, b.end))
		})
		if data := p.updateTopicEnds(p.oldEnds[topic], ends); len(data) > 0 {
			w.ends[topic] = data
		}
	}
}

// updateTopicEnds returns the partition blob of a topic's log ends with those
// of the poll added, which are sorted by partition and end.
func (p *pollUpdate) updateTopicEnds(stored []byte, observed []observedEnd) []byte {
	old, out := iterateBlob(stored), newBlobBuilder(len(stored)+8)
	var buffer [maxSnapshots + 1]int64
	for more := old.next(); more || len(observed) > 0; {
		var id int32
		ends := buffer[:1] // newest first; the first is the poll's
		if more && (len(observed) == 0 || old.id <= observed[0].id) {
			id = old.id
			ends = decodeEnds(old.body, ends, len(p.snapshotTimes)-1+len(p.droppedSnapshots))
			ends = p.removeDropped(ends)
			more = old.next()
		} else {
			id = observed[0].id
		}
		n := 0
		for n < len(observed) && observed[n].id == id {
			n++
		}
		ends = setNewestEnd(ends, observed[:n])
		observed = observed[n:]
		if len(ends) > 0 {
			out.add(id, func(to []byte) []byte { return encodeEnds(to, ends) })
		}
	}
	return out.data
}

// removeDropped removes the ends of dropped snapshots.
func (p *pollUpdate) removeDropped(ends []int64) []int64 {
	oldest := len(p.snapshotTimes) - 1 + len(p.droppedSnapshots) // the index of the oldest snapshot in ends
	for _, i := range slices.Backward(p.droppedSnapshots) {
		// The ones removed before were newer, and so moved the oldest forward.
		if at := oldest - i; at < len(ends) {
			ends = slices.Delete(ends, at, at+1)
			oldest--
		}
	}
	return ends
}

// setNewestEnd sets the first of ends to that of a poll. Different groups may
// have been given ends that are moments apart: the lowest one that does not
// fall below the previous end is used. When all of them fall below it, the
// topic was deleted and created again, and the earlier ends are removed. It
// returns none when no end is known.
func setNewestEnd(ends []int64, observed []observedEnd) []int64 {
	previous := int64(unknownValue)
	for _, end := range ends[1:] {
		if previous = end; previous != unknownValue {
			break
		}
	}
	switch {
	case len(observed) > 0:
		ends[0] = observed[0].end
		for _, o := range observed {
			if o.end >= previous {
				ends[0] = o.end
				return ends
			}
		}
		return ends[:1]
	case previous == unknownValue:
		return nil
	default:
		ends[0] = unknownValue
		return ends
	}
}

// encodeEnds appends the stored form of ends, newest first. An end is stored as
// 0 if unknown, otherwise as 1 more than the difference to the known one before
// it, which is newer and not lower; the first known one is stored as 1 more
// than itself. Unknown ones at the end are left out.
func encodeEnds(to []byte, ends []int64) []byte {
	for len(ends) > 0 && ends[len(ends)-1] == unknownValue {
		ends = ends[:len(ends)-1]
	}
	previous := int64(unknownValue)
	for _, end := range ends {
		switch {
		case end == unknownValue:
			to = append(to, 0)
			continue
		case previous == unknownValue:
			to = binary.AppendUvarint(to, uint64(end)+1)
		default:
			to = binary.AppendUvarint(to, uint64(previous-end)+1)
		}
		previous = end
	}
	return to
}

// decodeEnds appends the ends that encodeEnds stored, at most limit of them. It
// stops at an impossible one.
func decodeEnds(body []byte, to []int64, limit int) []int64 {
	previous := int64(unknownValue)
	for n := (varintReader{rest: body}); n.more() && limit > 0; limit-- {
		v := n.uvarint()
		switch {
		case v == 0:
			to = append(to, unknownValue)
			continue
		case v > offsetLimit || previous != unknownValue && int64(v-1) > previous:
			return to
		case previous == unknownValue:
			previous = int64(v - 1)
		default:
			previous -= int64(v - 1)
		}
		to = append(to, previous)
	}
	return to
}

// endsCursor reads the log ends of a topic's partitions at the polls of the
// window, in the order of their ids.
type endsCursor struct {
	*blobIterator
	more  bool
	polls int
	ends  [windowSize]int64
}

func newEndsCursor(ends []byte, polls int) *endsCursor {
	c := &endsCursor{blobIterator: iterateBlob(ends), polls: polls}
	c.more = c.next()
	return c
}

// seek returns the log ends of a partition by poll, valid until the next call.
// Ids must rise from call to call.
func (c *endsCursor) seek(id int32) *[windowSize]int64 {
	for c.more && c.id < id {
		c.more = c.next()
	}
	for i := range c.ends {
		c.ends[i] = unknownValue
	}
	if c.more && c.id == id {
		var buffer [windowSize]int64
		for i, end := range decodeEnds(c.body, buffer[:0], c.polls) {
			c.ends[c.polls-1-i] = end
		}
	}
	return &c.ends
}
