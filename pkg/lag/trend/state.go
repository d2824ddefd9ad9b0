package trend

import (
	"math"
	"math/bits"
	"time"
)

const (
	// frozenPolls and frozenFor are how many polls, over how long, must have
	// seen the same commit before it is called frozen. Consumers may commit
	// every few seconds only, and polls may be seconds apart.
	frozenPolls = 3
	frozenFor   = time.Minute
	// unseenPolls is how many of the newest polls may all have missed a
	// partition before nothing is said of it.
	unseenPolls = 3
	// growingPolls is how many polls must have seen the lag grow, and these
	// must be half of those that there are.
	growingPolls = 5
)

// Partition tells what a group does with a partition. Up to allowed messages
// count as none: in a topic with transactions, a marker is left that nobody
// reads.
//
// It is judged by the polls that saw it, and nothing is said by a single one:
//
//	OK       at most allowed is left to read; or the commit moves
//	Unknown  two polls or less saw it, and the commit has not moved; or none of
//	         the last three saw it
//	Stalled  the last three polls or more, over a minute or more, saw the same
//	         commit and more than allowed left
//	Stopped  as Stalled, and the group is known to have no members
//	Rewind   the commit is before where it was in the window
//	Growing  over half of the polls and five at least, the lag has risen; see
//	         growth for what may come in between
//
// The worst that holds is the state.
func (w *Window) Partition(group, topic string, id int32, allowed int64) PartitionStatus {
	r, members, ok := w.find(group, topic, id)
	if !ok {
		return nothing()
	}
	reading, _ := w.read(&r, members, allowed)
	return reading
}

// TopicStatus is what the window tells of a topic: the worst State of its
// partitions, the Since of the first of them that came into it, what all of them
// were Rewound by, the sums of In and Out, and the Drain of the whole. Growing is
// that of the sum of their lags, and may be as long as the History.
type TopicStatus struct {
	PartitionStatus
	// Worst are the partitions in the worst state, by rising id; none when it is
	// OK.
	Worst []int32
}

// Topic tells what a group does with a topic. Partitions that were never known,
// such as those without a commit, count for nothing; a topic without any other is
// Unknown.
func (w *Window) Topic(group, topic string, allowed int64) TopicStatus {
	all := TopicStatus{PartitionStatus: nothing()}
	g := w.groups[group]
	if g == nil || g.topics[topic] == nil {
		return all
	}
	all.State = ""
	var lag int64
	var partial bool // the rates of some partition are unknown
	var r row
	polls := len(w.polls())
	ends := recently(w.ends[topic], polls)
	for b := walk(g.topics[topic].rows); b.next(); {
		r = row{id: b.id}
		r.decode(b.body, polls, ends.of(b.id))
		one, left := w.read(&r, g.members, allowed)
		all.add(b.id, one)
		if math.IsNaN(one.ProduceRate) {
			partial = true
			continue
		}
		if math.IsNaN(all.ProduceRate) {
			all.ProduceRate, all.ConsumeRate = 0, 0
		}
		all.ProduceRate, all.ConsumeRate = all.ProduceRate+one.ProduceRate, all.ConsumeRate+one.ConsumeRate
		if left > allowed {
			lag = min(lag+left, tooLarge)
		}
	}
	switch {
	case all.State == "":
		all.State = Unknown
	case all.State == OK:
		all.Worst = nil
	}
	if !partial {
		all.DrainTime = drain(lag, 0, all.ProduceRate, all.ConsumeRate)
	}
	all.GrowingFor = w.grew(group, topic, all.ProduceRate, allowed)
	return all
}

// add takes a partition in.
func (all *TopicStatus) add(id int32, one PartitionStatus) {
	switch rank := one.State.rank() - all.State.rank(); {
	case rank < 0:
		return
	case rank > 0:
		all.State, all.Since, all.RewoundBy, all.Worst = one.State, one.Since, 0, nil
	case one.Since.Before(all.Since):
		all.Since = one.Since
	}
	all.RewoundBy += one.RewoundBy
	all.Worst = append(all.Worst, id)
}

// rank orders states by how much they ask for.
func (s State) rank() int {
	for i, other := range [...]State{OK, Unknown, Growing, Rewind, Stalled, Stopped} {
		if s == other {
			return i + 1
		}
	}
	return 0
}

