package kafka

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// layout is the partitions of a topic and their leaders. A nil layout is a
// topic that does not exist.
type layout struct {
	partitions []partition // sorted by id
	err        *Error      // why the layout is not known
}

type partition struct {
	id, leader int32
	err        *Error // why the leader is not known
}

// layouts returns the layouts of topics that exist. It returns an error if none
// can be known. Topics that the broker does not know are requested once more:
// just after a topic was created or a broker started, not every broker knows
// the topic.
func (r *Reader) layouts(ctx context.Context, topics []string) (map[string]*layout, *Error) {
	ctx, cancel := splitDeadline(ctx, 2)
	defer cancel()
	all := make(map[string]*layout, len(topics))
	if err := r.loadLayouts(ctx, topics, all); err != nil {
		return nil, err
	}
	unknown := slices.DeleteFunc(slices.Clone(topics), func(topic string) bool { return all[topic] != nil })
	if len(unknown) > 0 {
		if err := r.loadLayouts(ctx, unknown, all); err != nil {
			for _, topic := range unknown {
				all[topic] = &layout{err: err}
			}
		}
	}
	maps.DeleteFunc(all, func(_ string, l *layout) bool { return l == nil })
	return all, nil
}

// loadLayouts requests the layouts of topics and adds them to all.
func (r *Reader) loadLayouts(ctx context.Context, topics []string, all map[string]*layout) *Error {
	m, err := r.metadata(ctx, topics)
	if err != nil {
		return err
	}
	for _, topic := range topics {
		all[topic] = &layout{err: missingError(topicSubject(topic))}
	}
	for _, t := range m.Topics {
		if t.Topic == nil || all[*t.Topic] == nil {
			continue
		}
		if t.ErrorCode == kerr.UnknownTopicOrPartition.Code {
			all[*t.Topic] = nil
			continue
		}
		all[*t.Topic] = newLayout(t)
	}
	return nil
}

func newLayout(t kmsg.MetadataResponseTopic) *layout {
	l := &layout{err: codeError(t.ErrorCode, topicSubject(*t.Topic))}
	for _, p := range t.Partitions {
		if p.Partition < 0 {
			continue
		}
		one := partition{id: p.Partition, leader: p.Leader}
		switch tp := (topicPartition{*t.Topic, p.Partition}); {
		case p.ErrorCode == kerr.LeaderNotAvailable.Code:
			one.err = leaderError(tp)
		case p.ErrorCode == kerr.ReplicaNotAvailable.Code && p.Leader >= 0:
			// A follower is missing, which does not affect offsets.
		case p.ErrorCode != 0:
			one.err = codeError(p.ErrorCode, tp.subject())
		case p.Leader < 0:
			one.err = leaderError(tp)
		}
		l.partitions = append(l.partitions, one)
	}
	slices.SortFunc(l.partitions, func(a, b partition) int { return cmp.Compare(a.id, b.id) })
	l.partitions = slices.CompactFunc(l.partitions, func(a, b partition) bool { return a.id == b.id })
	return l
}

