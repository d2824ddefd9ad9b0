package lag

import (
	"testing"

	"tocsin/pkg/setting"
	"tocsin/pkg/store/memory"
)

// The default rules fire for consumers that have stopped or stalled, and for lost
// messages.
func TestDefaultRules(t *testing.T) {
	r := &fakeReader{states: map[string]string{"stopped": "Empty"}}
	rec := &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, r)
	const lost = "KafkaMessagesLost lost t since 08:00:00 firing lag=0"
	for m := range int64(6) {
		r.groups = []Group{
			newGroupOf("stopped", newPartition(0, 5, 25)), newGroupOf("stalled", newPartition(0, 5, 35)), newGroupOf("lost", lostPartition(0, 0, 12)),
			newGroupOf("high-lag", newPartition(0, 100*m, 100*m+1_000_000)), newGroupOf("done", newPartition(0, 5, 5)),
		}
		mustPoll(t, w, float64(m))
		if m < 5 {
			wantAlerts(t, rec, float64(m), lost)
		}
	}
	for name, want := range map[string]string{"KafkaMessagesLost": "critical", "KafkaConsumerStuck": "warning"} {
		if got := rec.last(name).Labels["severity"]; got != want {
			t.Errorf("severity of %s = %q, want %q", name, got, want)
		}
	}
	wantAlerts(t, rec, 5, lost+"\n"+
		"KafkaConsumerStuck stalled t since 08:00:00 firing lag=30\n"+
		"KafkaConsumerStuck stopped t since 08:00:00 firing lag=20")
	if got, want := rec.merged["c KafkaMessagesLost t"].Annotations["summary"], "lost on t: 12 messages deleted unread, 0 behind"; got != want {
		t.Errorf("summary = %q, want %q", got, want)
	}
}

func TestDefaultRulesAreValid(t *testing.T) {
	for _, r := range DefaultRules() {
		var f setting.Faults
		if r.validate(&f); len(f.List()) > 0 {
			t.Errorf("faults of %s = %v, want none", r.Alert, f.List())
		}
	}
}
