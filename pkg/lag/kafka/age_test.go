package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

// now is the time at which ages are read.
var now = messageTime.Add(2 * time.Hour)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// steadyTimes returns a message every 3.6 s for the last hour.
func steadyTimes() (times []time.Time) {
	for i := range 1000 {
		times = append(times, now.Add(-time.Hour+time.Duration(i)*3600*time.Millisecond))
	}
	return times
}

// burstyTimes returns 90 % of an hour's messages in its first 9 s, and the
// others evenly after that.
func burstyTimes() (times []time.Time) {
	for i := range 900 {
		times = append(times, now.Add(-time.Hour+time.Duration(i)*10*time.Millisecond))
	}
	for i := range 100 {
		times = append(times, now.Add(-time.Hour+9*time.Second+time.Duration(i)*35900*time.Millisecond))
	}
	return times
}

// trafficCluster is a cluster whose groups have commits at random offsets of a
// steady and a bursty topic.
type trafficCluster struct {
	*localkafka.Kafka
	reader *Reader
	rows   []lag.GroupPartition
	times  map[string][]time.Time // of the messages, by topic and offset
}

func startTrafficCluster(t testing.TB) (context.Context, *trafficCluster) {
	t.Helper()
	times := map[string][]time.Time{"steady": steadyTimes(), "bursty": burstyTimes()}
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"steady": 3, "bursty": 3}, Brokers: 3})
	random := rand.New(rand.NewPCG(1, 2))
	for topic, at := range times {
		for p := range int32(3) {
			must(t, k.SetLeader(topic, p, p))
			for batch := range slices.Chunk(at, 50) {
				must(t, k.ProduceAt(ctx, topic, p, batch...))
			}
			for _, g := range []string{"g0", "g1", "g2", "g3"} {
				must(t, k.Commit(ctx, g, topic, p, random.Int64N(1001)))
			}
		}
	}
	r := newReader(t, k, nil)
	rows := groupPartitions(mustRead(t, ctx, r))
	if len(rows) != 4*6 {
		t.Fatalf("got %d partitions, want %d", len(rows), 4*6)
	}
	return ctx, &trafficCluster{Kafka: k, reader: r, rows: rows, times: times}
}

// age returns the true age of the oldest unread message of a row after skipping
// some; 0 without any.
func (c *trafficCluster) age(row lag.GroupPartition, skip int64) time.Duration {
	if row.Lag <= skip {
		return 0
	}
	return now.Sub(c.times[row.Topic][row.Committed+skip])
}

func describeRow(row lag.GroupPartition) string {
	return fmt.Sprintf("group %s, topic %s, commit %d", row.Group, row.Topic, row.Committed)
}

// checkOlder compares known counts.
func checkOlder(t testing.TB, got []lag.OlderCount, want ...int64) {
	t.Helper()
	var wantCounts []lag.OlderCount
	for _, n := range want {
		wantCounts = append(wantCounts, lag.OlderCount{Messages: n, Known: true})
	}
	if !slices.Equal(got, wantCounts) {
		t.Errorf("CountOlder: got %+v, want %+v", got, wantCounts)
	}
}

func checkAge(t testing.TB, got, want lag.Age) {
	t.Helper()
	if got != want {
		t.Errorf("ReadAges: got %+v, want %+v", got, want)
	}
}

// checkFutureMessage checks that neither count nor age is known because of a
// message from the future.
func checkFutureMessage(t testing.TB, older lag.OlderCount, age lag.Age, want string) {
	t.Helper()
	if older.Known || !strings.Contains(older.Reason, want) {
		t.Errorf("CountOlder: got %+v, want unknown because of %q", older, want)
	}
	if age.Known || age.AtLeast != 0 || !strings.Contains(age.Reason, want) {
		t.Errorf("ReadAges: got %+v, want unknown because of %q", age, want)
	}
}

