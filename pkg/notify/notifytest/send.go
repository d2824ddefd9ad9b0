package notifytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
	"tocsin/pkg/store"
)

// NewEnv returns the environment of a channel in a language, zh or en. Its clock
// stands still at At.
func NewEnv(language string) *notify.Env {
	return &notify.Env{Style: render.Style{Language: language, Location: Shanghai, ExternalURL: "https://alerts.example.com"}, Now: func() time.Time { return At }}
}

// RecordBodies returns the bodies of the requests that e sends from now on, as they
// are sent. Requests without a body are left out.
func RecordBodies(e *notify.Env) *[]string {
	t := &recordingTransport{RoundTripper: e.HTTP.Transport}
	e.HTTP.Transport = t
	return &t.bodies
}

type recordingTransport struct {
	http.RoundTripper
	bodies []string
}

func (t *recordingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
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

// Config is a channel's configuration.
type Config interface {
	New(*notify.Env, *render.Templates) (notify.Notifier, error)
}

// New returns the notifier of c, with the templates in files.
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

// SendAll sends all messages of n and fails the test unless every unit is accepted.
// It calls the functions in before ahead of each message.
func SendAll(t *testing.T, to notify.Notifier, n *alert.Notification, before ...func()) []notify.Message {
	t.Helper()
	messages := Messages(t, to, n)
	for _, m := range messages {
		for _, f := range before {
			f()
		}
		for _, o := range m.Send(t.Context()) {
			if o.Err != nil {
				t.Fatalf("got error %v for unit %s, want it accepted", o.Err, o.Unit)
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

// SendOne sends n, which must make one message of one unit, and returns its error
// as CheckError does.
func SendOne(t *testing.T, ctx context.Context, to notify.Notifier, n *alert.Notification, secrets ...string) *notify.Error {
	t.Helper()
	messages, err := to.Messages(n)
	if err != nil || len(messages) != 1 {
		t.Fatalf("got %d messages and error %v, want one message", len(messages), err)
	}
	outcomes := messages[0].Send(ctx)
	if len(outcomes) != 1 || len(messages[0].Units) != 1 || outcomes[0].Unit != messages[0].Units[0] {
		t.Fatalf("got outcomes %+v for units %q, want one outcome of one unit", outcomes, messages[0].Units)
	}
	return CheckError(t, outcomes[0].Err, secrets...)
}

// Outcomes sends all messages of n and returns the error of each unit, nil for an
// accepted one. Every message must have one outcome per unit, in order. Neither errors
// nor the target and the text of a message may contain one of the secrets.
func Outcomes(t *testing.T, ctx context.Context, to notify.Notifier, n *alert.Notification, secrets ...string) map[string]*notify.Error {
	t.Helper()
	out := map[string]*notify.Error{}
	for _, m := range Messages(t, to, n) {
		checkHidden(t, secrets, "a message", m.Target, m.Text)
		var units []string
		for _, o := range m.Send(ctx) {
			units = append(units, o.Unit)
			out[o.Unit] = CheckError(t, o.Err, secrets...)
		}
		if !slices.Equal(units, m.Units) {
			t.Errorf("got outcomes of %q, want those of %q", units, m.Units)
		}
	}
	return out
}

// CheckError returns the error of an outcome, or nil if the unit was accepted. It fails
// the test if the error is not a *notify.Error, or if it or an error that it wraps
// contains one of the secrets.
func CheckError(t *testing.T, err error, secrets ...string) *notify.Error {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *notify.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v of type %T, want a *notify.Error", err, err)
	}
	for cause := error(e); cause != nil; cause = errors.Unwrap(cause) {
		text := fmt.Sprintf("%v %+v", cause, cause)
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("got the secret %q in %T, want it hidden: %v", secret, cause, cause)
			}
		}
	}
	return e
}

// UnavailableStore is a store that cannot be reached.
type UnavailableStore struct{ store.Store }

// Get returns store.ErrUnavailable.
func (UnavailableStore) Get(context.Context, ...string) ([]store.Item, error) {
	return nil, store.ErrUnavailable
}

// Commit returns store.ErrUnavailable.
func (UnavailableStore) Commit(context.Context, time.Time, ...store.Change) error {
	return store.ErrUnavailable
}
