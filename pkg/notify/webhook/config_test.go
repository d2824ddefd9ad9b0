package webhook

import (
	"reflect"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

const (
	// key is the secret part of addresses.
	key = "7d3c1f88-secret-4bc4-97a0-0ec2fa5aaa11"
	// secret1 is the specification's own example; secret2 is
	// printf %s 0123456789abcdef0123456789abcdef | base64.
	secret1 = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secret2 = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

func TestValidate(t *testing.T) {
	const good = "https://hooks.example.com/alerts?key=" + key
	basic := &BasicAuth{Username: "u", Password: key}
	bearer := func(kind string, credentials setting.Secret) Config {
		return Config{URL: good, HTTP: &HTTPConfig{Authorization: &Authorization{Type: kind, Credentials: credentials}}}
	}
	tests := []struct {
		name   string
		config Config
		want   []string // "path: message", with "?" before a warning
	}{
		{"valid", Config{URL: good, Secret: secret1, MaxAlerts: 5, Timeout: setting.Duration(time.Second), HTTP: &HTTPConfig{BasicAuth: basic}}, nil},
		{"two secrets", Config{URL: good, Secret: secret1 + ", " + secret2 + "\n"}, nil},
		{"token", bearer("", key), nil},
		{"no url", Config{}, []string{"[url]: is missing"}},
		{"not an address", Config{URL: "hooks"}, []string{"[url]: is not an https address"}},
		{"other scheme", Config{URL: "ftp://h/"}, []string{"[url]: is not an https address"}},
		{"plain http", Config{URL: "http://hooks.example.com/" + key}, []string{"?[url]: is plain http"}},
		{"plain http on loopback", Config{URL: "http://127.0.0.1:8080/"}, nil},
		{"plain http on localhost", Config{URL: "http://localhost/"}, nil},
		{"template in the query", Config{URL: good + "&to={{ .CommonLabels.team | urlquery }}"}, nil},
		{"template for the host", Config{URL: "https://{{ .CommonLabels.host }}/?x=1"}, []string{"[url]: only what follows the server's name"}},
		{"template for the whole address", Config{URL: "{{ .CommonAnnotations.hook }}"}, []string{"[url]: only what follows the server's name"}},
		{"template that widens the host", Config{URL: "https://hooks.example.com{{ .CommonLabels.host }}/"}, []string{"[url]: only what follows the server's name"}},
		{"template for the port", Config{URL: "https://hooks.example.com:{{ .CommonLabels.port }}/"}, []string{"[url]: only what follows the server's name"}},
		{"template for the user", Config{URL: "https://{{ .CommonLabels.user }}:p@hooks.example.com/"}, []string{"[url]: only what follows the server's name"}},
		{"template for the password", Config{URL: "https://u:{{ .CommonLabels.user }}@hooks.example.com/"}, []string{"[url]: only what follows the server's name"}},
		{"template in the path", Config{URL: "https://hooks.example.com/{{ .CommonLabels.host }}"}, nil},
		{"template in the query without a path", Config{URL: "https://hooks.example.com?to={{ .CommonLabels.team }}"}, nil},
		{"secret without its prefix", Config{URL: good, Secret: setting.Secret(secret1[6:])}, []string{"[secret]: does not begin with whsec_"}},
		{"asymmetric secret", Config{URL: good, Secret: setting.Secret("whsk_" + secret1[6:])}, []string{"[secret]: does not begin with whsec_"}},
		{"truncated secret", Config{URL: good, Secret: setting.Secret(secret1[:len(secret1)-1])}, []string{"[secret]: is not base64"}},
		{"short secret", Config{URL: good, Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILA=="}, []string{"[secret]: has 16 bytes"}},
		{"bad second secret", Config{URL: good, Secret: secret1 + " whsec_" + key}, []string{"[secret]: is not base64"}},
		{"negative timeout", Config{URL: good, Timeout: -1}, []string{"[timeout]: must not be below"}},
		{"basic auth and authorization", Config{URL: good, HTTP: &HTTPConfig{BasicAuth: basic, Authorization: &Authorization{Credentials: key}}},
			[]string{"[http_config authorization]: is given together with basic_auth"}},
		{"colon in the user name", Config{URL: good, HTTP: &HTTPConfig{BasicAuth: &BasicAuth{Username: "a:b"}}}, []string{"[http_config basic_auth username]: must not have a colon"}},
		{"type Basic", bearer("basic", key), []string{"[http_config authorization type]: cannot be Basic"}},
		{"type of two words", bearer("Bearer x", key), []string{"[http_config authorization type]: is one word"}},
		{"no credentials", bearer("Token", ""), []string{"[http_config authorization credentials]: is missing: it is what stands behind Token"}},
		{"line break in the credentials", bearer("", key+"\nX: y"), []string{"[http_config authorization credentials]: has a line break"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			notifytest.CheckFaults(t, tt.config.Validate, tt.want, key, "MfKQ9r8")
		})
	}
}

func TestConfigFromYAML(t *testing.T) {
	var c Config
	err := yaml.Unmarshal([]byte(`
url: https://h/
secret: s
max_alerts: 3
timeout: 500ms
send_resolved: false
rate_limit: 5/1m
http_config: {basic_auth: {username: u, password: p}, authorization: {type: Token, credentials: c}}
payload: {text: ['{{ .Status }}', 1]}
`), &c)
	want := Config{
		URL: "https://h/", Secret: "s", MaxAlerts: 3, Timeout: setting.Duration(500 * time.Millisecond),
		HTTP:         &HTTPConfig{BasicAuth: &BasicAuth{Username: "u", Password: "p"}, Authorization: &Authorization{Type: "Token", Credentials: "c"}},
		Payload:      map[string]any{"text": []any{"{{ .Status }}", 1}},
		CommonConfig: c.CommonConfig,
	}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("got %#v, %v; want %#v", c, err, want)
	}
	if c.SendsResolved(c.Kind()) {
		t.Error("got send_resolved true, want false")
	}
	if q := c.Quotas(c.Kind()); len(q) != 1 || q[0] != (notify.Quota{Messages: 5, Per: time.Minute}) {
		t.Errorf("got quotas %v, want 5/1m", q)
	}
}