func nothing() PartitionStatus {
	return PartitionStatus{State: Unknown, ProduceRate: math.NaN(), ConsumeRate: math.NaN(), DrainTime: -1}
}

// points are the polls that saw a partition, oldest first.
type points struct {
	n       int
	times   [size]int64
	samples [size]sample
}

func (p *points) last() *sample { return &p.samples[p.n-1] }

// read judges a partition. It also returns how much is left to read.
func (w *Window) read(r *row, members Members, allowed int64) (PartitionStatus, int64) {
	out := nothing()
	var p points
	polls := w.polls()
	for i := range r.polls() {
		p.times[p.n], p.samples[p.n] = polls[i], r.samples[i]
		p.n++
	}
	if p.n == 0 || bits.Len16(r.known) <= len(polls)-unseenPolls {
		return out, 0
	}
	last := p.last()
	out.ProduceRate, out.ConsumeRate = p.rates()
	out.DrainTime = drain(last.lag, allowed, out.ProduceRate, out.ConsumeRate)
	grown := p.growing(allowed)
	out.GrowingFor = p.since(grown)
	if last.lag <= allowed {
		out.State = OK
		return out, last.lag
	}
	frozen := p.frozen(allowed)
	since := p.times[frozen]
	if frozen == 0 && r.held > 0 && r.heldLag > allowed {
		since = r.held
	}
	rewind, by := p.rewound()
	switch {
	case p.n-frozen >= frozenPolls && p.times[p.n-1]-since >= frozenFor.Milliseconds():
		out.State, out.Since = Stalled, at(since)
		if members == NoMembers {
			out.State = Stopped
		}
	case frozen == 0:
		// Too few polls to say.
	case by > 0:
		out.State, out.Since, out.RewoundBy = Rewind, at(p.times[rewind]), by
	case p.n-grown >= max(growingPolls, (p.n+1)/2):
		out.State, out.Since = Growing, at(p.times[grown])
	default:
		out.State = OK
	}
	return out, last.lag
}

// rates returns how much was produced and read per second. A rewind is no
// reading.
func (p *points) rates() (in, out float64) {
	if p.n < 2 {
		return math.NaN(), math.NaN()
	}
	var read int64
	for i := 1; i < p.n; i++ {
		read += max(0, p.samples[i].commit-p.samples[i-1].commit)
	}
	seconds := float64(p.times[p.n-1]-p.times[0]) / 1000
	return float64(p.last().end-p.samples[0].end) / seconds, float64(read) / seconds
}

// drain returns how long it takes until at most allowed is left.
func drain(lag, allowed int64, in, out float64) time.Duration {
	switch seconds := float64(lag) / (out - in); {
	case lag <= allowed:
		return 0
	case math.IsNaN(in) || math.IsNaN(out):
		return -1
	case out <= in || seconds >= Never.Seconds():
		return Never
	default:
		return time.Duration(seconds * float64(time.Second))
	}
}

// growing returns from which point on the lag has grown: the last when it has
// not.
func (p *points) growing(allowed int64) int {
	var lags [size]int64
	for i := range p.n {
		lags[i] = p.samples[i].lag
	}
	from := growth(p.times[:p.n], lags[:p.n], allowed)
	if rise := p.last().lag - lags[from]; rise < (p.last().end-p.samples[from].end)/noiseShare {
		return p.n - 1
	}
	return from
}

// since returns how long before the last point one is.
func (p *points) since(from int) time.Duration {
	return time.Duration(p.times[p.n-1]-p.times[from]) * time.Millisecond
}

// frozen returns the first of the last points that all have the last's commit
// and more than allowed left.
func (p *points) frozen(allowed int64) int {
	i := p.n - 1
	for i > 0 && p.samples[i-1].commit == p.last().commit && p.samples[i-1].lag > allowed {
		i--
	}
	return i
}

// rewound returns the first point after which the commit was not back where it
// had been, and how far back it was at most; 0 when it is back.
func (p *points) rewound() (from int, by int64) {
	var high int64
	for i := range p.n {
		commit := p.samples[i].commit
		switch {
		case commit >= high:
			high, by = commit, 0
		case by == 0:
			from, by = i, high-commit
		default:
			by = max(by, high-commit)
		}
	}
	return from, by
}

func at(t int64) time.Time { return time.UnixMilli(t).UTC() }
