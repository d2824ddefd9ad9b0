package kafka

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
	"tocsin/pkg/localcloud/network"
	"tocsin/pkg/setting"
)

// startTLSCluster starts a cluster whose brokers use TLS with certificates of
// the returned network; change, if given, changes its configuration.
func startTLSCluster(t *testing.T, change func(*localkafka.Config)) (context.Context, *network.Network, *localkafka.Kafka) {
	t.Helper()
	n, err := network.New()
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	c := localkafka.Config{Topics: map[string]int32{"a": 1}, Brokers: 2, ClientTLS: &tls.Config{RootCAs: n.RootCAs()}}
	c.TLS, err = n.ServerTLS("kafka.example.com")
	must(t, err)
	if change != nil {
		change(&c)
	}
	ctx, k := startCluster(t, c)
	commitOffsets(t, ctx, k, "g", "a", 0)
	return ctx, n, k
}

var allACLs = []localkafka.ACL{localkafka.AllowDescribeCluster(), localkafka.AllowDescribeGroup("*"), localkafka.AllowDescribeTopic("*")}

func TestLogin(t *testing.T) {
	for _, mechanism := range []string{lag.Plain, lag.ScramSHA256, lag.ScramSHA512} {
		users := newUser(allACLs...)
		users[0].Mechanism = mechanism
		login := func(c *lag.Cluster) {
			c.Kafka.SASL = &lag.KafkaSASL{Mechanism: mechanism, Username: username, Password: password}
		}
		t.Run(mechanism+" over TLS", func(t *testing.T) {
			ctx, n, k := startTLSCluster(t, func(c *localkafka.Config) { c.Users = users })
			r := newReader(t, k, func(c *lag.Cluster) {
				login(c)
				c.Kafka.TLS = &lag.KafkaTLS{CA: setting.Secret(n.CAPEM())}
			})
			if snap := mustRead(t, ctx, r); len(snap.Groups) != 1 || snap.Groups[0].Err != nil {
				t.Errorf("got %+v, want one group", snap)
			}
		})
		t.Run(mechanism+" without TLS", func(t *testing.T) {
			ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}, Users: users})
			if snap := mustRead(t, ctx, newReader(t, k, login)); !snap.Complete {
				t.Errorf("got %+v, want a complete snapshot", snap)
			}
		})
	}
}

func TestLoginFailures(t *testing.T) {
	users := []localkafka.User{
		{Mechanism: lag.Plain, Name: username, Password: "other", ACLs: allACLs},
		{Mechanism: lag.ScramSHA256, Name: username, Password: "other", ACLs: allACLs},
	}
	ctx, k := startCluster(t, localkafka.Config{Users: users})
	for _, tt := range []struct {
		name string
		sasl *lag.KafkaSASL
		kind ErrorKind
		want string
	}{
		{"no login", nil, Credentials, "check username and password of sasl"},
		{"wrong password with PLAIN", &lag.KafkaSASL{Mechanism: lag.Plain, Username: username, Password: password}, Credentials, "check username and password of sasl"},
		{"wrong password with SCRAM", &lag.KafkaSASL{Mechanism: lag.ScramSHA256, Username: username, Password: password}, Credentials, "check username and password of sasl"},
		{"unsupported mechanism", &lag.KafkaSASL{Mechanism: lag.MSKIAM}, Config, "check sasl.mechanism"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newReader(t, k, func(c *lag.Cluster) { c.Kafka.SASL = tt.sasl }).Read(ctx)
			checkError(t, err, tt.kind, tt.want)
		})
	}
	t.Run("response of Apache Kafka", func(t *testing.T) {
		k.Respond(kmsg.SASLAuthenticate, func(_ int32, r kmsg.Request) kmsg.Response {
			resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
			resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
			return resp
		})
		_, err := newReader(t, k, withLogin).Read(ctx)
		checkError(t, err, Credentials, "rejected the login")
	})
}

