package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

// Transport opens connections to other machines. The zero value uses the system's
// network and root certificates.
type Transport struct {
	// Dial opens every connection; nil means the system's network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// RootCAs verify the certificates of servers; nil means the system's.
	RootCAs *x509.CertPool
}

// dialer returns the dial function to use.
func (t Transport) dialer() func(ctx context.Context, network, addr string) (net.Conn, error) {
	if t.Dial != nil {
		return t.Dial
	}
	d := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return d.DialContext
}

// tls returns the TLS configuration that every connection starts from.
func (t Transport) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: t.RootCAs}
}

// client returns the HTTP client of a process. It follows no redirects (an API that redirects a POST is
// not the API), and has no timeout: contexts bound requests. It uses HTTP/1.1,
// since an invocation sends a host a few requests at most, and the handshake of
// HTTP/2 costs more than it saves then.
func (t Transport) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           t.dialer(),
			TLSClientConfig:       t.tls(),
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
