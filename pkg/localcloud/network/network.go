// Package network resolves the names of the local cloud's servers to listeners on
// loopback and issues their certificates. Programs use the vendors' real names and
// ports and verify TLS as usual, and cannot connect to anything else.
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

	mu      sync.Mutex
	routes  map[string]string // "name:port" → "127.0.0.1:port"
	closers []func() error
}

// New returns a network without servers. Its certificate authority is valid for a
// day.
func New() (*Network, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create the certificate authority: %w", err)
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
		return nil, fmt.Errorf("create the certificate authority: %w", err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("create the certificate authority: %w", err)
	}
	n := &Network{ca: ca, caKey: key, pool: x509.NewCertPool(), routes: map[string]string{}}
	n.pool.AddCert(ca)
	return n, nil
}

// RootCAs returns a pool with the network's authority only.
func (n *Network) RootCAs() *x509.CertPool { return n.pool }

// CAPEM returns the authority's certificate in PEM, for SSL_CERT_FILE.
func (n *Network) CAPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.ca.Raw})
}

// ServerTLS returns a server configuration with a certificate for host, localhost and
// 127.0.0.1.
func (n *Network) ServerTLS(host string) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create a certificate for %s: %w", host, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, fmt.Errorf("create a certificate for %s: %w", host, err)
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
		return nil, fmt.Errorf("create a certificate for %s: %w", host, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}

// Listen listens on a loopback port, to which the name "host:port" resolves from now
// on.
func (n *Network) Listen(name string) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.routes[name] = l.Addr().String()
	n.closers = append(n.closers, func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return l, nil
}

// ServeHTTPS serves h as https://host/ and returns the loopback address of the same
// server, for which its certificate is valid too.
func (n *Network) ServeHTTPS(host string, h http.Handler) (addr string, err error) {
	conf, err := n.ServerTLS(host)
	if err != nil {
		return "", err
	}
	l, err := n.Listen(net.JoinHostPort(host, "443"))
	if err != nil {
		return "", err
	}
	// The errors are of clients that disconnect, as tests make them do.
	srv := &http.Server{Handler: h, TLSConfig: conf, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	n.mu.Lock()
	n.closers = append(n.closers, srv.Close)
	n.mu.Unlock()
	go srv.ServeTLS(l, "", "")
	return l.Addr().String(), nil
}

// DialContext connects to a name of this network or to a loopback address. Any other
// address is an error.
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

// Close closes all servers and listeners.
func (n *Network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for i := len(n.closers) - 1; i >= 0; i-- {
		errs = append(errs, n.closers[i]())
	}
	n.closers = nil
	return errors.Join(errs...)
}
