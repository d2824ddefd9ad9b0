package notifytest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/notify"
)

// maxErrorText is how long an error may be, in bytes, however long the vendor's
// answer is: errors go into logs, group logs and chat messages.
const maxErrorText = 1000

// ErrorCase is a failing attempt to send, and the error that the channel must return.
type ErrorCase[C ChannelConfig] struct {
	Name string
	// Fault is how the fake responds to the next request that delivers a message; it
	// needs Vendor.Inject. The attempt after it must be accepted.
	Fault fault.Handler
	// Times is how many requests the fault is for; 0 means 1. A channel that sends a
	// simpler message after a rejected one makes two.
	Times int
	// Setup changes the fake or the configuration instead. There is no attempt after
	// it.
	Setup func(t *testing.T, v *Vendor[C])
	// Timeout ends the attempt after a tenth of a second.
	Timeout bool

	// Want is the error. Class, Code, RetryAfter and Ambiguous must be equal, the text
	// must contain Message, and the error must wrap Err, if that is set. Nil means that
	// the message counts as sent.
	Want *notify.Error
	// Contains are further parts of the error's text, such as the vendor's own.
	Contains []string
	// Delivered is how many messages readers get in spite of the error.
	Delivered int
}

// testErrors checks the vendor's table, and the one for all channels.
func (ch Channel[C]) testErrors(t *testing.T) {
	cases := commonErrors[C]()
	if ch.Start(t).Inject != nil {
		cases = append(cases, httpErrors[C]()...)
	}
	for _, own := range ch.Errors {
		cases = slices.DeleteFunc(cases, func(c ErrorCase[C]) bool { return c.Name == own.Name })
	}
	seen := map[string]bool{}
	for _, c := range append(cases, ch.Errors...) {
		if seen[c.Name] {
			t.Errorf("two cases have the name %q", c.Name)
		}
		seen[c.Name] = true
		t.Run(c.Name, func(t *testing.T) { ch.testError(t, c) })
	}
}

func (ch Channel[C]) testError(t *testing.T, c ErrorCase[C]) {
	logs := captureLogs(t)
	v := ch.Start(t)
	times := max(c.Times, 1)
	if c.Fault != nil {
		v.Inject(times, c.Fault)
	}
	if c.Setup != nil {
		c.Setup(t, v)
	}
	ctx := t.Context()
	if c.Timeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
	}
	to := New(t, v.Config, v.Env)
	attempt := func(ctx context.Context) *notify.Error {
		t.Helper()
		return SendOne(t, ctx, to, Notification(OneTopic()...), ch.secrets()...)
	}
	got := attempt(ctx)
	c.check(t, got)
	checkHidden(t, ch.secrets(), "the log", logs.String())
	if n := len(v.Received(0)); n != c.Delivered {
		t.Errorf("got %d messages delivered, want %d", n, c.Delivered)
	}
	if c.Fault == nil {
		return
	}
	if n := v.Requests(); n != times {
		t.Errorf("got %d requests, want %d", n, times)
	}
	if v.BeforeSend != nil {
		v.BeforeSend()
	}
	if err := attempt(t.Context()); err != nil {
		t.Errorf("got %v from the next attempt, want it accepted", err)
	}
}

func (c ErrorCase[C]) check(t *testing.T, got *notify.Error) {
	t.Helper()
	switch {
	case c.Want == nil && got != nil:
		t.Fatalf("got %v, want the message to count as sent", got)
	case c.Want == nil:
		return
	case got == nil:
		t.Fatalf("got success, want %v", c.Want)
	}
	if got.Class != c.Want.Class || got.Ambiguous != c.Want.Ambiguous || got.RetryAfter != c.Want.RetryAfter || got.Code != c.Want.Code {
		t.Errorf("got class %q, ambiguous %v, retry after %v, code %q; want %q, %v, %v, %q: %v",
			got.Class, got.Ambiguous, got.RetryAfter, got.Code, c.Want.Class, c.Want.Ambiguous, c.Want.RetryAfter, c.Want.Code, got)
	}
	if c.Want.Err != nil && !errors.Is(got, c.Want.Err) {
		t.Errorf("got %v, want it to wrap %v", got, c.Want.Err)
	}
	text := got.Error()
	for _, want := range append([]string{c.Want.Message}, c.Contains...) {
		if !strings.Contains(text, want) {
			t.Errorf("got error %q, want %q in it", text, want)
		}
	}
	if len(text) > maxErrorText {
		t.Errorf("got an error of %d bytes, want at most %d: %s", len(text), maxErrorText, text)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7F || r == '\u202e' }) {
		t.Errorf("got control characters in the error %q", text)
	}
}

