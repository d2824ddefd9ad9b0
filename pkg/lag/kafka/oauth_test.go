package kafka

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

// clientID and clientSecret have characters that must be escaped (RFC 6749, section 2.3.1).
const (
	clientID     = "tocsin:monitor"
	clientSecret = "secret/+ that%must&not leak"
)

// authorizationServer issues the tokens token-1, token-2, … to the one client.
type authorizationServer struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	issued int
}

func startAuthorizationServer(t *testing.T) *authorizationServer {
	s := &authorizationServer{t: t}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *authorizationServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	basic := base64.StdEncoding.EncodeToString([]byte("tocsin%3Amonitor:secret%2F%2B+that%25must%26not+leak"))
	const want = "audience=kafka&grant_type=client_credentials&scope=read+describe"
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("Authorization") != "Basic "+basic || string(body) != want {
		s.t.Errorf("got %s %v %s, want a form with %s of %s", r.Method, r.Header, body, want, clientID)
	}
	s.issued++
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token": "token-%d", "token_type": "Bearer", "expires_in": 3600}`, s.issued)
}

func (s *authorizationServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

func oauthSASL(tokenURL string) *lag.KafkaSASL {
	return &lag.KafkaSASL{
		Mechanism: lag.OAuthBearer, Extensions: map[string]string{"logicalCluster": "lkc-1"},
		OAuth2: &lag.KafkaOAuth2{
			TokenURL: tokenURL, ClientID: clientID, ClientSecret: clientSecret, Scopes: []string{"read", "describe"},
			EndpointParams: map[string]string{"audience": "kafka"},
		},
	}
}

// TestOAuthLogin logs in with the tokens of an authorization server. One serves all
// connections, until the brokers reject it.
func TestOAuthLogin(t *testing.T) {
	server := startAuthorizationServer(t)
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 3}, Brokers: 3})
	commitOffsets(t, ctx, k, "g", "a", 0, 0, 0)
	k.Respond(kmsg.SASLHandshake, func(_ int32, r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
		if r.(*kmsg.SASLHandshakeRequest).Mechanism != "OAUTHBEARER" {
			resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		}
		return resp
	})
	var mu sync.Mutex
	logins, valid, withReason := 0, "token-1", false
	k.Respond(kmsg.SASLAuthenticate, func(_ int32, r kmsg.Request) kmsg.Response {
		mu.Lock()
		defer mu.Unlock()
		logins++
		resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		// RFC 7628, section 3.1.
		if got, want := r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes, "n,,\x01auth=Bearer "+valid+"\x01logicalCluster=lkc-1\x01\x01"; !bytes.Equal(got, []byte(want)) {
			if withReason {
				resp.SASLAuthBytes = []byte(`{"status":"insufficient_scope","scope":"all"}`)
			} else {
				resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
			}
		}
		return resp
	})
	c := lag.Cluster{Name: "c", Kafka: &lag.Kafka{Brokers: k.Brokers(), SASL: oauthSASL(server.URL)}}
	r, err := New(c, nil, server.Client().Transport)
	must(t, err)
	defer r.Close()
	for range 2 {
		if snap := mustRead(t, ctx, r); len(snap.Groups) != 1 || snap.Groups[0].Err != nil {
			t.Fatalf("got %+v, want one group", snap)
		}
		k.Disconnect()
	}
	mu.Lock()
	if logins < 4 || server.count() != 1 {
		t.Errorf("got %d logins with %d tokens, want several with one", logins, server.count())
	}
	mu.Unlock()
	for n, tt := range []struct {
		name       string
		withReason bool
		want       string
	}{
		{"rejected with a code", false, "rejected the login"},
		{"rejected with a reason", true, `rejected the token ("insufficient_scope")`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mu.Lock()
			valid, withReason = fmt.Sprintf("token-%d", n+2), tt.withReason
			mu.Unlock()
			k.Disconnect()
			_, err := r.Read(ctx)
			checkError(t, err, Credentials, tt.want)
			mustRead(t, ctx, r)
			if got := server.count(); got != n+2 {
				t.Errorf("got %d tokens, want another after the rejection: %d", got, n+2)
			}
		})
	}
}

// roundTripper answers requests without a network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(status int, contentType, body string) func() *http.Response {
	return func() *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {contentType}, "Location": {"https://elsewhere.example.com/"}}, Body: io.NopCloser(strings.NewReader(body))}
	}
}

