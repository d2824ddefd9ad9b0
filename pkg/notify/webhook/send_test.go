package webhook

import (
	"context"
	"errors"
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

// A server that repeats what it was given shows no secret.
func TestEchoedCredentials(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request, _ func()) {
		http.Error(w, "bad "+r.Header.Get("Authorization")+" "+r.URL.String(), http.StatusForbidden)
	}
	for _, c := range []HTTPConfig{
		{BasicAuth: &BasicAuth{Username: "u", Password: key}},
		{Authorization: &Authorization{Credentials: key}},
	} {
		p := start(t)
		p.Inject(1, echo)
		err := p.attempt(t, t.Context(), Config{HTTP: &c})
		// printf 'u:%s' KEY | base64 begins with dTo3ZDNj
		if err == nil || !strings.Contains(err.Message, "<secret>") || strings.Contains(err.Message, "dTo3ZDNj") {
			t.Errorf("%v", err)
		}
	}
}

func TestStatuses(t *testing.T) {
	tests := []struct {
		status    int
		after     string // Retry-After
		class     notify.Class
		wait      time.Duration
		ambiguous bool
		says      string
	}{
		{500, "", notify.Retry, 0, true, "the server failed"},
		{502, "20", notify.Retry, 20 * time.Second, true, "the server failed"},
		{503, "7", notify.Retry, 7 * time.Second, false, "the server failed"},
		{504, "", notify.Retry, 0, true, "the server failed"},
		{429, "30", notify.Rate, 30 * time.Second, false, "slow down"},
		{400, "", notify.Permanent, 0, false, "refuses the request"},
		{401, "", notify.Permanent, 0, false, "check http_config and secret"},
		{403, "", notify.Permanent, 0, false, "check http_config and secret"},
		{404, "", notify.Permanent, 0, false, "refuses the request"},
		{410, "", notify.Permanent, 0, false, "remove it from the configuration"},
		{413, "", notify.Permanent, 0, false, "set max_alerts"},
		{422, "", notify.Permanent, 0, false, "refuses the request"},
		{304, "", notify.Permanent, 0, false, "redirects"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			p := start(t)
			p.Inject(1, fault.Respond(tt.status, "text/plain", "", "Retry-After", tt.after))
			err := p.attempt(t, t.Context(), Config{})
			if err == nil {
				t.Fatal("it counts as sent")
			}
			if err.Class != tt.class || err.RetryAfter != tt.wait || err.Ambiguous != tt.ambiguous || err.Code != fmt.Sprint("HTTP ", tt.status) || !strings.Contains(err.Message, tt.says) {
				t.Errorf("%v, after %v, ambiguous %v: %v", err.Class, err.RetryAfter, err.Ambiguous, err)
			}
			if err := p.attempt(t, t.Context(), Config{}); err != nil {
				t.Errorf("the next attempt: %v", err)
			}
		})
	}
	for _, status := range []int{200, 201, 202, 204} {
		p := start(t)
		p.Inject(1, fault.Respond(status, "text/plain", ""))
		if err := p.attempt(t, t.Context(), Config{}); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// A redirect is not followed: it would carry the alerts, and what signs them,
// elsewhere.
func TestRedirect(t *testing.T) {
	p := start(t)
	p.Inject(1, fault.Respond(307, "text/plain", "", "Location", "https://elsewhere.example.com/?key="+key))
	err := p.attempt(t, t.Context(), Config{})
	if err == nil || err.Class != notify.Permanent || !strings.Contains(err.Message, "redirects") || p.Calls() != 1 {
		t.Errorf("%d calls: %+v", p.Calls(), err)
	}
}

func TestTimeout(t *testing.T) {
	p := start(t)
	if err := p.attempt(t, t.Context(), Config{}); err != nil { // it is connected before the time counts
		t.Fatal(err)
	}
	p.Inject(2, fault.Hang)
	err := p.attempt(t, t.Context(), Config{Timeout: setting.Duration(300 * time.Millisecond)})
	if err == nil || err.Class != notify.Retry || !err.Ambiguous || !strings.Contains(err.Message, "no answer within timeout, 300ms") {
		t.Errorf("%+v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err = p.attempt(t, ctx, Config{Timeout: setting.Duration(time.Minute)})
	if err == nil || err.Class != notify.Retry || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Message, "timeout") {
		t.Errorf("the caller's deadline: %+v", err)
	}
	if err := p.attempt(t, t.Context(), Config{Timeout: setting.Duration(time.Minute)}); err != nil {
		t.Errorf("the next attempt: %v", err)
	}
}

func TestRefusedConnection(t *testing.T) {
	p := start(t)
	got := p.attempt(t, t.Context(), Config{URL: setting.Secret(notifytest.UnreachableURL(t) + "/" + key)})
	if got == nil || got.Class != notify.Retry || got.Ambiguous || !strings.Contains(got.Error(), "connection refused") {
		t.Errorf("%+v", got)
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
	failing := Config{URL: setting.Secret(p.address + "{{ .Nope }}")}
	if _, err := notifytest.New(t, &failing, p.env).Messages(disk()); err == nil || strings.Contains(err.Error(), key) || notify.AsError(err).Class != notify.Permanent {
		t.Errorf("%v", err)
	}
}
