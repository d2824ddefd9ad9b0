package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"tocsin/pkg/render"
)

const (
	maxAnswer  = 64 << 10 // bytes of an answer that are read
	maxExcerpt = 200      // bytes of an answer that are shown
	// maxPatience bounds what a Retry-After header can ask for.
	maxPatience = time.Hour
)

// EncodeJSON encodes v for a vendor: "<", ">" and "&" stay as they are, because
// WeCom lists \uxxxx among the illegal characters (error 40033) and because they
// would count six bytes each.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Answer is what a vendor's server said to a request.
type Response struct {
	Status int
	Header http.Header
	// Body is the answer's first 64 KiB.
	Body []byte

	secrets []string
}

// PostJSON sends a JSON body to address and returns the answer, whatever its
// status. An error is an *Error of class Retry, Ambiguous when the request may
// have arrived; with an address that is none it is Permanent. The address is
// taken for a secret: an error names its host and nothing else.
func PostJSON(ctx context.Context, client *http.Client, address string, header http.Header, body []byte) (*Response, error) {
	all := http.Header{}
	maps.Copy(all, header)
	all.Set("Content-Type", "application/json")
	return do(ctx, client, http.MethodPost, address, all, bytes.NewReader(body))
}

// Get asks address for what is there. What PostJSON promises holds here too.
func Get(ctx context.Context, client *http.Client, address string) (*Response, error) {
	return do(ctx, client, http.MethodGet, address, nil, nil)
}

func do(ctx context.Context, client *http.Client, method, address string, header http.Header, body io.Reader) (*Response, error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil || req.URL.Host == "" {
		return nil, &Error{Class: Permanent, Message: "the url is not an http address: correct it in the configuration"}
	}
	maps.Copy(req.Header, header)
	secrets := secretsOf(req.URL)

	asking := "post to"
	if method == http.MethodGet {
		asking = "ask"
	}
	failed := func(doing string, err error) error {
		return &Error{
			Class:     Retry,
			Message:   fmt.Sprintf("%s %s", doing, req.URL.Host),
			Ambiguous: connected.Load(),
			Err:       redacted(err, secrets),
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, failed(asking, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, failed("read the answer of", err)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: answer, secrets: secrets}, nil
}

// StatusError returns nil for a status of 200 to 299, and otherwise the error
// that any HTTP server means by it: 429 is Rate, 408 and 5xx are Retry, the rest
// is Permanent. Not every vendor means the same; a channel asks its own table
// first.
func (a *Response) StatusError() *Error {
	if a.Status >= 200 && a.Status <= 299 {
		return nil
	}
	e := &Error{Class: Permanent, Code: "HTTP " + strconv.Itoa(a.Status)}
	switch {
	case a.Status == http.StatusTooManyRequests:
		e.Class, e.RetryAfter, e.Message = Rate, a.retryAfter(), "the server asks to slow down"
	case a.Status == http.StatusRequestTimeout || a.Status >= 500:
		e.Class, e.RetryAfter, e.Message = Retry, a.retryAfter(), "the server failed"
		// A gateway does not know what became of the request; 503 says that it
		// was not served.
		e.Ambiguous = a.Status != http.StatusServiceUnavailable
	case a.Status < 400:
		e.Message = "the server redirects elsewhere: put the final address into the configuration"
	default:
		e.Message = "the server refuses the request"
	}
	if s := a.BodyExcerpt(); s != "" {
		e.Message += ", it says " + strconv.Quote(s)
	}
	return e
}

// Decode reads the body as JSON into v. An error is an *Error of class Retry
// that shows how the body starts: it is what a proxy in between answers.
func (a *Response) Decode(v any) *Error {
	if err := json.Unmarshal(a.Body, v); err != nil {
		return &Error{
			Class:     Retry,
			Code:      "HTTP " + strconv.Itoa(a.Status),
			Message:   fmt.Sprintf("the answer is not the vendor's JSON, see whether a proxy stands in between: it says %q", a.BodyExcerpt()),
			Ambiguous: true,
		}
	}
	return nil
}

// Excerpt returns the start of the body on one line, fit to be shown.
func (a *Response) BodyExcerpt() string { return a.Sanitize(string(a.Body)) }

// Clean makes a vendor's text fit to be shown: one short line without control
// characters and without the secret parts of the address it came from.
func (a *Response) Sanitize(s string) string {
	return render.CleanLine(hide(s, a.secrets), maxExcerpt)
}

// retryAfter reads the header Retry-After in its form of seconds.
func (a *Response) retryAfter() time.Duration {
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxPatience)
}

// secretsOf lists the parts of an address that a credential can be: the query,
// its values, and the longer segments of the path. The longest come first.
func secretsOf(u *url.URL) []string {
	var secrets []string
	add := func(s string, least int) {
		if len(s) >= least {
			secrets = append(secrets, s)
		}
	}
	add(u.RawQuery, 1)
	for _, values := range u.Query() {
		for _, v := range values {
			add(v, 4)
			add(url.QueryEscape(v), 4)
		}
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		add(segment, 16)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		add(u.User.String(), 1)
		add(password, 4)
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	return secrets
}

func hide(s string, secrets []string) string {
	for _, secret := range secrets {
		s = strings.ReplaceAll(s, secret, "<secret>")
	}
	return s
}

// redacted returns the cause of a failed request without the address, which
// net/http puts into its errors.
func redacted(err error, secrets []string) error {
	for {
		var u *url.Error
		if !errors.As(err, &u) {
			break
		}
		err = u.Err
	}
	if text := err.Error(); render.CleanLine(hide(text, secrets), maxExcerpt) != text {
		return errors.New(render.CleanLine(hide(text, secrets), maxExcerpt))
	}
	return err
}
