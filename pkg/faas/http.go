package faas

import (
	"context"
	"log/slog"
	"net/http"
)

// ServeHTTP runs an HTTP function on the platform that started this program. It
// does not return.
//
// Requests come from SCF's function URL and API gateway, and from Lambda's
// function URL, HTTP API, REST API and Application Load Balancer: the event's
// shape tells which. The handler sees a request as a net/http server would hand
// it over, with the client's address in RemoteAddr, and the platform's deadline
// and the event's [Invocation] in its context. What it wants done before the
// instance is frozen it does before it returns.
//
// The whole answer is kept until the handler returns. One that is larger than
// the platform takes, and a panic, become status 500, with the reason in the log
// only. An event that is no HTTP request's is an error of the function, never a
// request for /.
//
// Building and logging are as in [ServeTimer]; the line of each event also has
// method, path (without the query, which may hold a token) and status. A build
// that failed is an error of the function: Lambda's fronts then answer 502, or
// 500, without the reason.
func ServeHTTP(build func(context.Context) (http.Handler, error)) {
	serve(func(ctx context.Context) (handler, error) {
		h, err := build(ctx)
		if err != nil {
			return nil, err
		}
		return httpFunction{h, slog.Default()}.handle, nil
	})
}

// httpFunction answers events with an http.Handler.
type httpFunction struct {
	http.Handler
	log *slog.Logger
}

// maxPathLogged is how much of a path the log shows, in bytes.
const maxPathLogged = 256

func (f httpFunction) handle(ctx context.Context, event []byte) (any, error) {
	r, s, err := parseHTTP(event)
	if err != nil {
		return nil, err
	}
	w := f.serve(r.WithContext(ctx))
	body, err := w.answer(s)
	if err != nil {
		f.log.ErrorContext(ctx, "the answer was withheld", "err", err)
		w = newRecorder(r.Method)
		http.Error(w, "the answer is too large", http.StatusInternalServerError)
		if body, err = w.answer(s); err != nil {
			return nil, err
		}
	}
	note(ctx,
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path[:min(len(r.URL.Path), maxPathLogged)]),
		slog.Int("status", w.status),
	)
	return body, nil
}

// serve runs the handler, and answers in its place when it panics.
func (f httpFunction) serve(r *http.Request) (w *recorder) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p != http.ErrAbortHandler { //nolint:errorlint // net/http compares the panic value as well
			logPanic(r.Context(), f.log, p)
		}
		w = newRecorder(r.Method)
		http.Error(w, (&panicError{FromContext(r.Context()).RequestID}).Error(), http.StatusInternalServerError)
	}()
	w = newRecorder(r.Method)
	f.ServeHTTP(w, r)
	w.finish()
	return w
}