// TestCertificates verifies that the brokers' certificates are checked, and
// that the client presents its own.
func TestCertificates(t *testing.T) {
	var mu sync.Mutex
	presented := 0
	ctx, n, k := startTLSCluster(t, func(c *localkafka.Config) {
		c.TLS.ClientAuth = tls.RequestClientCert
		c.TLS.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
			mu.Lock()
			defer mu.Unlock()
			presented += len(raw)
			return nil
		}
	})
	client, err := n.ServerTLS("client.example.com")
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(client.Certificates[0].PrivateKey)
	must(t, err)
	cert := setting.Secret(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: client.Certificates[0].Certificate[0]}))
	key := setting.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	ca := setting.Secret(n.CAPEM())
	for _, tt := range []struct {
		name string
		tls  *lag.KafkaTLS
		kind ErrorKind // "" if the cluster is read
		want string
	}{
		{"trusted, with client certificate", &lag.KafkaTLS{CA: ca, Cert: cert, Key: key}, "", ""},
		{"trusted by server name", &lag.KafkaTLS{CA: ca, ServerName: "kafka.example.com"}, "", ""},
		{"not trusted by the system", &lag.KafkaTLS{}, Config, "tls.ca"},
		{"other server name", &lag.KafkaTLS{CA: ca, ServerName: "other.example.com"}, Config, "tls.server_name"},
		{"without TLS", nil, Credentials, "whether the port uses TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			snap, err := newReader(t, k, func(c *lag.Cluster) { c.Kafka.TLS = tt.tls }).Read(ctx)
			if tt.kind != "" {
				checkError(t, err, tt.kind, tt.want)
				return
			}
			must(t, err)
			if len(snap.Groups) != 1 {
				t.Errorf("got %+v, want one group", snap)
			}
		})
	}
	t.Run("client certificate is presented", func(t *testing.T) {
		mu.Lock()
		defer mu.Unlock()
		if presented == 0 {
			t.Error("got no client certificate, want one")
		}
	})
	t.Run("TLS to a port without it", func(t *testing.T) {
		ctx, k := startCluster(t, localkafka.Config{})
		if _, err := readWithin(t, ctx, newReader(t, k, func(c *lag.Cluster) { c.Kafka.TLS = &lag.KafkaTLS{} }), time.Second); err == nil {
			t.Error("got no error, want one")
		}
	})
}

// TestTLSAlert reads without TLS from a broker that requires it. Brokers respond to the
// first bytes with an alert of TLS, handshake_failure, and close the connection.
func TestTLSAlert(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte{21, 3, 3, 0, 2, 2, 40}) // RFC 8446, 5.1 and 6
			conn.Close()
		}
	}()
	r, err := New(lag.Cluster{Name: "orders", Kafka: &lag.Kafka{Brokers: []string{listener.Addr().String()}}}, nil, nil)
	must(t, err)
	defer r.Close()
	_, err = readWithin(t, t.Context(), r, 10*time.Second)
	checkError(t, err, Config, "requires TLS: add tls: {}")
}

// TestRoleCredentials logs in with AWS_MSK_IAM. The credentials must be looked
// up for each connection, because the platform renews them.
func TestRoleCredentials(t *testing.T) {
	clearAWS(t)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}})
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
	c := lag.Cluster{Name: "c", Kafka: &lag.Kafka{Brokers: k.Brokers(), SASL: &lag.KafkaSASL{Mechanism: lag.MSKIAM}}}
	r, err := New(c, func(name string) (string, bool) {
		mu.Lock()
		defer mu.Unlock()
		v, ok := env[name]
		return v, ok
	}, nil)
	must(t, err)
	defer r.Close()
	for _, id := range []string{"", "AKIAone", "AKIAtwo"} {
		t.Run(cmp.Or(id, "no credentials"), func(t *testing.T) {
			if id == "" {
				_, err := r.Read(ctx)
				checkError(t, err, Credentials, "AWS_ACCESS_KEY_ID")
				return
			}
			mu.Lock()
			env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"] = id, password, "token-of-"+id
			logins = nil
			mu.Unlock()
			mustRead(t, ctx, r)
			mu.Lock()
			defer mu.Unlock()
			if len(logins) == 0 {
				t.Error("got no login, want one")
			}
			for _, login := range logins {
				if !bytes.Contains(login, []byte(id)) || !bytes.Contains(login, []byte("token-of-"+id)) || bytes.Contains(login, []byte(password)) {
					t.Errorf("got login %s, want the id and its token without the secret", login)
				}
			}
			k.Disconnect()
		})
	}
}

// TestConnectionsAreReused reads repeatedly, as a warm function does, and then
// after all connections were closed by the brokers.
func TestConnectionsAreReused(t *testing.T) {
	ctx, k := startCluster(t, threePartitions())
	commitOffsets(t, ctx, k, "g", "a", 0, 0, 0)
	r := newReader(t, k, nil)
	for range 5 { // until connections to brokers have replaced those to configured addresses
		mustRead(t, ctx, r)
	}
	before := k.Connections()
	for range 5 {
		mustRead(t, ctx, r)
	}
	if got := k.Connections() - before; got > 3 {
		t.Errorf("got %d new connections, want at most 3", got)
	}
	k.Disconnect()
	snap, err := readWithin(t, ctx, r, 10*time.Second)
	must(t, err)
	if g := findGroup(t, snap, "g"); g.Err != nil || !snap.Complete || len(g.Topics) != 1 {
		t.Errorf("after disconnect: got %+v, want one topic, complete", g)
	}
}

func TestReadAfterClose(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{})
	r := newReader(t, k, nil)
	mustRead(t, ctx, r)
	r.Close()
	if _, err := r.Read(ctx); err == nil {
		t.Error("got no error, want one")
	}
}
