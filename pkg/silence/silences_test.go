package silence_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/silence"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/memory"
)

// t0 is when every test begins.
var t0 = time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)

// at returns a time in seconds after t0.
func at(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }

// env is silences on a store in memory.
type env struct {
	t        *testing.T
	store    store.Store
	silences *silence.Silences
}

func newEnv(t *testing.T, retention time.Duration) *env {
	t.Helper()
	s := memory.New()
	return &env{t, s, silence.New(s, retention, silence.Limits{}, slog.New(slog.DiscardHandler))}
}

// ofTopic returns a silence of a topic, with times in seconds after t0.
func ofTopic(topic string, start, end float64) silence.Silence {
	return silence.Silence{Matchers: []silence.Matcher{{Name: "topic", Value: topic, IsEqual: true}}, StartsAt: at(start), EndsAt: at(end)}
}

// withID returns the silence with an id.
func withID(id string, s silence.Silence) silence.Silence {
	s.ID = id
	return s
}

func (e *env) set(now time.Time, s silence.Silence) (id string) {
	e.t.Helper()
	id, err := e.silences.Set(e.t.Context(), now, s)
	if err != nil {
		e.t.Fatalf("set: got %v, want no error", err)
	}
	return id
}

func (e *env) expire(now time.Time, id string) {
	e.t.Helper()
	if err := e.silences.Expire(e.t.Context(), now, id); err != nil {
		e.t.Fatalf("expire: got %v, want no error", err)
	}
}

// expectTimes checks the start and the end of a silence.
func (e *env) expectTimes(id string, start, end time.Time) {
	e.t.Helper()
	s, err := e.silences.Get(e.t.Context(), id)
	if err != nil {
		e.t.Fatalf("get: got %v, want no error", err)
	}
	if !s.StartsAt.Equal(start) || !s.EndsAt.Equal(end) {
		e.t.Errorf("got a silence from %v to %v, want %v to %v", s.StartsAt.Sub(t0), s.EndsAt.Sub(t0), start.Sub(t0), end.Sub(t0))
	}
}

func TestState(t *testing.T) {
	s := ofTopic("a", 50, 100)
	for _, test := range []struct {
		seconds float64
		want    silence.State
	}{{49.999, silence.Pending}, {50, silence.Active}, {100, silence.Active}, {100.001, silence.Expired}} {
		if got := s.State(at(test.seconds)); got != test.want {
			t.Errorf("at %v s: got %s, want %s", test.seconds, got, test.want)
		}
	}
}

func TestSet(t *testing.T) {
	t.Run("a start in the past is now", func(t *testing.T) {
		e := newEnv(t, 0)
		e.expectTimes(e.set(at(50), ofTopic("a", 0, 100)), at(50), at(100))
	})
	t.Run("no start is now", func(t *testing.T) {
		e := newEnv(t, 0)
		s := ofTopic("a", 0, 100)
		s.StartsAt = time.Time{}
		e.expectTimes(e.set(at(50), s), at(50), at(100))
	})
	t.Run("an active silence can be extended", func(t *testing.T) {
		e := newEnv(t, 0)
		id := e.set(at(50), ofTopic("a", 50, 100))
		if got := e.set(at(60), withID(id, ofTopic("a", 50, 200))); got != id {
			t.Errorf("got the id %s, want %s", got, id)
		}
		e.expectTimes(id, at(50), at(200))
	})
	t.Run("a pending silence can be moved within the future", func(t *testing.T) {
		e := newEnv(t, 0)
		id := e.set(at(0), ofTopic("a", 50, 100))
		if got := e.set(at(10), withID(id, ofTopic("a", 20, 30))); got != id {
			t.Errorf("got the id %s, want %s", got, id)
		}
		e.expectTimes(id, at(20), at(30))
	})
	t.Run("other matchers replace the silence", func(t *testing.T) {
		e := newEnv(t, 0)
		id := e.set(at(50), ofTopic("a", 50, 200))
		next := e.set(at(70), withID(id, ofTopic("b", 50, 200)))
		if next == id {
			t.Errorf("got the id %s again, want another", id)
		}
		e.expectTimes(id, at(50), at(70))
		e.expectTimes(next, at(70), at(200))
	})
	t.Run("an expired silence is replaced and stays as it is", func(t *testing.T) {
		e := newEnv(t, 0)
		id := e.set(at(0), ofTopic("a", 0, 10))
		if next := e.set(at(90), withID(id, ofTopic("a", 90, 200))); next == id {
			t.Errorf("got the id %s again, want another", id)
		}
		e.expectTimes(id, at(0), at(10))
	})
	t.Run("an unknown id is an error", func(t *testing.T) {
		e := newEnv(t, 0)
		if _, err := e.silences.Set(t.Context(), at(0), withID("unknown", ofTopic("a", 0, 10))); !errors.Is(err, silence.ErrNotFound) {
			t.Errorf("got %v, want %v", err, silence.ErrNotFound)
		}
	})
}

