package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/silence"
	"tocsin/pkg/store"
)

// gettableSilence is a type of Alertmanager's openapi.yaml.
type gettableSilence struct {
	ID          string            `json:"id"`
	Status      silenceStatus     `json:"status"`
	UpdatedAt   responseTime      `json:"updatedAt"`
	Annotations alert.Labels      `json:"annotations,omitempty"`
	Comment     string            `json:"comment"`
	CreatedBy   string            `json:"createdBy"`
	EndsAt      responseTime      `json:"endsAt"`
	Matchers    []silence.Matcher `json:"matchers"`
	StartsAt    responseTime      `json:"startsAt"`
}

type silenceStatus struct {
	State silence.State `json:"state"`
}

// getSilences returns the silences that match the filter: active ones by their end,
// pending ones by their start, and expired ones by their end, the latest first.
func (a *api) getSilences(r *http.Request, now time.Time) (any, error) {
	q := r.URL.Query()
	matchers, err := a.matchers(q, "filter")
	if err != nil {
		return nil, textError(http.StatusBadRequest, "%s", err)
	}
	all, err := a.Engine.Silences().List(r.Context(), now)
	if err != nil {
		return nil, err
	}
	order := map[silence.State]int{silence.Active: 0, silence.Pending: 1, silence.Expired: 2}
	all = slices.DeleteFunc(all, func(s *silence.Silence) bool {
		return !boolParameter(q, string(s.State(now))) || !hasMatchers(s, matchers)
	})
	slices.SortStableFunc(all, func(s, t *silence.Silence) int {
		switch state := s.State(now); {
		case state != t.State(now):
			return cmp.Compare(order[state], order[t.State(now)])
		case state == silence.Pending:
			return s.StartsAt.Compare(t.StartsAt)
		case state == silence.Expired:
			return t.EndsAt.Compare(s.EndsAt)
		default:
			return s.EndsAt.Compare(t.EndsAt)
		}
	})
	out := make([]gettableSilence, len(all))
	for i, s := range all {
		out[i] = newGettableSilence(s, now)
	}
	return out, nil
}

// hasMatchers reports whether the silence has exactly these matchers among its own.
func hasMatchers(s *silence.Silence, ms labels.Matchers) bool {
	for _, m := range ms {
		if !slices.Contains(s.Matchers, silence.Matcher{
			Name: m.Name, Value: m.Value,
			IsRegex: m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp,
			IsEqual: m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp,
		}) {
			return false
		}
	}
	return true
}

func newGettableSilence(s *silence.Silence, now time.Time) gettableSilence {
	return gettableSilence{
		ID: s.ID, Status: silenceStatus{s.State(now)}, UpdatedAt: responseTime(s.UpdatedAt), Annotations: s.Annotations,
		Comment: s.Comment, CreatedBy: s.CreatedBy, StartsAt: responseTime(s.StartsAt), EndsAt: responseTime(s.EndsAt), Matchers: s.Matchers,
	}
}

func (a *api) getSilence(r *http.Request, now time.Time) (any, error) {
	id, err := silenceID(r)
	if err != nil {
		return nil, err
	}
	s, err := a.Engine.Silences().Get(r.Context(), id)
	if err != nil {
		return nil, silenceError(err)
	}
	return newGettableSilence(s, now), nil
}

// deleteSilence expires a silence. It stays in the list as expired.
func (a *api) deleteSilence(r *http.Request, now time.Time) (any, error) {
	id, err := silenceID(r)
	if err != nil {
		return nil, err
	}
	return nil, silenceError(a.Engine.Silences().Expire(r.Context(), now, id))
}

func silenceError(err error) error {
	if errors.Is(err, silence.ErrNotFound) {
		return &httpError{status: http.StatusNotFound}
	}
	return err
}

func silenceID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !isUUID(id) {
		return "", validationError(codeType, "silenceID in path must be of type uuid: %q", truncate(id))
	}
	return id, nil
}

