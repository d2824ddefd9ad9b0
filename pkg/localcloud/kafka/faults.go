package kafka

import (
	"maps"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fault selects requests, by their kind, the broker, or the groups, topics or
// partitions in them, and the error that the brokers return for them.
type Fault = kfake.Fault

// Fail makes requests fail until undo is called. It ignores f.Count.
func (k *Kafka) Fail(f Fault) (undo func()) {
	f.Count = -1
	return k.cluster.Fault(f).Remove
}

// FailOnce makes the next matching request fail.
func (k *Kafka) FailOnce(f Fault) {
	f.Count = 1
	k.cluster.Fault(f)
}

// SetLeader makes a broker the leader of a partition.
func (k *Kafka) SetLeader(topic string, partition, node int32) error {
	return k.cluster.MoveTopicPartition(topic, partition, node)
}

// Leader returns the broker that leads a partition.
func (k *Kafka) Leader(topic string, partition int32) int32 {
	return k.cluster.LeaderFor(topic, partition)
}

// Coordinator returns the broker that coordinates a group and stores its
// offsets.
func (k *Kafka) Coordinator(group string) int32 { return k.cluster.CoordinatorFor(group) }

// MoveCoordinators assigns groups to other brokers. The former ones return
// NOT_COORDINATOR.
func (k *Kafka) MoveCoordinators() { k.cluster.RehashCoordinators() }

// Kill closes a broker's listener and connections without the other brokers
// noticing: it remains the leader of its partitions and the coordinator of its
// groups.
func (k *Kafka) Kill(node int32) { k.listeners[node].kill() }

// Disconnect closes all open connections.
func (k *Kafka) Disconnect() {
	for _, l := range k.listeners {
		l.closeConns()
	}
}

// Hang makes a broker read requests without responding until undo is called.
func (k *Kafka) Hang(node int32) (undo func()) {
	return k.control(func(broker int32, _ kmsg.Request) (kmsg.Response, bool) { return nil, broker == node })
}

// HangRequests is Hang for one kind of request.
func (k *Kafka) HangRequests(node int32, key kmsg.Key) (undo func()) {
	return k.control(func(broker int32, r kmsg.Request) (kmsg.Response, bool) {
		return nil, broker == node && r.Key() == key.Int16()
	})
}

// Respond makes the brokers respond to one kind of request with the result of
// respond, unless that is nil, until undo is called. node is the broker.
func (k *Kafka) Respond(key kmsg.Key, respond func(node int32, r kmsg.Request) kmsg.Response) (undo func()) {
	return k.control(func(broker int32, r kmsg.Request) (kmsg.Response, bool) {
		if r.Key() != key.Int16() {
			return nil, false
		}
		resp := respond(broker, r)
		return resp, resp != nil
	})
}

// control lets handle process requests until undo is called. A request that is
// handled without a response stays unanswered.
func (k *Kafka) control(handle func(node int32, r kmsg.Request) (resp kmsg.Response, handled bool)) (undo func()) {
	undone := make(chan struct{})
	k.cluster.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		select {
		case <-undone:
			k.cluster.DropControl()
			return nil, nil, false
		default:
		}
		resp, handled := handle(k.cluster.CurrentNode(), r)
		if handled {
			k.cluster.KeepControl()
		}
		return resp, nil, handled
	})
	return func() { close(undone) }
}

// RequestCounts returns how many requests of each kind, by Kafka's names, the
// brokers got since the last call.
func (k *Kafka) RequestCounts() map[string]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	counts := maps.Clone(k.requests)
	clear(k.requests)
	return counts
}

// countRequest observes every request.
func (k *Kafka) countRequest(r kmsg.Request) (kmsg.Response, error, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests[kmsg.NameForKey(r.Key())]++
	return nil, nil, false
}
