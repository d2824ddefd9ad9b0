package kafka

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

// TestDescribePermissionSuffices reads with DESCRIBE on groups and topics only,
// without any permission on the cluster.
func TestDescribePermissionSuffices(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 2}, Brokers: 3,
		Users: newUser(localkafka.AllowDescribeGroup("*"), localkafka.AllowDescribeTopic("*"))})
	must(t, k.Produce(ctx, "a", 10))
	commitOffsets(t, ctx, k, "g", "a", 1, 2)
	r := newReader(t, k, withLogin)
	snap := mustRead(t, ctx, r)
	checkLag(t, snap, "g", "a", 7, 0)
	for i, got := range r.CountOlder(ctx, time.Now(), groupPartitions(snap), []time.Duration{time.Hour}) {
		if !got[0].Known {
			t.Errorf("CountOlder, partition %d: got %+v, want a known count", i, got[0])
		}
	}
	mustDescribe(t, ctx, r, snap.Groups)
	if got := snap.Groups[0].State; got != "Empty" {
		t.Errorf("Describe: got state %q, want Empty", got)
	}
}

// TestDeniedGroupAndTopic reads while one group and one topic are denied. The
// others are read, and the errors name the missing permission.
func TestDeniedGroupAndTopic(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1, "b": 1, "secret": 2}, Brokers: 3,
		Users: newUser(localkafka.AllowDescribeGroup("order-pay"), localkafka.AllowDescribeTopic("a"), localkafka.AllowDescribeTopic("b"))})
	for _, g := range []string{"order-pay", "order-worker"} {
		for _, topic := range []string{"a", "b", "secret"} {
			must(t, k.Produce(ctx, topic, 2))
			commitOffsets(t, ctx, k, g, topic, 1)
		}
	}
	r := newReader(t, k, func(c *lag.Cluster) { withLogin(c); c.Groups = newFilter(t, "order-pay", "order-worker") })
	snap := mustRead(t, ctx, r)

	worker := findGroup(t, snap, "order-worker")
	checkError(t, worker.Err, Permission, "DESCRIBE on group order-worker")
	if worker.Complete {
		t.Errorf("denied group: got %+v, want it incomplete", worker)
	}
	denied := r.Verify(ctx, []lag.Group{{Name: "order-pay", Topics: []lag.Topic{{Name: "secret"}}}})
	checkError(t, denied[0].Err, Permission, "DESCRIBE on topic secret")
	if e, _ := errors.AsType[*Error](denied[0].Err); !strings.Contains(e.Text("zh"), "主题 secret 的 DESCRIBE 权限") {
		t.Errorf("Chinese text: got %q, want the missing permission", e.Text("zh"))
	}
	checkLag(t, snap, "order-pay", "a", 3, 0)
	checkLag(t, snap, "order-pay", "b", 3, 0)
	checkPartitions(t, snap, "order-pay", "secret") // the broker leaves it out
}

// TestDeniedGroupListAndCluster reads without any permission: brokers leave out
// denied groups without an error, unless the whole list is denied.
func TestDeniedGroupListAndCluster(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}, Users: newUser()})
	commitOffsets(t, ctx, k, "g", "a", 0)
	if snap := mustRead(t, ctx, newReader(t, k, withLogin)); len(snap.Groups) != 0 {
		t.Errorf("got groups %+v, want none", snap.Groups)
	}
	k.Fail(localkafka.Fault{Keys: []kmsg.Key{kmsg.ListGroups}, TopLevel: true, Err: kerr.ClusterAuthorizationFailed})
	_, err := newReader(t, k, withLogin).Read(ctx)
	checkError(t, err, Permission, "DESCRIBE on the cluster")
}

