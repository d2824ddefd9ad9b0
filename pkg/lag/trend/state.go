package trend

import (
	"math"
	"math/bits"
	"time"
)

const (
	// minFrozenPolls and minFrozenDuration are how many polls, over how long,
	// must have the same commit for it to count as frozen. Some consumers
	// commit only every few seconds, and polls may be seconds apart.
	minFrozenPolls    = 3
	minFrozenDuration = time.Minute
	// maxMissedPolls is how many of the newest polls may lack a partition until
	// it is Unknown.
	maxMissedPolls = 3
	// minGrowingPolls is over how many polls the lag must have grown. It must
	// also be half of the known ones.
	minGrowingPolls = 5

	// A lag may dip by 1/maxDipDivisor of its rise and still count as growing:
	// that of a consumer that commits in batches is a sawtooth.
	maxDipDivisor = 4
	// The later half of the time must have 1/recentRiseDivisor of the rise at
	// least, so that a lag that rose once and stayed level is not growing.
	recentRiseDivisor = 4
	// The rise must be 1/noiseDivisor of the produced messages at least: in a
	// busy topic, smaller ones depend on the moment of the poll.
	noiseDivisor = 100
)

// Partition evaluates a partition of a group. A lag of up to allowed messages
// counts as none: in a topic with transactions, the last marker stays unread.
//
// The state follows from the polls that have the partition, never from a single
// one. Where it is known what is unread (see SetTails), a message always counts, and
// markers never do:
//
//	OK       the lag is at most allowed, or the commit moves
//	Unknown  the commit has not moved in two polls or less, or the last three
//	         polls lack the partition
//	Stalled  the last three polls or more, over a minute or more, have the same
//	         commit and more than allowed left
//	Stopped  as Stalled, and the group is known to have no members
//	Rewind   the commit is lower than earlier in the window
//	HungTransaction
//	         the last three polls or more, over a minute or more, found the same end
//	         with messages of open transactions after it, and the commit is not stalled
//	Ahead    the last three polls or more, over a minute or more, have the same
//	         commit beyond the log end: the topic was created again, or lost data
//	Growing  the lag has risen over at least half of the polls, and at least
//	         five; see growthStart for the dips that are tolerated
//
// Of several, the most severe one is returned.
func (w *Window) Partition(group, topic string, id int32, allowed int64) PartitionStatus {
	r, members, ok := w.findRow(group, topic, id)
	if !ok {
		return unknownStatus()
	}
	status, _ := w.evaluate(&r, members, allowed)
	return status
}

// TopicStatus is the state of a group in one topic: the most severe State of
// its partitions, the earliest Since and the total RewoundBy of the partitions
// in that state, the sums of their rates, and the DrainTime of the whole.
// GrowingFor is for how long the sum of their lags has grown, and may be as
// long as the History.
type TopicStatus struct {
	PartitionStatus
	// Worst has the ids of the partitions in the most severe state, in order;
	// none when that is OK.
	Worst []int32
}

// Topic evaluates a topic of a group. Partitions that were never known, such as
// those without a commit, do not count; a topic without any other is Unknown.
func (w *Window) Topic(group, topic string, allowed int64) TopicStatus {
	s := TopicStatus{PartitionStatus: unknownStatus()}
	g := w.groups[group]
	if g == nil || g.topics[topic] == nil {
		return s
	}
	s.State = ""
	var lag int64
	var partial bool // the rates of some partition are unknown
	for r := range w.rows(group, topic, func([]byte) bool { return true }) {
		p, partitionLag := w.evaluate(r, g.members, allowed)
		s.addPartition(r.id, p)
		if math.IsNaN(p.ProduceRate) {
			partial = true
			continue
		}
		if math.IsNaN(s.ProduceRate) {
			s.ProduceRate, s.ConsumeRate = 0, 0
		}
		s.ProduceRate, s.ConsumeRate = s.ProduceRate+p.ProduceRate, s.ConsumeRate+p.ConsumeRate
		if partitionLag > allowed {
			lag = min(lag+partitionLag, offsetLimit)
		}
	}
	switch {
	case s.State == "":
		s.State = Unknown
	case s.State == OK:
		s.Worst = nil
	}
	if !partial {
		s.DrainTime = drainTime(lag, 0, s.ProduceRate, s.ConsumeRate)
	}
	s.GrowingFor = w.topicGrowth(group, topic, s.ProduceRate, allowed)
	return s
}

