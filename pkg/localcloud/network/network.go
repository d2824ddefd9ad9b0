// Package network is the net that the local cloud's servers are on: names that
// lead to listeners on loopback, and a certificate authority that vouches for
// them. What is built on it uses the vendors' real names and ports and verifies
// TLS as it would outside, and reaches nothing else.
package network

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// Network maps names to local listeners. It is safe for concurrent use.
type Network struct {
	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey
	pool  *x509.CertPool

	mu     sync.Mutex
	routes map[string]string // "name:port" → "127.0.0.1:port"
	close  []func() error
}

// New returns a network without servers, with a certificate authority of its
// own that is valid for a day.
func New() (*Network, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the local cloud's authority: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Tocsin local cloud"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make the local cloud's authority: %w", err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the local cloud's authority: %w", err)
	}
	n := &Network{ca: ca, caKey: key, pool: x509.NewCertPool(), routes: map[string]string{}}
	n.pool.AddCert(ca)
	return n, nil
}

// RootCAs holds the network's authority and no other.
func (n *Network) RootCAs() *x509.CertPool { return n.pool }

// CAPEM is the authority's certificate, for programs that take a file
// (SSL_CERT_FILE).
func (n *Network) CAPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.ca.Raw})
}

// ServerTLS returns a server's configuration with a certificate for host,
// localhost and 127.0.0.1.
func (n *Network) ServerTLS(host string) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %s: %w", host, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %s: %w", host, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host, "localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    n.ca.NotBefore,
		NotAfter:     n.ca.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, n.ca, &key.PublicKey, n.caKey)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %s: %w", host, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}

// Listen opens a loopback port to which "name:port" leads from now on.
func (n *Network) Listen(name string) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.routes[name] = l.Addr().String()
	n.close = append(n.close, func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return l, nil
}

// ServeHTTPS serves h as https://host/ and returns the loopback address at
// which the same server answers, with a certificate that holds there too.
func (n *Network) ServeHTTPS(host string, h http.Handler) (addr string, err error) {
	conf, err := n.ServerTLS(host)
	if err != nil {
		return "", err
	}
	l, err := n.Listen(net.JoinHostPort(host, "443"))
	if err != nil {
		return "", err
	}
	// Clients that hang up in the middle are part of the tests, not news.
	srv := &http.Server{Handler: h, TLSConfig: conf, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	n.mu.Lock()
	n.close = append(n.close, srv.Close)
	n.mu.Unlock()
	go srv.ServeTLS(l, "", "")
	return l.Addr().String(), nil
}

// DialContext connects to a name of this network, or to a loopback address. It
// refuses every other.
func (n *Network) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	to, ok := n.routes[addr]
	n.mu.Unlock()
	if !ok {
		host, _, err := net.SplitHostPort(addr)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, fmt.Errorf("the local cloud has no server named %s", addr)
		}
		to = addr
	}
	var d net.Dialer
	return d.DialContext(ctx, network, to)
}

// Close stops every server.
func (n *Network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for i := len(n.close) - 1; i >= 0; i-- {
		errs = append(errs, n.close[i]())
	}
	n.close = nil
	return errors.Join(errs...)
}
