package trend

import (
	"encoding/binary"
	"slices"
	"time"
)

const (
	// unknownValue is a lag or a log end that is not known.
	unknownValue = -1
	// historySpan is how far back a History goes.
	historySpan = 3 * time.Hour
	// minStep is the smallest Step of a History.
	minStep = time.Minute
	// maxValues bounds the values of a History.
	maxValues = 180
	// timerJitter is by how much less than minStep polls may be apart and still
	// all be kept, because timers are not exact.
	timerJitter = 10 * time.Second
	// maxHistoryTimes bounds the stored values.
	maxHistoryTimes = int(historySpan / (minStep - timerJitter))
)

// History returns the lag of a topic over the last 3 hours at most, in up to
// 180 values. The Step is the usual interval between polls, and at least a
// minute. Where the interval has changed, a value is repeated until the next
// poll. A value is -1 where a poll was missed, or lacked partitions that
// earlier polls had.
func (w *Window) History(group, topic string) History {
	times, lags := w.topicLags(group, topic)
	if len(lags) == 0 {
		return History{}
	}
	typical := typicalIntervals(times)
	last := times[len(times)-1]
	step := minStep.Milliseconds()
	if n := len(typical); n > 0 {
		step = max(step, (typical[n-1]+500)/1000*1000)
	}
	h := History{Last: fromMillis(last), Step: time.Duration(step) * time.Millisecond}
	i := len(times) - 1
	for t := last; len(h.Values) < maxValues; t -= step {
		latest := t + step/4 // a poll that is a little late counts for t
		for i > 0 && times[i] > latest {
			i--
		}
		if times[i] > latest {
			break
		}
		value := lags[i]
		if i < len(typical) && t-times[i] > 3*min(typical[i], step)/4 && times[i+1]-times[i] > 7*typical[i]/4 {
			value = unknownValue // a poll was missed
		}
		h.Values = append(h.Values, value)
	}
	slices.Reverse(h.Values)
	return h
}

// topicLags returns the stored lags of a topic and their times.
func (w *Window) topicLags(group, topic string) (times, lags []int64) {
	g := w.groups[group]
	if g == nil || g.topics[topic] == nil {
		return nil, nil
	}
	lags = decodeLags(g.topics[topic].lags, make([]int64, 0, len(w.historyTimes)), len(w.historyTimes))
	return w.historyTimes[len(w.historyTimes)-len(lags):], lags
}

// typicalIntervals returns, for each interval between two polls, the usual
// length around it: the greater of two medians, one of it and the three before,
// one of it and the three after. A missed poll makes its interval stand out
// against that; a lasting change of the interval does not.
func typicalIntervals(times []int64) []int64 {
	const around = 3
	intervals := make([]int64, max(0, len(times)-1))
	for i := range intervals {
		intervals[i] = times[i+1] - times[i]
	}
	typical := make([]int64, len(intervals))
	if len(intervals) == 1 {
		return intervals
	}
	for i := range intervals {
		from, to := max(0, i-around), min(len(intervals), i+around+1)
		if i > from {
			typical[i] = lowerMedian(intervals[from : i+1])
		}
		if i+1 < to {
			typical[i] = max(typical[i], lowerMedian(intervals[i:to]))
		}
	}
	return typical
}

func lowerMedian(of []int64) int64 {
	of = slices.Sorted(slices.Values(of))
	return of[(len(of)-1)/2]
}

// tooClose reports whether the next poll replaces the newest one in the
// history: the newest is too soon after its predecessor.
func tooClose(times []int64) bool {
	n := len(times)
	return n >= 2 && times[n-1]-times[n-2] < (minStep-timerJitter).Milliseconds()
}

// appendTime appends t and removes times that are too old, too many or too
// close.
func appendTime(times []int64, t int64) []int64 {
	if tooClose(times) {
		times = times[:len(times)-1]
	}
	times = append(slices.Clip(times), t)
	first := max(0, len(times)-maxHistoryTimes)
	for times[first] < t-historySpan.Milliseconds() {
		first++
	}
	return times[first:]
}

// appendLag appends a lag to the stored ones of a topic and keeps the last
// limit of them. A lag is stored as 0 if unknown, otherwise as 1 more than the
// zigzag encoding of its difference from the known one before.
func appendLag(lags []byte, lag int64, replaceNewest bool, limit int) []byte {
	var buffer [maxHistoryTimes + 1]int64
	all := decodeLags(lags, buffer[:0], maxHistoryTimes)
	if replaceNewest && len(all) > 0 {
		all = all[:len(all)-1]
	}
	all = append(all, lag)
	all = all[max(0, len(all)-limit):]
	for len(all) > 0 && all[0] == unknownValue {
		all = all[1:]
	}
	out := make([]byte, 0, len(lags)+4)
	var previous int64
	for _, v := range all {
		if v == unknownValue {
			out = append(out, 0)
			continue
		}
		out = binary.AppendUvarint(out, zigzag(v-previous)+1)
		previous = v
	}
	return out
}

// decodeLags appends the lags that appendLag stored, at most limit of them. It
// stops at an impossible one.
func decodeLags(data []byte, to []int64, limit int) []int64 {
	var previous int64
	for n := (varintReader{rest: data}); n.more() && len(to) < limit; {
		v := n.uvarint()
		if v == 0 {
			to = append(to, unknownValue)
			continue
		}
		previous += unzigzag(v - 1)
		if !validOffset(previous) {
			break
		}
		to = append(to, previous)
	}
	return to
}

// zigzag encodes a signed number as [binary.AppendVarint] does. Unlike there,
// the result can be shifted by one to make room for a special value.
func zigzag(v int64) uint64 { return uint64(v)<<1 ^ uint64(v>>63) }

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// totalLag returns the lag of all known partitions, and unknownValue when none
// is known.
func totalLag(partitions []Partition) int64 {
	lag := int64(unknownValue)
	for i := range partitions {
		if p := &partitions[i]; validPartition(p) {
			lag = min(max(lag, 0)+p.Lag, offsetLimit-1)
		}
	}
	return lag
}