// addPartition adds the state of a partition.
func (s *TopicStatus) addPartition(id int32, p PartitionStatus) {
	switch severity := p.State.severity() - s.State.severity(); {
	case severity < 0:
		return
	case severity > 0:
		s.State, s.Since, s.RewoundBy, s.Worst = p.State, p.Since, 0, nil
	case p.Since.Before(s.Since):
		s.Since = p.Since
	}
	s.RewoundBy += p.RewoundBy
	s.Worst = append(s.Worst, id)
}

// severity returns the rank of a state, from 1 for OK; 0 for none.
func (s State) severity() int {
	for i, other := range [...]State{OK, Unknown, Growing, Rewind, HungTransaction, Ahead, Stalled, Stopped} {
		if s == other {
			return i + 1
		}
	}
	return 0
}

func unknownStatus() PartitionStatus {
	return PartitionStatus{State: Unknown, ProduceRate: math.NaN(), ConsumeRate: math.NaN(), DrainTime: -1}
}

// evaluate returns the state of a partition, and its lag.
func (w *Window) evaluate(r *row, members Members, allowed int64) (PartitionStatus, int64) {
	out, lag := w.evaluateCommits(r, members, allowed)
	if since, hung := w.hungSince(r); hung && out.State.severity() < HungTransaction.severity() {
		out.State, out.Since, out.RewoundBy = HungTransaction, since, 0
	}
	return out, lag
}

// hungSince returns since when an open transaction has held back the messages after it.
func (w *Window) hungSince(r *row) (since time.Time, hung bool) {
	if r.openSince == 0 {
		return time.Time{}, false
	}
	s := w.series(r)
	if s.n == 0 || bits.Len16(r.known) <= len(w.pollTimes())-maxMissedPolls {
		return time.Time{}, false
	}
	i := s.n
	for i > 0 && s.times[i-1] >= r.openSince {
		i--
	}
	return fromMillis(r.openSince), i < s.n && (i == 0 && s.times[0] > r.openSince || s.holdsFrom(i))
}

// evaluateCommits returns the state of a partition by its commits, and its lag.
func (w *Window) evaluateCommits(r *row, members Members, allowed int64) (PartitionStatus, int64) {
	out := unknownStatus()
	s := w.series(r)
	if s.n == 0 || bits.Len16(r.known) <= len(w.pollTimes())-maxMissedPolls {
		return out, 0
	}
	last := s.last()
	switch r.tail {
	case TailMessage:
		allowed = 0
	case TailMarkers:
		allowed = max(allowed, r.tailEnd-last.commit)
	}
	out.ProduceRate, out.ConsumeRate = s.rates()
	out.DrainTime = drainTime(last.lag, allowed, out.ProduceRate, out.ConsumeRate)
	growing := s.growthStart(allowed)
	out.GrowingFor = s.durationFrom(growing)
	if ahead := s.aheadStart(); ahead < s.n && s.holdsFrom(ahead) {
		out.State, out.Since = Ahead, fromMillis(s.times[ahead])
		return out, last.lag
	} else if ahead < s.n-1 {
		return out, last.lag // too few polls: still unknown
	}
	if last.lag <= allowed {
		out.State = OK
		return out, last.lag
	}
	frozen := s.frozenStart(allowed)
	since := s.times[frozen]
	if frozen == 0 && r.frozenSince > 0 && r.frozenLag > allowed {
		since = r.frozenSince
	}
	rewind, by := s.rewind()
	switch {
	case s.n-frozen >= minFrozenPolls && s.times[s.n-1]-since >= minFrozenDuration.Milliseconds():
		out.State, out.Since = Stalled, fromMillis(since)
		if members == NoMembers {
			out.State = Stopped
		}
	case frozen == 0:
		// Too few polls: still unknown.
	case by > 0:
		out.State, out.Since, out.RewoundBy = Rewind, fromMillis(s.times[rewind]), by
	case s.n-growing >= max(minGrowingPolls, (s.n+1)/2):
		out.State, out.Since = Growing, fromMillis(s.times[growing])
	default:
		out.State = OK
	}
	return out, last.lag
}

// series is the known polls of a partition, oldest first.
type series struct {
	n       int
	times   [windowSize]int64
	samples [windowSize]sample
}

// series returns the known polls of a row.
func (w *Window) series(r *row) (s series) {
	polls := w.pollTimes()
	for i := range r.polls() {
		s.times[s.n], s.samples[s.n] = polls[i], r.samples[i]
		s.n++
	}
	return s
}

func (s *series) last() *sample { return &s.samples[s.n-1] }

