package lag

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store/memory"
)

// Ages are queried only in partitions with more than the allowed lag for which a rule
// has max_delay; exact ages only in those that exceed it.
func TestAgeQueriesAreFew(t *testing.T) {
	r := &fakeReader{
		groups: []Group{
			newGroupOf("g", newPartition(0, 100, 150), newPartition(1, 100, 101), newPartition(2, 100, 100), newPartition(3, 100, 103), deniedPartition),
			newGroupOf("other", newPartition(0, 0, 9000)),
		},
		oldestUnread: map[string]time.Time{"g/t/0": at(0), "g/t/3": at(11)},
	}
	rec := &ingestRecorder{}
	late := Rule{Alert: "Late", MaxDelay: minutes(10), ClearBelowDelay: minutes(5), Match: Match{ConsumerGroup: mustPattern(t, "g")}}
	mustPoll(t, newRuleWatcher(memory.New(), rec, r, late, lagRule(50000)), 12.5)
	if got, want := r.takeQueries(), "older g/t/0 5m0s, older g/t/0 10m0s, older g/t/3 5m0s, older g/t/3 10m0s, age g/t/0 1 1s, describe g"; got != want {
		t.Errorf("queries = %s\nwant %s", got, want)
	}
	wantAnnotations(t, rec.last("Late"), map[string]string{
		"delay": "749", "partitions": "0:50", // 12m30s with a precision of half a second on either side
		"summary": "g on t: oldest unread message 12m 29s old (limit 10m), 54 behind",
	})
}

func TestMaxDelayWithAnAgeReader(t *testing.T) {
	r := &fakeReader{groups: []Group{newGroupOf("g", newPartition(0, 100, 150))}}
	rec := &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, r, Rule{Alert: "Late", MaxDelay: minutes(10), ClearBelowDelay: minutes(5), For: minutes(2)})
	for _, s := range []struct {
		minute, age float64
		unknown     string // why the age is unknown
		want        string
	}{
		{20, 10, "", ""},
		{21, 10.5, "", ""},
		{22, 11, "", ""},
		{23, 12, "", "Late g t since 08:21:00 firing lag=50"},
		{24, 6, "", "Late g t since 08:21:00 firing lag=50"},
		{25, 6, "message 7 is 3m ahead", "Late g t since 08:21:00 firing lag=50"},
		{26, 1, "message 7 is 3m ahead", "Late g t since 08:21:00 firing lag=50"}, // the history begins six minutes ago
		{27, 5, "", "Late g t since 08:21:00 ended 08:27:00 lag=50"},
	} {
		now := at(s.minute)
		r.oldestUnread = map[string]time.Time{"g/t/0": now.Add(-time.Duration(s.age * float64(time.Minute)))}
		r.ageReason = s.unknown
		mustPoll(t, w, s.minute)
		wantAlerts(t, rec, s.minute, s.want)
	}
}

