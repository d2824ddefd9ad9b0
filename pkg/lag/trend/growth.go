package trend

import "time"

const (
	// fallShare is which part of its rise a growing lag may fall back by on the
	// way: a consumer that commits now and then draws a saw.
	fallShare = 4
	// recentShare is which part of the rise the later half of the time must
	// bring at least. What rose once and stays is no growth.
	recentShare = 4
	// noiseShare is which part of what was produced the rise must be at least:
	// of a busy topic, a few messages more are a matter of when it was looked
	// at.
	noiseShare = 100
)

// growth returns the sample from which on the lag has grown up to the last, and
// the last when it has not. A rise of up to allowed counts for nothing.
func growth(times, lags []int64, allowed int64) int {
	n := len(lags) - 1
	if n < 1 {
		return max(n, 0)
	}
	from := n
	var fall int64
	least := lags[n]
	middle := n
	for i := n - 1; i >= 0; i-- {
		fall = max(fall, lags[i]-least)
		least = min(least, lags[i])
		for middle > i && times[middle] > times[i]+(times[n]-times[i])/2 {
			middle--
		}
		rise := lags[n] - lags[i]
		if rise > allowed && fall <= rise/fallShare && lags[n]-lags[middle] >= rise/recentShare {
			from = i
		}
	}
	// It stood there for a while before it rose.
	for i := n - 1; i > from; i-- {
		if lags[i] <= lags[from]+allowed {
			return i
		}
	}
	return from
}

// grew returns for how long the sum of a topic's lag has grown; in is how much
// is produced per second, or NaN.
func (w *Window) grew(group, topic string, in float64, allowed int64) time.Duration {
	all, lags := w.lagsOf(group, topic)
	times := make([]int64, 0, len(lags))
	for i, lag := range lags {
		if lag != unknown {
			lags[len(times)] = lag
			times = append(times, all[i])
		}
	}
	n := len(times)
	if n == 0 {
		return 0
	}
	from := growth(times, lags[:n], allowed)
	grew := time.Duration(times[n-1]-times[from]) * time.Millisecond
	if float64(lags[n-1]-lags[from]) < in*grew.Seconds()/noiseShare {
		return 0
	}
	return grew
}
