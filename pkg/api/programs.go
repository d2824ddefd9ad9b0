package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"tocsin/pkg/lag"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/outbox"
)

// programsPath is the path of the API for programs. docs/openapi.yaml describes it.
const programsPath = "/api/tocsin/v1/"

// ErrNotFound is wrapped by the errors of Options for a name that is not configured. The
// response is 404 with their text.
var ErrNotFound = errors.New("not found")

// NotFoundf returns an error that wraps ErrNotFound and has only the formatted text.
func NotFoundf(format string, args ...any) error {
	return notFoundError(fmt.Sprintf(format, args...))
}

type notFoundError string

func (e notFoundError) Error() string        { return string(e) }
func (e notFoundError) Is(target error) bool { return target == ErrNotFound }

// DeadLetter describes a notification that no receiver accepted.
type DeadLetter = outbox.DeadLetter

// TestMessage is a message of a test notification.
type TestMessage struct {
	Channel string `json:"channel"` // the integration, such as email/0
	// Text is the message as its reader sees it, "" if it could not be rendered.
	Text string `json:"text"`
	// Error is why there is no message, "" if there is one.
	Error string `json:"error,omitempty"`
	// Outcomes has one outcome for each recipient or part.
	Outcomes []TestOutcome `json:"outcomes"`
}

// TestOutcome is the result of sending a message, or a part of it, to a recipient.
type TestOutcome struct {
	Unit  string `json:"unit"`            // the recipient or the part
	Error string `json:"error,omitempty"` // "" if it was accepted
}

// LagHistory is the history of a topic's lag.
type LagHistory struct {
	Step   float64    `json:"step"`   // seconds from one value to the next
	From   *time.Time `json:"from"`   // time of the first value; nil without values
	Values []*int64   `json:"values"` // messages; nil while unknown
}

// NewLagHistory returns h with nil for unknown values.
func NewLagHistory(h trend.History) LagHistory {
	out := LagHistory{Step: h.Step.Seconds(), Values: make([]*int64, len(h.Values))}
	for i, v := range h.Values {
		if v >= 0 {
			out.Values[i] = &v
		}
	}
	if n := len(h.Values); n > 0 {
		from := h.Last.Add(-time.Duration(n-1) * h.Step)
		out.From = &from
	}
	return out
}

// History returns the history that NewLagHistory was given.
func (h LagHistory) History() trend.History {
	out := trend.History{Step: time.Duration(h.Step * float64(time.Second)), Values: make([]int64, len(h.Values))}
	for i, v := range h.Values {
		if out.Values[i] = -1; v != nil {
			out.Values[i] = *v
		}
	}
	if n := len(h.Values); n > 0 && h.From != nil {
		out.Last = h.From.Add(time.Duration(n-1) * out.Step)
	}
	return out
}

// programEndpoints returns the endpoints of the API for programs by path, relative to
// programsPath.
func (a *api) programEndpoints() map[string]methods {
	return map[string]methods{
		"lag":                   {http.MethodGet: a.getLag},
		"lag/history":           {http.MethodGet: a.getLagHistory},
		"dead":                  {http.MethodGet: a.getDeadLetters},
		"dead/{id}/resend":      {http.MethodPost: a.resendDeadLetter},
		"receivers/{name}/test": {http.MethodPost: a.testReceiver},
	}
}

// registerPrograms registers the API for programs. All of its errors are objects.
func (a *api) registerPrograms(mux *http.ServeMux) {
	for path, m := range a.programEndpoints() {
		for method, handle := range m {
			m[method] = func(r *http.Request, now time.Time) (any, error) {
				v, err := handle(r, now)
				if err != nil {
					return nil, a.toProgramError(r, err)
				}
				return v, nil
			}
		}
		mux.Handle(programsPath+path, a.endpoint(m))
	}
	mux.Handle(programsPath, a.endpoint(nil))
}

// toProgramError returns the response of err as an errorBody.
func (a *api) toProgramError(r *http.Request, err error) error {
	if errors.Is(err, ErrNotFound) || errors.Is(err, outbox.ErrDeadLetterNotFound) {
		return codedError(http.StatusNotFound, "%s", err)
	}
	e := a.toHTTPError(r, err)
	if text, ok := e.body.(string); ok {
		return codedError(e.status, "%s", text)
	}
	return e
}

func (a *api) getLag(r *http.Request, _ time.Time) (any, error) {
	rows, err := a.Lag(r.Context(), r.URL.Query().Get("cluster"))
	if rows == nil {
		rows = []lag.TableRow{}
	}
	return rows, err
}

func (a *api) getLagHistory(r *http.Request, _ time.Time) (any, error) {
	q := r.URL.Query()
	for _, name := range []string{"cluster", "group", "topic"} {
		if q.Get(name) == "" {
			return nil, codedError(http.StatusBadRequest, "parameter %s is missing", name)
		}
	}
	h, err := a.LagHistory(r.Context(), q.Get("cluster"), q.Get("group"), q.Get("topic"))
	return NewLagHistory(h), err
}

// maxDeadLetters bounds the dead letters of a response, of which a platform sends 6 MB at
// most. Once those are sent again, the others follow.
const maxDeadLetters = 5000

func (a *api) getDeadLetters(r *http.Request, _ time.Time) (any, error) {
	letters, err := a.Engine.Outbox().DeadLetters(r.Context())
	if letters == nil {
		letters = []DeadLetter{}
	}
	return letters[:min(len(letters), maxDeadLetters)], err
}

// resendDeadLetter puts a dead letter back into the outbox, and sends due notifications.
func (a *api) resendDeadLetter(r *http.Request, now time.Time) (any, error) {
	if err := a.Engine.Outbox().Resend(r.Context(), now, r.PathValue("id")); err != nil {
		return nil, err
	}
	a.flush(r.Context())
	return map[string]string{"status": "ok"}, nil
}

func (a *api) testReceiver(r *http.Request, now time.Time) (any, error) {
	messages := []TestMessage{}
	err := a.SendTest(r.Context(), r.PathValue("name"), now, func(m TestMessage) { messages = append(messages, m) })
	return messages, err
}
