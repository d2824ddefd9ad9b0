package api

import (
	"context"
	"net/http"
	"runtime/debug"
	"time"
)

// requestTime bounds the work on one request.
const requestTime = 30 * time.Second

// guard is around every request: it bounds its time and its body, writes the
// access log, and turns a panic into an answer.
func (a *api) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		rec := &recorder{ResponseWriter: w}
		begin := a.Now()
		defer func() {
			if p := recover(); p != nil {
				a.panicked(rec, r, p)
			}
			// Without its query, which may hold a token.
			a.Log.DebugContext(ctx, "request", "method", r.Method, "path", r.URL.Path, "status", rec.status, "bytes", rec.bytes, "token", rec.caller, "took", a.Now().Sub(begin))
		}()
		w.Header().Set("Cache-Control", "no-store")
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, a.Limits.Body)
		h.ServeHTTP(rec, r)
	})
}

func (a *api) panicked(w *recorder, r *http.Request, p any) {
	if p == http.ErrAbortHandler { // net/http's way to cut the connection
		panic(p)
	}
	a.Log.ErrorContext(r.Context(), "panic", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	a.answer(w, r, nil, malformed(http.StatusInternalServerError, "internal error: the log says more"))
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status, bytes int
	caller        string // the name of the token that the request had
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += n
	return n, err
}