// commonErrors are the errors of every network.
func commonErrors[C ChannelConfig]() []ErrorCase[C] {
	return []ErrorCase[C]{
		{Name: "connection refused", Setup: refuseConnections[C],
			Want: &notify.Error{Class: notify.Retry}, Contains: []string{"connection refused"}},
		{Name: "certificate of an unknown authority", Setup: trustNoAuthority[C],
			Want: &notify.Error{Class: notify.Retry}, Contains: []string{"certificate"}},
	}
}

// httpErrors are the errors of every HTTP server, and of proxies.
func httpErrors[C ChannelConfig]() []ErrorCase[C] {
	status := func(status int, e notify.Error, headers ...string) ErrorCase[C] {
		e.Code = fmt.Sprint("HTTP ", status)
		return ErrorCase[C]{Fault: page(status, headers...), Want: &e}
	}
	named := func(name string, c ErrorCase[C]) ErrorCase[C] {
		c.Name = name
		return c
	}
	return []ErrorCase[C]{
		{Name: "no response before the deadline", Fault: fault.Hang, Timeout: true,
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true, Err: context.DeadlineExceeded}},
		{Name: "connection closed after the message was accepted", Fault: fault.DropAfterAccept, Delivered: 1,
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true}},
		{Name: "connection closed amid the response", Fault: fault.Truncate(`{"errcode":0,"errmsg":"ok"}`),
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true}},
		named("status 500", status(500, notify.Error{Class: notify.Retry, Ambiguous: true})),
		named("status 502", status(502, notify.Error{Class: notify.Retry, Ambiguous: true})),
		named("status 503", status(503, notify.Error{Class: notify.Retry})),
		named("status 403", status(403, notify.Error{Class: notify.Permanent})),
		named("status 404", status(404, notify.Error{Class: notify.Permanent})),
		named("status 429", status(429, notify.Error{Class: notify.Rate, RetryAfter: 30 * time.Second}, "Retry-After", "30")),
		// Following it would send the alerts, and the credentials, elsewhere.
		named("redirect", status(307, notify.Error{Class: notify.Permanent, Message: "redirects"}, "Location", "https://elsewhere.example.com/")),
		{Name: "proxy page with status 200", Fault: page(200),
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true, Code: "HTTP 200"}},
		{Name: "empty response", Fault: fault.Respond(200, "application/json", ""),
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true, Code: "HTTP 200"}},
	}
}

// page responds with a long HTML page that repeats the whole request, with its
// credentials, and contains control characters.
func page(status int, headers ...string) fault.Handler {
	return func(w http.ResponseWriter, r *http.Request, _ func()) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			body = []byte(err.Error())
		}
		fault.Respond(status, "text/html", fmt.Sprintf("<html>\r\n<title>Login</title>%s\x1b[31m\u202e%s%s%s</html>",
			r.Header.Get("Authorization"), r.URL, body, strings.Repeat("长", 9999)), headers...)(w, r, nil)
	}
}

// refuseConnections redirects every connection to a port that nothing listens on.
func refuseConnections[C ChannelConfig](t *testing.T, v *Vendor[C]) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, closed)
	}
	v.Env.Dial = dial
	changeTransport(v, func(tr *http.Transport) { tr.DialContext, tr.DialTLSContext = dial, nil })
}

// trustNoAuthority makes every certificate invalid.
func trustNoAuthority[C ChannelConfig](_ *testing.T, v *Vendor[C]) {
	v.Env.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
	changeTransport(v, func(tr *http.Transport) { tr.TLSClientConfig = v.Env.TLS.Clone() })
}

// changeTransport gives the vendor's client a changed copy of its transport.
func changeTransport[C ChannelConfig](v *Vendor[C], change func(*http.Transport)) {
	if v.Env.HTTP == nil {
		return
	}
	client := *v.Env.HTTP
	if t, recorded := client.Transport.(*recordingTransport); recorded {
		client.Transport = t.RoundTripper
	}
	tr := client.Transport.(*http.Transport).Clone()
	change(tr)
	client.Transport = tr
	v.Env.HTTP = &client
}

// noHTTP is a client that fails the test when it is used.
func noHTTP(t *testing.T) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		t.Errorf("got a request to %s, want no I/O", r.URL.Host)
		return nil, errors.New("no network")
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func noDial(t *testing.T) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, _, addr string) (net.Conn, error) {
		t.Errorf("got a connection to %s, want no I/O", addr)
		return nil, errors.New("no network")
	}
}
