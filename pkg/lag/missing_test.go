package lag

import (
	"errors"
	"slices"
	"testing"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store/memory"
)

// A list may leave out what exists, so nothing is gone before it was looked up.
func TestMissingGroupsAndTopics(t *testing.T) {
	behind := newPartition(0, 100, 4000)
	away := errors.New("the coordinator is not available")
	denied := errors.New("grant it DESCRIBE on topic t")
	for name, tt := range map[string]struct {
		listed, unlisted []Group
		want             string // alerts of the second poll without it
		keeps            bool   // the alerts fire on
	}{
		"coordinator away": {
			nil, []Group{{Name: "g", Err: away}},
			"TocsinPollFailed g since 08:10:00 firing", true,
		},
		"group left out of the list": {
			nil, []Group{newGroupOf("g", behind)},
			"Lag g t since 08:00:00 firing lag=3900\nStuck g t since 08:00:00 firing lag=3900", true,
		},
		"group gone": {nil, nil, "", false},
		"topic denied": {
			[]Group{newGroup("g", newTopic("other", "1"))}, []Group{{Name: "g", Topics: []Topic{{Name: "t"}}, Err: denied}},
			"TocsinPollFailed g since 08:10:00 firing", true,
		},
		"topic gone":                    {[]Group{newGroup("g", newTopic("other", "1"))}, nil, "", false},
		"group without any topic left":  {[]Group{newGroup("g")}, []Group{{Name: "g", Topics: []Topic{{Name: "t"}}, Err: denied}}, "TocsinPollFailed g since 08:10:00 firing", true},
		"group and topics not complete": {[]Group{{Name: "g"}}, []Group{newGroupOf("g", newPartition(0, 0, 1))}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			r, rec := &fakeReader{}, &ingestRecorder{}
			stuck := statusRule("Stuck", trend.Stalled)
			stuck.For = minutes(3)
			w := newRuleWatcher(memory.New(), rec, r, lagRule(2000), stuck)
			r.groups = []Group{newGroup("g", Topic{Name: "t", Partitions: []Partition{behind}}, newTopic("other", "1"))}
			for minute := range 10 {
				mustPoll(t, w, float64(minute))
			}
			r.groups, r.unlisted = tt.listed, tt.unlisted
			mustPoll(t, w, 10)
			rec.received = nil
			mustPollAlerts(t, w, rec, 11, tt.want)
			if got := slices.Contains(rec.firing(at(11)), "c Lag t"); got != tt.keeps {
				t.Errorf("the alert about t fires: %v, want %v", got, tt.keeps)
			}
		})
	}
}
