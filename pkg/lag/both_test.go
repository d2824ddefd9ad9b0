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

// While the protocol answers, nobody asks the API. When it does not, the API is
// read, and the next four polls do not even try.
func TestBoth(t *testing.T) {
	var asked []string
	down := worded{errors.New("connection refused")}
	var first, second error
	protocol := read(func(context.Context) (*Snapshot, error) {
		asked = append(asked, "kafka")
		return all(whole("g", topic("t", "7"))), first
	})
	api := read(func(context.Context) (*Snapshot, error) {
		asked = append(asked, "api")
		return all(whole("g", topic("t", "8"))), second
	})
	b := NewFailoverReader(protocol, api)
	steps := []struct {
		first, second error
		want, source  string
		err           string
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
		asked, first, second = nil, s.first, s.second
		snap, err := b.Read(t.Context())
		if got := strings.Join(asked, " "); got != s.want {
			t.Errorf("read %d asked %s, want %s", i, got, s.want)
		}
		if s.err != "" {
			if err == nil || err.Error() != s.err || errorText(err, "zh") != "Kafka 协议和云 API 都读不到。协议：cause in zh；API：denied" {
				t.Errorf("read %d: %v, %s", i, err, errorText(err, "zh"))
			}
			continue
		}
		if err != nil || snap.Source != s.source || (snap.PrimaryErr != nil) != (s.source == SourceAPI) {
			t.Errorf("read %d: source %q instead of %v, error %v", i, snap.Source, snap.PrimaryErr, err)
		}
		if snap.Source == SourceAPI && !errors.Is(snap.PrimaryErr, down) {
			t.Errorf("read %d: %v", i, snap.PrimaryErr)
		}
	}
}

// A protocol that hangs takes a third of the time, once.
func TestBothInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := read(func(ctx context.Context) (*Snapshot, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		b := NewFailoverReader(hangs, sees(over))
		for _, tt := range []struct{ left, want time.Duration }{
			{9 * time.Second, 3 * time.Second}, {time.Second, 0}, {time.Second, 0}, {time.Second, 0}, {time.Second, 0},
			{time.Hour, 10 * time.Second},
		} {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), tt.left)
			if snap, err := b.Read(ctx); err != nil || snap.Source != SourceAPI {
				t.Errorf("%+v, %v", snap, err)
			}
			cancel()
			if took := time.Since(start); took != tt.want {
				t.Errorf("with %v it took %v, want %v", tt.left, took, tt.want)
			}
		}
	})
}

// What one way saw the other does not see: nothing ends by that. Who is asked on
// is the one that answered.
func TestBothHidesNothing(t *testing.T) {
	protocol := &scripted{groups: []Group{of("g", gone(0, 500, 30))}, oldest: map[string]time.Time{}}
	reachable := true
	first := timed{read(func(ctx context.Context) (*Snapshot, error) {
		if !reachable {
			return nil, errors.New("no route to host")
		}
		return protocol.Read(ctx)
	}), protocol}
	api := read(func(context.Context) (*Snapshot, error) {
		snap := all(of("g", part(0, 100, 630)))
		snap.StartOffsetUnknown = true
		return snap, nil
	})
	e := &ear{}
	w := watcher(memory.New(), e, map[string]Reader{"c": NewFailoverReader(first, api)})
	w.Config.Rules = []Rule{{Alert: "Lost", Lost: true}, {Alert: "Late", MaxDelay: minutes(10)}}
	both := "Lost g t since 08:00:00 firing lag="
	mustPoll(t, w, 0)
	if got := e.heard(); got != both+"500\nLate g t since 08:00:00 firing lag=500" {
		t.Errorf("heard %s", got)
	}
	if e := protocol.heard(); !strings.Contains(e, "older g/t/0") {
		t.Errorf("asked %s", e)
	}
	reachable = false
	for m := 1; m < 3; m++ {
		mustPoll(t, w, float64(m))
		if a := e.last("Lost"); a.Annotations["source"] != SourceAPI || !a.EndsAt.IsZero() {
			t.Errorf("%v", a)
		}
		if got := e.heard(); got != both+"530\nLate g t since 08:00:00 firing lag=530" {
			t.Errorf("heard %s", got)
		}
	}
	if got := protocol.heard(); got != "" {
		t.Errorf("asked %s", got)
	}
}

// timed reads in one way and can be asked on in another.
type timed struct {
	Reader
	*scripted
}

func (r timed) Read(ctx context.Context) (*Snapshot, error) { return r.Reader.Read(ctx) }
