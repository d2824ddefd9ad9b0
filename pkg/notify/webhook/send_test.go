package webhook

import (
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

// receiver is a server that takes webhooks, and an environment that reaches it.
type receiver struct {
	*server.Server
	env     *notify.Env
	address string
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{Server: server.New(func() time.Time { return at }), env: newEnv()}
	r.address = notifytest.StartVendor(t, r.env, r.Server) + "/alerts?key=" + key
	return r
}

// send sends diskFull() once by c, whose URL is the server's unless it has one.
func (r *receiver) send(t *testing.T, c Config) *notify.Error {
	t.Helper()
	if c.URL == "" {
		c.URL = setting.Secret(r.address)
	}
	return notifytest.SendOne(t, t.Context(), notifytest.New(t, &c, r.env), diskFull(), key, secret1[6:])
}

// The signatures are that of the specification's example, and that of openssl with a
// second key:
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
			t.Errorf("got %s %q, want %q", name, h.Get(name), want.Get(name))
		}
	}
}

// A receiver that has one of the two secrets accepts the message once, however often
// it is sent: the id stays the same, and the timestamp is the attempt's.
func TestSigned(t *testing.T) {
	r := startReceiver(t)
	if err := r.RequireSignature(secret2); err != nil {
		t.Fatal(err)
	}
	if err := r.send(t, Config{}); err == nil || err.Class != notify.Permanent || !strings.Contains(err.Message, "check http_config and secret") {
		t.Errorf("got %+v without a signature, want a permanent error", err)
	}
	if err := r.send(t, Config{Secret: secret1}); err == nil || !strings.Contains(err.Message, "no signature matches") {
		t.Errorf("got %+v with another secret, want that no signature matches", err)
	}
	both := Config{Secret: secret1 + " " + secret2}
	r.Inject(1, fault.DropAfterAccept)
	if err := r.send(t, both); err == nil || err.Class != notify.Retry || !err.Ambiguous {
		t.Errorf("got %+v without a response, want an ambiguous error to retry", err)
	}
	if err := r.send(t, both); err != nil {
		t.Errorf("got %v from the next attempt, want it accepted", err)
	}
	inbox := r.Inbox()
	if len(inbox) != 1 || r.Calls() != 4 {
		t.Fatalf("got %d messages by %d requests, want 1 by 4", len(inbox), r.Calls())
	}
	for name, want := range map[string]string{"Webhook-Id": "0a1b-1-5", "Webhook-Timestamp": fmt.Sprint(at.Unix())} {
		if got := inbox[0].Header.Get(name); got != want {
			t.Errorf("got %s %q, want %q", name, got, want)
		}
	}
	r.env.Now = func() time.Time { return at.Add(-6 * time.Minute) }
	if err := r.send(t, both); err == nil || !strings.Contains(err.Message, "webhook-timestamp is 6m0s away") {
		t.Errorf("got %+v with a slow clock, want the timestamp rejected", err)
	}
}