// isUUID reports whether s is a UUID in the text format of RFC 9562.
func isUUID(s string) bool {
	if len(s) != len("00000000-0000-0000-0000-000000000000") {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return true
}

// postableSilence is a type of Alertmanager's openapi.yaml. A nil pointer is a missing
// field.
type postableSilence struct {
	ID          string            `json:"id"`
	Matchers    []postableMatcher `json:"matchers"`
	StartsAt    *requestTime      `json:"startsAt"`
	EndsAt      *requestTime      `json:"endsAt"`
	CreatedBy   *string           `json:"createdBy"`
	Comment     *string           `json:"comment"`
	Annotations alert.Labels      `json:"annotations"`
}

type postableMatcher struct {
	Name    *string `json:"name"`
	Value   *string `json:"value"`
	IsRegex *bool   `json:"isRegex"`
	IsEqual *bool   `json:"isEqual"` // default true
}

// postSilence creates a silence, or updates the one with the given id.
func (a *api) postSilence(r *http.Request, now time.Time) (any, error) {
	const name = "silence"
	dec, err := a.decodeBody(r, name)
	if err != nil {
		return nil, err
	}
	var p postableSilence
	if err := dec.Decode(&p); err != nil {
		return nil, parseError(name, "%s", explainDecodeError(err))
	}
	if err := expectEnd(dec, name); err != nil {
		return nil, err
	}
	if err := p.checkRequired(); err != nil {
		return nil, err
	}
	s := p.silence()
	switch {
	case !s.StartsAt.Before(s.EndsAt):
		return nil, textError(http.StatusBadRequest, "Failed to create silence: start time must be before end time")
	case s.EndsAt.Before(now):
		return nil, textError(http.StatusBadRequest, "Failed to create silence: end time can't be in the past")
	}
	if err := a.validateSilence(&s); err != nil {
		return nil, textError(http.StatusBadRequest, "%s: %s", silence.ErrInvalid, err)
	}
	id, err := a.Engine.Silences().Set(r.Context(), now, s)
	switch {
	case errors.Is(err, silence.ErrNotFound):
		return nil, textError(http.StatusNotFound, "%s", silence.ErrNotFound)
	case errors.Is(err, silence.ErrInvalid), errors.Is(err, silence.ErrTooMany), errors.Is(err, silence.ErrTooLarge):
		return nil, textError(http.StatusBadRequest, "%s", err)
	case err != nil:
		return nil, err
	}
	return map[string]string{"silenceID": id}, nil
}

func (p *postableSilence) silence() silence.Silence {
	s := silence.Silence{
		ID: p.ID, StartsAt: p.StartsAt.time, EndsAt: p.EndsAt.time, CreatedBy: *p.CreatedBy, Comment: *p.Comment, Annotations: p.Annotations,
	}
	for _, m := range p.Matchers {
		s.Matchers = append(s.Matchers, silence.Matcher{
			Name: *m.Name, Value: *m.Value, IsRegex: *m.IsRegex, IsEqual: m.IsEqual == nil || *m.IsEqual,
		})
	}
	return s
}

// checkRequired returns an error for the first missing field, in the order and with the
// text of Alertmanager's OpenAPI layer.
func (p *postableSilence) checkRequired() error {
	required := func(field string) error { return validationError(codeRequired, "%s in body is required", field) }
	switch {
	case p.Comment == nil:
		return required("comment")
	case p.CreatedBy == nil:
		return required("createdBy")
	case p.EndsAt == nil:
		return required("endsAt")
	case p.Matchers == nil:
		return required("matchers")
	case len(p.Matchers) == 0:
		return validationError(codeMinItems, "matchers in body should have at least 1 items")
	}
	for i, m := range p.Matchers {
		switch {
		case m.IsRegex == nil:
			return required(fmt.Sprintf("matchers.%d.isRegex", i))
		case m.Name == nil:
			return required(fmt.Sprintf("matchers.%d.name", i))
		case m.Value == nil:
			return required(fmt.Sprintf("matchers.%d.value", i))
		}
	}
	if p.StartsAt == nil {
		return required("startsAt")
	}
	return nil
}

// validateSilence checks names and sizes, which the engine does not check.
func (a *api) validateSilence(s *silence.Silence) error {
	if len(s.Matchers) > maxMatchers {
		return fmt.Errorf("%d matchers, at most %d are allowed", len(s.Matchers), maxMatchers)
	}
	size := len(s.CreatedBy) + len(s.Comment)
	for name, value := range s.Annotations {
		size += len(name) + len(value)
	}
	for i, m := range s.Matchers {
		if !a.validName(m.Name) {
			return fmt.Errorf("invalid label matcher %d: invalid label name %q", i, truncate(m.Name))
		}
		if len(m.Name)+len(m.Value) > maxExpression {
			return fmt.Errorf("invalid label matcher %d: more than %d bytes", i, maxExpression)
		}
		size += len(m.Name) + len(m.Value)
	}
	if size > a.Limits.AlertSize {
		return fmt.Errorf("%d bytes of text, at most %d are allowed", size, a.Limits.AlertSize)
	}
	const maxStored = store.MaxValue - 4<<10 // less the id and the time of the update
	stored, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if len(stored) > maxStored {
		return fmt.Errorf("more than %d bytes as stored", maxStored)
	}
	return nil
}