// The age of messages is from their timestamps, and from the history where those are
// missing or in the future; a rule may ask for one of them.
func TestDelaySource(t *testing.T) {
	for name, tt := range map[string]struct {
		source    DelaySource
		age       time.Duration // by the timestamps
		ageReason string
		firesAt   int64 // the first minute, negative if it does not fire
		delay     string
		by        string
		fails     bool // the poll is reported as failed
	}{
		"timestamps":                            {"", 10 * time.Minute, "", 0, "599", "timestamps", false},
		"timestamps, asked for":                 {FromTimestamps, 10 * time.Minute, "", 0, "599", "timestamps", false},
		"no timestamps":                         {"", 0, "message 100 has no timestamp", 6, "300", "history", false},
		"no timestamps, and they are asked for": {FromTimestamps, 0, "message 100 has no timestamp", -1, "", "", true},
		"old event times":                       {"", 72 * time.Hour, "", 0, "259199", "timestamps", false},
		"old event times, history asked for":    {FromHistory, 72 * time.Hour, "", 6, "300", "history", false},
	} {
		t.Run(name, func(t *testing.T) {
			r, rec := &fakeReader{ageReason: tt.ageReason}, &ingestRecorder{}
			w := newRuleWatcher(memory.New(), rec, r, Rule{Alert: "Late", MaxDelay: minutes(4), DelaySource: tt.source})
			for minute := range int64(7) {
				// Everything was read until minute 0.
				r.groups = []Group{newGroupOf("g", newPartition(0, 100, 101+20*minute))}
				r.oldestUnread = map[string]time.Time{"g/t/0": at(float64(minute)).Add(-tt.age)}
				if tt.firesAt == 0 {
					r.groups = []Group{newGroupOf("g", newPartition(0, 100, 200))}
				}
				rec.received = nil
				mustPoll(t, w, float64(minute))
				late := rec.last("Late")
				if fires := late.Labels != nil; fires != (tt.firesAt >= 0 && minute >= tt.firesAt) {
					t.Errorf("minute %d: fires %v, want it from minute %d on", minute, fires, tt.firesAt)
				}
				if minute == tt.firesAt {
					wantAnnotations(t, late, map[string]string{"delay": tt.delay, "delay_source": tt.by})
				}
				if fails := rec.last(alert.PollFailedAlert).Labels != nil; fails != (tt.fails && minute > 0) && minute > 1 {
					t.Errorf("minute %d: failed poll %v, want %v", minute, fails, tt.fails)
				}
			}
		})
	}
}

// Without an AgeReader the age follows from the log ends of earlier polls. The alert
// fires when the age is certainly above the limit, and resolves when it is certainly
// not.
func TestMaxDelayFromHistory(t *testing.T) {
	r := &fakeReader{}
	rec := &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, readerFunc(r.Read), Rule{Alert: "Late", MaxDelay: minutes(4)})
	for _, s := range []struct {
		minute, commit, end int64
		want                string
	}{
		// Message 100 was there at minute 0: its age has no upper bound.
		{0, 100, 200, ""},
		{2, 100, 300, ""},
		{4, 100, 400, ""},
		{5, 100, 500, "Late g t since 08:05:00 firing lag=400"},
		// Message 351, after the one allowed, came between minutes 2 and 4: it is
		// 2 to 4 minutes old, which is not above 4.
		{6, 350, 600, "Late g t since 08:05:00 ended 08:06:00 lag=250"},
		// 3 to 5 minutes: unknown, and the alert stays inactive.
		{7, 350, 700, ""},
		{8, 350, 800, ""},
		{9, 350, 900, "Late g t since 08:09:00 firing lag=550"},
		// Message 551 came between minutes 5 and 6: it is 4 to 5 minutes old, which
		// is unknown, and the alert stays.
		{10, 550, 1000, "Late g t since 08:09:00 firing lag=450"},
		{11, 1100, 1100, "Late g t since 08:09:00 ended 08:11:00 lag=0"},
	} {
		r.groups = []Group{newGroupOf("g", newPartition(0, s.commit, s.end))}
		mustPollAlerts(t, w, rec, float64(s.minute), s.want)
	}
}

// One partition is not consumed while the others are: the alert names it, and the
// members of the group make the difference between stalled and stopped.
func TestStalledAndStopped(t *testing.T) {
	r := &fakeReader{states: map[string]string{"h": "Empty"}}
	rec := &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, r, statusRule("Stalled", trend.Stalled), statusRule("Stopped", trend.Stopped))
	var queries []string
	for m := range int64(5) {
		r.groups = []Group{
			newGroupOf("g", newPartition(0, 100+m*100, 150+m*100), newPartition(1, 70, 80+m*10)),
			newGroupOf("h", newPartition(0, 5, 25)),
			newGroupOf("marker", newPartition(0, 9, 10)),
			newGroupOf("busy", newPartition(0, m*1000, m*1000+50000)),
		}
		want := ""
		if m >= 2 {
			want = fmt.Sprintf("Stalled g t since 08:02:00 firing lag=%d\nStopped h t since 08:02:00 firing lag=20", 60+10*m)
		}
		mustPollAlerts(t, w, rec, float64(m), want)
		queries = append(queries, r.takeQueries())
	}
	if got, want := strings.Join(queries, "|"), "||describe g, describe h|describe g, describe h|describe g, describe h"; got != want {
		t.Errorf("queries = %s, want %s", got, want)
	}
	mustPoll(t, w, 5)
	wantAnnotations(t, rec.last("Stalled"), map[string]string{
		"status": "stalled", "partitions": "1:50", "summary": "g on t: stalled (has members, commits nothing), 100 behind",
		"rate_in": "1.5", "rate_out": "1.3", "drain": "never",
	})
	wantAnnotations(t, rec.last("Stopped"), map[string]string{"summary": "h on t: stopped (has no members), 20 behind"})
	rec.take()
	r.groups = []Group{newGroupOf("g", newPartition(0, 600, 600), newPartition(1, 130, 130)), newGroupOf("h", newPartition(0, 24, 25))}
	mustPollAlerts(t, w, rec, 6, "Stalled g t since 08:02:00 ended 08:06:00 lag=0\nStopped h t since 08:02:00 ended 08:06:00 lag=1")
}

