package kafka

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

// TestVerify looks up groups and topics that the brokers leave out of their lists.
func TestVerify(t *testing.T) {
	topicA := lag.Group{Name: "g", Topics: []lag.Topic{{Name: "a"}}}
	for name, tt := range map[string]struct {
		change  func(t *testing.T, k *localkafka.Kafka)
		missing lag.Group
		// wantErr is the permission to grant or the cause, "gone" if the group or topic
		// is, and "" if it is read.
		wantErr string
	}{
		"group exists": {nil, lag.Group{Name: "g"}, ""},
		"coordinator away": {func(t *testing.T, k *localkafka.Kafka) {
			k.Fail(localkafka.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Group: "g", Err: kerr.CoordinatorNotAvailable})
		}, lag.Group{Name: "g"}, "COORDINATOR_NOT_AVAILABLE"},
		"no broker answers": {func(t *testing.T, k *localkafka.Kafka) { k.Hang(0) }, lag.Group{Name: "g"}, "did not answer in time"},
		"group denied": {func(t *testing.T, k *localkafka.Kafka) {
			must(t, k.Revoke(t.Context(), username, localkafka.AllowDescribeGroup("*")))
		}, lag.Group{Name: "g"}, "DESCRIBE on group g"},
		"group deleted": {func(t *testing.T, k *localkafka.Kafka) {
			_, err := k.Admin().DeleteGroups(t.Context(), "g")
			must(t, err)
		}, lag.Group{Name: "g"}, "gone"},
		"topic denied": {func(t *testing.T, k *localkafka.Kafka) {
			must(t, k.Revoke(t.Context(), username, localkafka.AllowDescribeTopic("a")))
		}, topicA, "DESCRIBE on topic a"},
		"topic deleted": {func(t *testing.T, k *localkafka.Kafka) {
			_, err := k.Admin().DeleteTopics(t.Context(), "a")
			must(t, err)
		}, topicA, "gone"},
		"topic without commits": {nil, topicA, "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1, "b": 1},
				Users: newUser(localkafka.AllowDescribeGroup("*"), localkafka.AllowDescribeTopic("a"), localkafka.AllowDescribeTopic("b"))})
			must(t, k.Produce(ctx, "b", 3))
			commitOffsets(t, ctx, k, "g", "b", 1)
			r := newReader(t, k, withLogin)
			mustRead(t, ctx, r)
			if tt.change != nil {
				tt.change(t, k)
			}
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			found := r.Verify(ctx, []lag.Group{tt.missing})
			switch {
			case tt.wantErr == "gone":
				if len(found) != 0 {
					t.Errorf("got %+v, want nothing", found)
				}
			case len(found) != 1 || found[0].Name != "g":
				t.Errorf("got %+v, want the group", found)
			case tt.wantErr == "":
				checkLag(t, &lag.Snapshot{Groups: found}, "g", "b", 2, 0)
			default:
				if err := found[0].Err; err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("got error %v, want one with %q", err, tt.wantErr)
				}
				if found[0].Complete {
					t.Errorf("got %+v, want it incomplete", found[0])
				}
			}
		})
	}
}

// TestDeniedTopicIsLeftOut reads before and after the permission on a topic is revoked.
func TestDeniedTopicIsLeftOut(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1, "b": 1},
		Users: newUser(localkafka.AllowDescribeGroup("*"), localkafka.AllowDescribeTopic("a"), localkafka.AllowDescribeTopic("b"))})
	commitOffsets(t, ctx, k, "g", "a", 0)
	commitOffsets(t, ctx, k, "g", "b", 0)
	r := newReader(t, k, withLogin)
	for _, want := range []int{2, 1} {
		if g := findGroup(t, mustRead(t, ctx, r), "g"); len(g.Topics) != want || g.Err != nil {
			t.Errorf("got topics %+v, error %v; want %d topics", g.Topics, g.Err, want)
		}
		if want == 2 {
			must(t, k.Revoke(ctx, username, localkafka.AllowDescribeTopic("a")))
		}
	}
}
