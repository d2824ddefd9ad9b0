package lag

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/memory"
)

func minutes(n int) setting.Duration { return setting.Duration(time.Duration(n) * time.Minute) }

func status(name string, states ...trend.State) Rule { return Rule{Alert: name, Status: states} }

// last is what the last poll said about an alert.
func (e *ear) last(name string) *alert.Alert {
	for i := len(e.words) - 1; i >= 0; i-- {
		if e.words[i].Name() == name {
			return e.words[i]
		}
	}
	return &alert.Alert{}
}

// How old messages are is asked only of rows that lag by more than is allowed
// and for which a rule has max_delay, with that rule's limits; how old exactly,
// only of those that are older.
func TestAgesAreAskedForWhereTheyMatter(t *testing.T) {
	r := &scripted{
		groups: []Group{
			of("g", part(0, 100, 150), part(1, 100, 101), part(2, 100, 100), part(3, 100, 103), refused),
			of("other", part(0, 0, 9000)),
		},
		oldest: map[string]time.Time{"g/t/0": at(0), "g/t/3": at(11)},
	}
	e := &ear{}
	w := watcher(memory.New(), e, map[string]Reader{"c": r})
	w.Config.Rules = []Rule{
		{Alert: "Late", MaxDelay: minutes(10), ClearBelowDelay: minutes(5), Match: Match{ConsumerGroup: pattern(t, "g")}},
		lagRule(50000),
	}
	mustPoll(t, w, 12.5)
	if got, want := r.heard(), "older g/t/0 5m0s, older g/t/0 10m0s, older g/t/3 5m0s, older g/t/3 10m0s, age g/t/0 1 1s"; got != want {
		t.Errorf("asked\n%s, want\n%s", got, want)
	}
	a := e.last("Late")
	if a.Annotations["delay"] != "749" || a.Annotations["partitions"] != "0:50" { // 12m30s, known to half a second on either side
		t.Errorf("%v", a.Annotations)
	}
	if got, want := a.Annotations["summary"], "g on t: oldest unread message 12m 29s old (limit 10m), 54 behind"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
}

func TestDelayThroughItsLife(t *testing.T) {
	r := &scripted{groups: []Group{of("g", part(0, 100, 150))}}
	e := &ear{}
	w := watcher(memory.New(), e, map[string]Reader{"c": r})
	w.Config.Rules = []Rule{{Alert: "Late", MaxDelay: minutes(10), ClearBelowDelay: minutes(5), For: minutes(2)}}
	for _, s := range []struct {
		minute, age float64
		blind       string
		want        string
	}{
		{20, 10, "", ""},
		{21, 10.5, "", ""},
		{22, 11, "", ""},
		{23, 12, "", "Late g t since 08:21:00 firing lag=50"},
		{24, 6, "", "Late g t since 08:21:00 firing lag=50"},
		{25, 6, "message 7 is 3m ahead", "Late g t since 08:21:00 firing lag=50"},
		{26, 1, "message 7 is 3m ahead", "TocsinPollFailed g since 08:25:00 firing\nLate g t since 08:21:00 firing lag=50"},
		{27, 5, "", "TocsinPollFailed g since 08:25:00 ended 08:27:00\nLate g t since 08:21:00 ended 08:27:00 lag=50"},
	} {
		now := at(s.minute)
		r.oldest = map[string]time.Time{"g/t/0": now.Add(-time.Duration(s.age * float64(time.Minute)))}
		r.blind = s.blind
		mustPoll(t, w, s.minute)
		if s.minute == 26 {
			want := "the age of unread messages in partition 0 of t is not known: message 7 is 3m ahead. The rest is evaluated as usual; alerts about the part that cannot be read stay as they are."
			if got := e.last(alert.PollFailedAlert).Annotations["description"]; got != want {
				t.Errorf("cause %q", got)
			}
		}
		if got := e.heard(); got != s.want {
			t.Fatalf("minute %v:\ngot  %s\nwant %s", s.minute, got, s.want)
		}
	}
}

