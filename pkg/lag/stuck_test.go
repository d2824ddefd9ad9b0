package lag

import (
	"errors"
	"math/rand/v2"
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/store/memory"
)

// A consumer that commits nothing any more is reported within seven minutes by the
// default rules, as one alert, whatever states its group goes through.
func TestStuckConsumerIsOneAlert(t *testing.T) {
	random := func(seed uint64) []string {
		r := rand.New(rand.NewPCG(seed, 1))
		states := []string{"Empty", "Stable", "PreparingRebalance", "CompletingRebalance", "Dead", "fails"}
		out := make([]string, 30)
		for i := range out {
			out[i] = states[r.IntN(len(states))]
		}
		return out
	}
	for name, states := range map[string][]string{
		"has members":                      {"Stable"},
		"has none":                         {"Empty"},
		"restarts between polls":           {"Empty", "Stable"},
		"restarts slowly":                  {"Empty", "Empty", "Stable", "Stable", "Stable"},
		"loses its member every 4 minutes": {"Stable", "Stable", "Stable", "Empty"},
		"rebalances":                       {"PreparingRebalance"},
		"rebalances while it restarts":     {"Empty", "PreparingRebalance", "Stable", "PreparingRebalance"},
		"cannot be described":              {"fails"},
		"cannot be described at times":     {"fails", "Empty", "Stable"},
		"at random, seed 1":                random(1),
		"at random, seed 2":                random(2),
		"at random, seed 3":                random(3),
	} {
		t.Run(name, func(t *testing.T) {
			r, rec := &fakeReader{}, &ingestRecorder{}
			w := newRuleWatcher(memory.New(), rec, r)
			firedAt := -1
			for minute := range 30 {
				state := states[minute%len(states)]
				r.states, r.describeErr = map[string]string{"g": state}, nil
				if state == "fails" {
					r.describeErr = errors.New("no answer in time")
				}
				// At minute 0 it has read everything.
				r.groups = []Group{newGroupOf("g", newPartition(0, 100, 100+10*int64(minute)))}
				rec.received = nil
				mustPoll(t, w, float64(minute))
				stuck := rec.last(alert.ConsumerStuckAlert)
				switch {
				case firedAt < 0 && stuck.Labels != nil:
					firedAt = minute
				case firedAt >= 0 && (stuck.Labels == nil || !stuck.EndsAt.IsZero() || !stuck.StartsAt.Equal(at(1))):
					t.Fatalf("minute %d: got %q, want %s firing since 08:01", minute, summarize(rec.received), alert.ConsumerStuckAlert)
				}
			}
			if firedAt < 5 || firedAt > 7 {
				t.Errorf("fired at minute %d, want 5 to 7", firedAt)
			}
		})
	}
}

// A topic that was created again is behind the commits of its groups, which read nothing
// until it has caught up with them.
func TestCommitBeyondTheLogEnd(t *testing.T) {
	r, rec := &fakeReader{states: map[string]string{"left": "Stable"}, unsubscribed: map[string][]string{"left": {"t"}}}, &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, r)
	for minute := range int64(7) {
		p := Partition{ID: 0, Committed: 500, End: 20 + minute, Known: true}
		r.groups = []Group{newGroupOf("g", newPartition(1, 0, 0), p), newGroupOf("left", p)}
		rec.received = nil
		mustPoll(t, w, float64(minute))
	}
	wantAnnotations(t, rec.last(alert.ConsumerStuckAlert), map[string]string{
		"status":      "ahead",
		"summary":     "g on t: ahead (the commit is beyond the log end), 0 behind",
		"description": "Beyond the log end: partition 0, committed 500, the log ends at 26.",
	})
	wantAlerts(t, rec, 6, "KafkaConsumerStuck g t since 08:00:00 firing lag=0")
}

// A transaction that is never ended holds back its consumers: with the isolation
// read_committed they have no lag, otherwise they stand still.
func TestHungTransaction(t *testing.T) {
	r, rec := &fakeReader{transactions: map[string]*Transaction{
		"committed/t/0": {ProducerID: 4711, Epoch: 3, Start: 100}, "uncommitted/t/0": {ProducerID: 4711, Epoch: 3, Start: 100},
	}}, &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, r)
	for minute := range int64(18) {
		p := Partition{ID: 0, Committed: 100, End: 100, HighWatermark: 100 + minute, Known: true}
		r.groups = []Group{newGroupOf("committed", p), newGroupOf("uncommitted", newPartition(0, 100, 100+2*minute))}
		rec.received = nil
		mustPoll(t, w, float64(minute))
		if fires := rec.last(alert.TransactionHungAlert).Labels != nil; fires != (minute >= 17) {
			t.Errorf("minute %d: fires %v, want it from minute 17 on", minute, fires)
		}
	}
	const evidence = "Held back by an open transaction: partition 0, producer 4711 (epoch 3), from offset 100 on."
	wantAnnotations(t, rec.last(alert.TransactionHungAlert), map[string]string{
		"status": "hung_transaction", "description": evidence,
		"summary": "committed on t: held back by a transaction that is not ended, 0 behind",
	})
	wantInDescription(t, rec.last(alert.ConsumerStuckAlert), evidence)
	wantAlerts(t, rec, 17, "KafkaTransactionHung committed t since 08:01:00 firing lag=0\nKafkaConsumerStuck uncommitted t since 08:01:00 firing lag=34")
}

// TestStatusStaysWhileUnknown has a partition with unread messages that cannot be read
// any more, while its alert fires.
func TestStatusStaysWhileUnknown(t *testing.T) {
	for state, want := range map[string]map[string]string{
		"Stable": {"status": "stalled", "summary": "g on t: stalled (has members, commits nothing), 0 behind"},
		"Empty":  {"status": "stopped", "summary": "g on t: stopped (has no members), 0 behind"},
	} {
		t.Run(state, func(t *testing.T) {
			r, rec := &fakeReader{states: map[string]string{"g": state}}, &ingestRecorder{}
			w := newRuleWatcher(memory.New(), rec, r)
			for minute := range 12 {
				stuck := newPartition(0, 100, 150)
				if minute > 6 {
					stuck = Partition{ID: 0, Committed: 100, End: -1, Reason: "it has no leader"}
				}
				r.groups = []Group{newGroupOf("g", stuck, newPartition(1, 10, 10))}
				rec.received = nil
				mustPoll(t, w, float64(minute))
				if minute > 6 {
					wantAnnotations(t, rec.last(alert.ConsumerStuckAlert), want)
				}
			}
		})
	}
}
