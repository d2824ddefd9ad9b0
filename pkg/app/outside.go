package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

// Outside is how the world outside is reached. The zero value is the real one.
type Outside struct {
	// Dial opens every connection; nil means the system's network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// RootCAs are whom TLS trusts; nil means the system's.
	RootCAs *x509.CertPool
}

// dialer returns the dial function to use.
func (o Outside) dialer() func(ctx context.Context, network, addr string) (net.Conn, error) {
	if o.Dial != nil {
		return o.Dial
	}
	d := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return d.DialContext
}

// tls returns the base of every TLS configuration.
func (o Outside) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs}
}

// client returns the one HTTP client of a process. It keeps its connections
// from one invocation to the next, follows no redirect (an API that redirects a
// POST is not the API), and has no timeout of its own: contexts have. It speaks
// HTTP/1.1: an invocation asks a host a few times at most, and HTTP/2, which has
// more to agree on first, would take longer for that.
func (o Outside) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           o.dialer(),
			TLSClientConfig:       o.tls(),
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
