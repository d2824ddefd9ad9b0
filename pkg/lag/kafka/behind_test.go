package kafka

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	world "tocsin/pkg/localcloud/kafka"
)

// now is when the tests of time are asked.
var now = sometime.Add(2 * time.Hour)

// steady is a message every 3.6 s for the last hour.
func steady() (times []time.Time) {
	for i := range 1000 {
		times = append(times, now.Add(-time.Hour+time.Duration(i)*3600*time.Millisecond))
	}
	return times
}

// bursty is 90 % of an hour's messages in its first 9 s, and the rest spread
// over what is left.
func bursty() (times []time.Time) {
	for i := range 900 {
		times = append(times, now.Add(-time.Hour+time.Duration(i)*10*time.Millisecond))
	}
	for i := range 100 {
		times = append(times, now.Add(-time.Hour+9*time.Second+time.Duration(i)*35900*time.Millisecond))
	}
	return times
}

// traffic is a cluster in which groups are at random places of a steady and of a
// bursty topic. Message n of topic has the time times[topic][n].
func traffic(t testing.TB) (ctx context.Context, k *world.Kafka, times map[string][]time.Time, rows []lag.GroupPartition, r *Reader) {
	times = map[string][]time.Time{"steady": steady(), "bursty": bursty()}
	ctx, k = start(t, world.Config{Topics: map[string]int32{"steady": 3, "bursty": 3}, Brokers: 3})
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
	r = newReader(t, k, nil)
	rows = allRows(read(t, ctx, r))
	if len(rows) != 4*6 {
		t.Fatalf("%d rows", len(rows))
	}
	return ctx, k, times, rows, r
}

// truth is how old the oldest unread message is, and whether there is one.
func truth(row lag.GroupPartition, times map[string][]time.Time) (time.Duration, bool) {
	if row.Lag == 0 {
		return 0, false
	}
	return now.Sub(times[row.Topic][row.Committed]), true
}

// TestBehindIsExact asks about thresholds right at the age of a message and
// beside it, and counts by hand.
func TestBehindIsExact(t *testing.T) {
	ctx, _, times, rows, r := traffic(t)
	var thresholds []time.Duration
	for _, row := range rows {
		if age, unread := truth(row, times); unread {
			thresholds = append(thresholds, age-time.Millisecond, age, age+time.Second)
		}
	}
	thresholds = append(thresholds, 0, time.Minute, 30*time.Minute, 3*time.Hour)
	for i, older := range r.CountOlder(ctx, now, rows, thresholds) {
		for j, threshold := range thresholds {
			want := int64(0)
			for _, at := range times[rows[i].Topic][rows[i].Committed:] {
				if now.Sub(at) > threshold {
					want++
				}
			}
			if got := older[j]; got != (lag.OlderCount{Messages: want, Known: true}) {
				t.Errorf("%s %s, commit %d, %v: %+v, want %d", rows[i].Group, rows[i].Topic, rows[i].Committed, threshold, got, want)
			}
		}
	}
}

// TestAgeWithinASecond holds the search against the truth.
func TestAgeWithinASecond(t *testing.T) {
	ctx, _, times, rows, r := traffic(t)
	for i, age := range r.ReadAges(ctx, now, rows, 0, time.Second) {
		want, _ := truth(rows[i], times)
		if !age.Known || want < age.AtLeast || want > age.AtMost || age.AtMost-age.AtLeast > time.Second {
			t.Errorf("%s %s, commit %d: %+v, want %v", rows[i].Group, rows[i].Topic, rows[i].Committed, age, want)
		}
	}
}

// TestAgeAfterWhatIsAllowed does not count the first two unread messages.
func TestAgeAfterWhatIsAllowed(t *testing.T) {
	ctx, _, times, rows, r := traffic(t)
	for i, age := range r.ReadAges(ctx, now, rows, 2, time.Second) {
		want := time.Duration(0)
		if rows[i].Lag > 2 {
			want = now.Sub(times[rows[i].Topic][rows[i].Committed+2])
		}
		if !age.Known || want < age.AtLeast || want > age.AtMost || age.AtMost-age.AtLeast > time.Second {
			t.Errorf("%s %s, commit %d: %+v, want %v", rows[i].Group, rows[i].Topic, rows[i].Committed, age, want)
		}
	}
}

