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

// methods are the handlers of one path by HTTP method. A handler returns the value of
// the JSON response, nil for an empty body. A nil map is for paths that do not exist.
type methods map[string]func(r *http.Request, now time.Time) (any, error)

// httpError is an error with its response.
type httpError struct {
	status int
	body   any // nil for an empty body
}

func (e *httpError) Error() string { return fmt.Sprint(e.status, " ", e.body) }

// errorBody is the body of the response to a request of the wrong format, as in
// Alertmanager's OpenAPI layer.
type errorBody struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// String returns the message alone, for logs.
func (b errorBody) String() string { return b.Message }

// Codes of validation errors, as in Alertmanager's OpenAPI layer (go-openapi/errors).
// Their status is 422.
const (
	codeType     = 601 // wrong type or format
	codeRequired = 602
	codeMinItems = 612
)

// textError returns the error of a request with wrong content. The body of the response
// is a JSON string.
func textError(status int, format string, args ...any) error {
	return &httpError{status, fmt.Sprintf(format, args...)}
}

// codedError returns the error of a request of the wrong format. The body of the response
// is an errorBody.
func codedError(status int, format string, args ...any) error {
	return &httpError{status, errorBody{status, fmt.Sprintf(format, args...)}}
}

// validationError returns an error of a JSON body that violates the schema.
func validationError(code int, format string, args ...any) error {
	return &httpError{http.StatusUnprocessableEntity, errorBody{code, fmt.Sprintf(format, args...)}}
}

// retryAfter is the Retry-After of an unavailable store, in seconds.
const retryAfter = 5

// endpoint returns the handler of one path.
func (a *api) endpoint(m methods) http.HandlerFunc {
	allowed := slices.Sorted(maps.Keys(m))
	return func(w http.ResponseWriter, r *http.Request) {
		if m == nil {
			a.respond(w, r, nil, codedError(http.StatusNotFound, "path %s was not found", truncate(r.URL.Path)))
			return
		}
		handle, ok := m[r.Method]
		if !ok {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			a.respond(w, r, nil, codedError(http.StatusMethodNotAllowed, "method %s is not allowed, but [%s] are", truncate(r.Method), strings.Join(allowed, ",")))
			return
		}
		v, err := handle(r, a.Now())
		a.respond(w, r, v, err)
	}
}

// respond writes v as JSON, or nothing if it is nil, or the response of an error.
func (a *api) respond(w http.ResponseWriter, r *http.Request, v any, err error) {
	status := http.StatusOK
	if err != nil {
		e := a.toHTTPError(r, err)
		status, v = e.status, e.body
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		}
	}
	var body bytes.Buffer
	if v != nil {
		if err := json.NewEncoder(&body).Encode(v); err != nil {
			panic(err) // cannot happen for the types of this package
		}
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // fails when the client has disconnected
}

// toHTTPError returns the response of err. Details that concern only the operator are
// logged instead.
func (a *api) toHTTPError(r *http.Request, err error) *httpError {
	var e *httpError
	if errors.As(err, &e) {
		return e
	}
	a.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	switch {
	case errors.Is(err, store.ErrFull):
		return &httpError{http.StatusServiceUnavailable, "the store is full: make room, and try again"}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrConflict),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &httpError{http.StatusServiceUnavailable, "the store is out of reach: try again"}
	default:
		return &httpError{http.StatusInternalServerError, "internal error: see the log of Tocsin"}
	}
}

// truncate shortens a client's text for an error message.
func truncate(s string) string {
	const maxSize = 100
	if len(s) <= maxSize {
		return s
	}
	return strings.ToValidUTF8(s[:maxSize], "") + "…"
}

// responseTime is a time in a response: RFC 3339 with milliseconds, in its own zone.
type responseTime time.Time

func (s responseTime) AppendText(b []byte) ([]byte, error) {
	return time.Time(s).AppendFormat(b, "2006-01-02T15:04:05.000Z07:00"), nil
}

func (s responseTime) MarshalText() ([]byte, error) { return s.AppendText(nil) }
