package tencent

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// maxAnswer bounds the body of an answer in bytes. A page of 50 topics with 1000
// partitions each is about 5 MiB.
const maxAnswer = 16 << 20

var errTooLarge = errors.New("the answer is larger than 16 MiB")

// witness is what was seen of one request. The SDK turns every error into text;
// the witness keeps the error itself.
type witness struct {
	host   string
	status int   // of the answer, 0 for none
	err    error // why there is no whole answer
	// sent tells that a connection was there, so that the request may have
	// reached the API. The transport sets it from a goroutine of its own.
	sent atomic.Bool
}

type witnessKey struct{}

// Transport lets a client's requests travel by next; nil is
// http.DefaultTransport. It bounds the answers, follows no redirects, lets Do
// see what happened to its request, and Take have its answer.
func Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return transport{next}
}

type transport struct{ next http.RoundTripper }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	w, watched := r.Context().Value(witnessKey{}).(*witness)
	if !watched {
		w = new(witness)
	}
	w.host = r.URL.Host
	trace := httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { w.sent.Store(true) }}
	response, err := t.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &trace)))
	if err != nil {
		w.err = err
		return nil, err
	}
	w.status = response.StatusCode
	// The SDK's client would follow it, with the session token in its headers.
	response.Header.Del("Location")
	response.Body = &answer{ReadCloser: response.Body, left: maxAnswer, witness: w}
	response.Request = r
	hand(response)
	return response, nil
}

// answer is the body of an answer.
type answer struct {
	io.ReadCloser
	left    int
	witness *witness
}

func (a *answer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if a.left -= n; a.left < 0 {
		err = errTooLarge
	}
	if err != nil && err != io.EOF {
		a.witness.err = err
	}
	return n, err
}

// Do makes one request of an action, such as "ckafka:DescribeGroup". call makes it
// with the context that it is given, and a client whose key is c and whose
// transport is a Transport. An error is an *Error.
func Do(ctx context.Context, c Credential, action string, call func(context.Context) error) error {
	id, key, token := c.GetCredential()
	if id == "" || key == "" {
		return missingKey(action)
	}
	w := new(witness)
	err := call(context.WithValue(ctx, witnessKey{}, w))
	if err == nil {
		return nil
	}
	e := explain(err, action, w)
	e.Message = tidy(e.Message, id, key, token)
	return e
}
