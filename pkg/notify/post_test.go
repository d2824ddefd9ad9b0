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
	"strings"
	"testing"
	"time"
)

const secretKey = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"

// serve starts a TLS server and returns a client that trusts it, and an address
// with a secret in its query.
func serve(t *testing.T, h http.HandlerFunc) (*http.Client, string) {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client, server.URL + "/send?key=" + secretKey
}

// asError checks that err is an *Error that gives nothing away.
func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if strings.Contains(cause.Error(), secretKey) || strings.Contains(fmt.Sprintf("%+v", cause), secretKey) {
			t.Errorf("the key is in %T: %v", cause, cause)
		}
	}
	return e
}

func TestEncodeJSON(t *testing.T) {
	got, err := EncodeJSON(map[string]string{"a": "<font>&中\n"})
	if want := `{"a":"<font>&中\n"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestPostJSON(t *testing.T) {
	client, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Method+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("X-Own")+" "+r.URL.Query().Get("key"))
		w.WriteHeader(201)
		_, _ = w.Write(append(body, strings.Repeat(" ", 70<<10)...))
	})
	answer, err := PostJSON(context.Background(), client, address, http.Header{"X-Own": {"own"}}, []byte(`{"ok": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := answer.Header.Get("X-Seen"), "POST application/json own "+secretKey; got != want {
		t.Errorf("the server saw %q, want %q", got, want)
	}
	if answer.Status != 201 || len(answer.Body) != 64<<10 || answer.StatusError() != nil {
		t.Errorf("status %d, %d bytes, %v", answer.Status, len(answer.Body), answer.StatusError())
	}
	var body struct{ OK int }
	if err := answer.Decode(&body); err != nil || body.OK != 1 {
		t.Errorf("%+v, %v", body, err)
	}
}

func TestGet(t *testing.T) {
	client, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d %q %s", r.Method, len(body), r.Header.Get("Content-Type"), r.URL.Query().Get("key"))
	})
	answer, err := Get(context.Background(), client, address)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(answer.Body), `GET 0 "" `+secretKey; got != want || answer.BodyExcerpt() != `GET 0 "" <secret>` {
		t.Errorf("%q, shown as %q; want %q", got, answer.BodyExcerpt(), want)
	}
	_, err = Get(context.Background(), &http.Client{Transport: failing{}}, address)
	if e := asError(t, err); e.Class != Retry || !strings.Contains(e.Error(), "ask 127.0.0.1") {
		t.Errorf("%v", e)
	}
}

