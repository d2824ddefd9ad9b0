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

// amazon is Amazon SNS on a loopback port: with TLS, under its own name.
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
	a := &fakeSNS{key: key, status: http.StatusOK}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.requests = append(a.requests, r.Host+r.URL.RequestURI())
		if r.URL.Path == "/moved.pem" {
			http.Redirect(w, r, "https://"+snsHost+"/a.pem", http.StatusFound)
			return
		}
		w.WriteHeader(a.status)
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
	a.client = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if address != snsHost+":443" {
					t.Errorf("%s was dialed", address)
				}
				return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return a
}

// message is a signed one; its fields are pairs of names and values.
func (a *fakeSNS) message(t *testing.T, kind string, fields ...string) string {
	t.Helper()
	m := map[string]string{"Type": kind, "MessageId": "m-1", "TopicArn": snsTopic, "Timestamp": "2026-11-20T22:00:00.000Z", "SignatureVersion": "2", "SigningCertURL": "https://" + snsHost + "/a.pem"}
	for i := 0; i < len(fields); i += 2 {
		m[fields[i]] = fields[i+1]
	}
	var signed strings.Builder
	for _, name := range []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"} { // no Subject here
		if v, ok := m[name]; ok {
			signed.WriteString(name + "\n" + v + "\n")
		}
	}
	sum := sha256.Sum256([]byte(signed.String()))
	signature, err := rsa.SignPKCS1v15(nil, a.key, crypto.SHA256, sum[:])
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

func (a *fakeSNS) option(o *api.Options) {
	o.HTTP, o.Webhook.SNS = a.client, intake.SNSConfig{Topics: []string{snsTopic}}
}

// A subscription is confirmed, an alarm is taken, its end ends it; the
// certificate is asked for once.
func TestSNSHook(t *testing.T) {
	a := newFakeSNS(t)
	w := newTestAPI(t, a.option)
	confirm := "https://" + snsHost + "/?Action=ConfirmSubscription&TopicArn=" + snsTopic + "&Token=t0ken"
	for _, tt := range []struct {
		body   string
		answer string
		firing int
	}{
		{a.message(t, "SubscriptionConfirmation", "Message", "You have chosen", "Token", "t0ken", "SubscribeURL", confirm), `{"alerts":0,"status":"ok"}`, 0},
		{a.message(t, "Notification", "Message", cloudWatch("ALARM", "21:00:00")), `{"alerts":1,"status":"ok"}`, 1},
		{a.message(t, "Notification", "Message", cloudWatch("OK", "21:30:00")), `{"alerts":1,"status":"ok"}`, 0},
	} {
		if status, answer := w.hook("/hooks/sns", "text/plain; charset=UTF-8", tt.body); status != 200 || answer != tt.answer {
			t.Fatalf("%d %s, want %s", status, answer, tt.answer)
		}
		if n := len(w.alerts()); n != tt.firing {
			t.Errorf("%d alerts fire, want %d", n, tt.firing)
		}
	}
	if got, want := strings.Join(a.requests, " "), snsHost+"/a.pem "+strings.TrimPrefix(confirm, "https://"); got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}

// What is replayed, forged or led elsewhere is refused; what cannot be checked now
// is to be sent again, and no secret of it is logged.
func TestSNSHookRefused(t *testing.T) {
	a := newFakeSNS(t)
	w := newTestAPI(t, a.option)
	good := a.message(t, "Notification", "Message", cloudWatch("ALARM", "21:00:00"))
	for _, tt := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"forged", strings.Replace(good, "ALARM", "OK", 1), 400, "Signature: does not match the message"},
		{"another topic", a.message(t, "Notification", "TopicArn", "arn:aws:sns:us-east-1:999999999999:x", "Message", cloudWatch("ALARM", "21:00:00")), 400, "is not among webhook.sns.topics"},
		{"unsigned", cloudWatch("ALARM", "21:00:00"), 400, "is not signed"},
		{"redirected", a.message(t, "Notification", "SigningCertURL", "https://"+snsHost+"/moved.pem", "Message", cloudWatch("ALARM", "21:00:00")), 503, "cannot be reached"},
	} {
		if status, answer := w.hook("/hooks/sns", "text/plain", tt.body); status != tt.status || !strings.Contains(answer, tt.want) {
			t.Errorf("%s: %d %s", tt.name, status, answer)
		}
	}
	w.now = t0.Add(2 * time.Hour)
	if status, answer := w.hook("/hooks/sns", "text/plain", good); status != 400 || !strings.Contains(answer, "is not within the last hour") {
		t.Errorf("replayed: %d %s", status, answer)
	}
	w.now = t0

	a.status = http.StatusInternalServerError
	confirm := "https://" + snsHost + "/?Action=ConfirmSubscription&TopicArn=" + snsTopic + "&Token=t0ken"
	for name, body := range map[string]string{
		"no certificate":  a.message(t, "Notification", "SigningCertURL", "https://"+snsHost+"/b.pem", "Message", cloudWatch("ALARM", "21:00:00")),
		"no confirmation": a.message(t, "SubscriptionConfirmation", "Message", "x", "Token", "t0ken", "SubscribeURL", confirm),
	} {
		r := w.request(http.MethodPost, "/hooks/sns", strings.NewReader(body), "Content-Type", "text/plain")
		if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	if len(w.alerts()) > 0 || strings.Contains(w.logs.String(), "t0ken") {
		t.Errorf("%d alerts, log:\n%s", len(w.alerts()), w.logs.String())
	}
}
