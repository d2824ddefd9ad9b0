package lag

import (
	"testing"

	"tocsin/pkg/setting"
	"tocsin/pkg/store/memory"
)

// Without rules it warns of who has stopped, who stands still, and of what was
// lost.
func TestDefaultRules(t *testing.T) {
	r := &scripted{states: map[string]string{"stopped": "Empty"}}
	e := &ear{}
	w := watcher(memory.New(), e, map[string]Reader{"c": r})
	w.Config.Rules = nil
	want := map[int64]string{
		0: "KafkaMessagesLost lost t since 08:00:00 firing lag=0",
		6: "KafkaMessagesLost lost t since 08:00:00 firing lag=0",
		7: "KafkaMessagesLost lost t since 08:00:00 firing lag=0\n" +
			"KafkaConsumerStalled stalled t since 08:02:00 firing lag=30\n" +
			"KafkaConsumerStopped stopped t since 08:02:00 firing lag=20",
	}
	for m := range int64(8) {
		r.groups = []Group{
			of("stopped", part(0, 5, 25)), of("stalled", part(0, 5, 35)), of("lost", gone(0, 0, 12)),
			of("far", part(0, 100*m, 100*m+1_000_000)), of("done", part(0, 5, 5)),
		}
		e.heard()
		mustPoll(t, w, float64(m))
		if want, ok := want[m]; ok {
			severities := map[string]string{}
			for _, a := range e.words {
				severities[a.Name()] = a.Labels["severity"]
			}
			if m == 7 && (severities["KafkaMessagesLost"] != "critical" || severities["KafkaConsumerStalled"] != "warning" || severities["KafkaConsumerStopped"] != "warning") {
				t.Errorf("severities %v", severities)
			}
			if got := e.heard(); got != want {
				t.Errorf("minute %d:\ngot  %s\nwant %s", m, got, want)
			}
		}
	}
	if got, want := e.known["c KafkaMessagesLost t"].Annotations["summary"], "lost on t: 12 messages deleted unread, 0 behind"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	for _, r := range DefaultRules() {
		var f setting.Faults
		if r.validate(&f); len(f.List()) > 0 {
			t.Errorf("%s: %v", r.Alert, f.List())
		}
	}
}
