package silence_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/silence"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

func newLimited(st store.Store, l silence.Limits) *silence.Silences {
	return silence.New(st, time.Hour, l, slog.New(slog.DiscardHandler))
}

// TestMaxSilences checks the limit's semantics, which are Alertmanager's.
func TestMaxSilences(t *testing.T) {
	const tooMany = "exceeded maximum number of silences: 2 (limit: 2)"
	newFull := func(t *testing.T) (ss *silence.Silences, first, second string) {
		st := memory.New()
		ss = newLimited(st, silence.Limits{MaxSilences: 2})
		// Another instance has added one of them.
		return ss, set(t, newLimited(st, silence.Limits{MaxSilences: 2}), at(0), ofTopic("a", 0, 100)), set(t, ss, at(0), ofTopic("b", 0, 100))
	}
	refused := func(t *testing.T, ss *silence.Silences, now time.Time, s silence.Silence) {
		t.Helper()
		if _, err := ss.Set(t.Context(), now, s); !errors.Is(err, silence.ErrTooMany) || err.Error() != tooMany {
			t.Errorf("got %v, want %s", err, tooMany)
		}
	}
	t.Run("one more is refused", func(t *testing.T) {
		ss, _, _ := newFull(t)
		refused(t, ss, at(1), ofTopic("c", 1, 100))
	})
	t.Run("one is changed in place", func(t *testing.T) {
		ss, id, _ := newFull(t)
		if got := set(t, ss, at(1), withID(id, ofTopic("a", 0, 200))); got != id {
			t.Errorf("got the id %s, want %s", got, id)
		}
	})
	t.Run("one is not replaced, and stays", func(t *testing.T) {
		ss, id, _ := newFull(t)
		refused(t, ss, at(1), withID(id, ofTopic("c", 1, 100)))
		if s, err := ss.Get(t.Context(), id); err != nil || s.State(at(2)) != silence.Active {
			t.Errorf("got %+v, %v, want it active", s, err)
		}
	})
	t.Run("expired ones count until they are no longer kept", func(t *testing.T) {
		ss, id, _ := newFull(t)
		if err := ss.Expire(t.Context(), at(10), id); err != nil {
			t.Fatal(err)
		}
		refused(t, ss, at(3609), ofTopic("c", 3609, 4000))
		set(t, ss, at(3610), ofTopic("c", 3610, 4000))
	})
	t.Run("a negative number does not limit", func(t *testing.T) {
		ss := newLimited(memory.New(), silence.Limits{MaxSilences: -1, MaxSilenceSizeBytes: -1})
		set(t, ss, at(0), ofTopic("a", 0, 100))
	})
	t.Run("it is exact under concurrent requests to two instances", func(t *testing.T) {
		st := memory.New()
		limits := silence.Limits{MaxSilences: 10}
		instances := []*silence.Silences{newLimited(st, limits), newLimited(st, limits)}
		var requests errgroup.Group
		for i := range 40 {
			requests.Go(func() error {
				_, err := instances[i%2].Set(context.Background(), at(0), ofTopic(fmt.Sprint(i), 0, 100))
				if errors.Is(err, silence.ErrTooMany) {
					return nil
				}
				return err
			})
		}
		if err := requests.Wait(); err != nil {
			t.Error(err)
		}
		if all, err := instances[0].List(t.Context(), t0); err != nil || len(all) != 10 {
			t.Errorf("got %d silences, %v, want 10", len(all), err)
		}
	})
}

func TestMaxSilenceSize(t *testing.T) {
	ss := newLimited(memory.New(), silence.Limits{MaxSilenceSizeBytes: 500})
	id := set(t, ss, at(0), ofTopic("a", 0, 100))
	for _, test := range []struct {
		name string
		id   string
	}{{"a new one", ""}, {"a longer comment", id}} {
		t.Run(test.name+" is refused", func(t *testing.T) {
			s := withID(test.id, ofTopic("a", 0, 200))
			s.Comment = strings.Repeat("x", 500)
			_, err := ss.Set(t.Context(), at(1), s)
			if !errors.Is(err, silence.ErrTooLarge) || !strings.HasSuffix(err.Error(), "bytes (limit: 500 bytes)") {
				t.Errorf("got %v, want %v with the limit", err, silence.ErrTooLarge)
			}
		})
	}
}