// TestBrokerVersions reads from brokers of several versions. Before 0.11,
// reading fails.
func TestBrokerVersions(t *testing.T) {
	groups := []string{"g0", "g1", "g2", "g3", "g4"}
	for _, tt := range []struct {
		name      string
		version   *kversion.Versions
		supported bool
	}{
		{"4.0", kversion.V4_0_0(), true},
		{"3.0", kversion.V3_0_0(), true},
		{"2.8", kversion.V2_8_0(), true},
		{"1.1", kversion.V1_1_0(), true},
		{"0.11", kversion.V0_11_0(), true},
		{"0.10.2", kversion.V0_10_2(), false},
		{"0.10.0", kversion.V0_10_0(), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 2}, Brokers: 2, Version: tt.version})
			if !tt.supported {
				_, err := newReader(t, k, nil).Read(ctx)
				checkError(t, err, Version, "older than Kafka 0.11")
				return
			}
			must(t, k.ProduceAt(ctx, "a", 0, messageTime, messageTime, messageTime))
			for i, g := range groups {
				commitOffsets(t, ctx, k, g, "a", int64(i%3), 0)
			}
			named := newReader(t, k, func(c *lag.Cluster) { c.Groups = newFilter(t, groups...) })
			for _, r := range []*Reader{newReader(t, k, nil), named} {
				snap := mustRead(t, ctx, r)
				for i, g := range groups {
					checkPartitions(t, snap, g, "a",
						lag.Partition{ID: 0, Committed: int64(i % 3), End: 3, Lag: int64(3 - i%3), Known: true}, lag.Partition{ID: 1, Known: true})
				}
				checkOlder(t, r.CountOlder(ctx, messageTime.Add(time.Minute), groupPartitions(snap)[:1], []time.Duration{30 * time.Second, 2 * time.Minute})[0], 3, 0)
				mustDescribe(t, ctx, r, snap.Groups)
				if got := snap.Groups[0].State; got != "Empty" {
					t.Errorf("Describe: got state %q, want Empty", got)
				}
			}
		})
	}
}

// TestResponsesWithoutOffset reads while brokers return no valid offset for a
// partition. Its lag must be unknown, not 0.
func TestResponsesWithoutOffset(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}})
	must(t, k.Produce(ctx, "a", 5))
	commitOffsets(t, ctx, k, "g", "a", 2)
	r := newReader(t, k, nil)
	for name, fill := range map[string]func(*kmsg.ListOffsetsResponse){
		"empty response":   func(*kmsg.ListOffsetsResponse) {},
		"offset -1":        func(resp *kmsg.ListOffsetsResponse) { addOffset(resp, "a", 0, -1) },
		"other partitions": func(resp *kmsg.ListOffsetsResponse) { addOffset(resp, "b", 0, 5); addOffset(resp, "a", 1, 5) },
		"invalid numbers":  func(resp *kmsg.ListOffsetsResponse) { addOffset(resp, "", -1, 1<<62); addOffset(resp, "a", 0, -1<<63) },
		"duplicate":        func(resp *kmsg.ListOffsetsResponse) { addOffset(resp, "a", 0, -1); addOffset(resp, "a", 0, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			undo := k.Respond(kmsg.ListOffsets, func(_ int32, req kmsg.Request) kmsg.Response {
				resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
				fill(resp)
				return resp
			})
			defer undo()
			snap := mustRead(t, ctx, r)
			got := findPartitions(t, snap, "g", "a")
			if len(got) != 1 || got[0].Known || got[0].Committed != 2 || !strings.Contains(got[0].Reason, "missing in the broker's response") {
				t.Errorf("got %+v, want one unknown partition with its commit and a reason", got)
			}
			if findGroup(t, snap, "g").Err == nil {
				t.Error("got a group without an error, want one")
			}
		})
	}
	checkLag(t, mustRead(t, ctx, r), "g", "a", 3, 0)
}

// TestMovedLeadersAndCoordinators reads after groups and partitions have moved
// to other brokers: they are found in the same read.
func TestMovedLeadersAndCoordinators(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}, Brokers: 3})
	must(t, k.Produce(ctx, "a", 5))
	commitOffsets(t, ctx, k, "g", "a", 2)
	r := newReader(t, k, nil)
	for _, f := range []localkafka.Fault{
		{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g", Err: kerr.NotCoordinator},
		{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g", Err: kerr.CoordinatorLoadInProgress},
		{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "a", Err: kerr.NotLeaderForPartition},
		{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "a", Partitions: []int32{0}, Err: kerr.LeaderNotAvailable},
		{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "a", Err: kerr.UnknownTopicOrPartition},
	} {
		t.Run(f.Err.Error(), func(t *testing.T) {
			k.FailOnce(f)
			snap := mustRead(t, ctx, r)
			checkLag(t, snap, "g", "a", 3, 0)
			if err := findGroup(t, snap, "g").Err; err != nil {
				t.Errorf("got error %v, want none", err)
			}
		})
	}
}
