package upgrade

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/tencentcloud"
)

func TestUpgradeBolt(t *testing.T)  { testUpgrade(t, openBolt) }
func TestUpgradeRedis(t *testing.T) { testUpgrade(t, openRedis) }

// testUpgrade continues from the store of an earlier version, with its configuration and
// with one that moves alerts to other groups. It checks that the API shows the same
// state, that no notification is repeated, that pending notifications are delivered, and
// that receivers are notified of every resolved alert.
func testUpgrade(t *testing.T, open func(*testing.T) (url string)) {
	for _, test := range []struct {
		name string
		edit *strings.Replacer
		// diskFull are the numbers of alerts of the groups of DiskFull.
		diskFull []int
	}{
		{"same configuration", strings.NewReplacer(), []int{2}},
		{"group_by changed", strings.NewReplacer("group_by: [alertname]", "group_by: [alertname, instance]"), []int{1, 1}},
		{"routes inserted, nested and in another notation", strings.NewReplacer(
			"  routes:\n", "  routes:\n    - {matchers: [alertname=\"New\"], receiver: gone}\n",
			`    - {matchers: [alertname="QueueSlow"], receiver: flaky}`, `    - {match: {alertname: QueueSlow}, receiver: flaky}`,
			`    - {matchers: [alertname="Orphan"], receiver: gone}`, `    - {matchers: ['alertname=~"Orphan|Other"'], routes: [{matchers: ['{alertname="Orphan"}'], receiver: gone}]}`,
		), []int{2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := newInstance(t, open(t), test.edit)
			t.Run("state is shown", func(t *testing.T) { testState(t, in, test.diskFull) })
			t.Run("nothing is notified again", func(t *testing.T) { testNothingRepeated(t, in) })
			t.Run("pending and dead-lettered notifications are delivered", func(t *testing.T) { testOutbox(t, in) })
			t.Run("a used rate limit stays used", func(t *testing.T) { testRateLimit(t, in) })
			t.Run("alerts resolve", func(t *testing.T) { testResolve(t, in, test.diskFull) })
			t.Run("an expired silence unmutes its alert", func(t *testing.T) { testUnmute(t, in) })
		})
	}
}

