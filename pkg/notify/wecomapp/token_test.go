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

// together sends one message by each notifier at the same time.
func together(t *testing.T, notifiers ...notify.Notifier) {
	t.Helper()
	var wg sync.WaitGroup
	for i, to := range notifiers {
		n := notifytest.Notification(notifytest.OneTopic()...)
		n.Alerts[0].Labels["topic"] += strings.Repeat("x", i) // each says something else
		messages, err := to.Messages(n)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := notifytest.CheckError(t, messages[0].Send(t.Context())[0].Err, secret, firstToken); err != nil {
				t.Error(err)
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

// However many messages go out at once, and again when WeCom ends the token
// before its time, the vendor is asked for one token.
func TestOneTokenForAll(t *testing.T) {
	for name, shared := range map[string]store.Store{"a process by itself": nil, "on a store": memory.New()} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, "zh")
			o.env.Store = shared
			to := o.notifier(t, Config{})
			together(t, repeat(to, 16)...)
			if got := o.Calls(wecom.TokenPath); got != 1 || len(o.Inbox()) != 16 {
				t.Errorf("%d calls for a token, %d messages", got, len(o.Inbox()))
			}
			o.now = o.now.Add(time.Hour)
			o.Expire()
			together(t, repeat(to, 16)...)
			if got := o.Calls(wecom.TokenPath); got != 2 || len(o.Inbox()) != 32 {
				t.Errorf("after it ended: %d calls for a token, %d messages", got, len(o.Inbox()))
			}
		})
	}
}

// Instances that share a store share the token; one that finds it ended
// replaces it for all.
func TestInstancesShareToken(t *testing.T) {
	o := newOffice(t, "zh")
	o.env.Store = memory.New()
	first, second, third := o.notifier(t, Config{}), o.notifier(t, Config{}), o.notifier(t, Config{})
	for _, to := range []notify.Notifier{first, second} {
		together(t, to)
	}
	if got := o.Calls(wecom.TokenPath); got != 1 {
		t.Errorf("%d calls for a token", got)
	}
	o.now = o.now.Add(time.Hour)
	o.Revoke()
	for _, to := range []notify.Notifier{first, second, third} {
		together(t, to)
		o.now = o.now.Add(time.Hour / 2)
	}
	// The first found it ended and asked; the second found it ended and read the
	// store; the third read the store.
	if got := o.Calls(wecom.TokenPath); got != 2 || o.Calls(wecom.SendPath) != 7 {
		t.Errorf("%d calls for a token, %d messages", got, o.Calls(wecom.SendPath))
	}
	items, err := o.env.Store.List(t.Context(), "channel/", "", 10)
	if err != nil || len(items) != 1 || strings.Contains(items[0].Key, secret) || strings.Contains(string(items[0].Value), secret) {
		t.Errorf("%v, %d items", err, len(items))
	}
}

// Another company, another secret or another API has a token of its own.
func TestTokensOfOthers(t *testing.T) {
	keys := map[string]bool{}
	for _, c := range []Config{{CorpID: "a", APISecret: "b"}, {CorpID: "ab"}, {CorpID: "a", APISecret: "c"}, {CorpID: "a", APISecret: "b", APIURL: "https://relay.example.com"}} {
		keys[newTokens(&c, notifytest.NewEnv("zh")).key] = true
	}
	if len(keys) != 4 {
		t.Errorf("%v", keys)
	}
}

// One message, one refresh, for both ways in which WeCom says it.
func TestTokenEndsEarly(t *testing.T) {
	for name, end := range map[string]func(*office){"42001": func(o *office) { o.Expire() }, "40014": func(o *office) { o.Revoke() }} {
		o := newOffice(t, "zh")
		to := o.notifier(t, Config{})
		if err := sendOne(t, t.Context(), to); err != nil {
			t.Fatal(err)
		}
		end(o)
		o.now = o.now.Add(10 * time.Minute)
		if err := sendOne(t, t.Context(), to); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if o.Calls(wecom.TokenPath) != 2 || o.Calls(wecom.SendPath) != 3 || len(o.Inbox()) != 2 {
			t.Errorf("%s: %d tokens, %d calls, %d messages", name, o.Calls(wecom.TokenPath), o.Calls(wecom.SendPath), len(o.Inbox()))
		}
	}
}