// rates returns how many messages were produced and consumed per second. A
// rewind does not count as consumption.
func (s *series) rates() (produce, consume float64) {
	if s.n < 2 {
		return math.NaN(), math.NaN()
	}
	var consumed int64
	for i := 1; i < s.n; i++ {
		consumed += max(0, s.samples[i].commit-s.samples[i-1].commit)
	}
	seconds := float64(s.times[s.n-1]-s.times[0]) / 1000
	return float64(s.last().end-s.samples[0].end) / seconds, float64(consumed) / seconds
}

// durationFrom returns the time from a poll to the last one.
func (s *series) durationFrom(i int) time.Duration {
	return time.Duration(s.times[s.n-1]-s.times[i]) * time.Millisecond
}

// growthStart returns the poll from which on the lag has grown up to the last
// one, or the last one if it has not.
func (s *series) growthStart(allowed int64) int {
	var lags [windowSize]int64
	for i := range s.n {
		lags[i] = s.samples[i].lag
	}
	from := growthStart(s.times[:s.n], lags[:s.n], allowed)
	if rise := s.last().lag - lags[from]; rise < (s.last().end-s.samples[from].end)/noiseDivisor {
		return s.n - 1
	}
	return from
}

// frozenStart returns the first of the last polls that all have the same commit
// and more than allowed left.
func (s *series) frozenStart(allowed int64) int {
	i := s.n - 1
	for i > 0 && s.samples[i-1].commit == s.last().commit && s.samples[i-1].lag > allowed {
		i--
	}
	return i
}

// aheadStart returns the first of the last polls that all have the same commit beyond
// the log end, and s.n if there is none.
func (s *series) aheadStart() int {
	i := s.n
	for i > 0 && s.samples[i-1].commit > s.samples[i-1].end && s.samples[i-1].commit == s.last().commit {
		i--
	}
	return i
}

// holdsFrom reports whether a state has held from a poll on for long enough.
func (s *series) holdsFrom(i int) bool {
	return s.n-i >= minFrozenPolls && s.durationFrom(i) >= minFrozenDuration
}

// rewind returns the poll at which the commit went back, and by how many
// messages at most; 0 if it has returned since.
func (s *series) rewind() (from int, by int64) {
	var highest int64
	for i := range s.n {
		commit := s.samples[i].commit
		switch {
		case commit >= highest:
			highest, by = commit, 0
		case by == 0:
			from, by = i, highest-commit
		default:
			by = max(by, highest-commit)
		}
	}
	return from, by
}

// drainTime returns how long it takes until the lag is at most allowed, as
// PartitionStatus.DrainTime describes.
func drainTime(lag, allowed int64, produce, consume float64) time.Duration {
	switch seconds := float64(lag) / (consume - produce); {
	case lag <= allowed:
		return 0
	case math.IsNaN(produce) || math.IsNaN(consume):
		return -1
	case consume <= produce || seconds >= Never.Seconds():
		return Never
	default:
		return time.Duration(seconds * float64(time.Second))
	}
}

// growthStart returns the index from which on a lag has grown up to the last
// one, or the last index if it has not. A rise of up to allowed does not count.
func growthStart(times, lags []int64, allowed int64) int {
	n := len(lags) - 1
	if n < 1 {
		return max(n, 0)
	}
	from := n
	var dip int64 // the largest fall from i on
	lowest := lags[n]
	middle := n
	for i := n - 1; i >= 0; i-- {
		dip = max(dip, lags[i]-lowest)
		lowest = min(lowest, lags[i])
		for middle > i && times[middle] > times[i]+(times[n]-times[i])/2 {
			middle--
		}
		rise := lags[n] - lags[i]
		if rise > allowed && dip <= rise/maxDipDivisor && lags[n]-lags[middle] >= rise/recentRiseDivisor {
			from = i
		}
	}
	// The lag may have stayed level for a while before it rose.
	for i := n - 1; i > from; i-- {
		if lags[i] <= lags[from]+allowed {
			return i
		}
	}
	return from
}

// topicGrowth returns for how long the sum of a topic's lags has grown. produce
// is how many messages are produced per second, or NaN.
func (w *Window) topicGrowth(group, topic string, produce float64, allowed int64) time.Duration {
	allTimes, lags := w.topicLags(group, topic)
	times := make([]int64, 0, len(lags))
	for i, lag := range lags {
		if lag != unknownValue {
			lags[len(times)] = lag
			times = append(times, allTimes[i])
		}
	}
	n := len(times)
	if n == 0 {
		return 0
	}
	from := growthStart(times, lags[:n], allowed)
	duration := time.Duration(times[n-1]-times[from]) * time.Millisecond
	if float64(lags[n-1]-lags[from]) < produce*duration.Seconds()/noiseDivisor {
		return 0
	}
	return duration
}

func fromMillis(t int64) time.Time { return time.UnixMilli(t).UTC() }
