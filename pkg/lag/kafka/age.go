package kafka

import (
	"context"
	"fmt"
	"time"

	"tocsin/pkg/lag"
)

// maxClockSkew is how far a message's time may be ahead of this machine's
// clock. Beyond it, one of the two clocks is wrong.
const maxClockSkew = time.Minute

// CountOlder returns, for each partition, how many of its unread messages are
// older than each threshold at now. The partitions must come from a recent Read. It
// reads no messages and keeps no state: a broker knows the offset of the first
// message that is not older. It makes one request per leader and threshold, one
// more per leader, and one to find the leaders. Partitions without lag cost
// nothing, so callers should pass only those with more lag than they allow. Messages
// without a timestamp count as older; ReadAges finds that they have none.
//
// Message times are the broker's if the topic has message.timestamp.type
// LogAppendTime, otherwise the producers'. If a message is more than a minute
// ahead of now, the clock of its producer or of this machine is wrong, and the
// result is not Known. On a machine whose clock is fast, messages appear older
// by that much.
func (r *Reader) CountOlder(ctx context.Context, now time.Time, partitions []lag.GroupPartition, thresholds []time.Duration) [][]lag.OlderCount {
	ctx, cancel := context.WithTimeout(ctx, maxReadTime)
	defer cancel()
	times := make([]int64, len(thresholds), len(thresholds)+1)
	for i, t := range thresholds {
		times[i] = now.Add(-t).UnixMilli()
	}
	times = append(times, now.Add(maxClockSkew).UnixMilli())
	first := map[topicPartition]int{} // index of the first result for a partition
	var queries []offsetQuery
	for _, p := range partitions {
		tp := topicPartition{p.Topic, p.ID}
		if _, queried := first[tp]; queried || !p.Known || p.Lag <= 0 {
			continue
		}
		first[tp] = len(queries)
		for _, t := range times {
			queries = append(queries, offsetQuery{tp, t, r.isolation})
		}
	}
	results := r.queryOffsets(ctx, queries)
	out := make([][]lag.OlderCount, len(partitions))
	for i, p := range partitions {
		out[i] = make([]lag.OlderCount, len(thresholds))
		from, queried := first[topicPartition{p.Topic, p.ID}]
		for t := range thresholds {
			switch {
			case !p.Known:
				out[i][t].Reason = p.Reason
			case p.Lag <= 0 || !queried:
				out[i][t].Known = true
			default:
				out[i][t] = countOlder(p, results[from+t], results[from+len(thresholds)], now)
			}
		}
	}
	return out
}

// countOlder counts the unread messages before the first one that is not older.
func countOlder(p lag.GroupPartition, newer, future offsetResult, now time.Time) lag.OlderCount {
	switch {
	case newer.err != nil:
		return lag.OlderCount{Reason: newer.err.en}
	case future.err != nil:
		return lag.OlderCount{Reason: future.err.en}
	case future.offset >= 0:
		return lag.OlderCount{Reason: clockSkewReason(future, now)}
	}
	before := p.End // all messages are older
	if newer.offset >= 0 {
		before = min(newer.offset, p.End)
	}
	return lag.OlderCount{Messages: max(0, before-firstUnread(p)), Known: true}
}

// firstUnread returns the offset of the first unread message of a partition.
func firstUnread(p lag.GroupPartition) int64 { return max(p.Committed, p.Start) }

// clockSkewReason returns why ages are not known if a message is from the
// future.
func clockSkewReason(future offsetResult, now time.Time) string {
	off := time.UnixMilli(future.time).Sub(now).Round(time.Second)
	return fmt.Sprintf("message %d is %v ahead of this machine's clock: check that and the producer's", future.offset, off)
}

// queryOffsets finds the leaders and runs queries.
func (r *Reader) queryOffsets(ctx context.Context, queries []offsetQuery) []offsetResult {
	layouts, err := r.layoutsOf(ctx, queries)
	if err == nil {
		return r.listOffsets(ctx, layouts, queries)
	}
	results := make([]offsetResult, len(queries))
	for i := range results {
		results[i].err = err
	}
	return results
}

// layoutsOf returns the layouts of the topics in queries.
func (r *Reader) layoutsOf(ctx context.Context, queries []offsetQuery) (map[string]*layout, *Error) {
	topics := map[string]bool{}
	for _, q := range queries {
		topics[q.topic] = true
	}
	if len(topics) == 0 {
		return nil, nil
	}
	return r.layouts(ctx, sortedKeys(topics))
}

// maxSearchRounds bounds a search. Each round halves the interval: 30 of them
// narrow thirty years down to a second.
const maxSearchRounds = 30

// ReadAges returns, for each partition, the age of its oldest unread message at
// now, not counting the first allowed ones. The partitions must come from a
// recent Read. It searches until the bounds are within the precision, in at most
// 30 rounds of parallel requests to all leaders; when ctx ends, it returns the
// bounds so far. The remarks on clocks at CountOlder apply.
func (r *Reader) ReadAges(ctx context.Context, now time.Time, partitions []lag.GroupPartition, allowed int64, precision time.Duration) []lag.Age {
	ctx, cancel := context.WithTimeout(ctx, maxReadTime)
	defer cancel()
	out := make([]lag.Age, len(partitions))
	var searches []*search
	for i, p := range partitions {
		switch {
		case !p.Known:
			out[i].Reason = p.Reason
		case p.Lag <= max(allowed, 0):
			out[i].Known = true
		default:
			searches = append(searches, &search{
				topicPartition: topicPartition{p.Topic, p.ID}, target: firstUnread(p) + max(allowed, 0), age: &out[i],
			})
		}
	}
	layouts, err := r.startSearches(ctx, now, searches)
	for range maxSearchRounds {
		open := unfinished(searches, max(precision.Milliseconds(), 1))
		if err != nil || len(open) == 0 || ctx.Err() != nil {
			break
		}
		r.searchRound(ctx, layouts, open)
	}
	for _, s := range searches {
		s.setAge(now)
	}
	return out
}

