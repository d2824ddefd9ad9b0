package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"tocsin/pkg/render"
)

const (
	maxResponse = 64 << 10 // bytes of a response body that are read
	maxExcerpt  = 200      // bytes of a response body that an error shows
	// maxRetryAfter bounds the wait that a header can ask for.
	maxRetryAfter = time.Hour
)

// EncodeJSON encodes v for a vendor, without escaping "<", ">" and "&": WeCom
// lists \uxxxx among the illegal characters (error 40033), and each escape would
// count six bytes.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Response is a vendor's response to a request.
type Response struct {
	Status int
	Header http.Header
	// Body is the first 64 KiB of the body.
	Body []byte

	redactor redactor
}

// PostJSON posts a JSON body to address and returns the response, whatever its
// status. The address counts as a secret: an error names only its host.
//
// An error is an *Error: Permanent when address is not a URL, otherwise Retry,
// and Ambiguous when the request may have arrived.
func PostJSON(ctx context.Context, client *http.Client, address string, header http.Header, body []byte) (*Response, error) {
	all := http.Header{}
	maps.Copy(all, header)
	all.Set("Content-Type", "application/json")
	return do(ctx, client, http.MethodPost, "post to", address, all, bytes.NewReader(body))
}

// Get gets address. It treats the address and errors as PostJSON does.
func Get(ctx context.Context, client *http.Client, address string) (*Response, error) {
	return do(ctx, client, http.MethodGet, "get from", address, nil, nil)
}

// do makes a request. doing is the verb of its errors, such as "post to", which the host
// follows.
func do(ctx context.Context, client *http.Client, method, doing, address string, header http.Header, body io.Reader) (*Response, error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil || req.URL.Host == "" {
		return nil, &Error{Class: Permanent, Message: "the url is not an http address: correct it in the configuration"}
	}
	maps.Copy(req.Header, header)
	redactor := newRedactor(req.URL)

	failed := func(doing string, err error) error {
		return &Error{
			Class:     Retry,
			Message:   doing + " " + req.URL.Host,
			Ambiguous: connected.Load(),
			Err:       redactor.err(err),
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, failed(doing, err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return nil, failed("read the response of", err)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: content, redactor: redactor}, nil
}

// StatusError returns nil for a status of 200 to 299, and otherwise the error
// that HTTP defines for it: Rate for 429, Retry for 408 and 5xx, Permanent for
// the rest. Some vendors use statuses differently; a channel looks into its own
// table first.
func (r *Response) StatusError() *Error {
	if r.Status >= 200 && r.Status <= 299 {
		return nil
	}
	e := &Error{Class: Permanent, Code: "HTTP " + strconv.Itoa(r.Status)}
	switch {
	case r.Status == http.StatusTooManyRequests:
		e.Class, e.RetryAfter, e.Message = Rate, r.retryAfter(), "the server asks to slow down"
	case r.Status == http.StatusRequestTimeout || r.Status >= 500:
		e.Class, e.RetryAfter, e.Message = Retry, r.retryAfter(), "the server failed"
		// A gateway cannot know whether the request was processed behind it; 503
		// means that it was not.
		e.Ambiguous = r.Status != http.StatusServiceUnavailable
	case r.Status < 400:
		e.Message = "the server redirects elsewhere: put the final address into the configuration"
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden:
		e.Message = "the server refuses the request: check the credentials in the configuration"
	case r.Status == http.StatusNotFound || r.Status == http.StatusMethodNotAllowed || r.Status == http.StatusGone:
		e.Message = "the server refuses the request: check the URL in the configuration"
	default:
		e.Message = "the server refuses the request"
	}
	if s := r.BodyExcerpt(); s != "" {
		e.Message += "; it answered " + strconv.Quote(s)
	}
	return e
}

// Decode parses the body as JSON into v. An error is an *Error of class Retry
// that shows the start of the body, which is usually a proxy's page.
func (r *Response) Decode(v any) *Error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return &Error{
			Class:     Retry,
			Code:      "HTTP " + strconv.Itoa(r.Status),
			Message:   fmt.Sprintf("the response is not the vendor's JSON: check for a proxy in between; it begins with %q", r.BodyExcerpt()),
			Ambiguous: true,
		}
	}
	return nil
}

// BodyExcerpt returns the start of the body, as Sanitize returns it.
func (r *Response) BodyExcerpt() string { return r.Sanitize(string(r.Body)) }

// Sanitize returns a vendor's text as one short line without control characters
// and without the secret parts of the requested address.
func (r *Response) Sanitize(s string) string {
	return render.CleanLine(r.redactor.text(s), maxExcerpt)
}

// retryAfter parses the header Retry-After in its form of seconds.
func (r *Response) retryAfter() time.Duration { return r.Wait("Retry-After") }

// Wait returns the wait that a header asks for, a number of seconds, and at most an
// hour. It is zero when the response has no such header, or not a number in it.
func (r *Response) Wait(header string) time.Duration {
	seconds, err := strconv.Atoi(r.Header.Get(header))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxRetryAfter)
}
