package lag

import (
	"strings"
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/store/memory"
)

// The last offset of a topic with transactions is a marker, which retention deletes
// unread when everything has been read.
func TestDeletedTransactionMarkerIsNoLoss(t *testing.T) {
	for _, tt := range []struct {
		lost    int64
		allowed *int64
		want    string
	}{
		{1, nil, ""},
		{2, nil, "KafkaMessagesLost g t since 08:00:00 firing lag=0"},
		{1, ptr(0), "KafkaMessagesLost g t since 08:00:00 firing lag=0"},
	} {
		rec := &ingestRecorder{}
		w := newRuleWatcher(memory.New(), rec, &fakeReader{groups: []Group{newGroupOf("g", lostPartition(0, 0, tt.lost))}})
		w.Config.AllowedLag = tt.allowed
		mustPollAlerts(t, w, rec, 0, tt.want)
	}
}

func TestLossNamesItsEvidence(t *testing.T) {
	lost := func(id int32, n int64) Partition { p := lostPartition(id, 3, n); return p }
	snap := newSnapshot(newGroupOf("g", lost(0, 12), lost(1, 1), lost(2, 2000), lost(3, 0)))
	a := lastAlerts(NewEvaluator([]Rule{{Alert: "Lost", Lost: true}}, "c", "en"), snap)[0]
	wantAnnotations(t, a, map[string]string{
		"summary": "g on t: 2,012 messages deleted unread, 12 behind",
		"lost":    "2012",
		"description": "Deleted unread: partition 2, committed 100, the log starts at 2,100; partition 0, committed 100, the log starts at 112. " +
			"Furthest behind: partition 0 by 3, partition 2 by 3.",
	})
}

// A consumer at the edge of retention loses messages in every other minute, and then
// catches up.
func TestLossAtTheEdgeOfRetentionIsOneAlert(t *testing.T) {
	r, rec := &fakeReader{}, &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, r, Rule{Alert: "Lost", Lost: true})
	var ended *alert.Alert
	for minute := range 240 {
		n := int64(0)
		if minute < 120 && minute%2 == 0 {
			n = int64(10 + minute)
		}
		r.groups = []Group{newGroupOf("g", lostPartition(0, 5, n))}
		rec.received = nil
		mustPoll(t, w, float64(minute))
		got := rec.last("Lost")
		switch {
		case got.Labels == nil && minute > 178:
		case !got.StartsAt.Equal(at(0)) || ended != nil:
			t.Fatalf("minute %d: got %q, want one alert since 08:00", minute, summarize(rec.received))
		case !got.EndsAt.IsZero():
			ended = got
		case !strings.Contains(got.Annotations["summary"], "messages deleted unread"):
			t.Errorf("minute %d: summary = %q, want the number of deleted messages", minute, got.Annotations["summary"])
		}
	}
	if ended == nil || !ended.EndsAt.Equal(at(178)) {
		t.Fatalf("ended at %v, want an hour after the last loss, at %v", ended, at(178))
	}
	if got, want := ended.Annotations["summary"], "g on t: the alert ends, 5 behind; messages deleted unread stay lost"; got != want {
		t.Errorf("summary = %q, want %q", got, want)
	}
}

func TestOneLostMessageIsSingular(t *testing.T) {
	e := NewEvaluator([]Rule{{Alert: "Lost", Lost: true}}, "c", "en")
	e.allowedLag = 0
	wantAnnotations(t, lastAlerts(e, newSnapshot(newGroupOf("g", lostPartition(0, 0, 1))))[0], map[string]string{"summary": "g on t: 1 message deleted unread, 0 behind"})
}
