package lag

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const oneRule = "\nrules: [{alert: A, max_lag: 1}]"

func TestConfigKafka(t *testing.T) {
	c, faults := loadConfig(t, `
clusters:
  - name: clicks
    kafka:
      brokers: ["10.0.0.1:9092", "kafka.example.com:9093", "[::1]:9092"]
      tls: {server_name: kafka.example.com}
      sasl: {mechanism: SCRAM-SHA-256, username: u, password: hunter2}
      isolation: read_committed
`+oneRule)
	if faults != "" {
		t.Fatal(faults)
	}
	k := c.Clusters[0].Kafka
	if len(k.Brokers) != 3 || k.TLS.ServerName != "kafka.example.com" || k.SASL.Mechanism != ScramSHA256 || string(k.SASL.Password) != "hunter2" || k.Isolation != ReadCommitted {
		t.Errorf("kafka = %+v, want 3 brokers with TLS and SCRAM-SHA-256", k)
	}
	if out, err := yaml.Marshal(c); err != nil || strings.Contains(string(out), "hunter2") {
		t.Errorf("marshalled = %s, %v; want no password in it", out, err)
	}
	c, faults = loadConfig(t, `clusters: [{name: a, kafka: {brokers: ["b:1"], tls: {}}}]`+oneRule)
	if faults != "" || c.Clusters[0].Kafka.TLS == nil || c.Clusters[0].Kafka.SASL != nil {
		t.Errorf("faults of a minimal configuration = %s, want none", faults)
	}
	if config, err := c.Clusters[0].Kafka.TLS.Config(); err != nil || config.InsecureSkipVerify || config.RootCAs != nil {
		t.Errorf("TLS config = %+v, %v; want the defaults", config, err)
	}
}

