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

// A group that left a topic has no alerts about it, whatever their conditions.
func TestUnsubscribedTopicWithoutStatusRule(t *testing.T) {
	late := Rule{Alert: "Late", MaxDelay: minutes(10)}
	for name, tt := range map[string]struct {
		rule      Rule
		partition Partition
	}{
		"max_lag":   {lagRule(2000), newPartition(0, 100, 4000)},
		"lost":      {Rule{Alert: "Lost", Lost: true}, lostPartition(0, 5, 12)},
		"max_delay": {late, newPartition(0, 100, 4000)},
	} {
		t.Run(name, func(t *testing.T) {
			r, rec := &fakeReader{groups: []Group{newGroupOf("g", tt.partition)}}, &ingestRecorder{}
			w := newRuleWatcher(memory.New(), rec, r, tt.rule)
			key := "c " + tt.rule.Alert + " t"
			mustPoll(t, w, 0)
			if got := rec.firing(at(0)); !slices.Contains(got, key) {
				t.Fatalf("firing while it is subscribed: %q, want %s", got, key)
			}
			r.unsubscribed = map[string][]string{"g": {"t"}}
			rec.received = nil
			mustPollAlerts(t, w, rec, 1, tt.rule.Alert+" g t since 08:00:00 ended 08:01:00")
			mustPollAlerts(t, w, rec, 2, "")
			r.describeErr = errors.New("no answer in time") // the last known subscription counts
			mustPollAlerts(t, w, rec, 3, "")
			mustPollAlerts(t, w, rec, 4, "")
		})
	}
	t.Run("members that cannot be read are no failed poll", func(t *testing.T) {
		r, rec := &fakeReader{groups: []Group{newGroupOf("g", newPartition(0, 100, 4000))}, describeErr: errors.New("denied")}, &ingestRecorder{}
		w := newRuleWatcher(memory.New(), rec, r, lagRule(2000))
		for minute := range 3 {
			mustPollAlerts(t, w, rec, float64(minute), "Lag g t since 08:00:00 firing lag=3900")
		}
	})
	t.Run("nothing is described while nothing fires", func(t *testing.T) {
		r, rec := &fakeReader{groups: []Group{newGroupOf("g", newPartition(0, 100, 200))}}, &ingestRecorder{}
		mustPoll(t, newRuleWatcher(memory.New(), rec, r, lagRule(2000)), 0)
		if got := r.takeQueries(); got != "" {
			t.Errorf("queries = %q, want none", got)
		}
	})
}
