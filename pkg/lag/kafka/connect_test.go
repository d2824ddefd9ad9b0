package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	world "tocsin/pkg/localcloud/kafka"
	"tocsin/pkg/localcloud/network"
	"tocsin/pkg/setting"
)

// encrypted is a network, and a cluster that speaks TLS in it.
func encrypted(t *testing.T, change func(*world.Config)) (context.Context, *network.Network, *world.Kafka) {
	t.Helper()
	n, err := network.New()
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	c := world.Config{Topics: map[string]int32{"a": 1}, Brokers: 2, ClientTLS: &tls.Config{RootCAs: n.RootCAs()}}
	c.TLS, err = n.ServerTLS("kafka.example.com")
	must(t, err)
	if change != nil {
		change(&c)
	}
	ctx, k := start(t, c)
	commitAt(t, ctx, k, "g", "a", 0)
	return ctx, n, k
}

var everything = []world.ACL{world.AllowDescribeCluster(), world.AllowDescribeGroup("*"), world.AllowDescribeTopic("*")}

// TestLogin logs in by every mechanism, over TLS and without.
func TestLogin(t *testing.T) {
	mechanisms := []string{lag.Plain, lag.ScramSHA256, lag.ScramSHA512}
	for _, m := range mechanisms {
		users := []world.User{{Mechanism: m, Name: user, Password: password, ACLs: everything}}
		login := func(c *lag.Cluster) {
			c.Kafka.SASL = &lag.KafkaSASL{Mechanism: m, Username: user, Password: password}
		}
		ctx, n, k := encrypted(t, func(c *world.Config) { c.Users = users })
		r := newReader(t, k, func(c *lag.Cluster) {
			login(c)
			c.Kafka.TLS = &lag.KafkaTLS{CA: setting.Secret(n.CAPEM())}
		})
		if snap := read(t, ctx, r); len(snap.Groups) != 1 || snap.Groups[0].Err != nil {
			t.Errorf("%s over TLS: %+v", m, snap)
		}
		ctx, k = start(t, world.Config{Topics: map[string]int32{"a": 1}, Users: users})
		if snap := read(t, ctx, newReader(t, k, login)); !snap.Complete {
			t.Errorf("%s: %+v", m, snap)
		}
	}
}

// TestLoginFails tells what is wrong with the login, and keeps the password.
func TestLoginFails(t *testing.T) {
	users := []world.User{
		{Mechanism: lag.Plain, Name: user, Password: "other", ACLs: everything},
		{Mechanism: lag.ScramSHA256, Name: user, Password: "other", ACLs: everything},
	}
	ctx, k := start(t, world.Config{Users: users})
	for _, tt := range []struct {
		sasl  *lag.KafkaSASL
		kind  ErrorKind
		words string
	}{
		{nil, Credentials, "user name and password of sasl"},
		{&lag.KafkaSASL{Mechanism: lag.Plain, Username: user, Password: password}, Credentials, "user name and password of sasl"},
		{&lag.KafkaSASL{Mechanism: lag.ScramSHA256, Username: user, Password: password}, Credentials, "user name and password of sasl"},
		{&lag.KafkaSASL{Mechanism: lag.MSKIAM}, Config, "check sasl.mechanism"},
	} {
		_, err := newReader(t, k, func(c *lag.Cluster) { c.Kafka.SASL = tt.sasl }).Read(ctx)
		if kind := kindOf(t, err); kind != tt.kind || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%+v: %s: %v", tt.sasl, kind, err)
		}
	}
	// What Apache Kafka answers.
	k.Respond(kmsg.SASLAuthenticate, func(_ int32, r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return resp
	})
	_, err := newReader(t, k, loggedIn).Read(ctx)
	if kindOf(t, err) != Credentials || !strings.Contains(err.Error(), "does not accept the user") {
		t.Errorf("%v", err)
	}
}

