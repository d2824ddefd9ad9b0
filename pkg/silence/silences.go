package silence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

var (
	// ErrNotFound is returned for an id that no silence has.
	ErrNotFound = errors.New("silence not found")
	// ErrInvalid wraps the reason why a silence is rejected.
	ErrInvalid = errors.New("invalid silence")
	// ErrTooMany and ErrTooLarge are wrapped with the numbers when a limit is exceeded.
	ErrTooMany  = errors.New("exceeded maximum number of silences")
	ErrTooLarge = errors.New("silence exceeded maximum size")
)

// Limits are Alertmanager's flags of these names. Zero and negative ones do not limit.
type Limits struct {
	// MaxSilences is the --silences.max-silences that may be kept, expired ones included.
	MaxSilences int
	// MaxSilenceSizeBytes is the --silences.max-silence-size-bytes of one as it is stored,
	// which is JSON.
	MaxSilenceSizeBytes int
}

// defaultRetention is Alertmanager's --data.retention.
const defaultRetention = 120 * time.Hour

// clockAllowance is how much longer than retained a silence stays in the store, so that
// a clock that is ahead for a while, such as one that shows local time, does not delete
// one that is active.
const clockAllowance = 24 * time.Hour

// Silences are the silences in a store. It is safe for concurrent use, by any
// number of instances on one store.
type Silences struct {
	store     store.Store
	retention time.Duration
	limits    Limits
	log       *slog.Logger
	cached    atomic.Pointer[cache]
	counting  chan struct{} // held while silences are counted and one is added
}

// New returns the silences in st. Retention is how long an expired silence is
// kept; 0 means 120h, as Alertmanager's --data.retention.
func New(st store.Store, retention time.Duration, limits Limits, log *slog.Logger) *Silences {
	return &Silences{
		store: st, retention: cmp.Or(retention, defaultRetention), limits: limits, log: log, counting: make(chan struct{}, 1),
	}
}