func TestPostJSONFails(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	hang := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	half := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"errcode"`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	client, refused := http.DefaultTransport.(*http.Transport).Clone(), "https://"+closed.Addr().String()+"/send?key="+secretKey
	tests := []struct {
		name      string
		client    *http.Client
		address   string
		handler   http.HandlerFunc
		class     Class
		ambiguous bool
		is        error
		says      string
	}{
		{name: "hangs until the deadline", handler: hang, ambiguous: true, is: context.DeadlineExceeded, says: "post to 127.0.0.1"},
		{name: "breaks off", handler: half, ambiguous: true, is: io.ErrUnexpectedEOF, says: "read the answer of 127.0.0.1"},
		{name: "refuses the connection", client: &http.Client{Transport: client}, address: refused, says: "connection refused"},
		{name: "has a certificate that nobody knows", client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}}, handler: hang, says: "certificate"},
		{name: "repeats the address in its error", client: &http.Client{Transport: failing{}}, address: "https://h/send?key=" + secretKey, says: "cannot reach /send?<secret>"},
		{name: "is no address", client: &http.Client{}, address: "https://x y/send?key=" + secretKey, class: Permanent, says: "url"},
		{name: "is empty", client: &http.Client{}, address: "", class: Permanent, says: "url"},
		{name: "has a bad escape", client: &http.Client{}, address: "https://h/%zz" + secretKey, class: Permanent, says: "url"},
		{name: "has another scheme", client: &http.Client{}, address: "ftp://h/?key=" + secretKey, says: "unsupported protocol scheme"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, address := tt.client, tt.address
			if tt.handler != nil {
				own, at := serve(t, tt.handler)
				address = at
				if client == nil {
					client = own
				}
			}
			patience := time.Minute
			if tt.is == context.DeadlineExceeded {
				patience = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_, err := PostJSON(ctx, client, address, nil, []byte("{}"))
			e := asError(t, err)
			if e.Class != tt.class || e.Ambiguous != tt.ambiguous || !strings.Contains(e.Error(), tt.says) {
				t.Errorf("%v, ambiguous %v: %v", e.Class, e.Ambiguous, e)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
		})
	}
}

// failing is a transport whose errors name the address.
type failing struct{}

func (failing) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("cannot reach %s", r.URL.RequestURI())
}

func TestStatusError(t *testing.T) {
	tests := []struct {
		status     int
		retryAfter string
		body       string
		want       *Error
	}{
		{status: 200},
		{status: 204},
		{429, "30", "", &Error{Class: Rate, RetryAfter: 30 * time.Second, Message: "the server asks to slow down"}},
		{429, "Fri, 20 Nov 2026 15:10:10 GMT", "", &Error{Class: Rate, Message: "the server asks to slow down"}},
		{429, "999999999999", "", &Error{Class: Rate, RetryAfter: time.Hour, Message: "the server asks to slow down"}},
		{429, "-5", "", &Error{Class: Rate, Message: "the server asks to slow down"}},
		{503, "7", "busy", &Error{Class: Retry, RetryAfter: 7 * time.Second, Message: `the server failed, it says "busy"`}},
		{500, "", "", &Error{Class: Retry, Ambiguous: true, Message: "the server failed"}},
		{502, "", "<html>\n<b>Bad Gateway", &Error{Class: Retry, Ambiguous: true, Message: `the server failed, it says "<html> <b>Bad Gateway"`}},
		{408, "", "", &Error{Class: Retry, Ambiguous: true, Message: "the server failed"}},
		{302, "", "", &Error{Class: Permanent, Message: "the server redirects elsewhere: put the final address into the configuration"}},
		{404, "", "no " + secretKey + " here", &Error{Class: Permanent, Message: `the server refuses the request, it says "no <secret> here"`}},
	}
	for _, tt := range tests {
		client, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if tt.retryAfter != "" {
				w.Header().Set("Retry-After", tt.retryAfter)
			}
			w.Header().Set("Location", "/elsewhere?key="+secretKey)
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		})
		answer, err := PostJSON(context.Background(), client, address, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := answer.StatusError()
		if tt.want == nil {
			if got != nil {
				t.Errorf("%d: %v", tt.status, got)
			}
			continue
		}
		tt.want.Code = fmt.Sprint("HTTP ", tt.status)
		if got == nil || *got != *tt.want {
			t.Errorf("%d: %+v, want %+v", tt.status, got, tt.want)
		}
	}
}

func TestDecodeFails(t *testing.T) {
	a := &Response{Status: 200, Body: []byte("<html>\r\n\x1b<title>Login\u202e</title>" + strings.Repeat("中", 500))}
	var v struct{}
	err := a.Decode(&v)
	if err == nil || err.Class != Retry || !err.Ambiguous || !strings.Contains(err.Message, `it says "<html> <title>Login</title>中`) || len(err.Message) > 400 {
		t.Errorf("%+v", err)
	}
}

// A vendor that repeats the address, whole or in part, does not get the secret
// into a log.
func TestSecretsOf(t *testing.T) {
	client, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s %s", r.URL.Path, r.URL.RawQuery, r.URL.Query().Get("access_token"), r.URL)
	})
	address, _, _ = strings.Cut(address, "/send")
	answer, err := PostJSON(context.Background(), client, address+"/open-apis/bot/v2/hook/"+secretKey+"?access_token=a%2Fb12345&x=1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := answer.BodyExcerpt(), "/open-apis/bot/v2/hook/<secret> <secret> <secret> /open-apis/bot/v2/hook/<secret>?<secret>"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
