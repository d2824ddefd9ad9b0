package kafka

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
)

// ReadTransactions implements lag.TransactionReader by the state of the partitions'
// producers (KIP-664, Kafka 2.8). It makes one request to each leader, and one to find
// them, and needs the permission READ on the topics.
func (r *Reader) ReadTransactions(ctx context.Context, partitions []lag.GroupPartition) []*lag.Transaction {
	ctx, cancel := context.WithTimeout(ctx, maxReadTime)
	defer cancel()
	topics := map[string]bool{}
	for _, p := range partitions {
		if !r.mayNotRead(p.Topic) {
			topics[p.Topic] = true
		}
	}
	out := make([]*lag.Transaction, len(partitions))
	if len(topics) == 0 {
		return out
	}
	layouts, err := r.layouts(ctx, sortedKeys(topics))
	if err != nil {
		return out
	}
	byLeader := map[int32]map[topicPartition]bool{}
	for _, p := range partitions {
		tp := topicPartition{p.Topic, p.ID}
		leader, err := layouts[p.Topic].leader(tp)
		if err != nil || !topics[p.Topic] {
			continue
		}
		if byLeader[leader] == nil {
			byLeader[leader] = map[topicPartition]bool{}
		}
		byLeader[leader][tp] = true
	}
	var mu sync.Mutex
	open := map[topicPartition]*lag.Transaction{}
	forEach(byLeader, func(leader int32, partitions map[topicPartition]bool) {
		r.describeProducers(ctx, leader, partitions, func(tp topicPartition, t *lag.Transaction) {
			mu.Lock()
			defer mu.Unlock()
			open[tp] = t
		})
	})
	for i, p := range partitions {
		if t := open[topicPartition{p.Topic, p.ID}]; t != nil && t.Start <= firstUnread(p) {
			out[i] = t
		}
	}
	return out
}

// describeProducers calls do with the first open transaction of each partition of a
// leader.
func (r *Reader) describeProducers(ctx context.Context, leader int32, partitions map[topicPartition]bool, do func(topicPartition, *lag.Transaction)) {
	req := kmsg.NewPtrDescribeProducersRequest()
	topics := map[string]int{}
	for tp := range partitions {
		t, ok := topics[tp.topic]
		if !ok {
			t = len(req.Topics)
			topics[tp.topic] = t
			req.Topics = append(req.Topics, kmsg.NewDescribeProducersRequestTopic())
			req.Topics[t].Topic = tp.topic
		}
		req.Topics[t].Partitions = append(req.Topics[t].Partitions, tp.partition)
	}
	resp, err := requestBroker[*kmsg.DescribeProducersResponse](ctx, r, leader, req)
	if err != nil {
		return
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := codeError(p.ErrorCode, topicSubject(t.Topic)); err != nil {
				if err.Kind == Permission {
					r.deny(t.Topic)
				}
				continue
			}
			var first *lag.Transaction
			for _, producer := range p.ActiveProducers {
				start := producer.CurrentTxnStartOffset
				if start >= 0 && (first == nil || start < first.Start) {
					first = &lag.Transaction{ProducerID: producer.ProducerID, Epoch: producer.ProducerEpoch, Start: start}
				}
			}
			if first != nil {
				do(topicPartition{t.Topic, p.Partition}, first)
			}
		}
	}
}