func TestExpire(t *testing.T) {
	t.Run("twice is once", func(t *testing.T) {
		e := newEnv(t, 0)
		id := e.set(at(0), ofTopic("a", 0, 200))
		e.expire(at(95), id)
		e.expire(at(99), id)
		e.expectTimes(id, at(0), at(95))
	})
	t.Run("a pending silence has no duration", func(t *testing.T) {
		e := newEnv(t, 0)
		id := e.set(at(100), ofTopic("a", 1000, 2000))
		e.expire(at(110), id)
		e.expectTimes(id, at(110), at(110))
	})
	t.Run("an unknown id is an error", func(t *testing.T) {
		e := newEnv(t, 0)
		if err := e.silences.Expire(t.Context(), at(95), "unknown"); !errors.Is(err, silence.ErrNotFound) {
			t.Errorf("got %v, want %v", err, silence.ErrNotFound)
		}
	})
}

func TestInvalidSilences(t *testing.T) {
	with := func(m ...silence.Matcher) silence.Silence {
		return silence.Silence{Matchers: m, StartsAt: at(0), EndsAt: at(10)}
	}
	for _, test := range []struct {
		want    string
		silence silence.Silence
	}{
		{"at least one matcher required", with()},
		{"at least one matcher must not match the empty string",
			with(silence.Matcher{Name: "a", Value: ".*", IsRegex: true, IsEqual: true}, silence.Matcher{Name: "b", IsEqual: true})},
		{"invalid label matcher 0", with(silence.Matcher{Name: "a", Value: "(", IsRegex: true, IsEqual: true})},
		{"the label has no name", with(silence.Matcher{Value: "a", IsEqual: true})},
		{"end time must not be before start time", ofTopic("a", 10, 5)},
		{"regular expressions too large: about 12003 instructions (limit: 10000)", with(regex("a", "(abcdefghij){1000}"))},
		{"regular expressions too large", with(slices.Repeat([]silence.Matcher{regex("a", "("+strings.Repeat("x?", 100)+"){10}")}, 20)...)},
		{"invalid zero end timestamp", silence.Silence{Matchers: ofTopic("a", 0, 1).Matchers, StartsAt: at(0)}},
	} {
		t.Run(test.want, func(t *testing.T) {
			e := newEnv(t, 0)
			_, err := e.silences.Set(t.Context(), at(0), test.silence)
			if !errors.Is(err, silence.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %v: %s", err, silence.ErrInvalid, test.want)
			}
		})
	}
}