// search is a binary search for the time, in milliseconds, of the message at
// the target offset: not before from, and before to.
type search struct {
	topicPartition
	target   int64
	from, to int64
	done     bool
	age      *lag.Age
}

// startSearches determines the initial bounds of each search and returns the
// layouts of their topics.
func (r *Reader) startSearches(ctx context.Context, now time.Time, searches []*search) (map[string]*layout, *Error) {
	first := map[topicPartition]int{}
	var queries []offsetQuery
	limit := now.Add(maxClockSkew).UnixMilli()
	for _, s := range searches {
		if _, queried := first[s.topicPartition]; !queried {
			first[s.topicPartition] = len(queries)
			queries = append(queries, offsetQuery{s.topicPartition, 0, r.isolation}, offsetQuery{s.topicPartition, limit, r.isolation})
		}
	}
	layouts, err := r.layoutsOf(ctx, queries)
	if err != nil {
		for _, s := range searches {
			s.age.Reason = err.en
		}
		return nil, err
	}
	results := r.listOffsets(ctx, layouts, queries)
	starts := r.startsOfUntimed(ctx, layouts, searches, first, results)
	for _, s := range searches {
		oldest, future := results[first[s.topicPartition]], results[first[s.topicPartition]+1]
		s.done = true
		switch {
		case oldest.err != nil:
			s.age.Reason = oldest.err.en
		case future.err != nil:
			s.age.Reason = future.err.en
		case future.offset >= 0:
			s.age.Reason = clockSkewReason(future, now)
		case oldest.offset < 0 || oldest.offset > s.target:
			s.setUntimed(oldest, starts[s.topicPartition], limit)
		default:
			s.begin(oldest, limit)
		}
	}
	return layouts, nil
}

// startsOfUntimed returns the start offsets of the partitions in which messages before
// the target seem to have no timestamps: they may have been deleted since the Read.
func (r *Reader) startsOfUntimed(ctx context.Context, layouts map[string]*layout, searches []*search, first map[topicPartition]int, results []offsetResult) map[topicPartition]offsetResult {
	out := map[topicPartition]offsetResult{}
	var queries []offsetQuery
	for _, s := range searches {
		oldest := results[first[s.topicPartition]]
		if _, queried := out[s.topicPartition]; !queried && oldest.err == nil && (oldest.offset < 0 || oldest.offset > s.target) {
			out[s.topicPartition] = offsetResult{}
			queries = append(queries, offsetQuery{s.topicPartition, earliest, r.isolation})
		}
	}
	for i, result := range r.listOffsets(ctx, layouts, queries) {
		out[queries[i].topicPartition] = result
	}
	return out
}

// setUntimed sets the age of a message that is before the first one with a timestamp: it
// was deleted since the Read, or compacted, or has none.
func (s *search) setUntimed(timed, start offsetResult, limit int64) {
	switch {
	case start.err != nil:
		s.age.Reason = start.err.en
	case timed.offset < 0 && start.offset > s.target:
		s.age.Known = true // all messages were deleted
	case timed.offset >= 0:
		s.age.AfterGap = start.offset < timed.offset // else the ones before were deleted
		s.target = timed.offset
		s.begin(timed, limit)
	default:
		s.age.NoTimestamp = true
		s.age.Reason = fmt.Sprintf("message %d has no timestamp", s.target)
	}
}

// begin begins a search between the first message with a timestamp and a limit.
func (s *search) begin(timed offsetResult, limit int64) {
	s.done, s.age.Known = false, true
	s.from, s.to = timed.time, limit
	s.observe(timed)
}

// unfinished returns the searches whose bounds are still further apart.
func unfinished(searches []*search, within int64) []*search {
	var open []*search
	for _, s := range searches {
		if !s.done && s.to-s.from > within {
			open = append(open, s)
		}
	}
	return open
}

// searchRound queries the middle of each search. A result narrows all searches
// in its partition.
func (r *Reader) searchRound(ctx context.Context, layouts map[string]*layout, open []*search) {
	var queries []offsetQuery
	queried := map[offsetQuery]bool{}
	for _, s := range open {
		q := offsetQuery{s.topicPartition, s.from + (s.to-s.from)/2, r.isolation}
		if !queried[q] {
			queried[q] = true
			queries = append(queries, q)
		}
	}
	byPartition := map[topicPartition][]int{}
	results := r.listOffsets(ctx, layouts, queries)
	for i, q := range queries {
		byPartition[q.topicPartition] = append(byPartition[q.topicPartition], i)
	}
	for _, s := range open {
		for _, i := range byPartition[s.topicPartition] {
			a := results[i]
			switch {
			case s.done:
			case a.err != nil:
				s.done = true // its bounds remain valid
			case a.offset < 0 || a.offset > s.target:
				s.to = max(min(s.to, queries[i].time), s.from)
			default:
				s.observe(a)
			}
		}
	}
}

// observe narrows a search by a message at or before the target: no message
// before the target has a time between the queried one and that of the message.
func (s *search) observe(a offsetResult) {
	s.from = min(max(s.from, a.time), s.to)
	if a.offset == s.target {
		s.from, s.to, s.done = a.time, a.time, true
	}
}

// setAge stores the result.
func (s *search) setAge(now time.Time) {
	if s.age.Known && s.to != 0 {
		s.age.AtLeast = max(0, now.Sub(time.UnixMilli(s.to)))
		s.age.AtMost = max(0, now.Sub(time.UnixMilli(s.from)))
	}
}
