package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Identity identifies the sender of a request.
type Identity struct {
	// Name is the name of the token, "" if none is required.
	Name string
	// Hosts are the ids of the hosts that the token is bound to; none for a token
	// that is not bound.
	Hosts []string
}

type callerKey struct{}

// Caller returns the sender of the request of ctx. Without tokens in the configuration
// it is the zero Identity.
func Caller(ctx context.Context) Identity {
	id, _ := ctx.Value(callerKey{}).(Identity)
	return id
}

// token is a configured token with its hash.
type token struct {
	TokenConfig
	hash    [sha256.Size]byte
	limiter *rateLimiter
}

// authenticator checks tokens.
type authenticator struct {
	tokens []token
	now    func() time.Time
}

func newAuthenticator(c *WebhookConfig, now func() time.Time) *authenticator {
	auth := &authenticator{now: now}
	for _, t := range c.Auth.Tokens {
		auth.tokens = append(auth.tokens, token{t, sha256.Sum256([]byte(t.Token)), newRateLimiter(c.rate())})
	}
	return auth
}

// authenticate requires a token that allows the path, except for health checks and
// unless no tokens are configured.
func (a *api) authenticate(h http.Handler) http.Handler {
	auth := newAuthenticator(&a.Webhook, a.Now)
	if len(auth.tokens) == 0 {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/-/healthy" || r.URL.Path == "/-/ready" {
			h.ServeHTTP(w, r)
			return
		}
		t := auth.match(r)
		if t == nil {
			// Basic comes first, because Amazon SNS sends the password in its URL only
			// when it is challenged.
			w.Header()["Www-Authenticate"] = []string{`Basic realm="Tocsin", charset="UTF-8"`, `Bearer realm="Tocsin"`}
			a.respond(w, r, nil, codedError(http.StatusUnauthorized, "a token for this path is required: send Authorization: Bearer TOKEN, or the token as the password of basic auth, or ?token=TOKEN"))
			return
		}
		if rec, ok := w.(*responseRecorder); ok {
			rec.caller = t.Name
		}
		if wait, ok := t.limiter.allow(auth.now()); !ok {
			w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
			a.respond(w, r, nil, codedError(http.StatusTooManyRequests, "more than %d requests per second with the token %q", a.Webhook.rate(), t.Name))
			return
		}
		id := Identity{Name: t.Name, Hosts: t.Hosts}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, id)))
	})
}

// match returns the request's token if it allows the path, or nil. It takes constant
// time.
func (auth *authenticator) match(r *http.Request) *token {
	var found *token
	for _, credential := range credentials(r) {
		hash := sha256.Sum256([]byte(credential))
		for i := range auth.tokens {
			t := &auth.tokens[i]
			if subtle.ConstantTimeCompare(hash[:], t.hash[:]) == 1 && t.allows(r.URL) {
				found = t
			}
		}
	}
	return found
}

// credentials returns the tokens of a request: a bearer token or the password of basic
// auth, and the token of the query.
func credentials(r *http.Request) []string {
	var tokens []string
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		tokens = append(tokens, strings.TrimSpace(credentials))
	} else if _, password, ok := r.BasicAuth(); ok {
		tokens = append(tokens, password)
	}
	if t := r.URL.Query().Get(tokenParameter); t != "" {
		tokens = append(tokens, t)
	}
	return tokens
}

const tokenParameter = "token"

// allows reports whether the token allows the path of u. The API for programs is for
// people's tokens, which are bound neither to hosts nor to paths.
func (t *token) allows(u *url.URL) bool {
	if len(t.Hosts) == 0 && len(t.Paths) == 0 {
		return true
	}
	if strings.HasPrefix(u.Path, programsPath) {
		return false
	}
	for _, path := range t.Paths {
		if u.Path == path || strings.HasPrefix(u.Path, strings.TrimSuffix(path, "/")+"/") {
			return true
		}
	}
	rest, ok := strings.CutPrefix(u.EscapedPath(), "/agents/")
	segment, _, _ := strings.Cut(rest, "/")
	id, err := url.PathUnescape(segment)
	return ok && err == nil && slices.Contains(t.Hosts, id)
}

// rateLimiter is a token bucket that holds the tokens of a second and starts full.
type rateLimiter struct {
	mu        sync.Mutex
	rate      float64 // tokens per second
	tokens    float64
	updatedAt time.Time
}

func newRateLimiter(rate int) *rateLimiter {
	return &rateLimiter{rate: float64(rate), tokens: float64(rate)}
}

// allow takes a token, or returns how long to wait for one.
func (l *rateLimiter) allow(now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if passed := now.Sub(l.updatedAt); passed > 0 {
		if !l.updatedAt.IsZero() {
			l.tokens = min(l.rate, l.tokens+l.rate*passed.Seconds())
		}
		l.updatedAt = now
	}
	if l.tokens < 1 {
		return time.Duration((1 - l.tokens) / l.rate * float64(time.Second)), false
	}
	l.tokens--
	return 0, true
}
