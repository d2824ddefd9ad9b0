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
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

const (
	// rejectedFor is how long a secret that WeCom rejected is not tried again: wrong
	// secrets block the address that they come from for an hour, and a function
	// shares its address (document/path/91039).
	rejectedFor = 15 * time.Minute
	// tokenMargin is how long before its end a token is not used any more.
	tokenMargin = 5 * time.Minute
)

// token is an access token.
type token struct {
	Value   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// tokens keeps the access token of an application in the store, for all instances,
// and in memory. It fetches one token at a time.
type tokens struct {
	env     *notify.Env
	address string // with the secret in its query
	key     string // in the store

	lock chan struct{} // holds a value while the fields below are in use
	last token
	// rejection is WeCom's error for the secret, in effect until rejectedUntil.
	rejection     *notify.Error
	rejectedUntil time.Time
}

func newTokens(c *Config, env *notify.Env) *tokens {
	sum := sha256.Sum256([]byte(c.api() + "\x00" + c.CorpID + "\x00" + string(c.APISecret)))
	query := url.Values{"corpid": {c.CorpID}, "corpsecret": {string(c.APISecret)}}
	return &tokens{
		env:     env,
		address: c.api() + "gettoken?" + query.Encode(),
		key:     keyspace.Channel + "wecom-token/" + hex.EncodeToString(sum[:16]),
		lock:    make(chan struct{}, 1),
	}
}

// get returns a token other than stale, which WeCom has rejected; "" is none.
func (t *tokens) get(ctx context.Context, stale string) (string, error) {
	select {
	case t.lock <- struct{}{}:
		defer func() { <-t.lock }()
	case <-ctx.Done():
		return "", &notify.Error{Class: notify.Retry, Message: "no access token in time", Err: ctx.Err()}
	}
	now := t.env.Now()
	usable := func(x token) bool { return x.Value != "" && x.Value != stale && now.Before(x.Expires) }
	if usable(t.last) {
		return t.last.Value, nil
	}
	if shared := t.load(ctx); usable(shared) {
		t.last = shared
		return shared.Value, nil
	}
	if now.Before(t.rejectedUntil) {
		return "", t.rejection
	}
	value, life, err := t.fetch(ctx)
	if err != nil {
		return "", err
	}
	t.last = token{value, now.Add(life - min(tokenMargin, life/10))}
	t.save(ctx, now)
	return value, nil
}

// fetch asks WeCom for a token. Its errors are not ambiguous: the message itself has
// not been sent.
func (t *tokens) fetch(ctx context.Context) (value string, life time.Duration, err error) {
	response, err := notify.Get(ctx, t.env.HTTP, t.address)
	if err != nil {
		e := notify.AsError(err)
		e.Ambiguous = false
		return "", 0, e
	}
	var body struct {
		Code  *int   `json:"errcode"`
		Token string `json:"access_token"`
		Life  int64  `json:"expires_in"`
	}
	if json.Unmarshal(response.Body, &body) == nil && body.Code != nil && *body.Code == 0 && body.Token != "" && body.Life > 0 && response.Status == 200 {
		return body.Token, time.Duration(min(body.Life, 1<<20)) * time.Second, nil
	}
	if bytes.Contains(response.Body, []byte("access_token")) {
		response.Body = nil // no error may show it
	}
	e := checkResponse(response)
	if e == nil {
		e = chat.ForeignResponse("WeCom", "access token", response)
	}
	e.Ambiguous = false
	if e.Class == notify.Permanent && body.Code != nil {
		t.rejection, t.rejectedUntil = e, t.env.Now().Add(rejectedFor)
	}
	return "", 0, e
}

// load returns the token in the store. A store that is unavailable does not delay
// the message.
func (t *tokens) load(ctx context.Context) token {
	var shared token
	if t.env.Store == nil {
		return shared
	}
	items, err := t.env.Store.Get(ctx, t.key)
	if err != nil || json.Unmarshal(items[0].Value, &shared) != nil {
		return token{}
	}
	return shared
}

// save shares the token. The last writer wins: WeCom returns the same token to all
// instances while it is valid.
func (t *tokens) save(ctx context.Context, now time.Time) {
	if t.env.Store == nil {
		return
	}
	value, err := json.Marshal(t.last)
	if err != nil {
		return
	}
	_ = t.env.Store.Commit(ctx, now, store.Change{Key: t.key, Value: value, Expires: t.last.Expires})
}