// TestCountOlder counts with thresholds just below, at and above the age of
// each oldest unread message.
func TestCountOlder(t *testing.T) {
	ctx, c := startTrafficCluster(t)
	thresholds := []time.Duration{0, time.Minute, 30 * time.Minute, 3 * time.Hour}
	for _, row := range c.rows {
		if row.Lag > 0 {
			age := c.age(row, 0)
			thresholds = append(thresholds, age-time.Millisecond, age, age+time.Second)
		}
	}
	for i, older := range c.reader.CountOlder(ctx, now, c.rows, thresholds) {
		for j, threshold := range thresholds {
			want := lag.OlderCount{Known: true}
			for _, at := range c.times[c.rows[i].Topic][c.rows[i].Committed:] {
				if now.Sub(at) > threshold {
					want.Messages++
				}
			}
			if got := older[j]; got != want {
				t.Errorf("%s, threshold %v: got %+v, want %+v", describeRow(c.rows[i]), threshold, got, want)
			}
		}
	}
}

func TestReadAges(t *testing.T) {
	ctx, c := startTrafficCluster(t)
	for _, allowed := range []int64{0, 2} {
		t.Run(fmt.Sprintf("%d messages allowed", allowed), func(t *testing.T) {
			for i, got := range c.reader.ReadAges(ctx, now, c.rows, allowed, time.Second) {
				want := c.age(c.rows[i], allowed)
				if !got.Known || want < got.AtLeast || want > got.AtMost || got.AtMost-got.AtLeast > time.Second {
					t.Errorf("%s: got %+v, want bounds within 1s around %v", describeRow(c.rows[i]), got, want)
				}
			}
		})
	}
}

// TestAgeRequestCounts counts requests. CountOlder needs one to find the
// leaders, and one per broker for each threshold and for future messages.
// ReadAges needs at most 13 rounds, to halve two hours down to a second, each
// with one request per broker and group.
func TestAgeRequestCounts(t *testing.T) {
	ctx, c := startTrafficCluster(t)
	c.RequestCounts()
	c.reader.CountOlder(ctx, now, c.rows, []time.Duration{time.Minute, 10 * time.Minute})
	if got := c.RequestCounts(); got["Metadata"] != 1 || got["ListOffsets"] != 9 || len(got) != 2 {
		t.Errorf("CountOlder: got requests %v, want 1 Metadata, 9 ListOffsets", got)
	}
	c.reader.ReadAges(ctx, now, c.rows, 0, time.Second)
	if got, limit := c.RequestCounts(), 6+13*3*4; got["Metadata"] != 1 || got["ListOffsets"] > limit || len(got) != 2 {
		t.Errorf("ReadAges: got requests %v, want 1 Metadata, at most %d ListOffsets", got, limit)
	}
	caughtUp := slices.DeleteFunc(slices.Clone(c.rows), func(r lag.GroupPartition) bool { return r.Lag > 0 })
	c.reader.CountOlder(ctx, now, caughtUp, []time.Duration{time.Minute})
	c.reader.ReadAges(ctx, now, caughtUp, 0, time.Second)
	if got := c.RequestCounts(); len(got) != 0 {
		t.Errorf("without lag: got requests %v, want none", got)
	}
}

// startOnePartition starts a cluster with one partition with messages of these
// times, and group g at an offset in it.
func startOnePartition(t testing.TB, commit int64, times ...time.Time) (context.Context, *localkafka.Kafka, *Reader, []lag.GroupPartition) {
	t.Helper()
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}})
	for _, at := range times {
		must(t, k.ProduceAt(ctx, "a", 0, at))
	}
	must(t, k.Commit(ctx, "g", "a", 0, commit))
	r := newReader(t, k, nil)
	return ctx, k, r, groupPartitions(mustRead(t, ctx, r))
}

// TestFutureMessageMakesAgesUnknown reads ages while the clock of one producer
// is a day ahead.
func TestFutureMessageMakesAgesUnknown(t *testing.T) {
	ctx, _, r, rows := startOnePartition(t, 2, ago(time.Hour), ago(-24*time.Hour), ago(50*time.Minute), ago(40*time.Minute))
	checkFutureMessage(t,
		r.CountOlder(ctx, now, rows, []time.Duration{time.Minute})[0][0],
		r.ReadAges(ctx, now, rows, 0, time.Second)[0],
		"message 1 is 24h0m0s ahead of this machine's clock")
}