// TestTimeTakesFewRequests counts them: for the leaders one, for each of three
// brokers one per threshold and one more, and for a search at most a round for
// each halving of two hours to a second, each with one request per broker for
// every group that is somewhere else.
func TestTimeTakesFewRequests(t *testing.T) {
	ctx, k, _, rows, r := traffic(t)
	k.RequestCounts()
	r.CountOlder(ctx, now, rows, []time.Duration{time.Minute, 10 * time.Minute})
	if got := k.RequestCounts(); got["Metadata"] != 1 || got["ListOffsets"] != 9 || len(got) != 2 {
		t.Errorf("Behind: %v", got)
	}
	r.ReadAges(ctx, now, rows, 0, time.Second)
	if got := k.RequestCounts(); got["Metadata"] != 1 || got["ListOffsets"] > 6+13*3*4 || len(got) != 2 {
		t.Errorf("Age: %v", got)
	}
	caughtUp := slices.DeleteFunc(slices.Clone(rows), func(r lag.GroupPartition) bool { return r.Lag > 0 })
	r.CountOlder(ctx, now, caughtUp, []time.Duration{time.Minute})
	r.ReadAges(ctx, now, caughtUp, 0, time.Second)
	if got := k.RequestCounts(); len(got) != 0 {
		t.Errorf("without lag: %v", got)
	}
}

// one is a cluster with one partition with messages of such times, and a group
// that has read the first of them up to commit.
func one(t testing.TB, commit int64, times ...time.Time) (context.Context, *world.Kafka, []lag.GroupPartition, *Reader) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 1}})
	for _, at := range times {
		must(t, k.ProduceAt(ctx, "a", 0, at))
	}
	must(t, k.Commit(ctx, "g", "a", 0, commit))
	r := newReader(t, k, nil)
	return ctx, k, allRows(read(t, ctx, r)), r
}

func ago(d time.Duration) time.Time { return now.Add(-d) }

// TestMessagesFromTheFuture: one producer's clock is a day ahead. Nobody knows
// how old the messages after its message are, and nothing says that they are
// young.
func TestMessagesFromTheFuture(t *testing.T) {
	ctx, _, rows, r := one(t, 2, ago(time.Hour), ago(-24*time.Hour), ago(50*time.Minute), ago(40*time.Minute))
	if got := r.CountOlder(ctx, now, rows, []time.Duration{time.Minute})[0][0]; got.Known || !strings.Contains(got.Reason, "message 1 is 24h0m0s ahead of this machine's clock") {
		t.Errorf("%+v", got)
	}
	if got := r.ReadAges(ctx, now, rows, 0, time.Second)[0]; got.Known || got.AtLeast != 0 || !strings.Contains(got.Reason, "ahead") {
		t.Errorf("%+v", got)
	}
}

// TestClockThatIsOff: this machine's clock is five minutes behind, so that a
// message of a minute ago looks like one from the future: unknown, and not
// young. Half a minute is no matter. A clock that is ahead makes messages as
// much older, which the documentation says.
func TestClockThatIsOff(t *testing.T) {
	ctx, _, rows, r := one(t, 0, ago(4*time.Minute+30*time.Second), ago(time.Minute), ago(0))
	asked := []time.Duration{3 * time.Minute}
	for off, want := range map[time.Duration]lag.OlderCount{
		0:                 {Messages: 1, Known: true},
		-30 * time.Second: {Messages: 1, Known: true},
		5 * time.Minute:   {Messages: 3, Known: true},
	} {
		if got := r.CountOlder(ctx, now.Add(off), rows, asked)[0][0]; got != want {
			t.Errorf("off by %v: %+v, want %+v", off, got, want)
		}
	}
	if got := r.CountOlder(ctx, now.Add(-5*time.Minute), rows, asked)[0][0]; got.Known || !strings.Contains(got.Reason, "message 1 is 4m0s ahead of this machine's clock") {
		t.Errorf("%+v", got)
	}
}

// TestTimesOutOfOrder: an old message that comes late counts by its own time.
func TestTimesOutOfOrder(t *testing.T) {
	ctx, _, rows, r := one(t, 1, ago(10*time.Minute), ago(2*time.Hour), ago(time.Minute))
	got := r.CountOlder(ctx, now, rows, []time.Duration{5 * time.Minute, 3 * time.Hour})[0]
	if got[0] != (lag.OlderCount{Messages: 1, Known: true}) || got[1] != (lag.OlderCount{Known: true}) {
		t.Errorf("%+v", got)
	}
}

// TestNothingNewer: when every message is older, all that is unread is.
func TestNothingNewer(t *testing.T) {
	ctx, _, rows, r := one(t, 1, ago(time.Hour), ago(50*time.Minute), ago(40*time.Minute))
	if got := r.CountOlder(ctx, now, rows, []time.Duration{time.Minute})[0][0]; got != (lag.OlderCount{Messages: 2, Known: true}) {
		t.Errorf("%+v", got)
	}
}