func TestMutedBy(t *testing.T) {
	for _, test := range []struct {
		name     string
		matchers []silence.Matcher
		labels   alert.Labels
		want     bool
	}{
		{"equal", []silence.Matcher{{Name: "topic", Value: "a", IsEqual: true}}, alert.Labels{"topic": "a"}, true},
		{"other value", []silence.Matcher{{Name: "topic", Value: "a", IsEqual: true}}, alert.Labels{"topic": "b"}, false},
		{"absent label", []silence.Matcher{{Name: "topic", Value: "a", IsEqual: true}}, nil, false},
		{"regular expression", []silence.Matcher{{Name: "topic", Value: "a.*", IsEqual: true, IsRegex: true}}, alert.Labels{"topic": "abc"}, true},
		{"one of two matchers", []silence.Matcher{{Name: "topic", Value: "a", IsEqual: true}, {Name: "zone", Value: "1", IsEqual: true}}, alert.Labels{"topic": "a"}, false},
		// Alertmanager accepts a silence that an absent label meets, if it is negative.
		{"not equal", []silence.Matcher{{Name: "topic", Value: "a"}}, alert.Labels{"topic": "b"}, true},
		{"not equal, absent label", []silence.Matcher{{Name: "topic", Value: "a"}}, nil, true},
		{"negative regular expression", []silence.Matcher{{Name: "topic", Value: "a", IsRegex: true}}, alert.Labels{"topic": "b"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t, 0)
			id := e.set(at(0), silence.Silence{Matchers: test.matchers, StartsAt: at(0), EndsAt: at(100)})
			index, err := e.silences.ActiveAt(t.Context(), at(10))
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			if test.want {
				want = []string{id}
			}
			if got := index.MutedBy(test.labels); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestActiveAt checks that only active silences mute.
func TestActiveAt(t *testing.T) {
	e := newEnv(t, 0)
	e.set(at(0), ofTopic("a", 50, 100))
	for _, test := range []struct {
		seconds float64
		want    int
	}{{49, 0}, {50, 1}, {100, 1}, {101, 0}} {
		index, err := e.silences.ActiveAt(t.Context(), at(test.seconds))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(index.MutedBy(alert.Labels{"topic": "a"})); got != test.want {
			t.Errorf("at %v s: got %d silences, want %d", test.seconds, got, test.want)
		}
	}
}

// TestUnreadableSilence checks that a silence which cannot be read or is invalid
// mutes nothing, and that the others do.
func TestUnreadableSilence(t *testing.T) {
	for _, value := range []string{"{", `{"startsAt":5}`, "", `{"id":"x","matchers":[{"name":"topic","value":"(","isRegex":true,"isEqual":true}],"startsAt":"2026-11-20T21:00:00Z","endsAt":"2026-11-21T00:00:00Z"}`} {
		t.Run(value, func(t *testing.T) {
			e := newEnv(t, 0)
			id := e.set(at(0), ofTopic("a", 0, 100))
			if err := e.store.Commit(t.Context(), at(0), store.Change{Key: keyspace.Silence + "x", Value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
			index, err := e.silences.ActiveAt(t.Context(), at(10))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := index.MutedBy(alert.Labels{"topic": "a"}), []string{id}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestRetention(t *testing.T) {
	for _, test := range []struct {
		name            string
		retention, want time.Duration
	}{
		{"default", 0, 120 * time.Hour},
		{"an hour", time.Hour, time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t, test.retention)
			e.set(at(0), ofTopic("a", 0, 600))
			countAt := func(now time.Time) int {
				// Any commit lets the store drop what has expired before.
				if err := e.store.Commit(t.Context(), now, store.Change{Key: "test/clock", Value: []byte{1}}); err != nil {
					t.Fatal(err)
				}
				all, err := e.silences.List(t.Context(), now)
				if err != nil {
					t.Fatal(err)
				}
				return len(all)
			}
			end := at(600).Add(test.want)
			if before, after := countAt(end.Add(-time.Second)), countAt(end.Add(time.Second)); before != 1 || after != 0 {
				t.Errorf("got %d silences a second before %v have passed and %d a second later, want 1 and 0", before, test.want, after)
			}
		})
	}
}