// A group that cannot be described counts as stalled, and an alert reports the error.
func TestStalledWithoutPermissionToDescribe(t *testing.T) {
	r := &fakeReader{describeErr: errors.New("no permission"), groups: []Group{newGroupOf("g", newPartition(0, 5, 25))}}
	rec := &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, r, statusRule("Stuck", trend.Stalled, trend.Stopped))
	for m := range 3 {
		mustPoll(t, w, float64(m))
	}
	rec.take()
	mustPollAlerts(t, w, rec, 3, "TocsinPollFailed g since 08:02:00 firing\nStuck g t since 08:02:00 firing lag=20")
}

// The alerts of a topic end when the group unsubscribes, and do not come back while
// the group cannot be described.
func TestUnsubscribedTopic(t *testing.T) {
	r := &fakeReader{}
	rec := &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, r, lagRule(10), statusRule("Stalled", trend.Stalled))
	poll := func(m float64, want string) {
		t.Helper()
		r.groups = []Group{newGroup("g", Topic{Name: "t", Partitions: []Partition{newPartition(0, 5, 25+int64(m))}}, newTopic("u", "0"))}
		mustPollAlerts(t, w, rec, m, want)
	}
	poll(0, "Lag g t since 08:00:00 firing lag=20")
	poll(1, "Lag g t since 08:00:00 firing lag=21")
	r.unsubscribed = map[string][]string{"g": {"t"}}
	poll(2, "Lag g t since 08:00:00 ended 08:02:00")
	for m := range 5 {
		poll(float64(3+m), "")
	}
	r.describeErr = errors.New("timeout")
	poll(8, "")
	poll(9, "TocsinPollFailed g since 08:08:00 firing")
	r.describeErr = nil
	poll(10, "TocsinPollFailed g since 08:08:00 ended 08:10:00")
	r.unsubscribed = nil
	poll(11, "Lag g t since 08:11:00 firing lag=31\nStalled g t since 08:11:00 firing lag=31")
}

func TestGrowingFor(t *testing.T) {
	r := &fakeReader{}
	rec := &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, r, Rule{Alert: "Grows", GrowingFor: minutes(6), MaxLag: ptr(50)})
	for m := range int64(9) {
		r.groups = []Group{newGroupOf("g", newPartition(0, 100*m, 100*m+10+20*m)), newGroupOf("level", newPartition(0, 100*m, 100*m+500))}
		want := ""
		if m >= 6 {
			want = fmt.Sprintf("Grows g t since 08:06:00 firing lag=%d", 10+20*m)
		}
		mustPollAlerts(t, w, rec, float64(m), want)
	}
}

// Burrow calls a consumer stalled after one poll, Tocsin after three over a minute.
func TestBurrow(t *testing.T) {
	for burrow, want := range map[bool]string{true: "08:00:00", false: "08:02:00"} {
		t.Run(fmt.Sprintf("burrow %t", burrow), func(t *testing.T) {
			rec := &ingestRecorder{}
			w := newRuleWatcher(memory.New(), rec, &fakeReader{groups: []Group{newGroupOf("g", newPartition(0, 5, 25))}}, statusRule("Stalled", trend.Stalled))
			w.Config.Burrow = burrow
			for m := range 3 {
				mustPoll(t, w, float64(m))
			}
			a := rec.last("Stalled")
			if got := a.StartsAt.Format(time.TimeOnly); got != want {
				t.Errorf("StartsAt = %s, want %s", got, want)
			}
			wantAnnotations(t, a, map[string]string{"status": "stalled"})
		})
	}
}

