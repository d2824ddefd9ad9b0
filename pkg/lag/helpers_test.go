package lag

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
)

var t0 = time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)

// at returns the time of a minute of the test, which begins at 08:00.
func at(minutes float64) time.Time { return t0.Add(time.Duration(minutes * float64(time.Minute))) }

func minutes(n int) setting.Duration { return setting.Duration(time.Duration(n) * time.Minute) }

func ptr(n int64) *int64 { return &n }

func mustPattern(t testing.TB, text string) setting.Pattern {
	t.Helper()
	p, err := setting.NewPattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mustTemplates returns templates from pairs of name and text.
func mustTemplates(t testing.TB, pairs ...string) map[string]setting.Template {
	t.Helper()
	m := map[string]setting.Template{}
	for i := 0; i < len(pairs); i += 2 {
		template, err := setting.NewTemplate(pairs[i+1])
		if err != nil {
			t.Fatal(err)
		}
		m[pairs[i]] = template
	}
	return m
}

func lagRule(maxLag int64) Rule { return Rule{Alert: "Lag", MaxLag: ptr(maxLag)} }

func statusRule(name string, states ...trend.State) Rule { return Rule{Alert: name, Status: states} }

// newTopic returns a topic with the lags of its partitions; "?" is one that could not
// be read, "-" one without a commit.
func newTopic(name, lags string) Topic {
	topic := Topic{Name: name}
	for i, field := range strings.Fields(lags) {
		p := Partition{ID: int32(i), Reason: "error 3"}
		if field == "-" {
			p.Reason = NoCommit
		}
		if n, err := strconv.ParseInt(field, 10, 64); err == nil {
			p = Partition{ID: int32(i), Committed: 100, End: 100 + n, Lag: n, Known: true}
		}
		topic.Partitions = append(topic.Partitions, p)
	}
	return topic
}

// newGroup returns a complete group.
func newGroup(name string, topics ...Topic) Group {
	return Group{Name: name, Topics: topics, Complete: true}
}

// newGroupOf returns a complete group with one topic t.
func newGroupOf(name string, partitions ...Partition) Group {
	return newGroup(name, Topic{Name: "t", Partitions: partitions})
}

// newSnapshot returns a complete snapshot.
func newSnapshot(groups ...Group) *Snapshot { return &Snapshot{Groups: groups, Complete: true} }

// lagSnapshot returns a complete snapshot of the group g with the topic t.
func lagSnapshot(lags string) *Snapshot { return newSnapshot(newGroup("g", newTopic("t", lags))) }

func newPartition(id int32, commit, end int64) Partition {
	return Partition{ID: id, Committed: commit, End: end, Lag: end - commit, Known: true}
}

// agedPartition returns a partition whose oldest unread message has an age between
// two numbers of minutes; a negative one is an unknown age.
func agedPartition(id int32, lag int64, atLeast, atMost float64) Partition {
	p := newPartition(id, 100, 100+lag)
	p.Age = &Age{Reason: "no clock"}
	if atLeast >= 0 {
		minutes := func(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }
		p.Age = &Age{AtLeast: minutes(atLeast), AtMost: minutes(atMost), Known: true}
	}
	return p
}

// lostPartition returns a partition of which messages were deleted unread.
func lostPartition(id int32, lag, lost int64) Partition {
	return Partition{ID: id, Committed: 100, Start: 100 + lost, End: 100 + lost + lag, Lag: lag, Lost: lost, Known: true}
}

var (
	uncommittedPartition = Partition{ID: 8, Committed: -1, End: 50, Reason: NoCommit}
	deniedPartition      = Partition{ID: 9, Committed: -1, End: -1, Reason: "denied"}

	// Above and at the max_lag of a new test Watcher.
	overLimit  = lagSnapshot("2001")
	belowLimit = lagSnapshot("2000")
)

// manyPartitions returns groups of topics of 24 partitions, each with a lag of 100.
func manyPartitions(groups, topics int) *Snapshot {
	snap := newSnapshot()
	for g := range groups {
		group := newGroup(fmt.Sprintf("group-%03d", g))
		for t := range topics {
			topic := Topic{Name: fmt.Sprintf("topic-%02d", t)}
			for p := range int32(24) {
				topic.Partitions = append(topic.Partitions, newPartition(p, 1_000_000, 1_000_100))
			}
			group.Topics = append(group.Topics, topic)
		}
		snap.Groups = append(snap.Groups, group)
	}
	return snap
}

// localizedError is an error with a text in each language.
type localizedError struct{ error }

func (localizedError) Text(language string) string { return "cause in " + language }

// readerFunc is a Reader made of a function.
type readerFunc func(ctx context.Context) (*Snapshot, error)

func (r readerFunc) Read(ctx context.Context) (*Snapshot, error) { return r(ctx) }

func returning(snap *Snapshot) readerFunc {
	return func(context.Context) (*Snapshot, error) { return snap, nil }
}

func failing(text string) readerFunc {
	return func(context.Context) (*Snapshot, error) { return nil, errors.New(text) }
}

// fakeReader is a Reader that answers all follow-up queries, and records them.
type fakeReader struct {
	groups  []Group
	listErr error // of the list of groups, which is then incomplete
	// states are the states of groups; one without has a member and is Stable.
	states       map[string]string
	unsubscribed map[string][]string // topics by group
	describeErr  error
	// oldestUnread is when the oldest unread message was written, by
	// group/topic/id; ageReason is why ages are unknown.
	oldestUnread map[string]time.Time
	ageReason    string

	unlisted []Group // what Verify returns of the missing groups and topics

	tails     map[string]Tail // by group/topic/id
	tailReads int             // calls of ReadTails

	transactions map[string]*Transaction // by group/topic/id

	queries []string // follow-up queries in order
}

func (f *fakeReader) ReadTransactions(_ context.Context, partitions []GroupPartition) []*Transaction {
	out := make([]*Transaction, len(partitions))
	for i, p := range partitions {
		out[i] = f.transactions[fmt.Sprintf("%s/%s/%d", p.Group, p.Topic, p.ID)]
	}
	return out
}

func (f *fakeReader) ReadTails(_ context.Context, partitions []GroupPartition) []Tail {
	f.tailReads++
	out := make([]Tail, len(partitions))
	for i, p := range partitions {
		out[i] = f.tails[fmt.Sprintf("%s/%s/%d", p.Group, p.Topic, p.ID)]
	}
	return out
}

func (f *fakeReader) Verify(_ context.Context, missing []Group) (found []Group) {
	for _, m := range missing {
		for _, g := range f.unlisted {
			isMissing := func(t Topic) bool {
				return slices.ContainsFunc(m.Topics, func(u Topic) bool { return u.Name == t.Name })
			}
			if g.Name == m.Name && (len(m.Topics) == 0 || slices.ContainsFunc(g.Topics, isMissing)) {
				found = append(found, g)
			}
		}
	}
	return found
}

func (f *fakeReader) Read(context.Context) (*Snapshot, error) {
	snap := &Snapshot{Complete: f.listErr == nil, Err: f.listErr}
	for _, g := range f.groups {
		topics := g.Topics
		g.Topics = nil
		for _, t := range topics {
			t.Partitions = append([]Partition(nil), t.Partitions...)
			g.Topics = append(g.Topics, t)
		}
		snap.Groups = append(snap.Groups, g)
	}
	return snap, nil
}

func (f *fakeReader) Describe(_ context.Context, groups []Group) {
	for i := range groups {
		g := &groups[i]
		f.queries = append(f.queries, "describe "+g.Name)
		if g.PartialErr = f.describeErr; g.PartialErr != nil {
			continue
		}
		g.State = "Stable"
		if state := f.states[g.Name]; state != "" {
			g.State = state
		}
		if g.State == "Stable" {
			g.Members = []Member{{ClientID: "a"}}
		}
		for t := range g.Topics {
			for _, name := range f.unsubscribed[g.Name] {
				g.Topics[t].Unsubscribed = g.Topics[t].Unsubscribed || g.Topics[t].Name == name
			}
		}
	}
}

func (f *fakeReader) CountOlder(_ context.Context, now time.Time, partitions []GroupPartition, thresholds []time.Duration) [][]OlderCount {
	out := make([][]OlderCount, len(partitions))
	for i, p := range partitions {
		name := fmt.Sprintf("%s/%s/%d", p.Group, p.Topic, p.ID)
		for _, threshold := range thresholds {
			f.queries = append(f.queries, fmt.Sprintf("older %s %v", name, threshold))
			count := OlderCount{Known: f.ageReason == "", Reason: f.ageReason}
			if count.Known && now.Sub(f.oldestUnread[name]) > threshold {
				count.Messages = p.Lag
			}
			out[i] = append(out[i], count)
		}
	}
	return out
}

func (f *fakeReader) ReadAges(_ context.Context, now time.Time, partitions []GroupPartition, allowed int64, precision time.Duration) []Age {
	out := make([]Age, len(partitions))
	for i, p := range partitions {
		name := fmt.Sprintf("%s/%s/%d", p.Group, p.Topic, p.ID)
		f.queries = append(f.queries, fmt.Sprintf("age %s %d %v", name, allowed, precision))
		age := now.Sub(f.oldestUnread[name])
		out[i] = Age{AtLeast: age - precision/2, AtMost: age + precision/2, Known: f.ageReason == "", Reason: f.ageReason}
	}
	return out
}

// takeQueries returns the follow-up queries since the last call.
func (f *fakeReader) takeQueries() string {
	defer func() { f.queries = nil }()
	return strings.Join(f.queries, ", ")
}

// ingestRecorder records alerts and merges them as the dispatcher does.
type ingestRecorder struct {
	merged   map[string]*alert.Alert // by cluster, name and topic
	received []*alert.Alert          // since the last take
}

func (r *ingestRecorder) Ingest(_ context.Context, now time.Time, alerts []*alert.Alert) error {
	if r.merged == nil {
		r.merged = map[string]*alert.Alert{}
	}
	for _, a := range alerts {
		in := *a
		in.UpdatedAt = now
		key := fmt.Sprint(a.Labels[alert.ClusterLabel], " ", a.Name(), " ", a.Labels[alert.TopicLabel])
		if old := r.merged[key]; old != nil {
			r.merged[key] = alert.Merge(old, &in)
		} else {
			r.merged[key] = &in
		}
	}
	r.received = append(r.received, alerts...)
	return nil
}

// firing returns the keys of the alerts that fire at now.
func (r *ingestRecorder) firing(now time.Time) (keys []string) {
	for _, key := range sortedKeys(r.merged) {
		if !r.merged[key].ResolvedAt(now) {
			keys = append(keys, key)
		}
	}
	return keys
}

// take returns a summary of the alerts since the last call.
func (r *ingestRecorder) take() string {
	defer func() { r.received = nil }()
	return summarize(r.received)
}

// last returns the last alert with a name since the last take; an empty one if there
// is none.
func (r *ingestRecorder) last(name string) *alert.Alert {
	for i := len(r.received) - 1; i >= 0; i-- {
		if r.received[i].Name() == name {
			return r.received[i]
		}
	}
	return &alert.Alert{}
}

// summarize returns one line for each alert: its name, group and topic, its times
// and its lag.
func summarize(alerts []*alert.Alert) string {
	var lines []string
	for _, a := range alerts {
		line := a.Name()
		for _, name := range []string{alert.GroupLabel, alert.TopicLabel} {
			if v := a.Labels[name]; v != "" {
				line += " " + v
			}
		}
		line += " since " + a.StartsAt.Format("15:04:05")
		if a.EndsAt.IsZero() {
			line += " firing"
		} else {
			line += " ended " + a.EndsAt.Format("15:04:05")
		}
		if lag, ok := a.Annotations[alert.LagAnnotation]; ok {
			line += " lag=" + lag
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// newTestWatcher returns a Watcher of clusters with a rule for a lag above 2000.
func newTestWatcher(st store.Store, r *ingestRecorder, readers map[string]Reader) *Watcher {
	w := &Watcher{
		Config:  &Config{Rules: []Rule{lagRule(2000)}},
		Readers: readers, Store: st, Ingest: r.Ingest, Language: "en",
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, name := range sortedKeys(readers) {
		w.Config.Clusters = append(w.Config.Clusters, Cluster{Name: name})
	}
	return w
}

// newRuleWatcher returns a Watcher of the cluster c with rules.
func newRuleWatcher(st store.Store, r *ingestRecorder, reader Reader, rules ...Rule) *Watcher {
	w := newTestWatcher(st, r, map[string]Reader{"c": reader})
	w.Config.Rules = rules
	return w
}

func mustPoll(t *testing.T, w *Watcher, minute float64) Summary {
	t.Helper()
	sum, err := w.Poll(t.Context(), at(minute))
	if err != nil {
		t.Fatalf("poll at minute %v: %v", minute, err)
	}
	return sum
}

// wantAlerts fails the test unless these alerts were ingested since the last take.
func wantAlerts(t *testing.T, r *ingestRecorder, minute float64, want string) {
	t.Helper()
	if got := r.take(); got != want {
		t.Fatalf("alerts at minute %v:\ngot  %s\nwant %s", minute, got, want)
	}
}

// mustPollAlerts polls and fails the test unless it ingests these alerts.
func mustPollAlerts(t *testing.T, w *Watcher, r *ingestRecorder, minute float64, want string) {
	t.Helper()
	mustPoll(t, w, minute)
	wantAlerts(t, r, minute, want)
}

// lastAlerts evaluates snapshots a minute apart and returns the alerts of the last.
func lastAlerts(e *Evaluator, snaps ...*Snapshot) (alerts []*alert.Alert) {
	var state *ClusterState
	for i, snap := range snaps {
		state, alerts = e.Evaluate(state, snap, at(float64(i)))
	}
	return alerts
}

// wantAnnotations checks annotations of an alert; it may have others.
func wantAnnotations(t *testing.T, a *alert.Alert, want map[string]string) {
	t.Helper()
	for name, v := range want {
		if got := a.Annotations[name]; got != v {
			t.Errorf("annotation %s = %q, want %q", name, got, v)
		}
	}
}

var errDenied = errors.New("denied")

// wantInDescription checks that a text is in the description of an alert.
func wantInDescription(t *testing.T, a *alert.Alert, want string) {
	t.Helper()
	if got := a.Annotations[alert.DescriptionAnnotation]; !strings.Contains(got, want) {
		t.Errorf("description = %q, want %q in it", got, want)
	}
}