// TestLoneTransactionMarker: it is one message that looks overdue for ever, and
// stays one: with a lag of 1 allowed, nothing is.
func TestLoneTransactionMarker(t *testing.T) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 1}})
	end, err := k.ProduceInTransaction(ctx, "a", 0, 3)
	must(t, err)
	must(t, end(true))
	must(t, k.Commit(ctx, "g", "a", 0, 3))
	r := newReader(t, k, nil)
	rows, later := allRows(read(t, ctx, r)), time.Now().Add(24*time.Hour)
	if got := r.CountOlder(ctx, later, rows, []time.Duration{time.Hour})[0][0]; got != (lag.OlderCount{Messages: 1, Known: true}) {
		t.Errorf("%+v", got)
	}
	if got := r.ReadAges(ctx, later, rows, 1, time.Second)[0]; got != (lag.Age{Known: true}) {
		t.Errorf("%+v", got)
	}
}

// TestTimeOfLostMessages: what was deleted has no age; what is left does.
func TestTimeOfLostMessages(t *testing.T) {
	ctx, k, _, r := one(t, 0, ago(time.Hour), ago(50*time.Minute), ago(10*time.Minute))
	deleteBefore(t, ctx, k, 2)
	rows := allRows(read(t, ctx, r))
	if rows[0].Lost != 2 || rows[0].Lag != 1 {
		t.Fatalf("%+v", rows)
	}
	if got := r.CountOlder(ctx, now, rows, []time.Duration{30 * time.Minute, 5 * time.Minute})[0]; got[0] != (lag.OlderCount{Known: true}) || got[1] != (lag.OlderCount{Messages: 1, Known: true}) {
		t.Errorf("%+v", got)
	}
	if got := r.ReadAges(ctx, now, rows, 0, time.Second)[0]; got != (lag.Age{AtLeast: 10 * time.Minute, AtMost: 10 * time.Minute, Known: true}) {
		t.Errorf("%+v", got)
	}
	deleteBefore(t, ctx, k, 3) // after the rows were read
	if got := r.ReadAges(ctx, now, rows, 0, time.Second)[0]; got != (lag.Age{Known: true}) {
		t.Errorf("deleted meanwhile: %+v", got)
	}
}

// TestTimeUnknown: what is refused is unknown, and the rest is not.
func TestTimeUnknown(t *testing.T) {
	ctx, k, _, rows, r := traffic(t)
	before := r.CountOlder(ctx, now, rows, []time.Duration{time.Minute})
	ages := r.ReadAges(ctx, now, rows, 0, time.Second)
	rows = append(rows, lag.GroupPartition{Group: "g", Topic: "steady", Partition: lag.Partition{ID: 0, Committed: -1, End: 1000, Reason: lag.NoCommit}})
	k.Fail(world.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "steady", Partitions: []int32{1}, Err: kerr.UnknownServerError})
	behind, age := r.CountOlder(ctx, now, rows, []time.Duration{time.Minute}), r.ReadAges(ctx, now, rows, 0, time.Second)
	for i, row := range rows {
		switch {
		case !row.Known:
			if behind[i][0] != (lag.OlderCount{Reason: lag.NoCommit}) || age[i] != (lag.Age{Reason: lag.NoCommit}) {
				t.Errorf("%+v: %+v, %+v", row, behind[i], age[i])
			}
		case row.Topic == "steady" && row.ID == 1 && row.Lag > 0:
			if behind[i][0].Known || age[i].Known || !strings.Contains(age[i].Reason, "UNKNOWN_SERVER_ERROR") || behind[i][0].Reason != age[i].Reason {
				t.Errorf("%+v: %+v, %+v", row, behind[i], age[i])
			}
		case behind[i][0] != before[i][0] || age[i] != ages[i]:
			t.Errorf("%+v: %+v, %+v", row, behind[i], age[i])
		}
	}
}

// TestSearchEndsInTime: what the search knows when the time is over is true, if
// not as exact.
func TestSearchEndsInTime(t *testing.T) {
	t.Parallel()
	ctx, k, times, rows, r := traffic(t)
	asked := 0
	k.Respond(kmsg.ListOffsets, func(int32, kmsg.Request) kmsg.Response {
		if asked++; asked == 20 {
			k.Hang(0)
			k.Hang(1)
			k.Hang(2)
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for i, age := range r.ReadAges(ctx, now, rows, 0, time.Second) {
		want, _ := truth(rows[i], times)
		if age.Known && (want < age.AtLeast || want > age.AtMost) || !age.Known && age.Reason == "" {
			t.Errorf("%+v: %+v, want %v", rows[i], age, want)
		}
	}
}
