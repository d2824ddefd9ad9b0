package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
)

// postedSilence is a silence as it is posted: postableSilence of Alertmanager's
// openapi.yaml. Pointers tell what is missing from what is empty.
type postedSilence struct {
	ID          string          `json:"id"`
	Matchers    []postedMatcher `json:"matchers"`
	StartsAt    *moment         `json:"startsAt"`
	EndsAt      *moment         `json:"endsAt"`
	CreatedBy   *string         `json:"createdBy"`
	Comment     *string         `json:"comment"`
	Annotations alert.Labels    `json:"annotations"`
}

type postedMatcher struct {
	Name    *string `json:"name"`
	Value   *string `json:"value"`
	IsRegex *bool   `json:"isRegex"`
	IsEqual *bool   `json:"isEqual"` // default true
}

// postSilence makes a silence, or changes the one whose id is given.
func (a *api) postSilence(r *http.Request, now time.Time) (any, error) {
	const what = "silence"
	dec, err := a.open(r, what)
	if err != nil {
		return nil, err
	}
	var p postedSilence
	if err := dec.Decode(&p); err != nil {
		return nil, notParsed(what, "%s", explain(err))
	}
	if err := end(dec, what); err != nil {
		return nil, err
	}
	if err := p.complete(); err != nil {
		return nil, err
	}
	s := p.silence()
	switch {
	case !s.StartsAt.Before(s.EndsAt):
		return nil, refuse(http.StatusBadRequest, "Failed to create silence: start time must be before end time")
	case s.EndsAt.Before(now):
		return nil, refuse(http.StatusBadRequest, "Failed to create silence: end time can't be in the past")
	}
	if err := a.validateSilence(&s); err != nil {
		return nil, refuse(http.StatusBadRequest, "%s: %s", dispatch.ErrInvalidSilence, err)
	}
	id, err := a.Engine.SetSilence(r.Context(), now, s)
	switch {
	case errors.Is(err, dispatch.ErrNoSilence):
		return nil, refuse(http.StatusNotFound, "%s", dispatch.ErrNoSilence)
	case errors.Is(err, dispatch.ErrInvalidSilence):
		return nil, refuse(http.StatusBadRequest, "%s", err)
	case err != nil:
		return nil, err
	}
	return map[string]string{"silenceID": id}, nil
}

func (p *postedSilence) silence() dispatch.Silence {
	s := dispatch.Silence{
		ID: p.ID, StartsAt: p.StartsAt.at, EndsAt: p.EndsAt.at, CreatedBy: *p.CreatedBy, Comment: *p.Comment, Annotations: p.Annotations,
	}
	for _, m := range p.Matchers {
		s.Matchers = append(s.Matchers, dispatch.SilenceMatcher{
			Name: *m.Name, Value: *m.Value, IsRegex: *m.IsRegex, IsEqual: m.IsEqual == nil || *m.IsEqual,
		})
	}
	return s
}

// complete says what the form of a silence lacks, in the order and the words of
// Alertmanager's OpenAPI layer.
func (p *postedSilence) complete() error {
	required := func(field string) error { return unfit(codeRequired, "%s in body is required", field) }
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
		return unfit(codeMinItems, "matchers in body should have at least 1 items")
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

// validateSilence says what is wrong with a silence beyond what the engine
// checks: names, and how much it is.
func (a *api) validateSilence(s *dispatch.Silence) error {
	if len(s.Matchers) > maxMatchers {
		return fmt.Errorf("%d matchers, no more than %d are taken", len(s.Matchers), maxMatchers)
	}
	size := len(s.CreatedBy) + len(s.Comment)
	for name, value := range s.Annotations {
		size += len(name) + len(value)
	}
	for i, m := range s.Matchers {
		if !a.validName(m.Name) {
			return fmt.Errorf("invalid label matcher %d: invalid label name %q", i, cut(m.Name))
		}
		if len(m.Name)+len(m.Value) > maxExpression {
			return fmt.Errorf("invalid label matcher %d: more than %d bytes", i, maxExpression)
		}
		size += len(m.Name) + len(m.Value)
	}
	if size > a.Limits.AlertSize {
		return fmt.Errorf("%d bytes of text, no more than %d are taken", size, a.Limits.AlertSize)
	}
	return nil
}
