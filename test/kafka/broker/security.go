package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// security returns the properties of a secure listener.
func (k *Cluster) security() properties {
	const login = "listener.name.secure.%s.sasl.jaas.config"
	const module = "org.apache.kafka.common.security."
	return properties{
		"sasl.enabled.mechanisms":                                             "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
		fmt.Sprintf(login, "plain"):                                           fmt.Sprintf(module+"plain.PlainLoginModule required user_%s=%q;", PlainUser, PlainPassword),
		fmt.Sprintf(login, "scram-sha-256"):                                   module + "scram.ScramLoginModule required;",
		fmt.Sprintf(login, "scram-sha-512"):                                   module + "scram.ScramLoginModule required;",
		fmt.Sprintf(login, "oauthbearer"):                                     module + "oauthbearer.OAuthBearerLoginModule required;",
		"listener.name.secure.oauthbearer.sasl.server.callback.handler.class": module + "oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler",
		"ssl.keystore.type":                                                   "PEM",
		"ssl.keystore.location":                                               k.keystore(),
		"authorizer.class.name":                                               "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":                                                         "User:ANONYMOUS",
	}
}

func (k *Cluster) keystore() string { return filepath.Join(k.dir, "keystore.pem") }

// writeCertificate writes a key and its self-signed certificate for 127.0.0.1 to a file,
// and returns the certificate.
func writeCertificate(name string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kafka"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return string(certPEM), os.WriteFile(name, append(keyPEM, certPEM...), 0o600)
}