// TestCertificates: the brokers' is verified, and the client's is shown.
func TestCertificates(t *testing.T) {
	var mu sync.Mutex
	shown := 0
	ctx, n, k := encrypted(t, func(c *world.Config) {
		c.TLS.ClientAuth = tls.RequestClientCert
		c.TLS.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
			mu.Lock()
			defer mu.Unlock()
			shown += len(raw)
			return nil
		}
	})
	own, err := n.ServerTLS("client.example.com")
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(own.Certificates[0].PrivateKey)
	must(t, err)
	cert := setting.Secret(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificates[0].Certificate[0]}))
	key := setting.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	ca := setting.Secret(n.CAPEM())
	for _, tt := range []struct {
		name string
		tls  *lag.KafkaTLS
		kind ErrorKind
		text string
	}{
		{"trusted", &lag.KafkaTLS{CA: ca, Cert: cert, Key: key}, "", ""},
		{"trusted by its name", &lag.KafkaTLS{CA: ca, ServerName: "kafka.example.com"}, "", ""},
		{"not the system's", &lag.KafkaTLS{}, Config, "tls.ca"},
		{"another name", &lag.KafkaTLS{CA: ca, ServerName: "other.example.com"}, Config, "tls.server_name"},
		{"no TLS", nil, Credentials, "whether the port wants TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			snap, err := newReader(t, k, func(c *lag.Cluster) { c.Kafka.TLS = tt.tls }).Read(ctx)
			if tt.kind == "" {
				if err != nil || len(snap.Groups) != 1 {
					t.Errorf("%+v, %v", snap, err)
				}
				return
			}
			if kindOf(t, err) != tt.kind || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s: %v", kindOf(t, err), err)
			}
		})
	}
	mu.Lock()
	defer mu.Unlock()
	if shown == 0 {
		t.Error("the client's certificate was not shown")
	}
	ctx, k = start(t, world.Config{})
	if _, err := within(t, ctx, newReader(t, k, func(c *lag.Cluster) { c.Kafka.TLS = &lag.KafkaTLS{} }), time.Second); err == nil {
		t.Error("a cluster without TLS was read with it")
	}
}

// TestRoleKey logs in with AWS_MSK_IAM, whose key is looked up at every connect:
// the platform changes it.
func TestRoleKey(t *testing.T) {
	t.Setenv("AWS_REGION", "us-east-1")
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 1}})
	k.Respond(kmsg.SASLHandshake, func(_ int32, r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
		resp.SupportedMechanisms = []string{r.(*kmsg.SASLHandshakeRequest).Mechanism}
		return resp
	})
	var mu sync.Mutex
	var logins [][]byte
	k.Respond(kmsg.SASLAuthenticate, func(_ int32, r kmsg.Request) kmsg.Response {
		mu.Lock()
		defer mu.Unlock()
		logins = append(logins, bytes.Clone(r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes))
		resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.SASLAuthBytes = []byte(`{"version":"2020_10_22"}`)
		return resp
	})
	env := map[string]string{}
	give := func(id string) {
		mu.Lock()
		defer mu.Unlock()
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"] = id, password, "token-of-"+id
	}
	c := lag.Cluster{Name: "c", Kafka: &lag.Kafka{Brokers: k.Brokers(), SASL: &lag.KafkaSASL{Mechanism: lag.MSKIAM}}}
	r, err := New(c, func(name string) (string, bool) {
		mu.Lock()
		defer mu.Unlock()
		v, ok := env[name]
		return v, ok
	})
	must(t, err)
	defer r.Close()
	if _, err := r.Read(ctx); kindOf(t, err) != Credentials || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("without a key: %v", err)
	}
	for _, id := range []string{"AKIAone", "AKIAtwo"} {
		give(id)
		read(t, ctx, r)
		mu.Lock()
		for _, login := range logins {
			if !bytes.Contains(login, []byte(id)) || !bytes.Contains(login, []byte("token-of-"+id)) || bytes.Contains(login, []byte(password)) {
				t.Errorf("logged in with %s", login)
			}
		}
		if len(logins) == 0 {
			t.Errorf("%s: nobody logged in", id)
		}
		logins = nil
		mu.Unlock()
		k.Disconnect()
	}
}

// TestConnectionsSurvive: a warm instance reads over those it has, and where they
// were cut over new ones, without an error.
func TestConnectionsSurvive(t *testing.T) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 3}, Brokers: 3})
	commitAt(t, ctx, k, "g", "a", 0, 0, 0)
	r := newReader(t, k, nil)
	for range 5 { // until the brokers have taken over from the configured addresses
		read(t, ctx, r)
	}
	before := k.Connections()
	for range 5 {
		read(t, ctx, r)
	}
	if got := k.Connections() - before; got > 3 {
		t.Errorf("%d connections more", got)
	}
	k.Disconnect()
	snap, err := within(t, ctx, r, 10*time.Second)
	must(t, err)
	if g := groupOf(t, snap, "g"); g.Err != nil || !snap.Complete || len(g.Topics) != 1 {
		t.Errorf("%+v", g)
	}
}

// TestClosed: after its end a reader has an error and no connection.
func TestClosed(t *testing.T) {
	ctx, k := start(t, world.Config{})
	r := newReader(t, k, nil)
	read(t, ctx, r)
	r.Close()
	if _, err := r.Read(ctx); err == nil {
		t.Error("a closed reader reads")
	}
}
