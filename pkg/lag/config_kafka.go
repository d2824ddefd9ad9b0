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

// Kafka is where and as whom a cluster is read by Kafka's own protocol. Its user
// needs DESCRIBE on the groups and on their topics, and nothing else.
type Kafka struct {
	// Brokers are some of the cluster's brokers, host:port; they know the rest.
	Brokers []string `yaml:"brokers"`
	// TLS, if given, encrypts the connections; {} trusts what the system trusts.
	TLS  *KafkaTLS  `yaml:"tls,omitempty"`
	SASL *KafkaSASL `yaml:"sasl,omitempty"`
	// Isolation is ReadUncommitted, the default, or ReadCommitted.
	Isolation string `yaml:"isolation,omitempty"`
}

// What Kafka.Isolation may be: whether the end of a partition counts messages of
// transactions that are still open, which consumers with isolation.level
// read_committed do not get to see.
const (
	ReadUncommitted = "read_uncommitted"
	ReadCommitted   = "read_committed"
)

// KafkaTLS is whom to trust and as whom to come. Certificates and keys are in
// PEM, and like every secret they have a form that names a file: ca_file,
// cert_file, key_file.
type KafkaTLS struct {
	// CA holds the authorities to trust instead of the system's.
	CA setting.Secret `yaml:"ca,omitempty"`
	// Cert and Key are the client's own, for brokers that ask for them.
	Cert setting.Secret `yaml:"cert,omitempty"`
	Key  setting.Secret `yaml:"key,omitempty"`
	// ServerName is the name in the brokers' certificate, where it is not their
	// address.
	ServerName string `yaml:"server_name,omitempty"`
}

// KafkaSASL is how to log in.
type KafkaSASL struct {
	// Mechanism is one of the constants below.
	Mechanism string `yaml:"mechanism"`
	// Username and Password are for all mechanisms but MSKIAM, whose key is the
	// one in the environment.
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

// Validate adds what is wrong with k to f.
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
			f.Addf("mechanism", "%s works over TLS only: add tls: {} beside sasl", MSKIAM)
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
		f.Warnf("mechanism", "PLAIN without tls sends the password as it is: everybody on the way can read it")
	}
}

// Config returns the configuration of a client. Its errors show nothing of what
// the certificates and keys hold.
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
