package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/config"
)

// parse parses a configuration that has neither errors nor warnings.
func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, warnings, err := config.Parse("tocsin.yaml", []byte(text), lookupIn(exampleEnv))
	if err != nil {
		t.Fatal(err)
	}
	if warnings != nil {
		t.Errorf("got warnings %v, want none", warnings)
	}
	return c
}

const smallest = "route: {receiver: ops}\nreceivers: [{name: ops, webhook_configs: [{url: http://127.0.0.1:8080/}]}]\n"

func TestDefaults(t *testing.T) {
	for _, text := range []string{smallest, smallest + "global: {}\n", smallest + "global: {language: ~, timezone: , resolve_timeout: ~}\n"} {
		g := parse(t, text).Global
		if g.Language != "zh" || g.Timezone != "Asia/Shanghai" || g.ResolveTimeout.Std() != 5*time.Minute {
			t.Errorf("%q: got %+v, want the defaults", text, g)
		}
		// Asia/Shanghai is eight hours ahead of UTC.
		if _, offset := time.Date(2026, 1, 1, 0, 0, 0, 0, g.Location()).Zone(); offset != 8*3600 {
			t.Errorf("got a zone %d seconds ahead of UTC, want 28800", offset)
		}
	}
}

func TestInheritFromGlobal(t *testing.T) {
	c := parse(t, `
global:
  tencent_secret_id: ${TENCENT_SECRET_ID}
  tencent_secret_key: ${TENCENT_SECRET_KEY}
  smtp_from: alerts@example.com
  smtp_smarthost: mail.example.com:465
  smtp_auth_username: u
  smtp_auth_password: ${SMTP_PASSWORD}
lag:
  clusters:
    - {name: a, ckafka: {instance_id: ckafka-1, region: ap-guangzhou}}
    - {name: b, ckafka: {instance_id: ckafka-2, region: ap-guangzhou, secret_id: own, secret_key: "${CKAFKA_SECRET_KEY}"}}
  rules: [{alert: A, max_lag: 0}]
route: {receiver: r}
receivers:
  - name: r
    sms_configs:
      - {sdk_app_id: "1", template_id: "2", sign_name: s, to: ["13800000000"]}
      - {sdk_app_id: "1", template_id: "2", sign_name: s, to: ["13800000000"], secret_id: own, secret_key: "${SMS_SECRET_KEY}"}
    voice_configs:
      - {sdk_app_id: "1", template_id: "2", to: ["13800000000"]}
      - {sdk_app_id: "1", template_id: "2", to: ["13800000000"], secret_id: own, secret_key: "${VOICE_SECRET_KEY}"}
    email_configs:
      - to: a@example.com
      - {to: b@example.com, from: own@example.com, smarthost: "own.example.com:587"}
`)
	clusters, r := c.Lag.Clusters, c.Receivers[0]
	got := []any{
		clusters[0].CKafka.SecretID, string(clusters[0].CKafka.SecretKey), clusters[1].CKafka.SecretID, string(clusters[1].CKafka.SecretKey),
		r.SMS[0].SecretID, string(r.SMS[0].SecretKey), r.SMS[1].SecretID, string(r.SMS[1].SecretKey),
		r.Voice[0].SecretID, string(r.Voice[0].SecretKey), r.Voice[1].SecretID, string(r.Voice[1].SecretKey),
		r.Email[0].From, r.Email[0].Smarthost, r.Email[0].AuthUsername, string(r.Email[0].AuthPassword),
		r.Email[1].From, r.Email[1].Smarthost, r.Email[1].AuthUsername,
	}
	want := []any{
		"AKIDglobal", "secret-global-key", "own", "secret-ckafka-key",
		"AKIDglobal", "secret-global-key", "own", "secret-sms-key",
		"AKIDglobal", "secret-global-key", "own", "secret-voice-key",
		"alerts@example.com", "mail.example.com:465", "u", "secret-smtp-password",
		"own@example.com", "own.example.com:587", "u",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestIntegrations(t *testing.T) {
	c := parse(t, `
route: {receiver: r}
receivers:
  - name: r
    email_configs: [{to: a@example.com, from: b@example.com, smarthost: "m.example.com:465", send_resolved: true}]
    wecom_robot_configs: [{url: "https://example.com/?key=1"}, {url: "https://example.com/?key=2", send_resolved: false}]
    sms_configs: [{sdk_app_id: "1", template_id: "2", sign_name: s, to: ["13800000000"]}]
    voice_configs: [{sdk_app_id: "1", template_id: "2", to: ["13800000000"]}]
    fallback: {receiver: r2}
  - name: r2
    email_configs: [{to: a@example.com, from: b@example.com, smarthost: "m.example.com:465"}]
    fallback: {receiver: r3, after: 0s}
  - name: r3
    email_configs: [{to: a@example.com, from: b@example.com, smarthost: "m.example.com:465"}]
`)
	var got []string
	for i := range c.Receivers {
		for _, integration := range c.Receivers[i].Integrations() {
			kind := integration.Kind()
			got = append(got, fmt.Sprint(c.Receivers[i].Name, " ", kind.Name, integration.Index, " ", integration.SendsResolved(kind), " ", kind.AtMostOnce))
		}
	}
	want := []string{
		"r wecom_robot0 true false", "r wecom_robot1 false false", "r sms0 false true", "r voice0 false true", "r email0 true false",
		"r2 email0 false false", "r3 email0 false false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if a, b := c.Receivers[0].Fallback.Delay(), c.Receivers[1].Fallback.Delay(); a != 15*time.Minute || b != 0 {
		t.Errorf("got fallbacks after %v and %v, want 15m and 0s", a, b)
	}
	want = []string{
		"clusters   none",
		"rules      none",
		"routes     1",
		"receivers  3: r (2 wecom_robot, 1 sms, 1 voice, 1 email; else r2 after 15m), r2 (1 email; else r3 after 0s), r3 (1 email)",
	}
	if got := c.Summary(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestSummary(t *testing.T) {
	c, _, err := config.Load("../../examples/tocsin.yaml", lookupIn(exampleEnv))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"clusters   1: orders",
		"rules      2: KafkaConsumerLag (max_lag 2000), KafkaConsumerLagCritical (max_lag 50000)",
		"routes     3",
		"receivers  3: ops (1 wecom_robot; else ops-mail after 15m), ops-sms (1 sms; else ops-mail after 5m), ops-mail (1 email)",
	}
	if got := c.Summary(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	c, _, err = config.Parse("tocsin.yaml", []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), lookupIn(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Summary()[3]; got != "receivers  1: none (no channels)" {
		t.Errorf("got %q, want a receiver without channels", got)
	}
}

// TestAlertmanagerFile: a file for Alertmanager loads unchanged if Tocsin has its channels.
func TestAlertmanagerFile(t *testing.T) {
	c, warnings, err := config.Check("testdata/alertmanager.yml", lookupIn(nil))
	if err != nil || len(warnings) != 1 || warnings[0].Key != "route.routes[1].receiver" {
		t.Fatalf("got %v and warnings %v, want only that the receiver null has no channels", err, warnings)
	}
	mail := c.Receivers[0].Email[0]
	if mail.Smarthost != "smtp.example.com:587" || string(mail.AuthPassword) != "from-a-file" || mail.SendsResolved(mail.Kind()) {
		t.Errorf("got %+v, want the values of the file", mail)
	}
	if len(c.Route.Routes) != 2 || c.Route.Routes[0].Routes[0].Receiver != "team-X-pager" || c.Route.GroupWait.Std() != 30*time.Second {
		t.Errorf("got %+v, want the routes of the file", c.Route)
	}
	if want := []string{filepath.Join("testdata", "templates", "*.tmpl")}; !slices.Equal(c.Templates, want) {
		t.Errorf("got templates %q, want %q", c.Templates, want)
	}
}

func TestMissingFile(t *testing.T) {
	if _, _, err := config.Load(filepath.Join(t.TempDir(), "gone.yaml"), lookupIn(nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	_, err := config.Find(lookupIn(nil))
	binary, berr := os.Executable()
	if berr != nil {
		t.Fatal(berr)
	}
	besideBinary := filepath.Join(filepath.Dir(binary), "tocsin.yaml")
	if want := "there is no configuration at " + besideBinary + ", nor at tocsin.yaml; put one there, or set TOCSIN_CONFIG to its path"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	named := lookupIn(map[string]string{"TOCSIN_CONFIG": filepath.Join(dir, "mine.yaml")})
	if _, err := config.Find(named); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "TOCSIN_CONFIG") {
		t.Errorf("got %v, want os.ErrNotExist and TOCSIN_CONFIG", err)
	}
	for _, name := range []string{"mine.yaml", "tocsin.yaml"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := config.Find(lookupIn(nil)); err != nil || got != "tocsin.yaml" {
		t.Errorf("got %q, %v, want tocsin.yaml", got, err)
	}
	if got, err := config.Find(named); err != nil || got != filepath.Join(dir, "mine.yaml") {
		t.Errorf("got %q, %v, want mine.yaml", got, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "../../examples/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, warnings, err := config.Parse("f.yaml", data, lookupIn(exampleEnv))
		problems := warnings
		var faults config.Faults
		if err != nil && (!errors.As(err, &faults) || len(faults) == 0 || c != nil) {
			t.Fatalf("got %v, %v, want no Config and Faults", c, err)
		}
		lines := 1 + strings.Count(string(data), "\n")
		for _, p := range append(problems, faults...) {
			if p.Line < 1 || p.Line > lines || p.Message == "" {
				t.Errorf("got line %d of %d: %v", p.Line, lines, p)
			}
		}
		if err == nil {
			c.Summary()
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, _, err := config.Load("../../examples/tocsin.yaml", lookupIn(exampleEnv)); err != nil {
			b.Fatal(err)
		}
	}
}