// Set creates a silence, or updates the one with the id of s, and returns its id.
//
// A silence is updated in place if its matchers stay the same and only its future
// changes: an active one keeps its start, a pending one must not start in the
// past. Otherwise the old one expires now and the new one gets an id of its own,
// so that the record of past silences stays true.
//
// Errors wrap ErrInvalid, ErrNotFound, ErrTooMany or ErrTooLarge, or are the store's.
func (ss *Silences) Set(ctx context.Context, now time.Time, s Silence) (id string, err error) {
	if s.StartsAt.IsZero() {
		s.StartsAt = now
	}
	if err := s.validate(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if ss.limits.MaxSilences > 0 {
		select { // so that no two of this process are counted at once and conflict
		case ss.counting <- struct{}{}:
			defer func() { <-ss.counting }()
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	err = store.RetryOnConflict(ctx, func() error {
		next := s
		next.UpdatedAt = now
		var changes []store.Change
		condition := store.Absent()
		replace := true
		if s.ID != "" {
			previous, item, err := ss.get(ctx, s.ID)
			if err != nil {
				return err
			}
			if previous.canUpdate(&next, now) {
				replace, condition = false, store.Unchanged(item)
			} else if previous.State(now) != Expired {
				expire, err := ss.change(previous.expiredAt(now), store.Unchanged(item))
				if err != nil {
					return err
				}
				changes = append(changes, expire)
			}
		}
		touched := touch()
		if replace {
			if touched.If, err = ss.checkNumber(ctx, now); err != nil {
				return err
			}
			if next.ID, err = newID(); err != nil {
				return err
			}
			if next.StartsAt.Before(now) {
				next.StartsAt = now
			}
		}
		id = next.ID
		change, err := ss.change(&next, condition)
		if err != nil {
			return err
		}
		if size, limit := len(change.Value), ss.limits.MaxSilenceSizeBytes; limit > 0 && size > limit {
			return fmt.Errorf("%w: %d bytes (limit: %d bytes)", ErrTooLarge, size, limit)
		}
		return ss.store.Commit(ctx, now, append(changes, change, touched)...)
	})
	return id, err
}

// checkNumber returns an error if there is no room for another silence, and otherwise
// the condition on keyspace.Silences that nobody takes it meanwhile.
func (ss *Silences) checkNumber(ctx context.Context, now time.Time) (store.Condition, error) {
	limit := ss.limits.MaxSilences
	if limit <= 0 {
		return store.Condition{}, nil
	}
	c, err := ss.current(ctx, now)
	if err != nil {
		return store.Condition{}, err
	}
	kept := 0
	for _, e := range c.entries {
		if ss.isKept(e, now) {
			kept++
		}
	}
	if kept >= limit {
		return store.Condition{}, fmt.Errorf("%w: %d (limit: %d)", ErrTooMany, kept, limit)
	}
	return store.Unchanged(store.Item{Version: c.touched}), nil
}

// isKept reports whether a stored silence counts at now: the store drops expired ones
// late.
func (ss *Silences) isKept(e entry, now time.Time) bool {
	return e.silence == nil || now.Before(e.silence.EndsAt.Add(ss.retention))
}

// Count returns the number of silences in each state at now. While no silence is set or
// expired, by any instance, it reads one item.
func (ss *Silences) Count(ctx context.Context, now time.Time) (map[State]int, error) {
	c, err := ss.current(ctx, now)
	if err != nil {
		return nil, err
	}
	count := map[State]int{Active: 0, Pending: 0, Expired: 0}
	for _, e := range c.entries {
		if e.silence != nil && ss.isKept(e, now) {
			count[e.silence.State(now)]++
		}
	}
	return count, nil
}

// Expire ends a silence now. It does nothing to a silence that has expired. The
// error is ErrNotFound for an unknown id.
func (ss *Silences) Expire(ctx context.Context, now time.Time, id string) error {
	return store.RetryOnConflict(ctx, func() error {
		s, item, err := ss.get(ctx, id)
		if err != nil || s.State(now) == Expired {
			return err
		}
		change, err := ss.change(s.expiredAt(now), store.Unchanged(item))
		if err != nil {
			return err
		}
		return ss.store.Commit(ctx, now, change, touch())
	})
}

// Get returns the silence with the id, or ErrNotFound.
func (ss *Silences) Get(ctx context.Context, id string) (*Silence, error) {
	s, _, err := ss.get(ctx, id)
	return s, err
}

// List returns the silences at now in order of their ids, with the expired ones that
// are retained. They are shared: do not change them.
func (ss *Silences) List(ctx context.Context, now time.Time) ([]*Silence, error) {
	var readAt time.Time
	if c := ss.cached.Load(); c != nil {
		readAt = c.readAt
	}
	c, err := ss.readAll(ctx, readAt)
	if err != nil {
		return nil, err
	}
	all := make([]*Silence, 0, len(c.entries))
	for _, e := range c.entries {
		if e.silence != nil && ss.isKept(e, now) {
			all = append(all, e.silence)
		}
	}
	return all, nil
}

// ActiveAt returns the silences that are active at now. While no silence is set or
// expired, by any instance, it reads one item.
func (ss *Silences) ActiveAt(ctx context.Context, now time.Time) (*Muter, error) {
	c, err := ss.current(ctx, now)
	return &Muter{c, now}, err
}

func (ss *Silences) get(ctx context.Context, id string) (*Silence, store.Item, error) {
	items, err := ss.store.Get(ctx, keyspace.Silence+id)
	if err != nil {
		return nil, store.Item{}, err
	}
	var s Silence
	found, err := store.Decode(items[0], &s)
	if err == nil && !found {
		err = ErrNotFound
	}
	return &s, items[0], err
}

func (ss *Silences) change(s *Silence, condition store.Condition) (store.Change, error) {
	c, err := store.Encode(keyspace.Silence+s.ID, s)
	c.If, c.Expires = condition, s.EndsAt.Add(ss.retention+clockAllowance)
	return c, err
}
