package wecomapp

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// sendConcurrently sends one message by each notifier at the same time.
func sendConcurrently(t *testing.T, notifiers ...notify.Notifier) {
	t.Helper()
	var wg sync.WaitGroup
	for i, to := range notifiers {
		n := notifytest.Notification(notifytest.OneTopic()...)
		n.Alerts[0].Labels["topic"] += strings.Repeat("x", i) // each message differs
		messages, err := to.Messages(n)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := notifytest.CheckError(t, messages[0].Send(t.Context())[0].Err, secret, firstToken); err != nil {
				t.Errorf("got %v, want the message accepted", err)
			}
		})
	}
	wg.Wait()
}

func repeat(to notify.Notifier, n int) []notify.Notifier {
	var out []notify.Notifier
	for range n {
		out = append(out, to)
	}
	return out
}

// One token is fetched for any number of concurrent messages, and one more when WeCom
// revokes it early.
func TestOneTokenForAll(t *testing.T) {
	for name, shared := range map[string]store.Store{"without a store": nil, "with a store": memory.New()} {
		t.Run(name, func(t *testing.T) {
			o := newFakeAPI(t, "zh")
			o.Env.Store = shared
			to := o.notifier(t, Config{})
			sendConcurrently(t, repeat(to, 16)...)
			if got := o.Calls(wecom.TokenPath); got != 1 || len(o.Inbox()) != 16 {
				t.Errorf("got %d tokens and %d messages, want 1 and 16", got, len(o.Inbox()))
			}
			o.Advance(time.Hour)
			o.Expire()
			sendConcurrently(t, repeat(to, 16)...)
			if got := o.Calls(wecom.TokenPath); got != 2 || len(o.Inbox()) != 32 {
				t.Errorf("after it expired: got %d tokens and %d messages, want 2 and 32", got, len(o.Inbox()))
			}
		})
	}
}

// Instances that share a store share the token; one that finds it revoked replaces it for
// all.
func TestInstancesShareToken(t *testing.T) {
	o := newFakeAPI(t, "zh")
	o.Env.Store = memory.New()
	first, second, third := o.notifier(t, Config{}), o.notifier(t, Config{}), o.notifier(t, Config{})
	for _, to := range []notify.Notifier{first, second} {
		sendConcurrently(t, to)
	}
	if got := o.Calls(wecom.TokenPath); got != 1 {
		t.Errorf("got %d tokens, want 1", got)
	}
	o.Advance(time.Hour)
	o.Revoke()
	for _, to := range []notify.Notifier{first, second, third} {
		sendConcurrently(t, to)
		o.Advance(time.Hour / 2)
	}
	// The first found it revoked and fetched another; the second found it revoked and read
	// the store; the third read the store.
	if got := o.Calls(wecom.TokenPath); got != 2 || o.Calls(wecom.SendPath) != 7 {
		t.Errorf("got %d tokens and %d requests, want 2 and 7", got, o.Calls(wecom.SendPath))
	}
	items, err := o.Env.Store.List(t.Context(), "channel/", "", 10)
	if err != nil || len(items) != 1 || strings.Contains(items[0].Key, secret) || strings.Contains(string(items[0].Value), secret) {
		t.Errorf("got %v and %d items, want one without the secret", err, len(items))
	}
}

// Another company, another secret or another API has another token.
func TestTokenKeys(t *testing.T) {
	keys := map[string]bool{}
	for _, c := range []Config{{CorpID: "a", APISecret: "b"}, {CorpID: "ab"}, {CorpID: "a", APISecret: "c"}, {CorpID: "a", APISecret: "b", APIURL: "https://relay.example.com"}} {
		keys[newTokens(&c, notifytest.NewEnv("zh")).key] = true
	}
	if len(keys) != 4 {
		t.Errorf("got keys %v, want four", keys)
	}
}

// A revoked token is replaced once, for both codes that report it.
func TestRevokedToken(t *testing.T) {
	for name, end := range map[string]func(*fakeAPI){"42001": func(o *fakeAPI) { o.Expire() }, "40014": func(o *fakeAPI) { o.Revoke() }} {
		o := newFakeAPI(t, "zh")
		to := o.notifier(t, Config{})
		if err := sendOne(t, t.Context(), to); err != nil {
			t.Fatal(err)
		}
		end(o)
		o.Advance(10 * time.Minute)
		if err := sendOne(t, t.Context(), to); err != nil {
			t.Errorf("%s: got %v, want it accepted", name, err)
		}
		if o.Calls(wecom.TokenPath) != 2 || o.Calls(wecom.SendPath) != 3 || len(o.Inbox()) != 2 {
			t.Errorf("%s: got %d tokens, %d requests and %d messages, want 2, 3 and 2", name, o.Calls(wecom.TokenPath), o.Calls(wecom.SendPath), len(o.Inbox()))
		}
	}
}

