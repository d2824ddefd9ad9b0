package network_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"

	"tocsin/pkg/localcloud/network"
)

func newClient(n *network.Network, roots *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: n.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

// TestNames checks that a vendor's name resolves to the local server, and that its
// certificate is valid for the name and for the loopback address.
func TestNames(t *testing.T) {
	n, err := network.New()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	addr, err := n.ServeHTTPS("api.example.com", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello "+r.Host)
	}))
	if err != nil {
		t.Fatal(err)
	}
	get := func(c *http.Client, url string) (string, error) {
		resp, err := c.Get(url)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	}
	trusting := newClient(n, n.RootCAs())
	for _, host := range []string{"api.example.com", addr} {
		if body, err := get(trusting, "https://"+host+"/"); err != nil || body != "hello "+host {
			t.Errorf("got %q, %v from %s, want hello %s", body, err, host, host)
		}
	}
	if _, err := get(newClient(n, x509.NewCertPool()), "https://api.example.com/"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got error %v with other roots, want a certificate error", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(n.CAPEM()) {
		t.Fatalf("got CAPEM %q, want a certificate", n.CAPEM())
	}
	if _, err := get(newClient(n, pool), "https://api.example.com/"); err != nil {
		t.Errorf("got error %v with the authority from PEM, want none", err)
	}
}

func TestOtherAddressesAreErrors(t *testing.T) {
	n, err := network.New()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, addr := range []string{"other.example.com:443", "192.0.2.1:443", "api.example.com:80", "nonsense"} {
		if conn, err := n.DialContext(t.Context(), "tcp", addr); err == nil {
			conn.Close()
			t.Errorf("got a connection to %s, want an error", addr)
		} else if !strings.Contains(err.Error(), "no server named "+addr) {
			t.Errorf("got error %v, want that there is no server named %s", err, addr)
		}
	}
}