// TestClockSkew reads ages with a wrong clock. A clock that is five minutes
// slow makes a recent message one from the future; half a minute is tolerated.
// A fast clock makes messages older, as documented.
func TestClockSkew(t *testing.T) {
	ctx, _, r, rows := startOnePartition(t, 0, ago(4*time.Minute+30*time.Second), ago(time.Minute), ago(0))
	thresholds := []time.Duration{3 * time.Minute}
	for skew, want := range map[time.Duration]int64{0: 1, -30 * time.Second: 1, 5 * time.Minute: 3} {
		t.Run(fmt.Sprintf("skew %v", skew), func(t *testing.T) {
			checkOlder(t, r.CountOlder(ctx, now.Add(skew), rows, thresholds)[0], want)
		})
	}
	t.Run("skew -5m", func(t *testing.T) {
		slow := now.Add(-5 * time.Minute)
		checkFutureMessage(t, r.CountOlder(ctx, slow, rows, thresholds)[0][0], r.ReadAges(ctx, slow, rows, 0, time.Second)[0],
			"message 1 is 4m0s ahead of this machine's clock")
	})
}

func TestCountOlderInOnePartition(t *testing.T) {
	for _, tt := range []struct {
		name       string
		commit     int64
		times      []time.Time
		thresholds []time.Duration
		want       []int64
	}{
		{"late message counts by its own time", 1, []time.Time{ago(10 * time.Minute), ago(2 * time.Hour), ago(time.Minute)},
			[]time.Duration{5 * time.Minute, 3 * time.Hour}, []int64{1, 0}},
		{"all unread messages are older", 1, []time.Time{ago(time.Hour), ago(50 * time.Minute), ago(40 * time.Minute)},
			[]time.Duration{time.Minute}, []int64{2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, _, r, rows := startOnePartition(t, tt.commit, tt.times...)
			checkOlder(t, r.CountOlder(ctx, now, rows, tt.thresholds)[0], tt.want...)
		})
	}
}

// TestAgesWithTransactionMarker reads ages of a group whose only unread message
// is a transaction marker. It counts as old, so callers have to allow one
// message.
func TestAgesWithTransactionMarker(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}})
	end, err := k.ProduceInTransaction(ctx, "a", 0, 3)
	must(t, err)
	must(t, end(true))
	must(t, k.Commit(ctx, "g", "a", 0, 3))
	r := newReader(t, k, nil)
	rows, later := groupPartitions(mustRead(t, ctx, r)), time.Now().Add(24*time.Hour)
	checkOlder(t, r.CountOlder(ctx, later, rows, []time.Duration{time.Hour})[0], 1)
	checkAge(t, r.ReadAges(ctx, later, rows, 1, time.Second)[0], lag.Age{Known: true})
}

// TestMessagesWithoutTimestamps reads messages of producers that set none: no time is
// older than theirs.
func TestMessagesWithoutTimestamps(t *testing.T) {
	none := time.UnixMilli(-1)
	for name, tt := range map[string]struct {
		times []time.Time
		want  lag.Age
	}{
		"none":            {[]time.Time{none, none, none}, lag.Age{NoTimestamp: true, Reason: "message 1 has no timestamp"}},
		"only later ones": {[]time.Time{none, none, ago(time.Minute)}, lag.Age{AtLeast: time.Minute, AtMost: time.Minute, Known: true, AfterGap: true}},
		"all":             {[]time.Time{ago(3 * time.Minute), ago(2 * time.Minute), ago(time.Minute)}, lag.Age{AtLeast: 2 * time.Minute, AtMost: 2 * time.Minute, Known: true}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _, r, rows := startOnePartition(t, 0, tt.times...)
			checkAge(t, r.ReadAges(ctx, now, rows, 1, time.Second)[0], tt.want)
		})
	}
}

