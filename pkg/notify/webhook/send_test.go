package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	server "tocsin/pkg/localcloud/webhook"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

// place is somebody's server, and how it is reached.
type place struct {
	*server.Server
	env     *notify.Env
	address string
}

func start(t *testing.T) *place {
	t.Helper()
	p := &place{Server: server.New(func() time.Time { return at }), env: env()}
	p.address = notifytest.StartVendor(t, p.env, p.Server) + "/alerts?key=" + key
	return p
}

// attempt says disk() by c, whose URL is the server's, once.
func (p *place) attempt(t *testing.T, ctx context.Context, c Config) *notify.Error {
	t.Helper()
	if c.URL == "" {
		c.URL = setting.Secret(p.address)
	}
	return notifytest.SendOne(t, ctx, notifytest.New(t, &c, p.env), disk(), key, secret1[6:])
}

// The signature is the one of the specification's own example, and the one that
// openssl makes with a second key:
// printf 'ID.TIMESTAMP.BODY' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef -binary | base64
func TestSign(t *testing.T) {
	keys, err := parseKeys(secret1 + "," + secret2)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	sign(h, keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	want := http.Header{
		"Webhook-Id":        {"msg_p5jXN8AQM9LWM0D4loKWxJek"},
		"Webhook-Timestamp": {"1614265330"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,hK4CWvngkaAwjY1pABLuUbOIkEJjW9tAapq1no4ojG0="},
	}
	for name := range want {
		if h.Get(name) != want.Get(name) {
			t.Errorf("%s: %q, want %q", name, h.Get(name), want.Get(name))
		}
	}
}

// A receiver that has one of the two secrets takes the message once, however
// often it is tried; the id stays and the timestamp is the attempt's.
func TestSigned(t *testing.T) {
	p := start(t)
	if err := p.RequireSignature(secret2); err != nil {
		t.Fatal(err)
	}
	if err := p.attempt(t, t.Context(), Config{}); err == nil || err.Class != notify.Permanent || !strings.Contains(err.Message, "check http_config and secret") {
		t.Errorf("without a signature: %+v", err)
	}
	if err := p.attempt(t, t.Context(), Config{Secret: secret1}); err == nil || !strings.Contains(err.Message, "no signature matches") {
		t.Errorf("with another secret: %+v", err)
	}
	both := Config{Secret: secret1 + " " + secret2}
	p.Inject(1, fault.DropAfterAccept)
	if err := p.attempt(t, t.Context(), both); err == nil || err.Class != notify.Retry || !err.Ambiguous {
		t.Errorf("no answer: %+v", err)
	}
	if err := p.attempt(t, t.Context(), both); err != nil {
		t.Errorf("the next attempt: %v", err)
	}
	inbox := p.Inbox()
	if len(inbox) != 1 || p.Calls() != 4 {
		t.Fatalf("%d messages, %d calls", len(inbox), p.Calls())
	}
	if h := inbox[0].Header; h.Get("Webhook-Id") != "0a1b-1-5" || h.Get("Webhook-Timestamp") != fmt.Sprint(at.Unix()) {
		t.Errorf("%v", h)
	}
	p.env.Now = func() time.Time { return at.Add(-6 * time.Minute) }
	if err := p.attempt(t, t.Context(), both); err == nil || !strings.Contains(err.Message, "webhook-timestamp is 6m0s away") {
		t.Errorf("a clock that is late: %+v", err)
	}
}

func TestRequest(t *testing.T) {
	p := start(t)
	if err := p.attempt(t, t.Context(), Config{}); err != nil {
		t.Fatal(err)
	}
	m := p.Inbox()[0]
	if m.Path != "/alerts?key="+key || m.Header.Get("Content-Type") != "application/json" || decode(t, string(m.Body))["version"] != "4" {
		t.Errorf("%s %v %s", m.Path, m.Header, m.Body)
	}
	for _, name := range []string{"Authorization", "Webhook-Id", "Webhook-Signature"} {
		if m.Header.Get(name) != "" {
			t.Errorf("%s: %q", name, m.Header.Get(name))
		}
	}
}

func TestAuthorization(t *testing.T) {
	for want, c := range map[string]HTTPConfig{
		// printf %s 'user:pass word' | base64
		"Basic dXNlcjpwYXNzIHdvcmQ=": {BasicAuth: &BasicAuth{Username: "user", Password: "pass word"}},
		"Bearer abc":                 {Authorization: &Authorization{Credentials: "abc"}},
		"Token abc":                  {Authorization: &Authorization{Type: "Token", Credentials: "abc"}},
	} {
		p := start(t)
		if err := p.attempt(t, t.Context(), Config{HTTP: &c}); err != nil {
			t.Fatal(err)
		}
		if got := p.Inbox()[0].Header.Get("Authorization"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A template may fill the query, and nothing that it prints leads elsewhere.
func TestAddressTemplate(t *testing.T) {
	p := start(t)
	c := Config{URL: setting.Secret(p.address + "&to={{ .CommonLabels.alertname | urlquery }}")}
	if err := p.attempt(t, t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := p.Inbox()[0].Path; got != "/alerts?key="+key+"&to=DiskFull" {
		t.Error(got)
	}
	c.URL = setting.Secret(p.address + `&to={{ "@elsewhere.example.com/#" }}`)
	if err := p.attempt(t, t.Context(), c); err != nil || len(p.Inbox()) != 2 {
		t.Errorf("%v", err)
	}
}
