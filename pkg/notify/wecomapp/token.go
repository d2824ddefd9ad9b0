package wecomapp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

const (
	// refusedFor is how long a secret that WeCom refused is not tried again:
	// wrong secrets block the address they come from for an hour, and a
	// function's address has neighbours (document/path/91039).
	refusedFor = 15 * time.Minute
	// tokenMargin is how long before its end a token is not used any more.
	tokenMargin = 5 * time.Minute
)

// token is an access token.
type token struct {
	Value   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// tokens keeps the access token of an application: in the store, for all
// instances, and in memory. It asks the vendor for one at a time.
type tokens struct {
	env     *notify.Env
	address string // with the secret in its query
	key     string // in the store

	busy chan struct{} // holds one value while somebody reads or writes the below
	last token
	// refused is what the vendor said of the secret, and until when it counts.
	refused      *notify.Error
	refusedUntil time.Time
}

func newTokens(c *Config, env *notify.Env) *tokens {
	sum := sha256.Sum256([]byte(c.api() + "\x00" + c.CorpID + "\x00" + string(c.APISecret)))
	query := url.Values{"corpid": {c.CorpID}, "corpsecret": {string(c.APISecret)}}
	return &tokens{
		env:     env,
		address: c.api() + "gettoken?" + query.Encode(),
		key:     keyspace.Channel + "wecom-token/" + hex.EncodeToString(sum[:16]),
		busy:    make(chan struct{}, 1),
	}
}

// get returns a token other than stale, which the vendor has refused; "" is
// none.
func (t *tokens) get(ctx context.Context, stale string) (string, error) {
	select {
	case t.busy <- struct{}{}:
		defer func() { <-t.busy }()
	case <-ctx.Done():
		return "", &notify.Error{Class: notify.Retry, Message: "no access token in time", Err: ctx.Err()}
	}
	now := t.env.Now()
	good := func(x token) bool { return x.Value != "" && x.Value != stale && now.Before(x.Expires) }
	if good(t.last) {
		return t.last.Value, nil
	}
	if shared := t.read(ctx); good(shared) {
		t.last = shared
		return shared.Value, nil
	}
	if now.Before(t.refusedUntil) {
		return "", t.refused
	}
	fresh, life, err := t.fetch(ctx)
	if err != nil {
		return "", err
	}
	t.last = token{fresh, now.Add(life - min(tokenMargin, life/10))}
	t.write(ctx, now)
	return fresh, nil
}

// fetch asks the vendor.
func (t *tokens) fetch(ctx context.Context) (value string, life time.Duration, err error) {
	answer, err := notify.Get(ctx, t.env.HTTP, t.address)
	if err != nil {
		e := notify.AsError(err)
		e.Ambiguous = false // the message itself was not sent
		return "", 0, e
	}
	var body struct {
		Code    *int   `json:"errcode"`
		Message string `json:"errmsg"`
		Token   string `json:"access_token"`
		Life    int64  `json:"expires_in"`
	}
	if json.Unmarshal(answer.Body, &body) == nil && body.Code != nil && *body.Code == 0 && body.Token != "" && body.Life > 0 && answer.Status == 200 {
		return body.Token, time.Duration(min(body.Life, 1<<20)) * time.Second, nil
	}
	if bytes.Contains(answer.Body, []byte("access_token")) {
		answer.Body = nil // must not be shown
	}
	e := failure(answer)
	e.Ambiguous = false
	if e.Class == notify.Permanent && body.Code != nil {
		t.refused, t.refusedUntil = e, t.env.Now().Add(refusedFor)
	}
	return "", 0, e
}

// read returns the token in the store. A store that is out of reach keeps no
// message back.
func (t *tokens) read(ctx context.Context) token {
	var shared token
	if t.env.Store == nil {
		return shared
	}
	items, err := t.env.Store.Get(ctx, t.key)
	if err != nil {
		return shared
	}
	if _, err := store.Decode(items[0], &shared); err != nil {
		return token{}
	}
	return shared
}

// write shares the token. Whoever wrote last wins: the vendor gives the same
// token to all who ask while it holds.
func (t *tokens) write(ctx context.Context, now time.Time) {
	if t.env.Store == nil {
		return
	}
	c, err := store.Encode(t.key, t.last)
	if err != nil {
		return
	}
	c.Expires = t.last.Expires
	_ = t.env.Store.Commit(ctx, now, c)
}
