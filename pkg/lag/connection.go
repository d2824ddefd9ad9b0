package lag

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"tocsin/pkg/setting"
)

// CKafka is a CKafka instance that is read through Tencent Cloud's API.
type CKafka struct {
	// InstanceID has the form ckafka-xxxxxxxx.
	InstanceID string `yaml:"instance_id"`
	// Region is the instance's region, such as ap-guangzhou.
	Region string `yaml:"region"`
	// Endpoint is the address of the API, by default
	// https://ckafka.tencentcloudapi.com.
	Endpoint string `yaml:"endpoint,omitempty"`
	// SecretID and SecretKey default to global.tencent_secret_id, then to the
	// key of the function's role.
	SecretID  string         `yaml:"secret_id,omitempty"`
	SecretKey setting.Secret `yaml:"secret_key,omitempty"`
}

// Validate adds the errors of c to f.
func (c *CKafka) Validate(f *setting.Faults) {
	if c.InstanceID == "" {
		f.Addf("instance_id", "is missing: it is the instance's id in the console, such as ckafka-xxxxxxxx")
	}
	if c.Region == "" {
		f.Addf("region", "is missing: name the instance's region, such as ap-guangzhou")
	}
	switch {
	case c.SecretID != "" && c.SecretKey == "":
		f.Addf("secret_key", "is missing: secret_id and secret_key are given together or not at all")
	case c.SecretID == "" && c.SecretKey != "":
		f.Addf("secret_id", "is missing: secret_id and secret_key are given together or not at all")
	}
	validateEndpoint(f, c.Endpoint)
}

func validateEndpoint(f *setting.Faults, endpoint string) {
	if endpoint == "" {
		return
	}
	if !strings.HasPrefix(endpoint, "https://") && !strings.HasPrefix(endpoint, "http://") {
		f.Addf("endpoint", "%q is not a URL: write it like https://ckafka.tencentcloudapi.com", endpoint)
	}
}

// Kafka is a cluster that is read by Kafka's protocol. Its user needs DESCRIBE on
// the groups and their topics, and nothing else.
type Kafka struct {
	// Brokers are some of the cluster's brokers, host:port; the client discovers the
	// rest.
	Brokers []string `yaml:"brokers"`
	// TLS encrypts the connections; {} trusts the system's authorities.
	TLS  *KafkaTLS  `yaml:"tls,omitempty"`
	SASL *KafkaSASL `yaml:"sasl,omitempty"`
	// Isolation is ReadUncommitted, the default, or ReadCommitted.
	Isolation string `yaml:"isolation,omitempty"`
}

// Values of Kafka.Isolation: whether the end of a partition includes the messages
// of open transactions, which consumers with isolation.level read_committed do not
// receive.
const (
	ReadUncommitted = "read_uncommitted"
	ReadCommitted   = "read_committed"
)

// KafkaTLS has the certificates of TLS connections, in PEM. Like every secret they
// can also be given as files: ca_file, cert_file, key_file.
type KafkaTLS struct {
	// CA has the authorities to trust instead of the system's.
	CA setting.Secret `yaml:"ca,omitempty"`
	// Cert and Key authenticate the client, for brokers that require it.
	Cert setting.Secret `yaml:"cert,omitempty"`
	Key  setting.Secret `yaml:"key,omitempty"`
	// ServerName is the name in the brokers' certificates, if that is not their
	// address.
	ServerName string `yaml:"server_name,omitempty"`
}

// KafkaSASL has the credentials of a client.
type KafkaSASL struct {
	// Mechanism is Plain, ScramSHA256, ScramSHA512 or MSKIAM.
	Mechanism string `yaml:"mechanism"`
	// Username and Password are not used by MSKIAM, which takes its key from the
	// environment.
	Username string         `yaml:"username,omitempty"`
	Password setting.Secret `yaml:"password,omitempty"`
}

// Mechanisms of KafkaSASL.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	MSKIAM      = "AWS_MSK_IAM"
)

var mechanisms = []string{Plain, ScramSHA256, ScramSHA512, MSKIAM}

// Validate adds the errors of k to f.
func (k *Kafka) Validate(f *setting.Faults) {
	if len(k.Brokers) == 0 {
		f.Addf("brokers", "is missing: name one broker at least, such as 10.0.0.1:9092")
	}
	for i, broker := range k.Brokers {
		if !isAddress(broker) {
			f.In("brokers", i).Addf("", "%q is not an address: write it like 10.0.0.1:9092", broker)
		}
	}
	if k.TLS != nil {
		if _, err := k.TLS.Config(); err != nil {
			f.Addf("tls", "%v", err)
		}
	}
	if k.SASL != nil {
		k.SASL.validate(f.In("sasl"), k.TLS != nil)
	}
	if !slices.Contains([]string{"", ReadUncommitted, ReadCommitted}, k.Isolation) {
		f.Addf("isolation", "%q is neither %s nor %s", k.Isolation, ReadUncommitted, ReadCommitted)
	}
}

func isAddress(broker string) bool {
	host, port, err := net.SplitHostPort(broker)
	if err != nil || host == "" {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func (s *KafkaSASL) validate(f *setting.Faults, encrypted bool) {
	if !slices.Contains(mechanisms, s.Mechanism) {
		f.Addf("mechanism", "%q is not one of %s", s.Mechanism, strings.Join(mechanisms, ", "))
		return
	}
	if s.Mechanism == MSKIAM {
		if s.Username != "" || s.Password != "" {
			f.Addf("", "%s takes its key from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN): leave username and password out", MSKIAM)
		}
		if !encrypted {
			f.Addf("mechanism", "%s works over TLS only: add tls: {} next to sasl", MSKIAM)
		}
		return
	}
	if s.Username == "" {
		f.Addf("username", "is missing: %s logs in with username and password", s.Mechanism)
	}
	if s.Password == "" {
		f.Addf("password", "is missing: %s logs in with username and password", s.Mechanism)
	}
	if s.Mechanism == Plain && !encrypted {
		f.Warnf("mechanism", "PLAIN without tls sends the password unencrypted")
	}
}

// Config returns the configuration of a client. Its errors contain nothing of the
// certificates and keys.
func (t *KafkaTLS) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, errors.New("ca holds no certificate in PEM")
		}
	}
	switch {
	case t.Cert == "" && t.Key == "":
		return c, nil
	case t.Cert == "" || t.Key == "":
		return nil, errors.New("cert and key are given together or not at all")
	}
	pair, err := tls.X509KeyPair([]byte(t.Cert), []byte(t.Key))
	if err != nil {
		return nil, fmt.Errorf("cert and key cannot be used: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