// Through the cloud's API nobody tells the age of messages: it follows from where
// the ends were, fires when it is surely above, and ends when it is surely not.
func TestDelayFromHistory(t *testing.T) {
	r := &scripted{}
	e := &ear{}
	w := watcher(memory.New(), e, map[string]Reader{"c": read(r.Read)})
	w.Config.Rules = []Rule{{Alert: "Late", MaxDelay: minutes(4)}}
	for _, s := range []struct {
		minute, commit, end int64
		want                string
	}{
		// Message 100 was there at minute 0 already: nobody knows since when.
		{0, 100, 200, ""},
		{2, 100, 300, ""},
		{4, 100, 400, ""},
		{5, 100, 500, "Late g t since 08:05:00 firing lag=400"},
		// Message 350 + 1 that is allowed came between minutes 2 and 4: 2 to 4
		// minutes ago, which is not above 4.
		{6, 350, 600, "Late g t since 08:05:00 ended 08:06:00 lag=250"},
		// 3 to 5 minutes ago: nobody can tell, and nothing begins.
		{7, 350, 700, ""},
		{8, 350, 800, ""},
		{9, 350, 900, "Late g t since 08:09:00 firing lag=550"},
		// Message 451 came between 4 and 5: 5 to 6 minutes at minute 10; 550
		// between 5 and 6: 4 to 5, and it may be either.
		{10, 550, 1000, "Late g t since 08:09:00 firing lag=450"},
		{11, 1100, 1100, "Late g t since 08:09:00 ended 08:11:00 lag=0"},
	} {
		r.groups = []Group{of("g", part(0, s.commit, s.end))}
		mustPoll(t, w, float64(s.minute))
		if got := e.heard(); got != s.want {
			t.Fatalf("minute %v:\ngot  %s\nwant %s", s.minute, got, s.want)
		}
	}
}

