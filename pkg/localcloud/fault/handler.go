package fault

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Pass lets a request through, so that a later fault befalls a later one.
func Pass(_ http.ResponseWriter, _ *http.Request, next func()) { next() }

// Answer answers with any text, such as the HTML page of a proxy, and with the
// headers given as pairs of name and value.
func Respond(status int, contentType, body string, headers ...string) Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// Hang reads the message but answers nothing until the client has gone away.
func Hang(_ http.ResponseWriter, r *http.Request, _ func()) {
	// net/http notices that a client has gone only once the body is read.
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler) // to return is to answer, which a client that is just going may still read
}

// Forget takes the message, and then closes the connection without an answer.
func DropAfterAccept(_ http.ResponseWriter, _ *http.Request, next func()) {
	next()
	panic(http.ErrAbortHandler)
}

// Half sends the first half of a JSON answer and closes the connection.
func Truncate(answer string) Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		fmt.Fprint(w, answer[:len(answer)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
