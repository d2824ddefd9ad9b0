package kafka

import (
	"maps"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fault is what the brokers refuse, and with which error: requests by their
// keys, the groups, topics or partitions in them, the broker that they go to.
type Fault = kfake.Fault

// Fail makes f happen until undo is called, however often f.Count says.
func (k *Kafka) Fail(f Fault) (undo func()) {
	f.Count = -1
	return k.cluster.Fault(f).Remove
}

// FailOnce makes f happen to the next request that it fits.
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

// Coordinator returns the broker that keeps the offsets of a group.
func (k *Kafka) Coordinator(group string) int32 { return k.cluster.CoordinatorFor(group) }

// MoveCoordinators gives groups to other brokers. The brokers that had them
// answer NOT_COORDINATOR.
func (k *Kafka) MoveCoordinators() { k.cluster.RehashCoordinators() }

// Kill ends a broker without the others noticing: it refuses connections, and it
// still leads its partitions and groups.
func (k *Kafka) Kill(node int32) { k.gates[node].shut() }

// Disconnect cuts every connection that is open now.
func (k *Kafka) Disconnect() {
	for _, g := range k.gates {
		g.cut()
	}
}

// Hang makes a broker take requests and never answer, until undo is called.
func (k *Kafka) Hang(node int32) (undo func()) {
	return k.control(func(asked int32, _ kmsg.Request) (kmsg.Response, bool) { return nil, asked == node })
}

// HangRequests is Hang for requests of one kind only.
func (k *Kafka) HangRequests(node int32, key kmsg.Key) (undo func()) {
	return k.control(func(asked int32, r kmsg.Request) (kmsg.Response, bool) {
		return nil, asked == node && r.Key() == key.Int16()
	})
}

// Respond makes the brokers answer requests of one kind with what answer returns,
// and as usual where it returns nil, until undo is called. node is the broker
// that is asked.
func (k *Kafka) Respond(key kmsg.Key, answer func(node int32, r kmsg.Request) kmsg.Response) (undo func()) {
	return k.control(func(asked int32, r kmsg.Request) (kmsg.Response, bool) {
		if r.Key() != key.Int16() {
			return nil, false
		}
		resp := answer(asked, r)
		return resp, resp != nil
	})
}

// control lets answer handle requests until undo is called. Handled without a
// response, they stay unanswered.
func (k *Kafka) control(answer func(node int32, r kmsg.Request) (resp kmsg.Response, handled bool)) (undo func()) {
	over := make(chan struct{})
	k.cluster.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		select {
		case <-over:
			k.cluster.DropControl()
			return nil, nil, false
		default:
		}
		resp, handled := answer(k.cluster.CurrentNode(), r)
		if handled {
			k.cluster.KeepControl()
		}
		return resp, nil, handled
	})
	return func() { close(over) }
}

// RequestCounts returns how many requests of each kind the brokers got since the last
// call, by Kafka's names for them.
func (k *Kafka) RequestCounts() map[string]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	asked := maps.Clone(k.asked)
	clear(k.asked)
	return asked
}

// count sees every request.
func (k *Kafka) count(r kmsg.Request) (kmsg.Response, error, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked[kmsg.NameForKey(r.Key())]++
	return nil, nil, false
}