// TestAgesWithDeletedMessages deletes unread messages: ages are those of the
// remaining ones.
func TestAgesWithDeletedMessages(t *testing.T) {
	ctx, k, r, _ := startOnePartition(t, 0, ago(time.Hour), ago(50*time.Minute), ago(10*time.Minute))
	deleteBefore(t, ctx, k, 2)
	rows := groupPartitions(mustRead(t, ctx, r))
	if rows[0].Lost != 2 || rows[0].Lag != 1 {
		t.Fatalf("got %+v, want 2 lost, lag 1", rows[0])
	}
	checkOlder(t, r.CountOlder(ctx, now, rows, []time.Duration{30 * time.Minute, 5 * time.Minute})[0], 0, 1)
	checkAge(t, r.ReadAges(ctx, now, rows, 0, time.Second)[0], lag.Age{AtLeast: 10 * time.Minute, AtMost: 10 * time.Minute, Known: true})
	deleteBefore(t, ctx, k, 3) // after rows was read
	checkAge(t, r.ReadAges(ctx, now, rows, 0, time.Second)[0], lag.Age{Known: true})
}

// TestAgesWithUnknownOffsets reads ages while one partition fails and another
// has no commit: both are unknown with a reason, and the others are as before.
func TestAgesWithUnknownOffsets(t *testing.T) {
	ctx, c := startTrafficCluster(t)
	thresholds := []time.Duration{time.Minute}
	wantOlder := c.reader.CountOlder(ctx, now, c.rows, thresholds)
	wantAges := c.reader.ReadAges(ctx, now, c.rows, 0, time.Second)
	rows := append(c.rows, lag.GroupPartition{Group: "g", Topic: "steady", Partition: lag.Partition{ID: 0, Committed: -1, End: 1000, Reason: lag.NoCommit}})
	c.Fail(localkafka.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "steady", Partitions: []int32{1}, Err: kerr.UnknownServerError})
	older, ages := c.reader.CountOlder(ctx, now, rows, thresholds), c.reader.ReadAges(ctx, now, rows, 0, time.Second)
	for i, row := range rows {
		got, age := older[i][0], ages[i]
		switch {
		case !row.Known:
			if got != (lag.OlderCount{Reason: lag.NoCommit}) || age != (lag.Age{Reason: lag.NoCommit}) {
				t.Errorf("%s: got %+v and %+v, want unknown: %s", describeRow(row), got, age, lag.NoCommit)
			}
		case row.Topic == "steady" && row.ID == 1 && row.Lag > 0:
			if got.Known || age.Known || !strings.Contains(age.Reason, "UNKNOWN_SERVER_ERROR") || got.Reason != age.Reason {
				t.Errorf("%s: got %+v and %+v, want unknown: UNKNOWN_SERVER_ERROR", describeRow(row), got, age)
			}
		case got != wantOlder[i][0] || age != wantAges[i]:
			t.Errorf("%s: got %+v and %+v, want %+v and %+v", describeRow(row), got, age, wantOlder[i][0], wantAges[i])
		}
	}
}

// TestReadAgesReturnsBoundsAtDeadline lets all brokers hang during a search:
// the bounds so far are true, if wide.
func TestReadAgesReturnsBoundsAtDeadline(t *testing.T) {
	t.Parallel()
	ctx, c := startTrafficCluster(t)
	requests := 0
	c.Respond(kmsg.ListOffsets, func(int32, kmsg.Request) kmsg.Response {
		if requests++; requests == 20 {
			for node := range int32(3) {
				c.Hang(node)
			}
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for i, got := range c.reader.ReadAges(ctx, now, c.rows, 0, time.Second) {
		want := c.age(c.rows[i], 0)
		if got.Known && (want < got.AtLeast || want > got.AtMost) || !got.Known && got.Reason == "" {
			t.Errorf("%s: got %+v, want bounds around %v or a reason", describeRow(c.rows[i]), got, want)
		}
	}
}
