package lag

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/store/memory"
)

// The secondary reader is used only while the primary one fails, and the next four
// reads after a failure skip the primary one.
func TestFailover(t *testing.T) {
	var reads []string
	down := localizedError{errors.New("connection refused")}
	var primaryErr, secondaryErr error
	primary := readerFunc(func(context.Context) (*Snapshot, error) {
		reads = append(reads, "kafka")
		return lagSnapshot("7"), primaryErr
	})
	secondary := readerFunc(func(context.Context) (*Snapshot, error) {
		reads = append(reads, "api")
		return lagSnapshot("8"), secondaryErr
	})
	f := NewFailoverReader(primary, secondary)
	steps := []struct {
		primary, secondary error
		reads, source      string
		wantErr            string
	}{
		{nil, nil, "kafka", "kafka", ""},
		{down, nil, "kafka api", "api", ""},
		{nil, nil, "api", "api", ""},
		{nil, nil, "api", "api", ""},
		{nil, errors.New("denied"), "api", "", "neither Kafka's protocol nor the cloud's API could be read. The protocol: cause in en. The API: denied"},
		{nil, nil, "api", "api", ""},
		{nil, nil, "kafka", "kafka", ""},
	}
	for i, s := range steps {
		reads, primaryErr, secondaryErr = nil, s.primary, s.secondary
		snap, err := f.Read(t.Context())
		if got := strings.Join(reads, " "); got != s.reads {
			t.Errorf("readers used by read %d = %s, want %s", i, got, s.reads)
		}
		if s.wantErr != "" {
			wantZh := "Kafka 协议和云 API 都读不到。协议：cause in zh；API：denied"
			if err == nil || err.Error() != s.wantErr || errorText(err, "zh") != wantZh {
				t.Errorf("error of read %d = %v, %s; want %s, %s", i, err, errorText(err, "zh"), s.wantErr, wantZh)
			}
			continue
		}
		if err != nil || snap.Source != s.source {
			t.Errorf("read %d = source %q, error %v; want %q and no error", i, snap.Source, err, s.source)
		}
		if got, want := errors.Is(snap.PrimaryErr, down), s.source == SourceAPI; got != want {
			t.Errorf("PrimaryErr of read %d = %v; is %v = %t, want %t", i, snap.PrimaryErr, down, got, want)
		}
	}
}

// A primary reader that hangs takes a third of the time, once.
func TestFailoverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := readerFunc(func(ctx context.Context) (*Snapshot, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		f := NewFailoverReader(hangs, returning(overLimit))
		for _, tt := range []struct{ left, want time.Duration }{
			{9 * time.Second, 3 * time.Second}, {time.Second, 0}, {time.Second, 0}, {time.Second, 0}, {time.Second, 0},
			{time.Hour, 10 * time.Second},
		} {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), tt.left)
			if snap, err := f.Read(ctx); err != nil || snap.Source != SourceAPI {
				t.Errorf("Read = %+v, %v; want a snapshot of the API", snap, err)
			}
			cancel()
			if took := time.Since(start); took != tt.want {
				t.Errorf("Read with %v left took %v, want %v", tt.left, took, tt.want)
			}
		}
	})
}

// failoverSource reads by a Reader and answers queries by a fakeReader.
type failoverSource struct {
	Reader
	*fakeReader
}

func (s failoverSource) Read(ctx context.Context) (*Snapshot, error) { return s.Reader.Read(ctx) }

// What the secondary reader does not know does not end alerts. Queries are answered
// by the reader that was used.
func TestFailoverKeepsAlerts(t *testing.T) {
	fake := &fakeReader{groups: []Group{newGroupOf("g", lostPartition(0, 500, 30))}, oldestUnread: map[string]time.Time{}}
	reachable := true
	primary := failoverSource{readerFunc(func(ctx context.Context) (*Snapshot, error) {
		if !reachable {
			return nil, errors.New("no route to host")
		}
		return fake.Read(ctx)
	}), fake}
	secondary := readerFunc(func(context.Context) (*Snapshot, error) {
		snap := newSnapshot(newGroupOf("g", newPartition(0, 100, 630)))
		snap.StartOffsetUnknown = true
		return snap, nil
	})
	rec := &ingestRecorder{}
	w := newRuleWatcher(memory.New(), rec, NewFailoverReader(primary, secondary), Rule{Alert: "Lost", Lost: true}, Rule{Alert: "Late", MaxDelay: minutes(10)})
	mustPollAlerts(t, w, rec, 0, "Lost g t since 08:00:00 firing lag=500\nLate g t since 08:00:00 firing lag=500")
	if got := fake.takeQueries(); !strings.Contains(got, "older g/t/0") {
		t.Errorf("queries = %q, want one for the age of g/t/0", got)
	}
	reachable = false
	for m := 1; m < 3; m++ {
		mustPoll(t, w, float64(m))
		wantAnnotations(t, rec.last("Lost"), map[string]string{"source": SourceAPI})
		wantAlerts(t, rec, float64(m), "Lost g t since 08:00:00 firing lag=530\nLate g t since 08:00:00 firing lag=530")
	}
	if got := fake.takeQueries(); got != "" {
		t.Errorf("queries of the primary reader = %q, want none", got)
	}
}
