package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const secretKey = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"

// startServer starts a TLS server and returns a client that trusts it, and an
// address with secretKey in its query.
func startServer(t *testing.T, h http.HandlerFunc) (*http.Client, string) {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client, server.URL + "/send?key=" + secretKey
}

// asError returns err as an *Error without secretKey in it.
func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want an *Error", err)
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if strings.Contains(cause.Error(), secretKey) || strings.Contains(fmt.Sprintf("%+v", cause), secretKey) {
			t.Errorf("got the key in %T, want it hidden: %v", cause, cause)
		}
	}
	return e
}

func TestEncodeJSONDoesNotEscapeHTML(t *testing.T) {
	got, err := EncodeJSON(map[string]string{"a": "<font>&中\n"})
	if want := `{"a":"<font>&中\n"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestPostJSONSendsHeadersAndLimitsTheResponse(t *testing.T) {
	client, address := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Request", r.Method+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("X-Own")+" "+r.URL.Query().Get("key"))
		w.WriteHeader(201)
		_, _ = w.Write(append(body, strings.Repeat(" ", 70<<10)...))
	})
	response, err := PostJSON(context.Background(), client, address, http.Header{"X-Own": {"own"}}, []byte(`{"ok": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := response.Header.Get("X-Request"), "POST application/json own "+secretKey; got != want {
		t.Errorf("got request %q, want %q", got, want)
	}
	if response.Status != 201 || len(response.Body) != 64<<10 || response.StatusError() != nil {
		t.Errorf("got status %d, %d bytes, error %v; want 201, 65536, none", response.Status, len(response.Body), response.StatusError())
	}
	var body struct{ OK int }
	if err := response.Decode(&body); err != nil || body.OK != 1 {
		t.Errorf("got body %+v, error %v; want 1", body, err)
	}
}

func TestGet(t *testing.T) {
	client, address := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d %q %s", r.Method, len(body), r.Header.Get("Content-Type"), r.URL.Query().Get("key"))
	})
	response, err := Get(context.Background(), client, address)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(response.Body), `GET 0 "" `+secretKey; got != want {
		t.Errorf("got body %q, want %q", got, want)
	}
	if got, want := response.BodyExcerpt(), `GET 0 "" <secret>`; got != want {
		t.Errorf("got excerpt %q, want %q", got, want)
	}
	_, err = Get(context.Background(), &http.Client{Transport: failingTransport{}}, address)
	if e := asError(t, err); e.Class != Retry || !strings.Contains(e.Error(), "get from 127.0.0.1") {
		t.Errorf("got error %v of class %q, want one to retry that names the host", e, e.Class)
	}
}