func testState(t *testing.T, in *instance, diskFull []int) {
	in.serve(t, minutes(10.5), func(call caller) {
		silences := map[string]silence{}
		for _, s := range decode[[]silence](t, call(http.MethodGet, "/api/v2/silences", userToken, "")) {
			silences[s.CreatedBy] = s
		}
		want := map[string]string{
			"amy": `active "restore test" until 2026-03-03T02:00:00.000Z: alertname=Backup instance=~db-[0-9]`,
			"bob": `expired "short" until 2026-03-02T02:01:00.000Z: alertname=Other`,
		}
		for name, text := range want {
			if got := silences[name].String(); got != text {
				t.Errorf("silence of %s: got  %s\nwant %s", name, got, text)
			}
		}
		if len(silences) != len(want) {
			t.Errorf("got %d silences, want %d", len(silences), len(want))
		}
		in.silence = silences["amy"].ID

		alerts := decode[[]alert](t, call(http.MethodGet, "/api/v2/alerts", userToken, ""))
		var got []string
		for _, a := range alerts {
			got = append(got, a.String())
			switch {
			case a.Labels["alertname"] == "Backup" && !slices.Equal(a.Status.SilencedBy, []string{in.silence}):
				t.Errorf("Backup: got silencedBy %q, want %q", a.Status.SilencedBy, in.silence)
			case a.Labels["alertname"] == "HighLatency" && !slices.Equal(a.Status.InhibitedBy, []string{"cd13fe1112cb4ba4"}):
				t.Errorf("HighLatency: got inhibitedBy %q, want the fingerprint of NodeDown", a.Status.InhibitedBy)
			case a.Labels["instance"] == "db-1":
				wantAnnotations := map[string]string{"summary": "磁盘 95%", "runbook": "https://wiki.example.com/disk?a=1&b=2"}
				if fmt.Sprint(a.Annotations) != fmt.Sprint(wantAnnotations) || a.GeneratorURL != "http://prometheus.example.com/graph?g0.expr=disk" {
					t.Errorf("db-1: got annotations %q and %q, want those that were posted", a.Annotations, a.GeneratorURL)
				}
			}
		}
		slices.Sort(got)
		wantLines(t, "alerts", got,
			"Backup db-2 suppressed since 02:00:00 to ops",
			"Chatty x active since 02:00:00 to chat",
			"DiskFull db-1 active since 02:00:00 to ops",
			"DiskFull db-2 active since 02:00:00 to ops",
			"HighLatency c1 suppressed since 02:00:00 to ops",
			"HostCPUHigh web-1 active since 02:00:45 to ops",
			"HostOffline web-2 active since 02:00:02 to ops",
			"KafkaConsumerLag paid active since 02:00:01 to ops",
			"NodeDown c1 active since 02:00:00 to ops",
			"Orphan x active since 02:00:00 to gone",
			"Paged x active since 02:00:00 to app",
			"QueueSlow mail active since 02:00:00 to flaky")

		groups := decode[[]group](t, call(http.MethodGet, "/api/v2/alerts/groups", userToken, ""))
		got = nil
		for _, g := range groups {
			got = append(got, fmt.Sprintf("%s %s %d", g.Receiver.Name, g.Labels["alertname"], len(g.Alerts)))
		}
		slices.Sort(got)
		wantLines(t, "groups", got, sorted(diskFull, "ops DiskFull %d",
			"app Paged 1", "chat Chatty 1", "flaky QueueSlow 1", "gone Orphan 1",
			"ops Backup 1", "ops HighLatency 1", "ops HostCPUHigh 1", "ops HostOffline 1", "ops KafkaConsumerLag 1", "ops NodeDown 1")...)

		got = nil
		for _, h := range decode[[]host](t, call(http.MethodGet, "/agents", userToken, "")) {
			got = append(got, h.ID+" "+h.State+" "+h.LastReport)
		}
		wantLines(t, "hosts", got,
			"db-9 online 2026-03-02T02:09:50Z", "web-1 online 2026-03-02T02:09:50Z", "web-2 offline 2026-03-02T02:00:02Z")

		if status := string(call(http.MethodGet, "/api/v2/status", userToken, "")); !strings.Contains(status, `{"name":"old","address":"10.0.0.1:9093"}`) {
			t.Errorf("status: got %s, want the earlier version's instance among the peers", status)
		}
	})
}

// testNothingRepeated checks that no notification is repeated, although groups have other
// ids than in the earlier version, which identified routes by their positions.
func testNothingRepeated(t *testing.T, in *instance) {
	sent, pending := in.tick(t, minutes(10.5))
	if sent != 0 || pending != 1 {
		t.Errorf("got %d messages sent and %d notifications pending, want 0 and 1", sent, pending)
	}
	wantLines(t, "webhooks", in.hooks.take())
}

func testOutbox(t *testing.T, in *instance) {
	in.report(t, minutes(11.4), "web-1", 96)
	in.report(t, minutes(11.4), "db-9", 30)
	in.open(t, minutes(11.4), func(a *application) {
		ids, lines := a.deadLetters(t)
		wantLines(t, "dead letters", lines, `gone webhook {}/{alertname="Orphan"}:{alertname="Orphan"} 02:00:01 "the server refuses the request (HTTP 404)"`)
		for _, id := range ids {
			a.resend(t, id)
		}
	})
	sent, pending := in.tick(t, minutes(11.5))
	if sent != 2 || pending != 0 {
		t.Errorf("got %d messages sent and %d notifications pending, want 2 and 0", sent, pending)
	}
	wantLines(t, "webhooks", in.hooks.take(), "flaky firing QueueSlow 1", "gone firing Orphan 1")
	in.open(t, minutes(11.5), func(a *application) {
		_, lines := a.deadLetters(t)
		wantLines(t, "dead letters after resending", lines)
	})
}

// testRateLimit checks that the robot's limit of one message per hour is used up, because
// the earlier version sent one at 02:00:01.
func testRateLimit(t *testing.T, in *instance) {
	in.post(t, minutes(12), `{"labels":{"alertname":"ChattyToo"}}`)
	sent, pending := in.tick(t, minutes(12))
	if n := len(in.cloud.WeCom.Inbox()); sent != 0 || pending != 1 || n != 0 {
		t.Errorf("got %d messages sent, %d notifications pending and %d messages at the robot, want 0, 1 and 0", sent, pending, n)
	}
}

