package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/store"
)

// methods answer the requests to one path, by their method: with what is shown
// as JSON, nil for an empty body, or with an error. A nil map is a path that does
// not exist.
type methods map[string]func(r *http.Request, now time.Time) (any, error)

// refusal is an error that the client is told.
type refusal struct {
	status int
	body   any // nil for an empty body
}

func (f *refusal) Error() string { return fmt.Sprint(f.status, " ", f.body) }

// coded is the body of an error that the request's form has: Alertmanager's
// OpenAPI layer makes it.
type coded struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// String is the message alone, for logs.
func (c coded) String() string { return c.Message }

// Codes of errors in the form of a body, as Alertmanager's OpenAPI layer numbers
// them (go-openapi/errors). Their status is 422.
const (
	codeType     = 601 // not of the type or format
	codeRequired = 602
	codeMinItems = 612
)

// refuse is an error of what a request means, told as a JSON string.
func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// malformed is an error of how a request is made.
func malformed(status int, format string, args ...any) error {
	return &refusal{status, coded{status, fmt.Sprintf(format, args...)}}
}

// unfit is an error of a body that is JSON but has not the form it must have.
func unfit(code int, format string, args ...any) error {
	return &refusal{http.StatusUnprocessableEntity, coded{code, fmt.Sprintf(format, args...)}}
}

// retryAfter is when a sender should try again what the store could not take, in
// seconds.
const retryAfter = 5

func (a *api) endpoint(m methods) http.HandlerFunc {
	allowed := slices.Sorted(maps.Keys(m))
	return func(w http.ResponseWriter, r *http.Request) {
		if m == nil {
			a.answer(w, r, nil, malformed(http.StatusNotFound, "path %s was not found", cut(r.URL.Path)))
			return
		}
		handle, ok := m[r.Method]
		if !ok {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			a.answer(w, r, nil, malformed(http.StatusMethodNotAllowed, "method %s is not allowed, but [%s] are", cut(r.Method), strings.Join(allowed, ",")))
			return
		}
		shown, err := handle(r, a.Now())
		a.answer(w, r, shown, err)
	}
}

func (a *api) answer(w http.ResponseWriter, r *http.Request, shown any, err error) {
	status := http.StatusOK
	if err != nil {
		f := a.refusal(r, err)
		status, shown = f.status, f.body
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		}
	}
	var body bytes.Buffer
	if shown != nil {
		// It fails for no value that this package shows.
		if err := json.NewEncoder(&body).Encode(shown); err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that is gone hears nothing
}

// refusal is what the client is told of err; what concerns only the operator is
// logged instead.
func (a *api) refusal(r *http.Request, err error) *refusal {
	var f *refusal
	if errors.As(err, &f) {
		return f
	}
	a.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	switch {
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrConflict),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &refusal{http.StatusServiceUnavailable, "the store is out of reach: try again"}
	default:
		return &refusal{http.StatusInternalServerError, "internal error: the log says more"}
	}
}

// cut shortens what a client wrote to what an error may repeat of it.
func cut(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
