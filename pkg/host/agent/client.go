package agent

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/setting/base"
)

const (
	// requestTimeout bounds a request with its response.
	requestTimeout = 15 * time.Second
	// maxConfigSize and maxResponseSize bound the body of a response, in bytes.
	maxConfigSize, maxResponseSize = 1 << 20, 4 << 10
	// excerptSize is how many bytes of a body are logged.
	excerptSize = 200
)

// client sends requests to the server.
type client struct {
	http    *http.Client
	baseURL string // of the host's paths, ends in /agents/ID
	id      string
	token   base.Secret
	version string
}

// requestError is a request that failed, or that the server did not accept. Its
// text contains no secret and a remedy.
type requestError struct {
	message string
	// permanent is set when the server will never accept this report.
	permanent bool
	// retryAfter is the least delay before the next request, 0 for the default.
	retryAfter time.Duration
	err        error
}

func (r *requestError) Error() string {
	if r.err != nil {
		return r.message + ": " + r.err.Error()
	}
	return r.message
}

func (r *requestError) Unwrap() error { return r.err }

// asRequestError returns the *requestError in err, or one that is not permanent if
// there is none.
func asRequestError(err error) *requestError {
	var r *requestError
	if errors.As(err, &r) {
		return r
	}
	return &requestError{message: err.Error()}
}

// newClient returns the client for options that are valid.
func newClient(o Options) *client {
	if u, err := url.Parse(o.Server); err == nil && u.Scheme == "http" && !base.IsLoopback(u.Hostname()) {
		o.Log.Warn("--server is plain http: anyone on the network path can read the token", "server", o.Server)
	}
	if o.Transport == nil {
		// HTTP/1.1: the agent sends one request at a time, and HTTP/2 takes more
		// memory.
		o.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: requestTimeout,
			IdleConnTimeout:       2 * time.Minute,
			MaxIdleConnsPerHost:   2,
		}
	}
	return &client{
		http: &http.Client{
			Transport: o.Transport,
			Timeout:   requestTimeout,
			// Following a redirect would turn a report into a GET, or send the token
			// to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		baseURL: strings.TrimRight(o.Server, "/") + "/agents/" + url.PathEscape(o.ID),
		id:      o.ID, token: o.Token, version: o.Version,
	}
}

// config fetches the configuration. The body is nil when the configuration still
// has the given entity tag. Errors are *requestError.
func (c *client) config(ctx context.Context, etag string) (body []byte, newTag string, err error) {
	header := http.Header{}
	if etag != "" {
		header.Set("If-None-Match", etag)
	}
	resp, body, err := c.do(ctx, http.MethodGet, "/config", header, nil, maxConfigSize) //nolint:bodyclose // do closes it
	switch {
	case err != nil:
		return nil, "", err
	case resp.StatusCode == http.StatusNotModified && etag != "":
		return nil, etag, nil
	case resp.StatusCode != http.StatusOK:
		return nil, "", c.statusError(resp, body)
	}
	return body, resp.Header.Get("ETag"), nil
}

// report sends the body of a report. Errors are *requestError.
func (c *client) report(ctx context.Context, body []byte) error {
	header := http.Header{"Content-Type": {"application/json"}}
	resp, answer, err := c.do(ctx, http.MethodPost, "/report", header, body, maxResponseSize) //nolint:bodyclose // do closes it
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return c.statusError(resp, answer)
	}
	var ok struct{ Status string }
	if json.Unmarshal(answer, &ok) != nil || ok.Status != "ok" {
		// The login page of a proxy has status 200, too.
		return &requestError{message: notTocsin}
	}
	return nil
}

const notTocsin = "the response is not Tocsin's: check --server, and the proxies before the server"

// do sends a request and reads at most limit bytes of the response's body.
func (c *client) do(ctx context.Context, method, path string, header http.Header, body []byte, limit int64) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.baseURL+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, transportError(err)
	}
	req.Header = header
	header.Set("Authorization", "Bearer "+string(c.token))
	header.Set("User-Agent", "tocsin-agent/"+c.version)
	// With it the server distinguishes a wrong clock from an old report.
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, transportError(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, nil, transportError(err)
	}
	if int64(len(answer)) > limit {
		return nil, nil, &requestError{message: fmt.Sprintf("the response has more than %d bytes", limit)}
	}
	return resp, answer, nil
}

// transportError returns the error of a request without a response. The URL, which
// contains the host's id, is left out.
func transportError(err error) error {
	err = base.RequestCause(err)
	message := "the server does not respond"
	if untrusted := new(tls.CertificateVerificationError); errors.As(err, &untrusted) {
		message = "the server's certificate is not trusted: add its authority to the system's, or name its file in SSL_CERT_FILE"
	}
	return &requestError{message: message, err: err}
}

// statusError returns the error of a response whose status is not 200.
func (c *client) statusError(resp *http.Response, body []byte) error {
	code := resp.StatusCode
	r := &requestError{retryAfter: parseRetryAfter(resp.Header.Get("Retry-After"))}
	passing := code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		r.message = fmt.Sprintf("the server rejects the token for host %q: use one of webhook.auth.tokens that is not bound to other hosts, and restart the agent", c.id)
	case code == http.StatusNotFound:
		r.message = fmt.Sprintf("the server does not know host %q: add it to hosts: in its configuration, or correct --id or the path of --server", c.id)
	case passing:
		r.message = "the server cannot accept requests now"
	case code >= 400:
		r.message, r.permanent = "the server rejects the request", true
	case code >= 300:
		r.message = "the server redirects to another address: give --server the address at which Tocsin itself answers"
	default:
		r.message = notTocsin
	}
	if !passing && r.retryAfter == 0 {
		r.retryAfter = refusedBackoff
	}
	excerpt := strings.ReplaceAll(string(body[:min(len(body), excerptSize)]), string(c.token), c.token.String())
	r.err = fmt.Errorf("%s %s", resp.Status, strings.Join(strings.Fields(excerpt), " "))
	return r
}

// parseRetryAfter parses a Retry-After header, seconds or a date (RFC 9110,
// 10.2.3), and returns at most maxRetryAfter. It returns 0 for anything else.
func parseRetryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(time.Until(date), 0), maxRetryAfter)
	}
	return 0
}
