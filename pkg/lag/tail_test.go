package lag

import (
	"testing"

	"tocsin/pkg/store/memory"
)

// One unread message of a dead consumer is reported, and what is left of transactions is
// not: neither as unread nor, when retention deletes it, as lost.
func TestTailOfAnIdleTopic(t *testing.T) {
	const stuck = "KafkaConsumerStuck g t since 08:01:00 firing lag="
	for name, tt := range map[string]struct {
		unread int64
		tail   Tail
		want   string // at minute 7
		lost   string // after retention has deleted everything
	}{
		"one message":            {1, TailMessage, stuck + "1", "KafkaConsumerStuck g t since 08:01:00 ended 08:08:00 lag=0\nKafkaMessagesLost g t since 08:08:00 firing lag=0"},
		"one offset, not known":  {1, TailUnknown, "", ""},
		"a marker":               {1, TailMarkers, "", ""},
		"an aborted transaction": {4, TailMarkers, "", ""},
		"messages":               {4, TailUnknown, stuck + "4", "KafkaConsumerStuck g t since 08:01:00 ended 08:08:00 lag=0\nKafkaMessagesLost g t since 08:08:00 firing lag=0"},
	} {
		t.Run(name, func(t *testing.T) {
			r, rec := &fakeReader{tails: map[string]Tail{"g/t/0": tt.tail}}, &ingestRecorder{}
			w := newRuleWatcher(memory.New(), rec, r)
			end := 100 + tt.unread
			r.groups = []Group{newGroupOf("g", newPartition(0, 100, 100))}
			mustPoll(t, w, 0)
			r.groups = []Group{newGroupOf("g", newPartition(0, 100, end))}
			for minute := 1; minute < 8; minute++ {
				rec.received = nil
				mustPoll(t, w, float64(minute))
			}
			wantAlerts(t, rec, 7, tt.want)
			r.groups = []Group{newGroupOf("g", Partition{ID: 0, Committed: 100, Start: end, End: end, Lost: tt.unread, Known: true})}
			mustPollAlerts(t, w, rec, 8, tt.lost)
		})
	}
}

// Tails are read when a group and the log stand still, once for each end and commit.
func TestTailsAreReadOnce(t *testing.T) {
	r, rec := &fakeReader{tails: map[string]Tail{"g/t/0": TailMarkers}}, &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, r)
	for minute, tt := range []struct {
		commit, end int64
		reads       int
	}{
		{100, 101, 0}, {100, 101, 0}, {100, 101, 1}, {100, 101, 0}, {100, 101, 0},
		{100, 103, 0}, {100, 103, 0}, {100, 103, 1}, {100, 103, 0}, // another transaction, aborted
		{104, 105, 0}, {104, 105, 0}, {104, 105, 1}, {104, 105, 0},
		{105, 105, 0}, {105, 105, 0}, {105, 105, 0}, // nothing is unread
		{105, 107, 0}, {105, 109, 0}, {105, 111, 0}, {105, 113, 0}, // the log does not stand still
	} {
		r.groups, r.tailReads = []Group{newGroupOf("g", newPartition(0, tt.commit, tt.end))}, 0
		mustPoll(t, w, float64(minute))
		if r.tailReads != tt.reads {
			t.Errorf("minute %d, commit %d, end %d: tails read %d times, want %d", minute, tt.commit, tt.end, r.tailReads, tt.reads)
		}
	}
	if got := rec.firing(at(16)); len(got) != 0 {
		t.Errorf("firing %q, want nothing", got)
	}
}