func TestPostJSONClassifiesNetworkErrors(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	hang := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	truncate := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"errcode"`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	tests := []struct {
		name      string
		client    *http.Client // default: one that trusts the server of handler
		address   string       // default: the server of handler
		handler   http.HandlerFunc
		class     Class
		ambiguous bool
		wraps     error
		contains  string
	}{
		{name: "no response before the deadline", handler: hang, ambiguous: true, wraps: context.DeadlineExceeded, contains: "post to 127.0.0.1"},
		{name: "truncated response", handler: truncate, ambiguous: true, wraps: io.ErrUnexpectedEOF, contains: "read the response of 127.0.0.1"},
		{name: "connection refused", client: &http.Client{}, address: "https://" + listener.Addr().String() + "/send?key=" + secretKey, contains: "connection refused"},
		{name: "certificate of an unknown authority", handler: hang, contains: "certificate",
			client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}}},
		{name: "address in the transport's error", client: &http.Client{Transport: failingTransport{}}, address: "https://h/send?key=" + secretKey, contains: "cannot reach <secret>"},
		{name: "errors of net/http within each other", client: &http.Client{Transport: nestingTransport{}}, address: "https://h/s3cr?k=a", contains: "no route"},
		{name: "a redirect that cannot be parsed", handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://%zz"+r.URL.Path)
			w.WriteHeader(http.StatusFound)
		}, ambiguous: true, contains: "Location"},
		{name: "host with a space", client: &http.Client{}, address: "https://x y/send?key=" + secretKey, class: Permanent, contains: "url"},
		{name: "empty address", client: &http.Client{}, address: "", class: Permanent, contains: "url"},
		{name: "bad escape in the address", client: &http.Client{}, address: "https://h/%zz" + secretKey, class: Permanent, contains: "url"},
		{name: "other scheme", client: &http.Client{}, address: "ftp://h/?key=" + secretKey, contains: "unsupported protocol scheme"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, address := tt.client, tt.address
			if tt.handler != nil {
				trusting, at := startServer(t, tt.handler)
				address = at
				if client == nil {
					client = trusting
				}
			}
			timeout := time.Minute
			if tt.wraps == context.DeadlineExceeded {
				timeout = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			_, err := PostJSON(ctx, client, address, nil, []byte("{}"))
			e := asError(t, err)
			for _, secret := range []string{"s3cr", "k=a", "/send", secretKey} {
				if strings.Contains(e.Error(), secret) {
					t.Errorf("got error %v, want no %q in it", e, secret)
				}
			}
			if e.Class != tt.class || e.Ambiguous != tt.ambiguous || !strings.Contains(e.Error(), tt.contains) {
				t.Errorf("got class %q, ambiguous %v: %v; want %q, %v and %q", e.Class, e.Ambiguous, e, tt.class, tt.ambiguous, tt.contains)
			}
			if tt.wraps != nil && !errors.Is(err, tt.wraps) {
				t.Errorf("got error %v, want it to wrap %v", err, tt.wraps)
			}
		})
	}
}

// failingTransport returns errors that contain the address.
type failingTransport struct{}

func (failingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("cannot reach %s", r.URL.RequestURI())
}

// nestingTransport returns an error of net/http, which net/http wraps in another.
type nestingTransport struct{}

func (nestingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := &url.Error{Op: "Get", URL: r.URL.String(), Err: errors.New("no route")}
	return nil, fmt.Errorf("proxy: %w", &url.Error{Op: "Connect", URL: r.URL.String(), Err: inner})
}

func TestStatusError(t *testing.T) {
	const slowDown = "the server asks to slow down"
	tests := []struct {
		name       string
		status     int
		retryAfter string
		body       string
		want       *Error // without its code
	}{
		{"200", 200, "", "", nil},
		{"204", 204, "", "", nil},
		{"429 with seconds", 429, "30", "", &Error{Class: Rate, RetryAfter: 30 * time.Second, Message: slowDown}},
		{"429 with a date", 429, "Fri, 20 Nov 2026 15:10:10 GMT", "", &Error{Class: Rate, Message: slowDown}},
		{"429 with too many seconds", 429, "999999999999", "", &Error{Class: Rate, RetryAfter: time.Hour, Message: slowDown}},
		{"429 with negative seconds", 429, "-5", "", &Error{Class: Rate, Message: slowDown}},
		{"503", 503, "7", "busy", &Error{Class: Retry, RetryAfter: 7 * time.Second, Message: `the server failed; it answered "busy"`}},
		{"500", 500, "", "", &Error{Class: Retry, Ambiguous: true, Message: "the server failed"}},
		{"502", 502, "", "<html>\n<b>Bad Gateway", &Error{Class: Retry, Ambiguous: true, Message: `the server failed; it answered "<html> <b>Bad Gateway"`}},
		{"408", 408, "", "", &Error{Class: Retry, Ambiguous: true, Message: "the server failed"}},
		{"302", 302, "", "", &Error{Class: Permanent, Message: "the server redirects elsewhere: put the final address into the configuration"}},
		{"404", 404, "", "no " + secretKey + " here", &Error{Class: Permanent, Message: `the server refuses the request: check the URL in the configuration; it answered "no <secret> here"`}},
		{"403", 403, "", "", &Error{Class: Permanent, Message: "the server refuses the request: check the credentials in the configuration"}},
		{"400", 400, "", "", &Error{Class: Permanent, Message: "the server refuses the request"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, address := startServer(t, func(w http.ResponseWriter, r *http.Request) {
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				w.Header().Set("Location", "/elsewhere?key="+secretKey)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			response, err := PostJSON(context.Background(), client, address, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := response.StatusError()
			if tt.want == nil {
				if got != nil {
					t.Errorf("got error %v, want none", got)
				}
				return
			}
			tt.want.Code = fmt.Sprint("HTTP ", tt.status)
			if got == nil || *got != *tt.want {
				t.Errorf("got error %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestDecodeShowsTheStartOfAnotherResponse(t *testing.T) {
	r := &Response{Status: 200, Body: []byte("<html>\r\n\x1b<title>Login\u202e</title>" + strings.Repeat("中", 500))}
	var v struct{}
	err := r.Decode(&v)
	if err == nil || err.Class != Retry || !err.Ambiguous {
		t.Fatalf("got error %+v, want an ambiguous one to retry", err)
	}
	if want := `it begins with "<html> <title>Login</title>中`; !strings.Contains(err.Message, want) || len(err.Message) > 400 {
		t.Errorf("got a message of %d bytes, want at most 400 with %q in it: %s", len(err.Message), want, err.Message)
	}
}

// A vendor that repeats the address, whole or in part, must not get the secret
// into a log.
func TestSecretPartsOfTheAddressAreRedacted(t *testing.T) {
	client, address := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s %s", r.URL.Path, r.URL.RawQuery, r.URL.Query().Get("access_token"), r.URL)
	})
	address, _, _ = strings.Cut(address, "/send")
	response, err := PostJSON(context.Background(), client, address+"/open-apis/bot/v2/hook/"+secretKey+"?access_token=a%2Fb12345&x=1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := response.BodyExcerpt(), "<secret> <secret> <secret> <secret>"; got != want {
		t.Errorf("got excerpt %q, want %q", got, want)
	}
}

func TestRedact(t *testing.T) {
	for _, tt := range []struct{ name, address, text, want string }{
		{"a short part of the path", "https://h/hooks/ab12", "no hook ab12 in /hooks/ab12, see xab123", "no hook <secret> in <secret>, see xab123"},
		{"a word as a part of the path", "https://h/hooks/opensesame/alerts", `{"error":"no such hook: opensesame"}`, `{"error":"no such hook: <secret>"}`},
		{"common words of paths are shown", "https://h/cgi-bin/webhook/send?key=k", "invalid webhook url, cannot send", "invalid webhook url, cannot send"},
		{"the end of the path", "https://h/hooks/ab12/x", "Not found: https://h/hooks/ab12/x", "Not found: https://h<secret>"},
		{"an escaped path", "https://h/hooks/a%20b", "no /hooks/a%20b, no /hooks/a b", "no <secret>, no <secret>"},
		{"a value of the query", "https://h/?token=tok1", "bad tok1, bad token=tok1", "bad <secret>, bad <secret>"},
		{"a password", "https://u:pass@h/", "u:pass is wrong", "<secret> is wrong"},
		{"a long part inside a word", "https://h/0123456789abcdef", "x0123456789abcdefx", "x<secret>x"},
		{"no path", "https://h/", "a / b", "a / b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(tt.address)
			if err != nil {
				t.Fatal(err)
			}
			if got := newRedactor(u).text(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRedactorEmptyUser(t *testing.T) {
	u, err := url.Parse("https://@hooks.example.com/alerts")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := newRedactor(u).text("connection refused"), "connection refused"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
