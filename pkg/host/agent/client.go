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
	// requestTime bounds a request and its answer.
	requestTime = 15 * time.Second
	// maxConfig and maxAnswer bound what is read of an answer, in bytes.
	maxConfig, maxAnswer = 1 << 20, 4 << 10
	// excerpt is how many bytes of a refusal are logged.
	excerpt = 200
)

// client speaks to the server.
type client struct {
	http    *http.Client
	address string // of the host, ends in /agents/ID
	id      string
	token   base.Secret
	version string
}

// refusal is a request without the answer that was hoped for. It holds no secret
// and says what to do.
type refusal struct {
	message string
	// final tells that the same report will never be taken.
	final bool
	// after is the least time to wait before asking again, 0 if nobody said.
	after time.Duration
	err   error
}

func (r *refusal) Error() string {
	if r.err != nil {
		return r.message + ": " + r.err.Error()
	}
	return r.message
}

func (r *refusal) Unwrap() error { return r.err }

// asRefusal returns err as a *refusal; an error of another type is a passing one.
func asRefusal(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	return &refusal{message: err.Error()}
}

func newClient(o Options) (*client, error) {
	u, err := url.Parse(o.Server)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("--server is not an address: it looks like https://alerts.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("--server is an address without user, query and fragment: the token has a place of its own")
	case o.ID == "" || len(o.ID) > 256:
		return nil, errors.New("--id is missing or longer than 256 bytes: it is the id that the host has on the server")
	case o.Token == "":
		return nil, errors.New("there is no token: give its file with --token-file")
	case strings.ContainsFunc(string(o.Token), func(r rune) bool { return r <= ' ' || r >= 0x7F }):
		return nil, errors.New("the token has a space, a line break or another character that no header can carry")
	}
	if u.Scheme == "http" && !base.IsLoopback(u.Hostname()) {
		o.Log.Warn("--server is plain http: everybody on the way can read the token", "server", o.Server)
	}
	if o.Transport == nil {
		// HTTP/1.1: one request at a time needs no more, and HTTP/2 more memory.
		o.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: requestTime,
			IdleConnTimeout:       2 * time.Minute,
			MaxIdleConnsPerHost:   2,
		}
	}
	return &client{
		http: &http.Client{
			Transport: o.Transport,
			Timeout:   requestTime,
			// A redirection would turn a report into a GET, or carry the token away.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		address: strings.TrimRight(o.Server, "/") + "/agents/" + url.PathEscape(o.ID), id: o.ID, token: o.Token, version: o.Version,
	}, nil
}

// config asks what to collect. The body is nil when it is still what etag names.
// Errors are *refusal.
func (c *client) config(ctx context.Context, etag string) (body []byte, newTag string, err error) {
	header := http.Header{}
	if etag != "" {
		header.Set("If-None-Match", etag)
	}
	resp, body, err := c.do(ctx, http.MethodGet, "/config", header, nil, maxConfig)
	switch {
	case err != nil:
		return nil, "", err
	case resp.StatusCode == http.StatusNotModified && etag != "":
		return nil, etag, nil
	case resp.StatusCode != http.StatusOK:
		return nil, "", c.refused(resp, body)
	}
	return body, resp.Header.Get("ETag"), nil
}

// report sends the body of a report. Errors are *refusal.
func (c *client) report(ctx context.Context, body []byte) error {
	header := http.Header{"Content-Type": {"application/json"}}
	resp, answer, err := c.do(ctx, http.MethodPost, "/report", header, body, maxAnswer)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return c.refused(resp, answer)
	}
	var ok struct{ Status string }
	if json.Unmarshal(answer, &ok) != nil || ok.Status != "ok" {
		// A login page says 200 too.
		return &refusal{message: "what answers is not Tocsin: check --server, and proxies on the way"}
	}
	return nil
}

// do makes a request and reads up to limit bytes of its answer.
func (c *client) do(ctx context.Context, method, path string, header http.Header, body []byte, limit int64) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, c.unanswered(err)
	}
	req.Header = header
	header.Set("Authorization", "Bearer "+string(c.token))
	header.Set("User-Agent", "tocsin-agent/"+c.version)
	// So that the server can tell a wrong clock from an old report.
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, c.unanswered(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, nil, c.unanswered(err)
	}
	if int64(len(answer)) > limit {
		return nil, nil, &refusal{message: fmt.Sprintf("the server's answer has more than %d bytes", limit)}
	}
	return resp, answer, nil
}

func (c *client) unanswered(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	message := "the server does not answer"
	if untrusted := new(tls.CertificateVerificationError); errors.As(err, &untrusted) {
		message = "the server's certificate is not trusted: add its authority to the system's, or name its file in SSL_CERT_FILE"
	}
	return &refusal{message: message, err: err}
}

// refused says what an answer other than 200 means.
func (c *client) refused(resp *http.Response, body []byte) error {
	code := resp.StatusCode
	r := &refusal{after: retryAfter(resp.Header.Get("Retry-After"))}
	text := strings.ReplaceAll(string(body[:min(len(body), excerpt)]), string(c.token), c.token.String())
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		r.message = fmt.Sprintf("the server does not take the token for host %q: it must be one of webhook.auth.tokens that is not bound to other hosts; put it right and restart the agent", c.id)
	case code == http.StatusNotFound:
		r.message = fmt.Sprintf("the server does not know host %q: add it to hosts: of its configuration, or put --id or the path of --server right", c.id)
	case code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500:
		r.message = "the server cannot take it now"
	case code >= 400:
		r.message, r.final = "the server does not take it", true
	case code >= 300:
		r.message = "the server sends to another address: give --server the address at which Tocsin itself answers"
	default:
		r.message = "what answers is not Tocsin: check --server, and proxies on the way"
	}
	if person := code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests; person && r.after == 0 {
		r.after = refusedWait
	}
	r.err = fmt.Errorf("%s %s", resp.Status, strings.Join(strings.Fields(text), " "))
	return r
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110 10.2.3).
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), int(patience/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(time.Until(date), 0), patience)
	}
	return 0
}
