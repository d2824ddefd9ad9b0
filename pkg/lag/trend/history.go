package trend

import (
	"encoding/binary"
	"slices"
	"time"
)

const (
	// unknown is a lag or end that was not seen.
	unknown = -1
	// span is how far back a History goes.
	span = 3 * time.Hour
	// minStep is the least Step of a History.
	minStep = time.Minute
	// maxValues bounds the values of a History.
	maxValues = 180
	// slack is by how much polls may be closer together than minStep and still
	// be kept all: a timer is not exact.
	slack = 10 * time.Second
	// maxTimes bounds the points that are kept.
	maxTimes = int(span / (minStep - slack))
)

// History returns the lag of a topic over the last 3 hours at most, in up to 180
// values. The Step follows the usual time between polls, and is a minute at
// least. Where the polling changed, a value stays until the next poll; where a
// poll was missed, or saw not all that polls before it saw, it is -1.
func (w *Window) History(group, topic string) History {
	times, lags := w.lagsOf(group, topic)
	if len(lags) == 0 {
		return History{}
	}
	usual := usualGaps(times)
	last := times[len(times)-1]
	step := minStep.Milliseconds()
	if n := len(usual); n > 0 {
		step = max(step, (usual[n-1]+500)/1000*1000)
	}
	h := History{Last: at(last), Step: time.Duration(step) * time.Millisecond}
	i := len(times) - 1
	for t := last; len(h.Values) < maxValues; t -= step {
		late := t + step/4 // a poll a little later stands for t, too
		for i > 0 && times[i] > late {
			i--
		}
		if times[i] > late {
			break
		}
		value := lags[i]
		if i < len(usual) && t-times[i] > 3*min(usual[i], step)/4 && times[i+1]-times[i] > 7*usual[i]/4 {
			value = unknown // a poll was missed here
		}
		h.Values = append(h.Values, value)
	}
	slices.Reverse(h.Values)
	return h
}

// lagsOf returns a topic's lags and when they were.
func (w *Window) lagsOf(group, topic string) (times, lags []int64) {
	g := w.groups[group]
	if g == nil || g.topics[topic] == nil {
		return nil, nil
	}
	lags = decodeLags(g.topics[topic].lags, make([]int64, 0, len(w.times)), len(w.times))
	return w.times[len(w.times)-len(lags):], lags
}

// usualGaps returns, for each time between two polls, what is usual there: the
// greater of the medians of it and the three before, and of it and the three
// after. So a poll that was missed is unusual, and another interval is not.
func usualGaps(times []int64) []int64 {
	const around = 3
	gaps := make([]int64, max(0, len(times)-1))
	for i := range gaps {
		gaps[i] = times[i+1] - times[i]
	}
	usual := make([]int64, len(gaps))
	if len(gaps) == 1 {
		return gaps
	}
	for i := range gaps {
		from, to := max(0, i-around), min(len(gaps), i+around+1)
		if i > from {
			usual[i] = median(gaps[from : i+1])
		}
		if i+1 < to {
			usual[i] = max(usual[i], median(gaps[i:to]))
		}
	}
	return usual
}

// median returns the lower one of an even number.
func median(of []int64) int64 {
	of = slices.Sorted(slices.Values(of))
	return of[(len(of)-1)/2]
}

// tooClose tells that the newest time makes room for the next.
func tooClose(times []int64) bool {
	n := len(times)
	return n >= 2 && times[n-1]-times[n-2] < (minStep-slack).Milliseconds()
}

func nextTimes(times []int64, t int64) []int64 {
	if tooClose(times) {
		times = times[:len(times)-1]
	}
	times = append(slices.Clip(times), t)
	first := max(0, len(times)-maxTimes)
	for times[first] < t-span.Milliseconds() {
		first++
	}
	return times[first:]
}

// nextLags appends a lag to a topic's, of which there are limit at most. They are
// stored as 0 for an unknown one, otherwise 1 more than the difference from the
// last known.
func nextLags(lags []byte, lag int64, replaced bool, limit int) []byte {
	var buffer [maxTimes + 1]int64
	all := decodeLags(lags, buffer[:0], maxTimes)
	if replaced && len(all) > 0 {
		all = all[:len(all)-1]
	}
	all = append(all, lag)
	all = all[max(0, len(all)-limit):]
	for len(all) > 0 && all[0] == unknown {
		all = all[1:]
	}
	out := make([]byte, 0, len(lags)+4)
	var before int64
	for _, v := range all {
		if v == unknown {
			out = append(out, 0)
			continue
		}
		out = binary.AppendUvarint(out, zigzag(v-before)+1)
		before = v
	}
	return out
}

func decodeLags(data []byte, to []int64, limit int) []int64 {
	var before int64
	for n := (numbers{data: data}); n.more() && len(to) < limit; {
		v := n.unsigned()
		if v == 0 {
			to = append(to, unknown)
			continue
		}
		before += unzigzag(v - 1)
		if uint64(before) >= tooLarge {
			break
		}
		to = append(to, before)
	}
	return to
}

// sum is the lag of the known partitions; unknown when there is none.
func sum(partitions []Partition) int64 {
	lag := int64(unknown)
	for i := range partitions {
		if p := &partitions[i]; valid(p) {
			lag = min(max(lag, 0)+p.Lag, tooLarge-1)
		}
	}
	return lag
}
