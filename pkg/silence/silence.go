// Package silence keeps silences in the store and finds those that mute an alert:
// Alertmanager's package of that name.
//
// # Stored items
//
//	silence/ID     a silence in the JSON of Alertmanager's API; it expires the
//	               retention time given to [New] after the silence has ended
//	meta/silences  written with every silence; its version tells an instance whether
//	               the silences that it has in memory are the stored ones
//
// So as long as no silence changes, a tick reads one item, however many silences there
// are, and each regular expression is compiled once in a process. A silence that
// cannot be read or compiled is logged and mutes nothing. One whose expressions are
// too large is refused; if an earlier version has accepted it, it mutes.
package silence

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/matcher"
)

// Silence mutes the alerts that match it, for a time. Its JSON is that of
// Alertmanager's API.
type Silence struct {
	ID          string       `json:"id"`
	Matchers    []Matcher    `json:"matchers"`
	StartsAt    time.Time    `json:"startsAt"`
	EndsAt      time.Time    `json:"endsAt"`
	UpdatedAt   time.Time    `json:"updatedAt"`
	CreatedBy   string       `json:"createdBy"`
	Comment     string       `json:"comment"`
	Annotations alert.Labels `json:"annotations,omitempty"`
}

// Matcher is one condition on a label. An alert must meet all conditions of a
// silence to be muted by it.
type Matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

func (m *Matcher) compile() (*labels.Matcher, error) {
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

// State is one of Alertmanager's states of a silence.
type State string

const (
	Pending State = "pending"
	Active  State = "active"
	Expired State = "expired"
)

// State returns the state of the silence at now. At EndsAt it is still active.
func (s *Silence) State(now time.Time) State {
	switch {
	case now.Before(s.StartsAt):
		return Pending
	case now.After(s.EndsAt):
		return Expired
	default:
		return Active
	}
}

// validate returns the reason why the silence is not accepted, if there is one.
func (s *Silence) validate() error {
	if err := s.checkRegexps(); err != nil {
		return err
	}
	_, err := s.compile()
	return err
}

// checkRegexps returns an error if the regular expressions are too large. The matchers
// need not be compiled, which would cost much then.
func (s *Silence) checkRegexps() error {
	var texts []string
	for _, m := range s.Matchers {
		if m.IsRegex {
			texts = append(texts, m.Value)
		}
	}
	return matcher.CheckRegexps(texts...)
}

// compile returns the matchers of the silence, or the reason why it is invalid, in
// Alertmanager's words.
func (s *Silence) compile() (labels.Matchers, error) {
	if len(s.Matchers) == 0 {
		return nil, errors.New("at least one matcher required")
	}
	var ms labels.Matchers
	matchesAll := true
	for i := range s.Matchers {
		m, err := s.Matchers[i].compile()
		if err != nil {
			return nil, fmt.Errorf("invalid label matcher %d: %w", i, err)
		}
		ms = append(ms, m)
		// Alertmanager accepts a negative matcher such as job!="db" as the only
		// condition, although it matches the empty string.
		matchesAll = matchesAll && s.Matchers[i].IsEqual && m.Matches("")
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

// canUpdate reports whether s may be changed into next in place.
func (s *Silence) canUpdate(next *Silence, now time.Time) bool {
	if !slices.Equal(s.Matchers, next.Matchers) {
		return false
	}
	switch s.State(now) {
	case Active:
		return s.StartsAt.Unix() == next.StartsAt.Unix() && !next.EndsAt.Before(now)
	case Pending:
		return !next.StartsAt.Before(now)
	default:
		return false
	}
}

// expiredAt returns the silence with its end moved to now. A pending one then has
// no duration.
func (s *Silence) expiredAt(now time.Time) *Silence {
	expired := *s
	if expired.State(now) == Pending {
		expired.StartsAt = now
	}
	expired.EndsAt, expired.UpdatedAt = now, now
	return &expired
}

// newID returns a random UUID (RFC 9562, version 4), as Alertmanager's silences
// have.
func newID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("generate a silence's id: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}