func TestAllowedLag(t *testing.T) {
	for allowed, want := range map[int64]int{0: 2, 1: 1, 20: 0} {
		t.Run(fmt.Sprintf("allowed_lag %d", allowed), func(t *testing.T) {
			r := &fakeReader{groups: []Group{newGroupOf("marker", newPartition(0, 9, 10)), newGroupOf("g", newPartition(0, 5, 25))}}
			rec := &ingestRecorder{}
			w := newRuleWatcher(memory.New(), rec, r, statusRule("Stalled", trend.Stalled))
			w.Config.AllowedLag = &allowed
			for m := range 3 {
				rec.take()
				mustPoll(t, w, float64(m))
			}
			if got := len(rec.received); got != want {
				t.Errorf("%d alerts fire, want %d", got, want)
			}
		})
	}
}

// Without a window, conditions that need one are unknown and the alerts stay.
func TestEvaluateWithoutWindow(t *testing.T) {
	e := NewEvaluator([]Rule{statusRule("Stalled", trend.Stalled), {Alert: "Grows", GrowingFor: minutes(1)}}, "c", "en")
	state := &ClusterState{}
	for i := range e.rules {
		state.Rules = append(state.Rules, RuleAlerts{e.rules[i].id, activeAlerts{"g": {"t": {Since: at(0), Firing: true}}}})
	}
	_, alerts := e.Evaluate(state, newSnapshot(newGroupOf("g", newPartition(0, 5, 25))), at(1))
	if got, want := summarize(alerts), "Stalled g t since 08:00:00 firing lag=20\nGrows g t since 08:00:00 firing lag=20"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The allowed lag of a cluster replaces that of all, and a rule's that of its cluster.
func TestAllowedLagOfClustersAndRules(t *testing.T) {
	stalled := func(name string, allowed *int64) Rule {
		r := statusRule(name, trend.Stalled)
		r.AllowedLag = allowed
		return r
	}
	lost := Rule{Alert: "Lost", Lost: true, AllowedLag: ptr(5)}
	late := Rule{Alert: "Late", MaxDelay: minutes(10), AllowedLag: ptr(0)}
	r := &fakeReader{groups: []Group{
		newGroupOf("one", newPartition(0, 9, 10)), newGroupOf("three", newPartition(0, 7, 10)), newGroupOf("lost", lostPartition(0, 0, 6), lostPartition(1, 0, 5)),
	}}
	r.oldestUnread = map[string]time.Time{"three/t/0": at(2)}
	for name, tt := range map[string]struct {
		cluster *int64
		want    string
	}{
		"the default": {nil, "Lost lost t since 08:00:00 firing lag=0\nNone one t since 08:02:00 firing lag=1\nLate one t since 08:00:00 firing lag=1\n" +
			"Stalled three t since 08:02:00 firing lag=3\nNone three t since 08:02:00 firing lag=3"},
		"of the cluster": {ptr(3), "Lost lost t since 08:00:00 firing lag=0\nNone one t since 08:02:00 firing lag=1\nLate one t since 08:00:00 firing lag=1\n" +
			"None three t since 08:02:00 firing lag=3"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := &ingestRecorder{}
			w := newRuleWatcher(memory.New(), rec, r, stalled("Stalled", nil), stalled("None", ptr(0)), lost, late)
			w.Config.Clusters[0].AllowedLag = tt.cluster
			for minute := range 3 {
				rec.received = nil
				mustPoll(t, w, float64(minute))
			}
			wantAnnotations(t, rec.last("Lost"), map[string]string{"lost": "6"})
			wantAlerts(t, rec, 2, tt.want)
		})
	}
}
