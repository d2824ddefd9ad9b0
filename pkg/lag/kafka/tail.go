package kafka

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
)

const (
	// markerBytes is more than the batch of a transaction's marker has, which is the
	// only record of it. Brokers leave a larger batch out of a response, unless it is
	// the first one in it.
	markerBytes = 128
	// abortedBytes bounds the reads of a partition that find that all unread messages
	// are of aborted transactions.
	abortedBytes = 64 << 10
	// maxAborted bounds of how many partitions that much is read.
	maxAborted = 64
	// maxFetchBytes bounds a response.
	maxFetchBytes = 8 << 20
	// deniedFor is for how long a topic that the user may not read is not requested.
	deniedFor = time.Hour
)

// ReadTails implements lag.TailReader. It reads the last record of each partition, and
// where that is a marker with unread offsets before it, the first 64 KiB of those, of 64
// partitions at most. It makes one request to each leader for either, and needs the
// permission READ on the topics; without it, nothing is known of them.
func (r *Reader) ReadTails(ctx context.Context, partitions []lag.GroupPartition) []lag.Tail {
	ctx, cancel := context.WithTimeout(ctx, maxReadTime)
	defer cancel()
	tails := make([]lag.Tail, len(partitions))
	var last []fetchQuery
	for i, p := range partitions {
		if p.Known && p.Lag > 0 && !r.mayNotRead(p.Topic) {
			last = append(last, fetchQuery{topicPartition{p.Topic, p.ID}, p.End - 1, markerBytes, i})
		}
	}
	var unread []fetchQuery
	r.fetch(ctx, last, readUncommitted, func(q fetchQuery, result fetchResult) {
		p := partitions[q.index]
		switch b := result.batchOf(q.offset); {
		case b == nil && result.high <= q.offset:
		case b == nil || !b.control(): // a batch that was left out is larger than a marker
			tails[q.index] = lag.TailMessage
		case firstUnread(p) == q.offset:
			tails[q.index] = lag.TailMarkers
		case len(unread) < maxAborted:
			unread = append(unread, fetchQuery{q.topicPartition, firstUnread(p), abortedBytes, q.index})
		}
	})
	r.fetch(ctx, unread, readCommitted, func(q fetchQuery, result fetchResult) {
		tails[q.index] = result.tail(q.offset, partitions[q.index].End)
	})
	return tails
}

// mayNotRead reports whether the user was denied to read a topic a while ago.
func (r *Reader) mayNotRead(topic string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, denied := r.denied[topic]
	return denied && time.Since(at) < deniedFor
}

// deny records that the user may not read a topic.
func (r *Reader) deny(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.denied == nil {
		r.denied = map[string]time.Time{}
	}
	r.denied[topic] = time.Now()
}

// fetchQuery asks for the records of a partition from an offset on.
type fetchQuery struct {
	topicPartition
	offset   int64
	maxBytes int32
	index    int // of the partition among those of the caller
}

// fetchResult is the records of a partition.
type fetchResult struct {
	batches []batch
	high    int64 // the high watermark
	aborted []kmsg.FetchResponseTopicPartitionAbortedTransaction
}

// fetch runs queries, one request per leader, and calls do with the results of those that
// succeed, one at a time.
func (r *Reader) fetch(ctx context.Context, queries []fetchQuery, isolation int8, do func(fetchQuery, fetchResult)) {
	if len(queries) == 0 {
		return
	}
	topics := map[string]bool{}
	for _, q := range queries {
		topics[q.topic] = true
	}
	layouts, err := r.layouts(ctx, sortedKeys(topics))
	if err != nil {
		return
	}
	byLeader := map[int32][]fetchQuery{}
	for _, q := range queries {
		if leader, err := layouts[q.topic].leader(q.topicPartition); err == nil {
			byLeader[leader] = append(byLeader[leader], q)
		}
	}
	var mu sync.Mutex
	forEach(byLeader, func(leader int32, queries []fetchQuery) {
		// A request may have a partition once: groups at different offsets take turns.
		for len(queries) > 0 {
			var later []fetchQuery
			seen := map[topicPartition]bool{}
			batch := slices.DeleteFunc(slices.Clone(queries), func(q fetchQuery) bool {
				if seen[q.topicPartition] {
					later = append(later, q)
					return true
				}
				seen[q.topicPartition] = true
				return false
			})
			r.fetchFromLeader(ctx, leader, batch, isolation, func(q fetchQuery, result fetchResult) {
				mu.Lock()
				defer mu.Unlock()
				do(q, result)
			})
			queries = later
		}
	})
}

