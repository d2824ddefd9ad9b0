package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

// respondShare makes the brokers list a share group, unless it is unlisted, and respond
// with its offsets in partitions of topic a.
func respondShare(k *localkafka.Kafka, listed bool, code int16, partitions ...kmsg.DescribeShareGroupOffsetsResponseGroupTopicPartition) {
	k.Respond(kmsg.ListGroups, func(int32, kmsg.Request) kmsg.Response {
		resp := kmsg.NewPtrListGroupsResponse()
		if resp.Version = 5; listed {
			resp.Groups = []kmsg.ListGroupsResponseGroup{{Group: "workers", GroupType: "share", ProtocolType: "share"}}
		}
		return resp
	})
	k.Respond(kmsg.DescribeShareGroupOffsets, func(_ int32, r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.DescribeShareGroupOffsetsResponse)
		for _, g := range r.(*kmsg.DescribeShareGroupOffsetsRequest).Groups {
			one := kmsg.NewDescribeShareGroupOffsetsResponseGroup()
			if one.GroupID, one.ErrorCode = g.GroupID, code; code == 0 {
				one.Topics = []kmsg.DescribeShareGroupOffsetsResponseGroupTopic{{Topic: "a", Partitions: partitions}}
			}
			resp.Groups = append(resp.Groups, one)
		}
		return resp
	})
}

func TestShareGroupLag(t *testing.T) {
	partitions := []kmsg.DescribeShareGroupOffsetsResponseGroupTopicPartition{
		{Partition: 0, StartOffset: 2, Lag: 3}, // 10 messages, of which 5 after the start are acknowledged
		{Partition: 1, StartOffset: -1, Lag: -1},
		{Partition: 2, StartOffset: 4, Lag: -1, ErrorCode: kerr.UnknownServerError.Code},
	}
	known := func(unread int64) lag.Partition {
		return lag.Partition{ID: 0, Committed: 2, End: 10, Lag: unread, Known: true}
	}
	for name, tt := range map[string]struct {
		listed        bool
		version, code int16
		want          *lag.Partition // partition 0
		wantErr       string
	}{
		"listed":                      {true, 1, 0, ptr(known(3)), "partition 2 of topic a"},
		"named":                       {false, 1, 0, ptr(known(3)), "partition 2 of topic a"},
		"before 4.2: since the start": {true, 0, 0, ptr(known(8)), "partition 2 of topic a"},
		"denied":                      {true, 1, kerr.GroupAuthorizationFailed.Code, nil, "DESCRIBE on group workers"},
		"gone meanwhile":              {true, 1, kerr.GroupIDNotFound.Code, nil, ""},
		"named, and not enabled":      {false, 1, kerr.UnsupportedVersion.Code, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			versions := kversion.Stable()
			versions.SetMaxKeyVersion(kmsg.DescribeShareGroupOffsets.Int16(), tt.version)
			ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 3}, Version: versions})
			must(t, k.Produce(ctx, "a", 30))
			respondShare(k, tt.listed, tt.code, partitions...)
			r := newReader(t, k, func(c *lag.Cluster) {
				if !tt.listed {
					c.Groups = newFilter(t, "workers")
				}
			})
			snap := mustRead(t, ctx, r)
			g := findGroup(t, snap, "workers")
			if tt.wantErr == "" {
				if g.Err != nil {
					t.Errorf("got error %v, want none", g.Err)
				}
			} else {
				checkError(t, g.Err, errorKind(tt.code), tt.wantErr)
			}
			got := findPartitions(t, snap, "workers", "a")
			switch {
			case tt.want == nil && len(got) != 0:
				t.Errorf("got partitions %+v, want none", got)
			case tt.want != nil && (len(got) != 3 || got[0] != *tt.want || got[1].Reason != lag.NoCommit || got[2].Known):
				t.Errorf("got partitions %+v, want %+v, one without a commit, and one unknown", got, *tt.want)
			}
		})
	}
}

func ptr(p lag.Partition) *lag.Partition { return &p }

func errorKind(code int16) ErrorKind {
	if code == kerr.GroupAuthorizationFailed.Code {
		return Permission
	}
	return Broker
}

// TestShareGroupMembers describes a share group.
func TestShareGroupMembers(t *testing.T) {
	d := parseShare(&kmsg.ShareGroupDescribeResponseGroup{GroupState: "Stable", Members: []kmsg.ShareGroupDescribeResponseGroupMember{{
		ClientID: "worker-1", SubscribedTopicNames: []string{"a"},
	}}})
	g := lag.Group{Topics: []lag.Topic{{Name: "a"}, {Name: "b"}}}
	d.addTo(&g)
	if len(g.Members) != 1 || g.Topics[0].Unsubscribed || !g.Topics[1].Unsubscribed {
		t.Errorf("got %+v, want one member, and b unsubscribed", g)
	}
}
