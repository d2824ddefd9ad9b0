package kafka

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"tocsin/pkg/lag"
	"tocsin/pkg/setting"
)

const (
	// tokenMargin is how long before its expiry a token is no longer used.
	tokenMargin = time.Minute
	// maxTokenError bounds what the texts of an endpoint or a broker add to an error, in
	// bytes.
	maxTokenError = 200
)

// tokens requests access tokens with client credentials (RFC 6749, section 4.4), and
// keeps the last one until shortly before it expires.
type tokens struct {
	config clientcredentials.Config
	client *http.Client
	host   string // of the endpoint

	mu    sync.Mutex
	token *oauth2.Token
}

// newTokens returns the tokens of a validated configuration. rt sends the requests; nil
// is http.DefaultTransport.
func newTokens(c *lag.KafkaOAuth2, rt http.RoundTripper) *tokens {
	params := url.Values{}
	for name, value := range c.EndpointParams {
		params.Set(name, value)
	}
	t := &tokens{
		config: clientcredentials.Config{
			ClientID: c.ClientID, ClientSecret: string(c.ClientSecret), TokenURL: c.TokenURL, Scopes: c.Scopes, EndpointParams: params,
		},
		client: &http.Client{
			Transport:     rt,
			Timeout:       requestTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if u, err := url.Parse(c.TokenURL); err == nil {
		t.host = u.Host
	}
	return t
}

// get returns a token that is valid for a minute at least, or as long as the endpoint
// grants. Its error is an *Error without the secret.
func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != nil && (t.token.Expiry.IsZero() || time.Until(t.token.Expiry) > tokenMargin) {
		return t.token.AccessToken, nil
	}
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		return "", t.requestError(err)
	}
	t.token = token
	return token.AccessToken, nil
}

// forget drops the token: a broker rejected it.
func (t *tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = nil
}

// requestError returns the error for a request without a token.
func (t *tokens) requestError(err error) *Error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		reason := strings.TrimSpace(fmt.Sprintf("%d %s", refused.Response.StatusCode, refused.ErrorCode))
		if refused.ErrorDescription != "" {
			reason += ": " + refused.ErrorDescription
		}
		reason = t.redact(reason)
		if refused.Response.StatusCode >= http.StatusInternalServerError {
			return &Error{
				Kind: Network,
				en:   fmt.Sprintf("the token endpoint %s failed (%s)", t.host, reason),
				zh:   fmt.Sprintf("令牌端点 %s 出错（%s）", t.host, reason),
			}
		}
		return &Error{
			Kind: Credentials,
			en:   fmt.Sprintf("the token endpoint %s refused the client (%s): check token_url, client_id, client_secret and scopes of sasl.oauth2", t.host, reason),
			zh:   fmt.Sprintf("令牌端点 %s 拒绝了该客户端（%s）：请检查 sasl.oauth2 的 token_url、client_id、client_secret 和 scopes", t.host, reason),
		}
	}
	cause := t.redact(setting.RequestCause(err).Error())
	if _, ok := errors.AsType[*url.Error](err); !ok {
		return &Error{
			Kind: Config,
			en:   fmt.Sprintf("the token endpoint %s answered without a token: check sasl.oauth2.token_url (%s)", t.host, cause),
			zh:   fmt.Sprintf("令牌端点 %s 的应答中没有令牌：请检查 sasl.oauth2.token_url（%s）", t.host, cause),
		}
	}
	return &Error{
		Kind: Network,
		en:   fmt.Sprintf("the token endpoint %s could not be reached: check sasl.oauth2.token_url and the function's network (%s)", t.host, cause),
		zh:   fmt.Sprintf("无法访问令牌端点 %s：请检查 sasl.oauth2.token_url 和函数网络（%s）", t.host, cause),
	}
}

// redact returns text without the secret, which an endpoint may repeat, and without
// what is too long for an error.
func (t *tokens) redact(text string) string {
	secret := t.config.ClientSecret
	return shorten(strings.NewReplacer(secret, "<secret>", url.QueryEscape(secret), "<secret>").Replace(text), maxTokenError)
}

// shorten returns the first bytes of a text that is longer than maxBytes.
func shorten(text string, maxBytes int) string {
	if len(text) > maxBytes {
		return strings.ToValidUTF8(text[:maxBytes], "") + "…"
	}
	return text
}

// bearer is OAUTHBEARER with an error that names the reason of a rejection.
type bearer struct{ sasl.Mechanism }

func newBearer(t *tokens, extensions map[string]string) sasl.Mechanism {
	return bearer{oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
		token, err := t.get(ctx)
		return oauth.Auth{Token: token, Extensions: extensions}, err
	})}
}

// Authenticate begins a login.
func (b bearer) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	session, first, err := b.Mechanism.Authenticate(ctx, host)
	if err != nil {
		return nil, nil, err
	}
	return bearerSession{session}, first, nil
}

type bearerSession struct{ sasl.Session }

// Challenge ends a login. A broker that rejects the token responds with the reason in
// JSON (RFC 7628, section 3.2.3).
func (s bearerSession) Challenge(response []byte) (bool, []byte, error) {
	if len(response) == 0 {
		return s.Session.Challenge(response)
	}
	var reason struct {
		Status string `json:"status"`
	}
	_ = json.Unmarshal(response, &reason) // without a reason if it is not JSON
	status := cmp.Or(reason.Status, "invalid_token")
	return false, nil, &Error{
		Kind: Credentials,
		en:   fmt.Sprintf("the brokers rejected the token (%.*q): check scopes and endpoint_params of sasl.oauth2, and the extensions", maxTokenError, status),
		zh:   fmt.Sprintf("Broker 不接受该令牌（%.*q）：请检查 sasl.oauth2 的 scopes、endpoint_params 和 extensions", maxTokenError, status),
	}
}
