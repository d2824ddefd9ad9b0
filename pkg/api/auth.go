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
	"time"
)

// Identity is who sent a request.
type Identity struct {
	// Name is that of the token; "" when none was asked for.
	Name string
	// Hosts are the ids of agents that the token is bound to; none when it is
	// bound to no host.
	Hosts []string
}

type callerKey struct{}

// Caller is who sent the request that ctx belongs to. Without tokens in the
// configuration it is nobody: the zero Identity.
func Caller(ctx context.Context) Identity {
	id, _ := ctx.Value(callerKey{}).(Identity)
	return id
}

// token is a configured token, ready to be compared.
type token struct {
	TokenConfig
	hash   [sha256.Size]byte
	bucket *bucket
}

// door lets in who has a token.
type door struct {
	tokens []token
	now    func() time.Time
}

func newDoor(c *WebhookConfig, now func() time.Time) *door {
	d := &door{now: now}
	for _, t := range c.Auth.Tokens {
		d.tokens = append(d.tokens, token{t, sha256.Sum256([]byte(t.Token)), newBucket(c.rate())})
	}
	return d
}

// authenticate is before every path: the request must have a token that opens it,
// unless there are no tokens. Whoever looks after the process needs none for its
// health.
func (a *api) authenticate(h http.Handler) http.Handler {
	d := newDoor(&a.Webhook, a.Now)
	if len(d.tokens) == 0 {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/-/healthy" || r.URL.Path == "/-/ready" {
			h.ServeHTTP(w, r)
			return
		}
		t := d.match(r)
		if t == nil {
			// Basic first: Amazon SNS sends the password in its URL only when it is
			// asked for it.
			w.Header()["Www-Authenticate"] = []string{`Basic realm="Tocsin", charset="UTF-8"`, `Bearer realm="Tocsin"`}
			a.answer(w, r, nil, malformed(http.StatusUnauthorized, "a token that opens this path is needed: send Authorization: Bearer TOKEN, or the token as the password of basic auth, or ?token=TOKEN"))
			return
		}
		if rec, ok := w.(*recorder); ok {
			rec.caller = t.Name
		}
		if wait, ok := t.bucket.take(d.now()); !ok {
			w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
			a.answer(w, r, nil, malformed(http.StatusTooManyRequests, "more than %d requests in a second with the token %q", a.Webhook.rate(), t.Name))
			return
		}
		id := Identity{Name: t.Name, Hosts: t.Hosts}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, id)))
	})
}

// match is the token that the request has and that opens its path, nil for none.
// How long it takes tells nothing of the tokens.
func (d *door) match(r *http.Request) *token {
	var found *token
	for _, given := range given(r) {
		hash := sha256.Sum256([]byte(given))
		for i := range d.tokens {
			t := &d.tokens[i]
			if subtle.ConstantTimeCompare(hash[:], t.hash[:]) == 1 && t.opens(r.URL) {
				found = t
			}
		}
	}
	return found
}

// given are the tokens that a request brings: a bearer token or the password of
// basic auth, and that of its query.
func given(r *http.Request) []string {
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

// opens tells whether the token is for what u leads to.
func (t *token) opens(u *url.URL) bool {
	if len(t.Hosts) == 0 && len(t.Paths) == 0 {
		return true
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
