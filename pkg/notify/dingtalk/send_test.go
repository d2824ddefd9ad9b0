package dingtalk

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	server "tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// sendOne sends one alert and returns the error.
func sendOne(t *testing.T, ctx context.Context, to notify.Notifier) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, to, notifytest.Notification(notifytest.OneTopic()...), token, secret, "sign=", url.QueryEscape(signature))
}

// signature is the signature of the secret at the time of these tests, 1795187410000
// ms:
// printf '1795187410000\nSEC0123456789abcdef' | openssl dgst -sha256 -hmac SEC0123456789abcdef -binary | base64
const signature = "CbgThuOQRVdaS0cKQY7wEUEIQ3htZU01gw7kdZ2wbic="

// The signatures were computed with openssl, as above; the queries with Python's
// urllib.parse.quote_plus.
func TestSigned(t *testing.T) {
	tests := []struct {
		address, secret string
		ms              int64
		want            string
	}{
		{"https://h/robot/send?access_token=t", "", 1700000000000, "https://h/robot/send?access_token=t"},
		{"https://h/robot/send?access_token=t", secret, 1700000000000,
			"https://h/robot/send?access_token=t&sign=TSZbRFUuvaSQaRKUpF970OPCb2%2FLcQAP3wOvwZIzBZk%3D&timestamp=1700000000000"},
		{"https://h/robot/send?access_token=t", secret, 1700000000002, // has + and /
			"https://h/robot/send?access_token=t&sign=VGvd0brDJp%2FnMZtR%2BXnA3yBIlhowT%2BTwkRPua0q1%2Fjg%3D&timestamp=1700000000002"},
		{"https://h/robot/send?access_token=t&timestamp=1&sign=old", secret, 1795187410000, // pasted from a log
			"https://h/robot/send?access_token=t&sign=CbgThuOQRVdaS0cKQY7wEUEIQ3htZU01gw7kdZ2wbic%3D&timestamp=1795187410000"},
	}
	for _, tt := range tests {
		if got := signed(tt.address, tt.secret, time.UnixMilli(tt.ms)); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// Every attempt has its own signature: a message may wait for longer than the hour for
// which one is valid.
func TestSignedAtEveryAttempt(t *testing.T) {
	g := newGroup(t, "zh")
	messages, err := g.notifier(t, Config{}).Messages(notifytest.Notification(notifytest.OneTopic()...))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		g.Advance(2 * time.Hour)
		if o := messages[0].Send(t.Context()); o[0].Err != nil {
			t.Errorf("got %v, want it accepted", o[0].Err)
		}
	}
}

// Each security setting of a robot has its own error.
func TestServerRules(t *testing.T) {
	g := newGroup(t, "zh")
	robot := g.notifier(t, Config{})
	tests := []struct {
		name  string
		robot server.Robot
		now   time.Time
		want  string // "" for success
	}{
		{"a valid signature", server.Robot{Secret: secret}, notifytest.At, ""},
		{"another secret", server.Robot{Secret: "SECother"}, notifytest.At, "the signature does not match"},
		{"a clock that is an hour late", server.Robot{Secret: secret}, notifytest.At.Add(-time.Hour), ""},
		{"a clock that is later than that", server.Robot{Secret: secret}, notifytest.At.Add(-time.Hour - time.Millisecond), "set the clock"},
		{"a clock that is an hour fast", server.Robot{Secret: secret}, notifytest.At.Add(time.Hour), ""},
		{"a clock that is faster than that", server.Robot{Secret: secret}, notifytest.At.Add(time.Hour + time.Millisecond), "set the clock"},
		{"a keyword", server.Robot{Keywords: []string{"发布", "消费积压"}}, notifytest.At, ""},
		{"another keyword", server.Robot{Keywords: []string{"发布", "巡检"}}, notifytest.At, "keywords"},
		{"this address", server.Robot{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, notifytest.At, ""},
		{"another address", server.Robot{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, notifytest.At, "address is not among those"},
	}
	for _, tt := range tests {
		g.Add(token, tt.robot)
		g.Env.Now = func() time.Time { return tt.now } // the fake's clock is right
		err := sendOne(t, t.Context(), robot)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Class != notify.Permanent || err.Code != "310000" || !strings.Contains(err.Message, tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestRemovedAndStopped(t *testing.T) {
	g := newGroup(t, "zh")
	robot := g.notifier(t, Config{})
	g.Stop(token)
	if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Permanent || err.Code != "400102" {
		t.Errorf("got %+v from a stopped robot, want 400102", err)
	}
	g.Remove(token)
	if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Permanent || err.Code != "300005" {
		t.Errorf("got %+v from a removed robot, want 300005", err)
	}
}

// The 21st message of a minute locks the robot out for ten minutes. All instances learn it
// from one, and none sends meanwhile.
func TestLockout(t *testing.T) {
	g := newGroup(t, "zh")
	g.Env.Store = memory.New()
	one, other := g.notifier(t, Config{}), g.notifier(t, Config{Type: "text"})
	for i := range server.PerMinute {
		if err := sendOne(t, t.Context(), one); err != nil {
			t.Fatalf("message %d: got %v, want it accepted", i+1, err)
		}
	}
	if err := sendOne(t, t.Context(), one); err == nil || err.Class != notify.Rate || err.RetryAfter != 10*time.Minute {
		t.Errorf("message 21: got %+v, want ten minutes to wait", err)
	}
	calls := g.Calls()
	g.Advance(4 * time.Minute)
	for _, robot := range []notify.Notifier{one, other} {
		if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Rate || err.RetryAfter != 6*time.Minute || !strings.Contains(err.Message, "another 6m0s") {
			t.Errorf("four minutes later: got %+v, want six minutes to wait", err)
		}
	}
	if g.Calls() != calls {
		t.Errorf("got %d requests during the lockout, want none", g.Calls()-calls)
	}
	g.Add("another", server.Robot{Secret: secret})
	g.address = strings.Replace(g.address, token, "another", 1)
	if err := sendOne(t, t.Context(), g.notifier(t, Config{})); err != nil {
		t.Errorf("another robot: got %v, want it accepted", err)
	}
	g.Advance(6 * time.Minute)
	for _, robot := range []notify.Notifier{one, other} {
		if err := sendOne(t, t.Context(), robot); err != nil {
			t.Errorf("ten minutes later: got %v, want it accepted", err)
		}
	}
}

// Only a lockout of the robot is recorded, not a ban of this machine's address.
func TestNoLockout(t *testing.T) {
	for name, do := range map[string]fault.Handler{"address": server.RejectAddress, "calls a second": server.Reject(90018, "QPS"), "busy": server.Reject(-1, "busy")} {
		g := newGroup(t, "zh")
		g.Env.Store = memory.New()
		robot := g.notifier(t, Config{})
		g.Inject(1, do)
		if err := sendOne(t, t.Context(), robot); err == nil {
			t.Errorf("%s: got success, want an error", name)
		}
		if err := sendOne(t, t.Context(), robot); err != nil {
			t.Errorf("%s: got %v from the next attempt, want it accepted", name, err)
		}
	}
}

// A store that is unavailable, missing, or has an invalid value does not delay a
// message.
func TestLockoutWithoutStore(t *testing.T) {
	invalid, future := memory.New(), memory.New()
	key := lockoutKey(chat.Target("dingtalk", token))
	set := func(s store.Store, value string) {
		if err := s.Commit(t.Context(), notifytest.At, store.Change{Key: key, Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
	}
	set(invalid, "x")
	set(future, "2099-01-01T00:00:00Z")
	for name, s := range map[string]store.Store{"no": nil, "unavailable": notifytest.UnavailableStore{}, "invalid": invalid, "wrong clock's": future} {
		g := newGroup(t, "zh")
		g.Env.Store = s
		robot := g.notifier(t, Config{})
		g.Inject(1, server.Reject(410100, "too fast"))
		g.Inject(1, server.Reject(-1, "busy"))
		if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Rate || err.RetryAfter != 10*time.Minute {
			t.Errorf("%s store: got %+v, want ten minutes to wait", name, err)
		}
		g.Advance(11 * time.Minute)
		if err := sendOne(t, t.Context(), robot); err == nil || err.Code != "-1" {
			t.Errorf("%s store: got %+v, want the vendor's error", name, err)
		}
	}
}
