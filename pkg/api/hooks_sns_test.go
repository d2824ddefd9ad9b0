package api_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/intake"
)

const (
	snsHost  = "sns.us-east-1.amazonaws.com"
	snsTopic = "arn:aws:sns:us-east-1:123456789012:alarms"
)

// fakeSNS is Amazon SNS on a loopback port, with TLS and its own host name. It records
// the requested addresses.
type fakeSNS struct {
	key      *rsa.PrivateKey
	client   *http.Client
	mu       sync.Mutex
	requests []string
	status   int
}

func newFakeSNS(t *testing.T) *fakeSNS {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: snsHost}, DNSNames: []string{snsHost},
		NotBefore: time.Now().Add(-24 * 365 * time.Hour), NotAfter: time.Now().Add(24 * 365 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	sns := &fakeSNS{key: key, status: http.StatusOK}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sns.mu.Lock()
		defer sns.mu.Unlock()
		sns.requests = append(sns.requests, r.Host+r.URL.RequestURI())
		if r.URL.Path == "/moved.pem" {
			http.Redirect(w, r, "https://"+snsHost+"/a.pem", http.StatusFound)
			return
		}
		w.WriteHeader(sns.status)
		_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	sns.client = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if address != snsHost+":443" {
					t.Errorf("dialed %s, want %s only", address, snsHost)
				}
				return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return sns
}

// message returns a signed message. Fields are pairs of names and values.
func (sns *fakeSNS) message(t *testing.T, kind string, fields ...string) string {
	t.Helper()
	m := map[string]string{"Type": kind, "MessageId": "m-1", "TopicArn": snsTopic, "Timestamp": "2026-11-20T22:00:00.000Z", "SignatureVersion": "2", "SigningCertURL": "https://" + snsHost + "/a.pem"}
	for i := 0; i < len(fields); i += 2 {
		m[fields[i]] = fields[i+1]
	}
	var signed strings.Builder
	for _, name := range []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"} { // these messages have no Subject
		if v, ok := m[name]; ok {
			signed.WriteString(name + "\n" + v + "\n")
		}
	}
	sum := sha256.Sum256([]byte(signed.String()))
	signature, err := rsa.SignPKCS1v15(nil, sns.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(signature)
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// option configures an API with this SNS.
func (sns *fakeSNS) option(o *api.Options) {
	o.HTTP, o.Webhook.SNS = sns.client, intake.SNSConfig{Topics: []string{snsTopic}}
}

// TestSNSHook confirms a subscription, fires an alarm and resolves it, with one request
// for the certificate.
func TestSNSHook(t *testing.T) {
	sns := newFakeSNS(t)
	a := newTestAPI(t, sns.option)
	confirm := "https://" + snsHost + "/?Action=ConfirmSubscription&TopicArn=" + snsTopic + "&Token=t0ken"
	for _, tt := range []struct {
		body     string
		response string
		firing   int
	}{
		{sns.message(t, "SubscriptionConfirmation", "Message", "You have chosen", "Token", "t0ken", "SubscribeURL", confirm), `{"alerts":0,"status":"ok"}`, 0},
		{sns.message(t, "Notification", "Message", cloudWatch("ALARM", "21:00:00")), `{"alerts":1,"status":"ok"}`, 1},
		{sns.message(t, "Notification", "Message", cloudWatch("OK", "21:30:00")), `{"alerts":1,"status":"ok"}`, 0},
	} {
		if got := a.mustHook("/hooks/sns", "text/plain; charset=UTF-8", tt.body); got != tt.response {
			t.Fatalf("response: got %s, want %s", got, tt.response)
		}
		a.expectAlerts(tt.firing)
	}
	if got, want := strings.Join(sns.requests, " "), snsHost+"/a.pem "+strings.TrimPrefix(confirm, "https://"); got != want {
		t.Errorf("requests: got %s, want %s", got, want)
	}
}

func TestSNSHookErrors(t *testing.T) {
	sns := newFakeSNS(t)
	a := newTestAPI(t, sns.option)
	valid := sns.message(t, "Notification", "Message", cloudWatch("ALARM", "21:00:00"))
	for _, tt := range []struct {
		name, body string
		after      time.Duration
		status     int
		want       string
	}{
		{"forged", strings.Replace(valid, "ALARM", "OK", 1), 0, 400, "Signature: does not match the message"},
		{"another topic", sns.message(t, "Notification", "TopicArn", "arn:aws:sns:us-east-1:999999999999:x", "Message", cloudWatch("ALARM", "21:00:00")), 0, 400, "is not among webhook.sns.topics"},
		{"unsigned", cloudWatch("ALARM", "21:00:00"), 0, 400, "is not signed"},
		{"redirected", sns.message(t, "Notification", "SigningCertURL", "https://"+snsHost+"/moved.pem", "Message", cloudWatch("ALARM", "21:00:00")), 0, 503, "cannot reach"},
		{"replayed", valid, 2 * time.Hour, 400, "is not within the last hour"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.t, a.now = t, t0.Add(tt.after)
			a.expect(a.request(http.MethodPost, "/hooks/sns", strings.NewReader(tt.body), "Content-Type", "text/plain"), tt.status, tt.want)
			a.expectAlerts(0)
		})
	}
}

// TestSNSHookUnreachable checks that the sender should retry, and that the log does not
// contain the token of a confirmation.
func TestSNSHookUnreachable(t *testing.T) {
	sns := newFakeSNS(t)
	sns.status = http.StatusInternalServerError
	a := newTestAPI(t, sns.option)
	confirm := "https://" + snsHost + "/?Action=ConfirmSubscription&TopicArn=" + snsTopic + "&Token=t0ken"
	for name, body := range map[string]string{
		"certificate":  sns.message(t, "Notification", "SigningCertURL", "https://"+snsHost+"/b.pem", "Message", cloudWatch("ALARM", "21:00:00")),
		"confirmation": sns.message(t, "SubscriptionConfirmation", "Message", "x", "Token", "t0ken", "SubscribeURL", confirm),
	} {
		t.Run(name, func(t *testing.T) {
			a.t = t
			r := a.request(http.MethodPost, "/hooks/sns", strings.NewReader(body), "Content-Type", "text/plain")
			if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
				t.Errorf("got %d, Retry-After %q; want 503 and a time", r.StatusCode, r.Header.Get("Retry-After"))
			}
			a.expectAlerts(0)
			if log := a.logs.String(); strings.Contains(log, "t0ken") {
				t.Errorf("the log contains the token: %s", log)
			}
		})
	}
}
