package notifytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
	"tocsin/pkg/store"
)

// Env is the world of a channel that speaks a language, zh or en. Its clock
// stands at At.
func NewEnv(language string) *notify.Env {
	return &notify.Env{Style: render.Style{Language: language, Location: Shanghai, ExternalURL: "https://alerts.example.com"}, Now: func() time.Time { return At }}
}

// Serve starts a vendor's server on the loopback, by TLS, for e to reach, and
// returns its address.
func StartVendor(t *testing.T, e *notify.Env, vendor http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(vendor)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that hang up
	s.StartTLS()
	t.Cleanup(s.Close)
	e.HTTP = s.Client()
	e.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s.URL
}

// Closed returns an address of the loopback, by TLS, at which nobody listens.
func UnreachableURL(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return "https://" + l.Addr().String()
}

// Tap returns the bodies of all requests that have one and that e sends from now on.
func RecordBodies(e *notify.Env) *[]string {
	t := &tap{RoundTripper: e.HTTP.Transport}
	e.HTTP.Transport = t
	return &t.bodies
}

type tap struct {
	http.RoundTripper
	bodies []string
}

func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		t.bodies = append(t.bodies, string(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return t.RoundTripper.RoundTrip(r)
}

// Config is a channel's.
type Config interface {
	New(*notify.Env, *render.Templates) (notify.Notifier, error)
}

// New makes the notifier of c, with the templates in files.
func New(t *testing.T, c Config, e *notify.Env, files ...string) notify.Notifier {
	t.Helper()
	templates, err := render.ParseTemplates(files...)
	if err != nil {
		t.Fatal(err)
	}
	to, err := c.New(e, templates)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// Say sends everything of n, with a call of before ahead of each message, and
// fails the test unless all of it is accepted.
func SendAll(t *testing.T, to notify.Notifier, n *alert.Notification, before ...func()) []notify.Message {
	t.Helper()
	messages, err := to.Messages(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		for _, f := range before {
			f()
		}
		for _, o := range m.Send(t.Context()) {
			if o.Err != nil {
				t.Fatalf("unit %s: %v", o.Unit, o.Err)
			}
		}
	}
	return messages
}

// Messages returns the messages of n, which must not fail.
func Messages(t *testing.T, to notify.Notifier, n *alert.Notification) []notify.Message {
	t.Helper()
	messages, err := to.Messages(n)
	if err != nil {
		t.Fatalf("got error %v from Messages, want none", err)
	}
	return messages
}

// Units returns the units of all messages.
func Units(messages []notify.Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, m.Units...)
	}
	return out
}

// Attempt sends n, which must make one message of one unit, and returns what
// became of it, as Error does.
func SendOne(t *testing.T, ctx context.Context, to notify.Notifier, n *alert.Notification, secrets ...string) *notify.Error {
	t.Helper()
	messages, err := to.Messages(n)
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	outcomes := messages[0].Send(ctx)
	if len(outcomes) != 1 || len(messages[0].Units) != 1 || outcomes[0].Unit != messages[0].Units[0] {
		t.Fatalf("units %v: %+v", messages[0].Units, outcomes)
	}
	return CheckError(t, outcomes[0].Err, secrets...)
}

// Error returns the error of an outcome. It fails the test if that is no
// *notify.Error, or if any of the secrets is in it or in what it wraps.
func CheckError(t *testing.T, err error, secrets ...string) *notify.Error {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *notify.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *notify.Error", err)
	}
	for cause := error(e); cause != nil; cause = errors.Unwrap(cause) {
		said := fmt.Sprintf("%v %+v", cause, cause)
		for _, secret := range secrets {
			if strings.Contains(said, secret) {
				t.Errorf("%q is in %T: %v", secret, cause, cause)
			}
		}
	}
	return e
}

// BrokenStore is a store that is out of reach.
type UnavailableStore struct{ store.Store }

// Get returns store.ErrUnavailable.
func (UnavailableStore) Get(context.Context, ...string) ([]store.Item, error) {
	return nil, store.ErrUnavailable
}

// Commit returns store.ErrUnavailable.
func (UnavailableStore) Commit(context.Context, time.Time, ...store.Change) error {
	return store.ErrUnavailable
}