// A token that is refused as soon as it was given is not asked for again and
// again.
func TestTokenRefusedTwice(t *testing.T) {
	o := newOffice(t, "zh")
	o.Fail(wecom.SendPath, 2, wecom.Reject(42001, "access_token expired"))
	err := sendOne(t, t.Context(), o.notifier(t, Config{}))
	if err == nil || err.Class != notify.Retry || o.Calls(wecom.TokenPath) != 2 || o.Calls(wecom.SendPath) != 2 {
		t.Errorf("%d tokens, %d calls: %+v", o.Calls(wecom.TokenPath), o.Calls(wecom.SendPath), err)
	}
}

// A token is used for its two hours, but for the last five minutes.
func TestTokenLife(t *testing.T) {
	o := newOffice(t, "zh")
	to := o.notifier(t, Config{})
	for _, tt := range []struct {
		at     time.Duration
		tokens int
	}{{0, 1}, {time.Hour, 1}, {2*time.Hour - 5*time.Minute - 1, 1}, {2*time.Hour - 5*time.Minute, 2}} {
		o.now = notifytest.At.Add(tt.at)
		if err := sendOne(t, t.Context(), to); err != nil || o.Calls(wecom.TokenPath) != tt.tokens {
			t.Errorf("after %v: %d tokens, %v; want %d", tt.at, o.Calls(wecom.TokenPath), err, tt.tokens)
		}
	}
}

// A wrong secret is asked for once, whatever is to be said: WeCom blocks the
// address of those who go on.
func TestWrongSecret(t *testing.T) {
	for says, c := range map[string]Config{
		"api_secret is wrong": {APISecret: "wrong"},
		"corp_id is wrong":    {CorpID: "ww9"},
	} {
		o := newOffice(t, "zh")
		to := o.notifier(t, c)
		for range 20 {
			if err := sendOne(t, t.Context(), to); err == nil || err.Class != notify.Permanent || !strings.Contains(err.Message, says) {
				t.Fatalf("%+v", err)
			}
		}
		if o.Calls(wecom.TokenPath) != 1 || o.Calls(wecom.SendPath) != 0 {
			t.Errorf("%d calls for a token, %d messages", o.Calls(wecom.TokenPath), o.Calls(wecom.SendPath))
		}
		o.now = o.now.Add(15*time.Minute - 1)
		_ = sendOne(t, t.Context(), to)
		if o.Calls(wecom.TokenPath) != 1 {
			t.Error("asked again too early")
		}
		o.now = o.now.Add(1)
		_ = sendOne(t, t.Context(), to)
		if o.Calls(wecom.TokenPath) != 2 {
			t.Error("not asked again")
		}
	}
}

// Whoever waits for another's token waits no longer than it may.
func TestTokenDeadline(t *testing.T) {
	o := newOffice(t, "zh")
	asked := make(chan struct{})
	release := make(chan struct{})
	o.Fail(wecom.TokenPath, 1, func(_ http.ResponseWriter, _ *http.Request, next func()) {
		close(asked)
		<-release
		next()
	})
	to := o.notifier(t, Config{})
	var wg sync.WaitGroup
	wg.Go(func() { together(t, to) })
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sendOne(t, ctx, to); err == nil || err.Class != notify.Retry || err.Ambiguous || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v", err)
	}
	close(release)
	wg.Wait()
}

func TestStoreOutOfReach(t *testing.T) {
	o := newOffice(t, "zh")
	o.env.Store = notifytest.UnavailableStore{}
	together(t, repeat(o.notifier(t, Config{}), 3)...)
	if o.Calls(wecom.TokenPath) != 1 || len(o.Inbox()) != 3 {
		t.Errorf("%d tokens, %d messages", o.Calls(wecom.TokenPath), len(o.Inbox()))
	}
}

// What is in the store and is no token, or none that holds, is replaced.
func TestStrangeTokenInStore(t *testing.T) {
	for _, value := range []string{"", "x", `{}`, `{"token":"old","expires":"2026-11-20T15:10:10Z"}`} {
		o := newOffice(t, "zh")
		o.env.Store = memory.New()
		key := newTokens(&Config{CorpID: corp, APISecret: setting.Secret(secret), APIURL: o.api}, o.env).key
		if err := o.env.Store.Commit(t.Context(), notifytest.At, store.Change{Key: key, Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
		together(t, o.notifier(t, Config{}))
		if o.Calls(wecom.TokenPath) != 1 || o.Calls(wecom.SendPath) != 1 {
			t.Errorf("%q: %d tokens, %d calls", value, o.Calls(wecom.TokenPath), o.Calls(wecom.SendPath))
		}
	}
}
