package lag

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
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
	// Mechanism is Plain, ScramSHA256, ScramSHA512, OAuthBearer or MSKIAM.
	Mechanism string `yaml:"mechanism"`
	// Username and Password are those of Plain, ScramSHA256 and ScramSHA512.
	Username string         `yaml:"username,omitempty"`
	Password setting.Secret `yaml:"password,omitempty"`
	// OAuth2 requests the tokens of OAuthBearer, and Extensions (RFC 7628, section 3.1)
	// are sent to the brokers with them.
	OAuth2     *KafkaOAuth2      `yaml:"oauth2,omitempty"`
	Extensions map[string]string `yaml:"extensions,omitempty"`
}

// KafkaOAuth2 is a client of an authorization server, with the keys of Prometheus's
// section of this name.
type KafkaOAuth2 struct {
	TokenURL     string         `yaml:"token_url"`
	ClientID     string         `yaml:"client_id"`
	ClientSecret setting.Secret `yaml:"client_secret"`
	Scopes       []string       `yaml:"scopes,omitempty"`
	// EndpointParams are more parameters of the request, such as audience.
	EndpointParams map[string]string `yaml:"endpoint_params,omitempty"`
}

// Mechanisms of KafkaSASL. MSKIAM takes its key from the environment, or from where the
// AWS SDK finds it.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER"
	MSKIAM      = "AWS_MSK_IAM"
)

var mechanisms = []string{Plain, ScramSHA256, ScramSHA512, OAuthBearer, MSKIAM}

// kerberos is a mechanism that is refused. Its library, gokrb5, has had no release since
// February 2023; it would add 1.05 MB to the 22.49 MB of functions/lag.
const kerberos = "GSSAPI"

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
	if s.Mechanism == kerberos {
		f.Addf("mechanism", "%s (Kerberos) is not supported: give Tocsin a user of its own with one of %s, on a listener that has it", kerberos, strings.Join(mechanisms, ", "))
		return
	}
	if !slices.Contains(mechanisms, s.Mechanism) {
		f.Addf("mechanism", "%q is not one of %s", s.Mechanism, strings.Join(mechanisms, ", "))
		return
	}
	if s.Mechanism != OAuthBearer && (s.OAuth2 != nil || len(s.Extensions) > 0) {
		f.Addf("", "oauth2 and extensions belong to %s, not to %s: leave them out, or change mechanism", OAuthBearer, s.Mechanism)
	}
	switch s.Mechanism {
	case OAuthBearer:
		s.validateOAuth(f, encrypted)
	case MSKIAM:
		if s.Username != "" || s.Password != "" {
			f.Addf("", "%s takes its key from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN) or from a role: leave username and password out", MSKIAM)
		}
		if !encrypted {
			f.Addf("mechanism", "%s works over TLS only: add tls: {} next to sasl", MSKIAM)
		}
	default:
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
}

// Names and values of extensions, as Kafka accepts them (OAuthBearerClientInitialResponse).
var (
	extensionName  = regexp.MustCompile(`^[A-Za-z]+$`)
	extensionValue = regexp.MustCompile(`^[\x21-\x7E \t\r\n]+$`)
)

func (s *KafkaSASL) validateOAuth(f *setting.Faults, encrypted bool) {
	if s.Username != "" || s.Password != "" {
		f.Addf("", "%s logs in with a token: leave username and password out, and write client_id and client_secret below oauth2", OAuthBearer)
	}
	if !encrypted {
		f.Warnf("mechanism", "%s without tls sends the token unencrypted", OAuthBearer)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Extensions)) {
		value := s.Extensions[name]
		if !extensionName.MatchString(name) || name == "auth" || !extensionValue.MatchString(value) {
			f.Addf("extensions", "%q is not an extension: its name has letters only and is not auth, its value is not empty and has printable ASCII only", name)
		}
	}
	if s.OAuth2 == nil {
		f.Addf("oauth2", "is missing: %s requests tokens with token_url, client_id and client_secret", OAuthBearer)
		return
	}
	s.OAuth2.validate(f.In("oauth2"))
}

func (o *KafkaOAuth2) validate(f *setting.Faults) {
	u, err := url.Parse(o.TokenURL)
	switch {
	case o.TokenURL == "":
		f.Addf("token_url", "is missing: it is the authorization server's token endpoint, such as https://login.example.com/oauth2/token")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		f.Addf("token_url", "is not a URL: write it like https://login.example.com/oauth2/token")
	case u.User != nil:
		f.Addf("token_url", "must not contain a password: write client_id and client_secret next to it")
	case u.Scheme == "http" && !setting.IsLoopback(u.Hostname()):
		f.Warnf("token_url", "http sends the client's secret unencrypted: use https")
	}
	if o.ClientID == "" {
		f.Addf("client_id", "is missing: it is the client's id at the authorization server")
	}
	if o.ClientSecret == "" {
		f.Addf("client_secret", "is missing: write it like ${KAFKA_CLIENT_SECRET}, or its file as client_secret_file")
	}
	for _, name := range slices.Sorted(maps.Keys(o.EndpointParams)) {
		if slices.Contains([]string{"client_id", "client_secret", "grant_type", "scope"}, name) {
			f.Addf("endpoint_params", "%q is not for endpoint_params: Tocsin sends it itself", name)
		}
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