// A token that is rejected as soon as it was issued is not fetched over and over.
func TestTokenRejectedTwice(t *testing.T) {
	o := newFakeAPI(t, "zh")
	o.Fail(wecom.SendPath, 2, wecom.Reject(42001, "access_token expired"))
	err := sendOne(t, t.Context(), o.notifier(t, Config{}))
	if err == nil || err.Class != notify.Retry || o.Calls(wecom.TokenPath) != 2 || o.Calls(wecom.SendPath) != 2 {
		t.Errorf("got %d tokens, %d requests and %+v, want 2, 2 and a retry", o.Calls(wecom.TokenPath), o.Calls(wecom.SendPath), err)
	}
}

// A token is used for its two hours without the last five minutes.
func TestTokenLife(t *testing.T) {
	o := newFakeAPI(t, "zh")
	to := o.notifier(t, Config{})
	for _, tt := range []struct {
		at     time.Duration
		tokens int
	}{{0, 1}, {time.Hour, 1}, {2*time.Hour - 5*time.Minute - 1, 1}, {2*time.Hour - 5*time.Minute, 2}} {
		o.Now = notifytest.At.Add(tt.at)
		if err := sendOne(t, t.Context(), to); err != nil || o.Calls(wecom.TokenPath) != tt.tokens {
			t.Errorf("after %v: got %d tokens, %v; want %d", tt.at, o.Calls(wecom.TokenPath), err, tt.tokens)
		}
	}
}

// A wrong secret is tried once for all messages: WeCom blocks the address of whoever goes
// on.
func TestWrongSecret(t *testing.T) {
	for text, c := range map[string]Config{
		"api_secret is wrong": {APISecret: "wrong"},
		"corp_id is wrong":    {CorpID: "ww9"},
	} {
		o := newFakeAPI(t, "zh")
		to := o.notifier(t, c)
		for range 20 {
			if err := sendOne(t, t.Context(), to); err == nil || err.Class != notify.Permanent || !strings.Contains(err.Message, text) {
				t.Fatalf("got %+v, want a permanent error with %q", err, text)
			}
		}
		if o.Calls(wecom.TokenPath) != 1 || o.Calls(wecom.SendPath) != 0 {
			t.Errorf("got %d requests for a token and %d messages, want 1 and 0", o.Calls(wecom.TokenPath), o.Calls(wecom.SendPath))
		}
		o.Advance(15*time.Minute - 1)
		_ = sendOne(t, t.Context(), to)
		if o.Calls(wecom.TokenPath) != 1 {
			t.Error("got another request before 15 minutes, want none")
		}
		o.Advance(1)
		_ = sendOne(t, t.Context(), to)
		if o.Calls(wecom.TokenPath) != 2 {
			t.Error("got no request after 15 minutes, want one")
		}
	}
}

// A message that waits for a token that another fetches keeps its deadline.
func TestTokenDeadline(t *testing.T) {
	o := newFakeAPI(t, "zh")
	asked := make(chan struct{})
	release := make(chan struct{})
	o.Fail(wecom.TokenPath, 1, func(_ http.ResponseWriter, _ *http.Request, next func()) {
		close(asked)
		<-release
		next()
	})
	to := o.notifier(t, Config{})
	var wg sync.WaitGroup
	wg.Go(func() { sendConcurrently(t, to) })
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sendOne(t, ctx, to); err == nil || err.Class != notify.Retry || err.Ambiguous || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, want a retry that is not ambiguous", err)
	}
	close(release)
	wg.Wait()
}

func TestStoreUnavailable(t *testing.T) {
	o := newFakeAPI(t, "zh")
	o.Env.Store = notifytest.UnavailableStore{}
	sendConcurrently(t, repeat(o.notifier(t, Config{}), 3)...)
	if o.Calls(wecom.TokenPath) != 1 || len(o.Inbox()) != 3 {
		t.Errorf("got %d tokens and %d messages, want 1 and 3", o.Calls(wecom.TokenPath), len(o.Inbox()))
	}
}

// An invalid or expired token in the store is replaced.
func TestInvalidTokenInStore(t *testing.T) {
	for _, value := range []string{"", "x", `{}`, `{"token":"old","expires":"2026-11-20T15:10:10Z"}`} {
		o := newFakeAPI(t, "zh")
		o.Env.Store = memory.New()
		key := newTokens(&Config{CorpID: corp, APISecret: setting.Secret(secret), APIURL: o.api}, o.Env).key
		if err := o.Env.Store.Commit(t.Context(), notifytest.At, store.Change{Key: key, Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
		sendConcurrently(t, o.notifier(t, Config{}))
		if o.Calls(wecom.TokenPath) != 1 || o.Calls(wecom.SendPath) != 1 {
			t.Errorf("%q: got %d tokens and %d requests, want one of each", value, o.Calls(wecom.TokenPath), o.Calls(wecom.SendPath))
		}
	}
}
