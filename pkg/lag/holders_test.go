package lag

import (
	"context"
	"testing"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store/memory"
)

// assigningReader is a fakeReader of a group whose members have assignments.
type assigningReader struct {
	fakeReader
	members []Member
}

func (r *assigningReader) Describe(ctx context.Context, groups []Group) {
	r.fakeReader.Describe(ctx, groups)
	for i := range groups {
		groups[i].Members = r.members
	}
}

// The alert about a stuck consumer names the members that hold its partitions.
func TestAlertNamesTheMembersOfStuckPartitions(t *testing.T) {
	for language, want := range map[string]map[string]string{
		"en": {
			"partitions": "2:50,0:40", "members": "orders-2 (10.0.0.8): 2; orders-1 (10.0.0.7): 0",
			"description": "Furthest behind: partition 2 by 50, partition 0 by 40. Read by orders-2 (10.0.0.8): 2; orders-1 (10.0.0.7): 0.",
			"note":        "orders-2 orders-1 ",
		},
		"zh": {"description": "积压最多的分区：2 号 50 条，0 号 40 条。读取它们的成员：orders-2 (10.0.0.8): 2; orders-1 (10.0.0.7): 0。"},
	} {
		t.Run(language, func(t *testing.T) {
			reader := &assigningReader{members: []Member{
				{ClientID: "orders-1", Host: "/10.0.0.7", Partitions: map[string][]int32{"t": {0, 1}}},
				{ClientID: "idle", Host: "/10.0.0.9"},
				{ClientID: "orders-2", Host: "/10.0.0.8", Partitions: map[string][]int32{"t": {2}, "other": {0, 1, 2}}},
			}}
			rec := &ingestRecorder{}
			rule := statusRule("Stuck", trend.Stalled)
			rule.Annotations = mustTemplates(t, "note", "{{ range .Members }}{{ .ClientID }} {{ end }}")
			w := newRuleWatcher(memory.New(), rec, reader, rule)
			w.Language = language
			for m := range int64(3) {
				// Partition 1 is read, 0 and 2 stand still.
				reader.groups = []Group{newGroupOf("g", newPartition(0, 60, 100), newPartition(1, 100*m, 100*m+90), newPartition(2, 50, 100))}
				mustPoll(t, w, float64(m))
			}
			wantAnnotations(t, rec.last("Stuck"), want)
		})
	}
}

// A description that was not needed is not made for the names of members.
func TestMembersOfAGroupThatWasNotDescribedAreUnknown(t *testing.T) {
	alerts := lastAlerts(NewEvaluator([]Rule{lagRule(10)}, "c", "en"), lagSnapshot("50"))
	if len(alerts) != 1 {
		t.Fatalf("%d alerts, want 1", len(alerts))
	}
	wantAnnotations(t, alerts[0], map[string]string{"members": "", "description": "Furthest behind: partition 0 by 50."})
}

func TestHolders(t *testing.T) {
	all := map[string][]int32{"t": {0, 1, 2}}
	g := newGroup("g")
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		g.Members = append(g.Members, Member{ClientID: id, Host: "h", Partitions: all})
	}
	shared := holders(&g, "t", []Partition{{ID: 1}, {ID: 0}})
	if got, want := formatHolders(shared), "a (h): 1,0; b (h): 1,0; c (h): 1,0; d (h): 1,0; e (h): 1,0"; got != want {
		t.Errorf("members that share partitions = %q, want the first five %q", got, want)
	}
	if got := formatHolders(holders(&g, "t", []Partition{{ID: 7}})); got != "" {
		t.Errorf("members of a partition that none has = %q, want none", got)
	}
}
