package dispatch

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

// Silence keeps alerts quiet for a time. Its JSON is that of Alertmanager's API.
type Silence struct {
	ID          string           `json:"id"`
	Matchers    []SilenceMatcher `json:"matchers"`
	StartsAt    time.Time        `json:"startsAt"`
	EndsAt      time.Time        `json:"endsAt"`
	UpdatedAt   time.Time        `json:"updatedAt"`
	CreatedBy   string           `json:"createdBy"`
	Comment     string           `json:"comment"`
	Annotations alert.Labels     `json:"annotations,omitempty"`
}

// SilenceMatcher is one condition on a label; an alert is silenced when it meets
// all of them.
type SilenceMatcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

// SilenceState is how a silence stands at a time, in Alertmanager's words.
type SilenceState string

const (
	SilencePending SilenceState = "pending"
	SilenceActive  SilenceState = "active"
	SilenceExpired SilenceState = "expired"
)

// State tells how the silence stands at now. It is still active at its very end.
func (s *Silence) State(now time.Time) SilenceState {
	switch {
	case now.Before(s.StartsAt):
		return SilencePending
	case now.After(s.EndsAt):
		return SilenceExpired
	default:
		return SilenceActive
	}
}

var (
	// ErrNoSilence is returned for an id that no silence has.
	ErrNoSilence = errors.New("silence not found")
	// ErrInvalidSilence wraps what is wrong with a silence.
	ErrInvalidSilence = errors.New("invalid silence")
)

const (
	kindSilence = "silence"
	// defaultRetention is Alertmanager's --data.retention.
	defaultRetention = 120 * time.Hour
	// maxSilences bounds how many silences there may be, expired ones included.
	maxSilences = 10_000
)

// SetSilence makes a silence, or changes the one whose id s has, and returns its
// id. A silence is changed in place when its matchers stay and only its future
// does not: an active one keeps its start, a pending one must not start in the
// past. Otherwise the old one ends now and the new one gets an id of its own,
// so that what was silenced when can still be seen.
func (e *Engine) SetSilence(ctx context.Context, now time.Time, s Silence) (id string, err error) {
	if s.StartsAt.IsZero() {
		s.StartsAt = now
	}
	if _, err := s.validate(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalidSilence, err)
	}
	asked := s
	err = retryOnConflict(ctx, func() error {
		s := asked
		var changes []store.Change
		if s.ID != "" {
			prev, it, err := e.silence(ctx, s.ID)
			if err != nil {
				return err
			}
			if prev.becomes(&s, now) {
				s.UpdatedAt = now
				id = s.ID
				return e.writeSilence(ctx, now, &s, store.Unchanged(it), nil)
			}
			if prev.State(now) != SilenceExpired {
				ended, err := e.silenceChange(prev.ended(now), store.Unchanged(it))
				if err != nil {
					return err
				}
				changes = append(changes, ended)
			}
		}
		if s.ID, err = newID(); err != nil {
			return err
		}
		id = s.ID
		if s.StartsAt.Before(now) {
			s.StartsAt = now
		}
		s.UpdatedAt = now
		return e.writeSilence(ctx, now, &s, store.Absent(), changes)
	})
	return id, err
}

// ExpireSilence ends a silence now. Ending one that is over changes nothing.
func (e *Engine) ExpireSilence(ctx context.Context, now time.Time, id string) error {
	return retryOnConflict(ctx, func() error {
		s, it, err := e.silence(ctx, id)
		if err != nil || s.State(now) == SilenceExpired {
			return err
		}
		return e.writeSilence(ctx, now, s.ended(now), store.Unchanged(it), nil)
	})
}

// GetSilence returns the silence with the id, or ErrNoSilence.
func (e *Engine) GetSilence(ctx context.Context, id string) (*Silence, error) {
	s, _, err := e.silence(ctx, id)
	return s, err
}

// Silences returns all silences, in order of their ids.
func (e *Engine) Silences(ctx context.Context) ([]*Silence, error) {
	items, err := e.store.List(ctx, kindSilence+"/", "", maxSilences)
	if err != nil {
		return nil, err
	}
	all := make([]*Silence, 0, len(items))
	for _, it := range items {
		var s Silence
		if _, err := read(it, &s); err != nil {
			e.log.Error("cannot read a silence; it silences nothing", "key", it.Key, "err", err)
			continue
		}
		all = append(all, &s)
	}
	return all, nil
}

func (e *Engine) silence(ctx context.Context, id string) (*Silence, store.Item, error) {
	items, err := e.store.Get(ctx, kindSilence+"/"+id)
	if err != nil {
		return nil, store.Item{}, err
	}
	var s Silence
	ok, err := read(items[0], &s)
	if err == nil && !ok {
		err = ErrNoSilence
	}
	return &s, items[0], err
}

func (e *Engine) writeSilence(ctx context.Context, now time.Time, s *Silence, cond store.Condition, also []store.Change) error {
	c, err := e.silenceChange(s, cond)
	if err != nil {
		return err
	}
	return e.store.Commit(ctx, now, append(also, c)...)
}

func (e *Engine) silenceChange(s *Silence, cond store.Condition) (store.Change, error) {
	c, err := put(kindSilence+"/"+s.ID, s)
	c.If, c.Expires = cond, s.EndsAt.Add(e.retention)
	return c, err
}

// validate compiles the matchers, or says what is wrong, in Alertmanager's words.
func (s *Silence) validate() (labels.Matchers, error) {
	if len(s.Matchers) == 0 {
		return nil, errors.New("at least one matcher required")
	}
	var ms labels.Matchers
	matchesAll := true
	for i, sm := range s.Matchers {
		m, err := sm.compile()
		if err != nil {
			return nil, fmt.Errorf("invalid label matcher %d: %w", i, err)
		}
		ms = append(ms, m)
		// As upstream, which takes job!="db" for a condition although an absent
		// label meets it.
		matchesAll = matchesAll && sm.IsEqual && m.Matches("")
	}
	switch {
	case matchesAll:
		return nil, errors.New("at least one matcher must not match the empty string")
	case s.EndsAt.IsZero():
		return nil, errors.New("invalid zero end timestamp")
	case s.EndsAt.Before(s.StartsAt):
		return nil, errors.New("end time must not be before start time")
	}
	return ms, nil
}

func (m SilenceMatcher) compile() (*labels.Matcher, error) {
	if m.Name == "" {
		return nil, errors.New("the label has no name")
	}
	t := labels.MatchEqual
	switch {
	case m.IsRegex && m.IsEqual:
		t = labels.MatchRegexp
	case m.IsRegex:
		t = labels.MatchNotRegexp
	case !m.IsEqual:
		t = labels.MatchNotEqual
	}
	return labels.NewMatcher(t, m.Name, m.Value)
}

// becomes tells whether s may be changed into next in place.
func (s *Silence) becomes(next *Silence, now time.Time) bool {
	if !slices.Equal(s.Matchers, next.Matchers) {
		return false
	}
	switch s.State(now) {
	case SilenceActive:
		return s.StartsAt.Unix() == next.StartsAt.Unix() && !next.EndsAt.Before(now)
	case SilencePending:
		return !next.StartsAt.Before(now)
	default:
		return false
	}
}

// ended is the silence as it is when it is ended at now.
func (s *Silence) ended(now time.Time) *Silence {
	over := *s
	if over.State(now) == SilencePending {
		over.StartsAt = now
	}
	over.EndsAt, over.UpdatedAt = now, now
	return &over
}

// newID returns a random UUID (RFC 9562, version 4), as Alertmanager's silences
// have.
func newID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}