// leader returns the broker that leads a partition.
func (l *layout) leader(p topicPartition) (int32, *Error) {
	switch {
	case l == nil:
		return -1, codeError(kerr.UnknownTopicOrPartition.Code, topicSubject(p.topic))
	case l.err != nil:
		return -1, l.err
	}
	i, ok := slices.BinarySearchFunc(l.partitions, p.partition, func(one partition, id int32) int { return cmp.Compare(one.id, id) })
	if !ok {
		return -1, codeError(kerr.UnknownTopicOrPartition.Code, p.subject())
	}
	return l.partitions[i].leader, l.partitions[i].err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Special timestamps of ListOffsets.
const (
	latest   = -1
	earliest = -2
)

// offsetQuery asks for the offset of the first message in a partition with at
// least this time, in milliseconds, or for the latest or earliest offset.
type offsetQuery struct {
	topicPartition
	time int64
	// isolation is readUncommitted or readCommitted, which leaves the messages of open
	// transactions out.
	isolation int8
}

// offsetResult is the offset, or -1 when every message is older, and the time
// of the message at it.
type offsetResult struct {
	offset, time int64
	err          *Error
}

// listOffsets runs queries in parallel. It makes one request per leader, and
// another one for each repetition of a partition: a broker rejects a request
// that has a partition twice. Queries sent to the wrong broker are retried
// once.
func (r *Reader) listOffsets(ctx context.Context, layouts map[string]*layout, queries []offsetQuery) []offsetResult {
	results := make([]offsetResult, len(queries))
	all := make([]int, len(queries))
	for i := range all {
		all[i] = i
	}
	r.listFromLeaders(ctx, layouts, queries, all, results)

	var retry []int
	topics := map[string]bool{}
	for i := range results {
		if results[i].err != nil && results[i].err.refresh {
			retry = append(retry, i)
			topics[queries[i].topic] = true
		}
	}
	if len(retry) == 0 || ctx.Err() != nil {
		return results
	}
	layoutCtx, cancel := splitDeadline(ctx, 2)
	fresh, err := r.layouts(layoutCtx, sortedKeys(topics))
	cancel()
	if err == nil {
		r.listFromLeaders(ctx, fresh, queries, retry, results)
	}
	return results
}

// requestKey identifies a request: its leader, its isolation level, and how many earlier
// ones have the same partitions.
type requestKey struct {
	leader    int32
	isolation int8
	repeat    int
}

// listFromLeaders runs the queries with the given indexes.
func (r *Reader) listFromLeaders(ctx context.Context, layouts map[string]*layout, queries []offsetQuery, indexes []int, results []offsetResult) {
	requests := map[requestKey][]int{}
	repeats := make(map[topicPartition][2]int, len(indexes)) // by isolation
	for _, i := range indexes {
		p := queries[i].topicPartition
		leader, err := layouts[p.topic].leader(p)
		if err != nil {
			results[i] = offsetResult{err: err}
			continue
		}
		key := requestKey{leader, queries[i].isolation, repeats[p][queries[i].isolation]}
		count := repeats[p]
		count[key.isolation]++
		repeats[p] = count
		requests[key] = append(requests[key], i)
	}
	forEach(requests, func(k requestKey, indexes []int) { r.listFromLeader(ctx, k, queries, indexes, results) })
}

func (r *Reader) listFromLeader(ctx context.Context, key requestKey, queries []offsetQuery, indexes []int, results []offsetResult) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = key.isolation
	at := make(map[topicPartition]int, len(indexes))
	topics := map[string]int{}
	for _, i := range indexes {
		q := &queries[i]
		t, ok := topics[q.topic]
		if !ok {
			t = len(req.Topics)
			topics[q.topic] = t
			req.Topics = append(req.Topics, kmsg.NewListOffsetsRequestTopic())
			req.Topics[t].Topic = q.topic
		}
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = q.partition, q.time
		req.Topics[t].Partitions = append(req.Topics[t].Partitions, p)
		at[q.topicPartition] = i
	}
	resp, err := requestBroker[*kmsg.ListOffsetsResponse](ctx, r, key.leader, req)
	if err == nil && resp.Version < 1 {
		err = versionError() // version 0 has no offset field, and 0 would pass for one
	}
	if err != nil {
		for _, i := range indexes {
			results[i] = offsetResult{err: err}
		}
		return
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			tp := topicPartition{t.Topic, p.Partition}
			if i, ok := at[tp]; ok {
				delete(at, tp) // of duplicates, the first counts
				results[i] = offsetResult{p.Offset, p.Timestamp, codeError(p.ErrorCode, tp.subject())}
			}
		}
	}
	for tp, i := range at {
		results[i] = offsetResult{err: missingError(tp.subject())}
	}
}

// offsetRange is the start and end offset of a partition. high is the end including the
// messages of open transactions, if the cluster's isolation leaves them out.
type offsetRange struct {
	start, end, high int64
	err              *Error
}

// offsetRanges returns the start and end offsets of all partitions.
func (r *Reader) offsetRanges(ctx context.Context, layouts map[string]*layout) map[topicPartition]offsetRange {
	var queries []offsetQuery
	for _, topic := range sortedKeys(layouts) {
		for _, p := range layouts[topic].partitions {
			tp := topicPartition{topic, p.id}
			queries = append(queries, offsetQuery{tp, earliest, r.isolation}, offsetQuery{tp, latest, r.isolation})
			if r.isolation == readCommitted {
				queries = append(queries, offsetQuery{tp, latest, readUncommitted})
			}
		}
	}
	perPartition := 2 + int(r.isolation)
	results := r.listOffsets(ctx, layouts, queries)
	ranges := make(map[topicPartition]offsetRange, len(queries)/perPartition)
	for i := 0; i < len(queries); i += perPartition {
		start, end := results[i], results[i+1]
		b := offsetRange{start: start.offset, end: end.offset, err: end.err}
		if r.isolation == readCommitted && results[i+2].err == nil {
			b.high = results[i+2].offset
		}
		switch {
		case b.err != nil:
		case start.err != nil:
			b.err = start.err
		case b.start < 0 || b.end < 0:
			b.err = missingError(queries[i].subject())
		}
		ranges[queries[i].topicPartition] = b
	}
	return ranges
}