func TestTokenIsKeptUntilAMinuteBeforeExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		tokens := newTokens(oauthSASL("https://login.example.com/token").OAuth2, roundTripper(func(*http.Request) (*http.Response, error) {
			requests++
			return respond(http.StatusOK, "application/json", fmt.Sprintf(`{"access_token": "token-%d", "expires_in": 600}`, requests))(), nil
		}))
		for _, tt := range []struct {
			wait time.Duration
			want string
		}{{0, "token-1"}, {539 * time.Second, "token-1"}, {2 * time.Second, "token-2"}, {time.Minute, "token-2"}, {time.Hour, "token-3"}} {
			time.Sleep(tt.wait)
			if got, err := tokens.get(t.Context()); got != tt.want || err != nil {
				t.Errorf("%v later: got %s, %v; want %s", tt.wait, got, err, tt.want)
			}
		}
	})
}

func TestTokenErrors(t *testing.T) {
	for _, tt := range []struct {
		name     string
		response func() *http.Response
		err      error
		kind     ErrorKind
		want     string
	}{
		{"wrong secret", respond(401, "application/json", `{"error": "invalid_client", "error_description": "no client `+clientID+` with `+clientSecret+` or `+url.QueryEscape(clientSecret)+`"}`), nil,
			Credentials, "refused the client (401 invalid_client: no client tocsin:monitor with <secret> or <secret>): check token_url, client_id, client_secret"},
		{"long text", respond(400, "application/json", `{"error": "invalid_scope", "error_description": "`+strings.Repeat("é", 5000)+`"}`), nil,
			Credentials, "(400 invalid_scope: " + strings.Repeat("é", 90) + "…)"}, // 200 bytes
		{"secret and long text as the code", respond(400, "application/json", `{"error": "`+clientSecret+strings.Repeat("x", 1000)+`"}`), nil,
			Credentials, "(400 <secret>" + strings.Repeat("x", 188) + "…)"},
		{"redirect", respond(302, "text/html", "elsewhere"), nil, Credentials, "refused the client (302): check token_url"},
		{"server down", respond(503, "text/html", "<html>"+clientSecret), nil, Network, "the token endpoint login.example.com failed (503)"},
		{"page instead of a token", respond(200, "text/html", "<html>"+clientSecret), nil, Config, "answered without a token: check sasl.oauth2.token_url"},
		{"out of reach", nil, errors.New("connection refused"), Network, "could not be reached: check sasl.oauth2.token_url and the function's network (connection refused)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			requests := 0
			tokens := newTokens(oauthSASL("https://login.example.com/token").OAuth2, roundTripper(func(req *http.Request) (*http.Response, error) {
				requests++
				if req.URL.Host != "login.example.com" {
					t.Errorf("got a request to %s, want none: it would have the secret", req.URL.Host)
				}
				if tt.err != nil {
					return nil, tt.err
				}
				return tt.response(), nil
			}))
			_, err := tokens.get(t.Context())
			checkError(t, err, tt.kind, tt.want)
			if strings.Contains(err.Error(), clientSecret) {
				t.Errorf("got %s, want no secret in it", err)
			}
			if requests > 2 { // with the client in the header, and in the form
				t.Errorf("got %d requests, want 2 at most", requests)
			}
		})
	}
}

// TestTokenEndpointIsNotFlooded reads from a cluster while no token can be had.
func TestTokenEndpointIsNotFlooded(t *testing.T) {
	ctx, k := startCluster(t, threePartitions())
	requests := 0
	var mu sync.Mutex
	rt := roundTripper(func(*http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		requests++
		return nil, context.DeadlineExceeded
	})
	k.Respond(kmsg.SASLHandshake, func(_ int32, r kmsg.Request) kmsg.Response { return r.ResponseKind() })
	r, err := New(lag.Cluster{Name: "c", Kafka: &lag.Kafka{Brokers: k.Brokers(), SASL: oauthSASL("https://login.example.com/token")}}, nil, rt)
	must(t, err)
	defer r.Close()
	_, err = r.Read(ctx)
	checkError(t, err, Network, "token endpoint login.example.com could not be reached")
	mu.Lock()
	defer mu.Unlock()
	if requests > 4 {
		t.Errorf("got %d requests in a poll, want 4 at most", requests)
	}
}