// One poisoned partition stands still while the rest move: that is told, with
// the partition; and whether anybody is there to read it.
func TestStalledAndStopped(t *testing.T) {
	r := &scripted{states: map[string]string{"h": "Empty"}}
	e := &ear{}
	w := watcher(memory.New(), e, map[string]Reader{"c": r})
	w.Config.Rules = []Rule{status("Stalled", trend.Stalled), status("Stopped", trend.Stopped)}
	var asked []string
	for m := range int64(5) {
		r.groups = []Group{
			of("g", part(0, 100+m*100, 150+m*100), part(1, 70, 80+m*10)),
			of("h", part(0, 5, 25)),
			of("marker", part(0, 9, 10)),
			of("busy", part(0, m*1000, m*1000+50000)),
		}
		mustPoll(t, w, float64(m))
		asked = append(asked, r.heard())
		want := ""
		if m >= 2 {
			want = "Stalled g t since 08:02:00 firing lag=" + []string{"80", "90", "100"}[m-2] + "\nStopped h t since 08:02:00 firing lag=20"
		}
		if got := e.heard(); got != want {
			t.Fatalf("minute %d:\ngot  %s\nwant %s", m, got, want)
		}
	}
	if got, want := strings.Join(asked, "|"), "||who g, who h|who g, who h|who g, who h"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	mustPoll(t, w, 5)
	a := e.last("Stalled").Annotations
	for name, want := range map[string]string{
		"status": "stalled", "partitions": "1:50", "summary": "g on t: stalled (has members, commits nothing), 100 behind",
		"rate_in": "1.5", "rate_out": "1.3", "drain": "never",
	} {
		if a[name] != want {
			t.Errorf("%s is %q, want %q", name, a[name], want)
		}
	}
	if got, want := e.last("Stopped").Annotations["summary"], "h on t: stopped (has no members), 20 behind"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	// The consumer of h is back and reads; of g one reads the poison.
	e.heard()
	r.groups = []Group{of("g", part(0, 600, 600), part(1, 130, 130)), of("h", part(0, 24, 25))}
	mustPoll(t, w, 6)
	if got, want := e.heard(), "Stalled g t since 08:02:00 ended 08:06:00 lag=0\nStopped h t since 08:02:00 ended 08:06:00 lag=1"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Who reads could not be asked: it stands still in any case, and that one cannot
// tell why is told.
func TestMembersDenied(t *testing.T) {
	r := &scripted{denied: errors.New("no permission"), groups: []Group{of("g", part(0, 5, 25))}}
	e := &ear{}
	w := watcher(memory.New(), e, map[string]Reader{"c": r})
	w.Config.Rules = []Rule{status("Stuck", trend.Stalled, trend.Stopped)}
	for m := range 4 {
		e.heard()
		mustPoll(t, w, float64(m))
	}
	if got, want := e.heard(), "TocsinPollFailed g since 08:02:00 firing\nStuck g t since 08:02:00 firing lag=20"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A topic that nobody in the group reads any more alarms no longer, however often
// the cluster forgets to say so.
func TestUnsubscribed(t *testing.T) {
	r := &scripted{unsubscribed: map[string][]string{"g": {"t"}}}
	e := &ear{}
	w := watcher(memory.New(), e, map[string]Reader{"c": r})
	w.Config.Rules = []Rule{lagRule(10), status("Stalled", trend.Stalled)}
	said := func(m float64, want string) {
		t.Helper()
		r.groups = []Group{whole("g", Topic{Name: "t", Partitions: []Partition{part(0, 5, 25+int64(m))}}, topic("u", "0"))}
		mustPoll(t, w, m)
		if got := e.heard(); got != want {
			t.Fatalf("minute %v:\ngot  %s\nwant %s", m, got, want)
		}
	}
	said(0, "Lag g t since 08:00:00 firing lag=20")
	said(1, "Lag g t since 08:00:00 firing lag=21")
	said(2, "Lag g t since 08:00:00 ended 08:02:00")
	for m := range 5 {
		said(float64(3+m), "")
	}
	r.denied = errors.New("timeout")
	said(8, "")
	said(9, "TocsinPollFailed g since 08:08:00 firing")
	r.denied = nil
	said(10, "TocsinPollFailed g since 08:08:00 ended 08:10:00")
	r.unsubscribed = nil
	said(11, "Lag g t since 08:11:00 firing lag=31\nStalled g t since 08:11:00 firing lag=31")
}

func TestGrowing(t *testing.T) {
	r := &scripted{}
	e := &ear{}
	w := watcher(memory.New(), e, map[string]Reader{"c": r})
	w.Config.Rules = []Rule{{Alert: "Grows", GrowingFor: minutes(6), MaxLag: ptr(50)}}
	for m := range int64(9) {
		r.groups = []Group{of("g", part(0, 100*m, 100*m+10+20*m)), of("level", part(0, 100*m, 100*m+500))}
		mustPoll(t, w, float64(m))
		want := ""
		if m >= 6 {
			want = "Grows g t since 08:06:00 firing lag=" + []string{"130", "150", "170"}[m-6]
		}
		if got := e.heard(); got != want {
			t.Fatalf("minute %v:\ngot  %s\nwant %s", m, got, want)
		}
	}
}

// Burrow calls a consumer stalled that it has seen once. Tocsin waits for three
// polls over a minute.
func TestBurrow(t *testing.T) {
	for burrow, want := range map[bool]string{true: "08:00:00", false: "08:02:00"} {
		e := &ear{}
		w := watcher(memory.New(), e, map[string]Reader{"c": &scripted{groups: []Group{of("g", part(0, 5, 25))}}})
		w.Config.Rules, w.Config.Burrow = []Rule{status("Stalled", trend.Stalled)}, burrow
		for m := range 3 {
			mustPoll(t, w, float64(m))
		}
		a := e.last("Stalled")
		if got := a.StartsAt.Format(time.TimeOnly); got != want || a.Annotations["status"] != "stalled" {
			t.Errorf("burrow %v: since %s, want %s; %v", burrow, got, want, a.Annotations)
		}
	}
}

// What may be left unread is up to the configuration.
func TestAllowedLag(t *testing.T) {
	for allowed, want := range map[int64]int{0: 2, 1: 1, 20: 0} {
		r := &scripted{groups: []Group{of("marker", part(0, 9, 10)), of("g", part(0, 5, 25))}}
		e := &ear{}
		w := watcher(memory.New(), e, map[string]Reader{"c": r})
		w.Config.Rules, w.Config.AllowedLag = []Rule{status("Stalled", trend.Stalled)}, &allowed
		for m := range 3 {
			e.heard()
			mustPoll(t, w, float64(m))
		}
		if got := len(e.words); got != want {
			t.Errorf("with %d allowed %d fire, want %d", allowed, got, want)
		}
	}
}

// A judge that is given no window leaves what fires as it is.
func TestStatusWithoutWindow(t *testing.T) {
	j := NewEvaluator([]Rule{status("Stalled", trend.Stalled), {Alert: "Grows", GrowingFor: minutes(1)}}, "c", "en")
	state := &ClusterState{}
	for i := range j.rules {
		state.Rules = append(state.Rules, RuleAlerts{j.rules[i].id, map[string]map[string]ActiveAlert{"g": {"t": {Since: at(0), Firing: true}}}})
	}
	_, alerts := j.Evaluate(state, all(of("g", part(0, 5, 25))), at(1))
	if got, want := brief(alerts), "Stalled g t since 08:00:00 firing lag=20\nGrows g t since 08:00:00 firing lag=20"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
