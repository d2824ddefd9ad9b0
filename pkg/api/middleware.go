package api

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime/debug"
	"time"
)

// requestTimeout is the limit on the time of one request.
const requestTimeout = 30 * time.Second

// guard limits the time and the body of a request, writes the access log, and responds
// after a panic.
func (a *api) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		rec := &responseRecorder{ResponseWriter: w}
		begin := a.Now()
		defer func() {
			if p := recover(); p != nil {
				a.handlePanic(rec, r, p)
			}
			// Without the query, which may contain a token.
			a.Log.DebugContext(ctx, "request", "method", r.Method, "path", r.URL.Path, "status", rec.status, "bytes", rec.bytes, "token", rec.caller, "took", a.Now().Sub(begin))
		}()
		w.Header().Set("Cache-Control", "no-store")
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, a.Limits.Body)
		h.ServeHTTP(rec, r)
	})
}

func (a *api) handlePanic(w *responseRecorder, r *http.Request, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares the panic value as well
		panic(p)
	}
	a.Log.ErrorContext(r.Context(), "panic", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // so that the client notices the incomplete response
	}
	a.respond(w, r, nil, codedError(http.StatusInternalServerError, "internal error: see the log of Tocsin"))
}

// responseRecorder records the status, size and caller for the access log.
type responseRecorder struct {
	http.ResponseWriter
	status, bytes int
	caller        string // name of the request's token
}

func (w *responseRecorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseRecorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += n
	return n, err
}

// respondOK responds to checks of health, as Alertmanager does.
func respondOK(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) }

// ready responds to checks of readiness: OK as Alertmanager does, followed by a line if
// there is something to note, or 503 with the reason.
func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	if a.Ready == nil {
		respondOK(w, r)
		return
	}
	note, err := a.Ready(r.Context())
	switch {
	case err != nil:
		http.Error(w, "Not ready: "+err.Error(), http.StatusServiceUnavailable)
	case note != "":
		_, _ = w.Write([]byte("OK\n" + note + "\n"))
	default:
		respondOK(w, r)
	}
}

// apiV1Removed responds to requests to Alertmanager's API v1 as Alertmanager does, which
// removed it in 0.27.
func apiV1Removed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusGone)
	_ = json.NewEncoder(w).Encode(map[string]string{
		"status": "deprecated",
		"error":  "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - please use the equivalent route in the v2 API",
	})
}

func (a *api) reload(w http.ResponseWriter, r *http.Request) {
	if err := a.Reload(r.Context()); err != nil {
		http.Error(w, "failed to reload config: "+err.Error(), http.StatusInternalServerError)
	}
}
