package webhook

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/setting"
)

const (
	// key is a part of addresses that must not be shown.
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
		want   []string // "path: message", a warning with "?" before it
	}{
		{"good", Config{URL: good, Secret: secret1, MaxAlerts: 5, Timeout: setting.Duration(time.Second), HTTP: &HTTPConfig{BasicAuth: basic}}, nil},
		{"two secrets", Config{URL: good, Secret: secret1 + ", " + secret2 + "\n"}, nil},
		{"a token", bearer("", key), nil},
		{"no url", Config{}, []string{"[url]: is missing"}},
		{"no address", Config{URL: "hooks"}, []string{"[url]: is not an https address"}},
		{"another scheme", Config{URL: "ftp://h/"}, []string{"[url]: is not an https address"}},
		{"plain http", Config{URL: "http://hooks.example.com/" + key}, []string{"?[url]: is plain http"}},
		{"plain http on this machine", Config{URL: "http://127.0.0.1:8080/"}, nil},
		{"plain http on this machine, by name", Config{URL: "http://localhost/"}, nil},
		{"a template in the query", Config{URL: good + "&to={{ .CommonLabels.team | urlquery }}"}, nil},
		{"a template for the host", Config{URL: "https://{{ .CommonLabels.host }}/?x=1"}, []string{"[url]: only what follows the question mark"}},
		{"a template in the path", Config{URL: "https://hooks.example.com/{{ .CommonLabels.host }}"}, []string{"[url]: only what follows the question mark"}},
		{"a secret without its beginning", Config{URL: good, Secret: setting.Secret(secret1[6:])}, []string{"[secret]: does not begin with whsec_"}},
		{"a secret of the other form", Config{URL: good, Secret: setting.Secret("whsk_" + secret1[6:])}, []string{"[secret]: does not begin with whsec_"}},
		{"a secret that is cut", Config{URL: good, Secret: setting.Secret(secret1[:len(secret1)-1])}, []string{"[secret]: is not base64"}},
		{"a short secret", Config{URL: good, Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILA=="}, []string{"[secret]: has 16 bytes"}},
		{"a bad second secret", Config{URL: good, Secret: secret1 + " whsec_" + key}, []string{"[secret]: is not base64"}},
		{"a negative timeout", Config{URL: good, Timeout: -1}, []string{"[timeout]: must not be below"}},
		{"both", Config{URL: good, HTTP: &HTTPConfig{BasicAuth: basic, Authorization: &Authorization{Credentials: key}}},
			[]string{"[http_config authorization]: is given together with basic_auth"}},
		{"a colon", Config{URL: good, HTTP: &HTTPConfig{BasicAuth: &BasicAuth{Username: "a:b"}}}, []string{"[http_config basic_auth username]: must not have a colon"}},
		{"basic by hand", bearer("basic", key), []string{"[http_config authorization type]: cannot be Basic"}},
		{"two words", bearer("Bearer x", key), []string{"[http_config authorization type]: is one word"}},
		{"no credentials", bearer("Token", ""), []string{"[http_config authorization credentials]: is missing: it is what stands behind Token"}},
		{"a line break", bearer("", key+"\nX: y"), []string{"[http_config authorization credentials]: has a line break"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f setting.Faults
			tt.config.Validate(&f)
			var got []string
			for _, fault := range f.List() {
				s := fmt.Sprintf("%v: %s", fault.Path, fault.Message)
				if fault.Warning {
					s = "?" + s
				}
				if strings.Contains(s, key) || strings.Contains(s, "MfKQ9r8") {
					t.Errorf("a secret is in %q", s)
				}
				got = append(got, s)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("%q, want %q", got, tt.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("%q, want %q", got[i], tt.want[i])
				}
			}
		})
	}
}

func TestKeys(t *testing.T) {
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
		t.Errorf("%#v, %v", c, err)
	}
	if c.SendsResolved(c.Kind()) || !new(Config).SendsResolved(c.Kind()) || c.Kind().Name != "webhook" {
		t.Error("send_resolved")
	}
	if q := c.Quotas(c.Kind()); len(q) != 1 || q[0].Messages != 5 || new(Config).Quotas(c.Kind()) != nil {
		t.Errorf("quotas %v", q)
	}
}