func testResolve(t *testing.T, in *instance, diskFull []int) {
	report := func(now time.Time) {
		for id := range hostTokens {
			in.report(t, now, id, 10)
		}
	}
	in.setLag(t, 100)
	ended := `"startsAt":"2026-03-02T02:00:00Z","endsAt":"2026-03-02T02:12:30Z"`
	in.post(t, minutes(12.5),
		`{"labels":{"alertname":"DiskFull","instance":"db-1","severity":"critical"},`+ended+`}`,
		`{"labels":{"alertname":"DiskFull","instance":"db-2","severity":"critical"},`+ended+`}`)
	// The lag and the hosts are read at 13 minutes; their groups are due within the
	// next minute.
	report(minutes(12.8))
	in.tick(t, minutes(13))
	report(minutes(13.8))
	in.tick(t, minutes(14))
	wantLines(t, "webhooks", in.hooks.take(), sorted(diskFull, "ops resolved DiskFull %d",
		"ops resolved HostCPUHigh 1", "ops resolved HostOffline 1", "ops resolved KafkaConsumerLag 1")...)
}

func testUnmute(t *testing.T, in *instance) {
	in.serve(t, minutes(14.2), func(call caller) {
		call(http.MethodDelete, "/api/v2/silence/"+in.silence, userToken, "")
	})
	in.post(t, minutes(14.2), `{"labels":{"alertname":"Backup","instance":"db-2"}}`)
	in.tick(t, minutes(15.5))
	if got := in.hooks.take(); !slices.Contains(got, "ops firing Backup 1") {
		t.Errorf("webhooks: got %q, want ops firing Backup 1 among them", got)
	}
	// An hour after its last message the robot may receive the next one.
	in.tick(t, minutes(61))
	var texts []string
	for _, m := range in.cloud.WeCom.Inbox() {
		texts = append(texts, m.Content)
	}
	if all := strings.Join(texts, "\n"); !strings.Contains(all, "ChattyToo") {
		t.Errorf("robot: got %q, want the notification that waited for the rate limit", texts)
	}
}

// lagOf returns a cluster in which one topic is behind by n messages.
func lagOf(n int64) tencentcloud.Instance {
	return tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: tencentcloud.StaticGroups{"order-worker": []tencentcloud.Topic{
		{Name: "paid", Partitions: []tencentcloud.Partition{{ID: 0, Committed: 1000, End: 1000 + n/10}, {ID: 1, Committed: 7, End: 7 + n - n/10}}},
		{Name: "sent", Partitions: []tencentcloud.Partition{{ID: 0, Committed: 10, End: 20}}},
	}}}
}

// The types of API v2 and of /agents are repeated here, so that the test does not depend
// on the code that it checks.

type alert struct {
	Labels, Annotations map[string]string
	StartsAt            time.Time
	GeneratorURL        string
	Receivers           []struct{ Name string }
	Status              struct {
		State                   string
		SilencedBy, InhibitedBy []string
	}
}

func (a alert) String() string {
	l := a.Labels
	about := l["instance"] + l["cell"] + l["queue"] + l["topic"] + l["host"]
	return fmt.Sprintf("%s %s %s since %s to %s", l["alertname"], about, a.Status.State, a.StartsAt.UTC().Format(time.TimeOnly), a.Receivers[0].Name)
}

type group struct {
	Labels   map[string]string
	Receiver struct{ Name string }
	Alerts   []alert
}

type silence struct {
	ID, CreatedBy, Comment, EndsAt string
	Status                         struct{ State string }
	Matchers                       []struct {
		Name, Value      string
		IsRegex, IsEqual bool
	}
}

func (s silence) String() string {
	text := fmt.Sprintf("%s %q until %s:", s.Status.State, s.Comment, s.EndsAt)
	for _, m := range s.Matchers {
		operator := map[bool]string{false: "=", true: "=~"}[m.IsRegex]
		text += " " + m.Name + operator + m.Value
	}
	return text
}

type host struct{ ID, State, LastReport string }

func decode[T any](t *testing.T, body []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("got %q: %v", body, err)
	}
	return v
}

// sorted returns lines and one more for each number, in order.
func sorted(numbers []int, format string, lines ...string) []string {
	for _, n := range numbers {
		lines = append(lines, fmt.Sprintf(format, n))
	}
	slices.Sort(lines)
	return lines
}

func wantLines(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}