func (r *Reader) fetchFromLeader(ctx context.Context, leader int32, queries []fetchQuery, isolation int8, do func(fetchQuery, fetchResult)) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.IsolationLevel = maxFetchBytes, isolation
	byPartition := map[topicPartition]fetchQuery{}
	topics := map[string]int{}
	for _, q := range queries {
		t, ok := topics[q.topic]
		if !ok {
			t = len(req.Topics)
			topics[q.topic] = t
			req.Topics = append(req.Topics, kmsg.NewFetchRequestTopic())
			req.Topics[t].Topic = q.topic
		}
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = q.partition, q.offset, q.maxBytes
		req.Topics[t].Partitions = append(req.Topics[t].Partitions, p)
		byPartition[q.topicPartition] = q
	}
	resp, err := requestBroker[*kmsg.FetchResponse](ctx, r, leader, req)
	if err != nil || resp.ErrorCode != 0 || resp.ThrottleMillis > 0 {
		return // a throttled response has no records
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			q, ok := byPartition[topicPartition{t.Topic, p.Partition}]
			switch err := codeError(p.ErrorCode, topicSubject(t.Topic)); {
			case !ok:
			case err == nil:
				do(q, fetchResult{parseBatches(p.RecordBatches), p.HighWatermark, p.AbortedTransactions})
			case err.Kind == Permission:
				r.deny(t.Topic)
			}
		}
	}
}

// batch is the header of a record batch.
type batch struct {
	first, last int64 // offsets
	attributes  int16
	producer    int64
}

// control reports whether the batch is the marker at the end of a transaction.
func (b *batch) control() bool       { return b.attributes&0x20 != 0 }
func (b *batch) transactional() bool { return b.attributes&0x10 != 0 }

// parseBatches parses the headers of complete batches. Those of Kafka before 0.11 have
// messages only.
func parseBatches(data []byte) (batches []batch) {
	const header = 61
	for len(data) >= 17 {
		first, size := int64(binary.BigEndian.Uint64(data)), int64(binary.BigEndian.Uint32(data[8:]))+12
		if size > int64(len(data)) || size < 17 {
			break
		}
		switch magic := data[16]; {
		case magic < 2:
			batches = append(batches, batch{first: first, last: first})
		case size >= header:
			batches = append(batches, batch{
				first: first, last: first + int64(int32(binary.BigEndian.Uint32(data[23:]))),
				attributes: int16(binary.BigEndian.Uint16(data[21:])), producer: int64(binary.BigEndian.Uint64(data[43:])),
			})
		}
		data = data[size:]
	}
	return batches
}

// batchOf returns the batch that has the record at an offset, nil if it is not in the
// result.
func (f *fetchResult) batchOf(offset int64) *batch {
	for i := range f.batches {
		if b := &f.batches[i]; b.first <= offset && offset <= b.last {
			return b
		}
	}
	return nil
}

// tail reports what there is from an offset up to the end, if the result has all of it.
// Brokers list the aborted transactions of the records that they return, by their first
// offset; a marker ends the transaction of its producer.
func (f *fetchResult) tail(offset, end int64) lag.Tail {
	aborted := map[int64][]int64{} // first offsets by producer
	for _, a := range f.aborted {
		aborted[a.ProducerID] = append(aborted[a.ProducerID], a.FirstOffset)
	}
	for _, b := range f.batches {
		starts := aborted[b.producer]
		slices.Sort(starts)
		start := int64(math.MaxInt64)
		if len(starts) > 0 {
			start = starts[0]
		}
		switch {
		case b.last < offset:
		case b.control():
			if start <= b.first {
				aborted[b.producer] = starts[1:]
			}
		case !b.transactional() || start > b.first:
			return lag.TailMessage
		}
		if b.last >= end-1 {
			return lag.TailMarkers
		}
	}
	return lag.TailUnknown
}