func TestConfigKafkaFaults(t *testing.T) {
	const at = "clusters.0.kafka."
	for text, want := range map[string]string{
		`{}`:                                              at + "brokers is missing: name one broker at least, such as 10.0.0.1:9092",
		`{brokers: ["10.0.0.1"]}`:                         at + `brokers.0 "10.0.0.1" is not an address: write it like 10.0.0.1:9092`,
		`{brokers: ["b:1", ":9092"]}`:                     at + `brokers.1 ":9092" is not an address: write it like 10.0.0.1:9092`,
		`{brokers: ["b:70000"]}`:                          at + `brokers.0 "b:70000" is not an address: write it like 10.0.0.1:9092`,
		`{brokers: ["b:0"]}`:                              at + `brokers.0 "b:0" is not an address: write it like 10.0.0.1:9092`,
		`{brokers: ["http://b:9092"]}`:                    at + `brokers.0 "http://b:9092" is not an address: write it like 10.0.0.1:9092`,
		`{brokers: ["b:1"], isolation: committed}`:        at + `isolation "committed" is neither read_uncommitted nor read_committed`,
		`{brokers: ["b:1"], tls: {ca: secret-text}}`:      at + "tls ca holds no certificate in PEM",
		`{brokers: ["b:1"], tls: {cert: x}}`:              at + "tls cert and key are given together or not at all",
		`{brokers: ["b:1"], tls: {cert: x, key: secret}}`: at + "tls cert and key cannot be used: tls: failed to find any PEM data in certificate input",
		`{brokers: ["b:1"], sasl: {mechanism: DIGEST}}`:   at + `sasl.mechanism "DIGEST" is not one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM`,
		`{brokers: ["b:1"], sasl: {mechanism: GSSAPI}}`:   at + "sasl.mechanism GSSAPI (Kerberos) is not supported: give Tocsin a user of its own with one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM, on a listener that has it",
		`{brokers: ["b:1"], sasl: {mechanism: SCRAM-SHA-512}}`: at + "sasl.username is missing: SCRAM-SHA-512 logs in with username and password\n" +
			at + "sasl.password is missing: SCRAM-SHA-512 logs in with username and password",
		`{brokers: ["b:1"], sasl: {mechanism: PLAIN, username: u, password: p}}`:          "warning: " + at + "sasl.mechanism PLAIN without tls sends the password unencrypted",
		`{brokers: ["b:1"], tls: {}, sasl: {mechanism: PLAIN, username: u, password: p}}`: "",
		`{brokers: ["b:1"], tls: {}, sasl: {mechanism: AWS_MSK_IAM}}`:                     "",
		`{brokers: ["b:1"], sasl: {mechanism: AWS_MSK_IAM, username: u}}`: at + "sasl AWS_MSK_IAM takes its key from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN) or from a role: leave username and password out\n" +
			at + "sasl.mechanism AWS_MSK_IAM works over TLS only: add tls: {} next to sasl",
		`{brokers: ["b:1"]}, ckafka: {instance_id: i, region: r}`: "",
	} {
		t.Run(text, func(t *testing.T) {
			if _, got := loadConfig(t, "clusters: [{name: a, kafka: "+text+"}]"+oneRule); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestConfigOAuth(t *testing.T) {
	const at = "clusters.0.kafka.sasl"
	const oauth2 = "oauth2: {token_url: https://login.example.com/token, client_id: c, client_secret: s"
	for _, tt := range []struct{ name, tls, sasl, want string }{
		{"valid", "tls: {}, ", oauth2 + ", scopes: [kafka], endpoint_params: {audience: a}}, extensions: {logicalCluster: lkc-1}", ""},
		{"no oauth2", "tls: {}, ", "", at + ".oauth2 is missing: OAUTHBEARER requests tokens with token_url, client_id and client_secret"},
		{"nothing below oauth2", "tls: {}, ", "oauth2: {}", at + ".oauth2.token_url is missing: it is the authorization server's token endpoint, such as https://login.example.com/oauth2/token\n" +
			at + ".oauth2.client_id is missing: it is the client's id at the authorization server\n" +
			at + ".oauth2.client_secret is missing: write it like ${KAFKA_CLIENT_SECRET}, or its file as client_secret_file"},
		{"without TLS", "", oauth2 + "}", "warning: " + at + ".mechanism OAUTHBEARER without tls sends the token unencrypted"},
		{"no URL", "tls: {}, ", "oauth2: {token_url: login.example.com/token, client_id: c, client_secret: s}", at + ".oauth2.token_url is not a URL: write it like https://login.example.com/oauth2/token"},
		{"password in the URL", "tls: {}, ", `oauth2: {token_url: "https://c:hidden@login.example.com/token", client_id: c, client_secret: s}`, at + ".oauth2.token_url must not contain a password: write client_id and client_secret next to it"},
		{"plain HTTP", "tls: {}, ", "oauth2: {token_url: http://login.example.com/token, client_id: c, client_secret: s}", "warning: " + at + ".oauth2.token_url http sends the client's secret unencrypted: use https"},
		{"plain HTTP to this machine", "tls: {}, ", "oauth2: {token_url: http://127.0.0.1:80/token, client_id: c, client_secret: s}", ""},
		{"own grant type", "tls: {}, ", oauth2 + ", endpoint_params: {grant_type: password}}", at + `.oauth2.endpoint_params "grant_type" is not for endpoint_params: Tocsin sends it itself`},
		{"reserved extension", "tls: {}, ", oauth2 + "}, extensions: {auth: x}", at + `.extensions "auth" is not an extension: its name has letters only and is not auth, its value is not empty and has printable ASCII only`},
		{"separator in an extension", "tls: {}, ", oauth2 + `}, extensions: {a: "b\x01c=d"}`, at + `.extensions "a" is not an extension: its name has letters only and is not auth, its value is not empty and has printable ASCII only`},
		{"username", "tls: {}, ", oauth2 + "}, username: u", at + " OAUTHBEARER logs in with a token: leave username and password out, and write client_id and client_secret below oauth2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := `clusters: [{name: a, kafka: {brokers: ["b:1"], ` + tt.tls + "sasl: {mechanism: OAUTHBEARER, " + tt.sasl + "}}}]" + oneRule
			if _, got := loadConfig(t, text); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
	t.Run("oauth2 of another mechanism", func(t *testing.T) {
		text := `clusters: [{name: a, kafka: {brokers: ["b:1"], tls: {}, sasl: {mechanism: PLAIN, username: u, password: p, ` + oauth2 + "}}}}]" + oneRule
		const want = at + " oauth2 and extensions belong to OAUTHBEARER, not to PLAIN: leave them out, or change mechanism"
		if _, got := loadConfig(t, text); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}