func TestRequest(t *testing.T) {
	r := startReceiver(t)
	if err := r.send(t, Config{}); err != nil {
		t.Fatal(err)
	}
	m := r.Inbox()[0]
	if got, want := m.Path, "/alerts?key="+key; got != want {
		t.Errorf("got path %q, want %q", got, want)
	}
	if got := decode(t, string(m.Body))["version"]; got != "4" {
		t.Errorf("got version %v, want 4", got)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Authorization": "", "Webhook-Id": "", "Webhook-Signature": ""} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("got %s %q, want %q", name, got, want)
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
		t.Run(want, func(t *testing.T) {
			r := startReceiver(t)
			if err := r.send(t, Config{HTTP: &c}); err != nil {
				t.Fatal(err)
			}
			if got := r.Inbox()[0].Header.Get("Authorization"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// A value stays within the part of the address that it stands in. The expected escapes are
// those of RFC 3986 for everything but its unreserved characters.
func TestValuesInTheAddressAreEscaped(t *testing.T) {
	for _, tt := range []struct{ name, address, value, want string }{
		{"a space", "/alerts?to={{ .CommonLabels.team }}&key=k", "a b", "/alerts?to=a%20b&key=k"},
		{"a parameter", "/alerts?to={{ .CommonLabels.team }}&key=k", "a&admin=1;b=2", "/alerts?to=a%26admin%3D1%3Bb%3D2&key=k"},
		{"a fragment and a plus", "/alerts?to={{ .CommonLabels.team }}&key=k", "a#b+c", "/alerts?to=a%23b%2Bc&key=k"},
		{"an escape of its own", "/alerts?to={{ .CommonLabels.team }}", "100%zz%26", "/alerts?to=100%25zz%2526"},
		{"a line break", "/alerts?to={{ .CommonLabels.team }}", "a\r\nX: y", "/alerts?to=a%0D%0AX%3A%20y"},
		{"a value that urlquery escaped", "/alerts?to={{ .CommonLabels.team | urlquery }}", "a b", "/alerts?to=a%20b"},
		{"a value in a named template", `/alerts?{{ define "to" }}to={{ . }}{{ end }}{{ template "to" .CommonLabels.team }}&key=k`, "a&b", "/alerts?to=a%26b&key=k"},
		{"values in a loop, with parameters of the template", "/alerts?n{{ range .Alerts }}&to={{ .Labels.team }}{{ end }}", "a&b", "/alerts?n&to=a%26b&to=a%26b"},
		{"a value of a variable", "/alerts?{{ $x := .CommonLabels.team }}to={{ $x }}", "a&b", "/alerts?to=a%26b"},
		{"a part of the path", "/alerts/{{ .CommonLabels.team }}/new?key=k", "a/b?c#d", "/alerts/a%2Fb%3Fc%23d/new?key=k"},
		{"a server", "/{{ .CommonLabels.team }}", "/elsewhere.example.com", "/%2Felsewhere.example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startReceiver(t)
			server, _, _ := strings.Cut(r.address, "/alerts")
			n := diskFull()
			for _, a := range n.Alerts {
				a.Labels["team"] = tt.value
			}
			notifier := notifytest.New(t, &Config{URL: setting.Secret(server + tt.address)}, r.env)
			if err := notifytest.SendOne(t, t.Context(), notifier, n); err != nil {
				t.Fatal(err)
			}
			if got := r.Inbox()[0].Path; got != tt.want {
				t.Errorf("got path %q, want %q", got, tt.want)
			}
		})
	}
}

func TestValuesCannotLeaveThePath(t *testing.T) {
	for _, value := range []string{"..", ".", "a/../../b", `..\x`} {
		t.Run(value, func(t *testing.T) {
			r := startReceiver(t)
			n := diskFull()
			for _, a := range n.Alerts {
				a.Labels["team"] = value
			}
			server, _, _ := strings.Cut(r.address, "/alerts")
			_, err := notifytest.New(t, &Config{URL: setting.Secret(server + "/alerts/{{ .CommonLabels.team }}/new")}, r.env).Messages(n)
			if err == nil || notify.AsError(err).Class != notify.Permanent || !strings.Contains(err.Error(), "url") {
				t.Errorf("got error %v, want a permanent one that names url", err)
			}
		})
	}
}

// A template fills in the query; its output cannot change the server.
func TestAddressTemplate(t *testing.T) {
	r := startReceiver(t)
	if err := r.send(t, Config{URL: setting.Secret(r.address + "&to={{ .CommonLabels.alertname | urlquery }}")}); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Inbox()[0].Path, "/alerts?key="+key+"&to=DiskFull"; got != want {
		t.Errorf("got path %q, want %q", got, want)
	}
	if err := r.send(t, Config{URL: setting.Secret(r.address + `&to={{ "@elsewhere.example.com/#" }}`)}); err != nil || len(r.Inbox()) != 2 {
		t.Errorf("got error %v and %d messages, want the second one at the same server", err, len(r.Inbox()))
	}
}
