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
		`{brokers: ["b:1"], sasl: {mechanism: GSSAPI}}`:   at + `sasl.mechanism "GSSAPI" is not one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, AWS_MSK_IAM`,
		`{brokers: ["b:1"], sasl: {mechanism: SCRAM-SHA-512}}`: at + "sasl.username is missing: SCRAM-SHA-512 logs in with username and password\n" +
			at + "sasl.password is missing: SCRAM-SHA-512 logs in with username and password",
		`{brokers: ["b:1"], sasl: {mechanism: PLAIN, username: u, password: p}}`:          "warning: " + at + "sasl.mechanism PLAIN without tls sends the password unencrypted",
		`{brokers: ["b:1"], tls: {}, sasl: {mechanism: PLAIN, username: u, password: p}}`: "",
		`{brokers: ["b:1"], tls: {}, sasl: {mechanism: AWS_MSK_IAM}}`:                     "",
		`{brokers: ["b:1"], sasl: {mechanism: AWS_MSK_IAM, username: u}}`: at + "sasl AWS_MSK_IAM takes its key from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN): leave username and password out\n" +
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
