package dingtalk

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	server "tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

// sendOne says one alert and returns what became of it.
func sendOne(t *testing.T, ctx context.Context, to notify.Notifier) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, to, notifytest.Notification(notifytest.OneTopic()...), token, secret, "sign=", url.QueryEscape(signature))
}

// signature is what belongs to the secret at the moment of these tests,
// 1795187410000 ms:
// printf '1795187410000\nSEC0123456789abcdef' | openssl dgst -sha256 -hmac SEC0123456789abcdef -binary | base64
const signature = "CbgThuOQRVdaS0cKQY7wEUEIQ3htZU01gw7kdZ2wbic="

// The values are worked out by openssl, as above; the query by Python's
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
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
}

// Every attempt is signed anew: a message may wait for longer than the hour that
// a signature holds.
func TestSignedAtEveryAttempt(t *testing.T) {
	g := newGroup(t, "zh")
	messages, err := g.notifier(t, Config{}).Messages(notifytest.Notification(notifytest.OneTopic()...))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		g.now = g.now.Add(2 * time.Hour)
		if o := messages[0].Send(t.Context()); o[0].Err != nil {
			t.Error(o[0].Err)
		}
	}
}

// The robot's own settings, as the server checks them.
func TestServerRules(t *testing.T) {
	g := newGroup(t, "zh")
	robot := g.notifier(t, Config{})
	tests := []struct {
		name  string
		robot server.Robot
		now   time.Time
		says  string // "" for success
	}{
		{"a good signature", server.Robot{Secret: secret}, notifytest.At, ""},
		{"another secret", server.Robot{Secret: "SECother"}, notifytest.At, "the signature does not match"},
		{"a clock that is an hour late", server.Robot{Secret: secret}, notifytest.At.Add(-time.Hour), ""},
		{"a clock that is later", server.Robot{Secret: secret}, notifytest.At.Add(-time.Hour - time.Millisecond), "set the clock"},
		{"a clock that is an hour fast", server.Robot{Secret: secret}, notifytest.At.Add(time.Hour), ""},
		{"a clock that is faster", server.Robot{Secret: secret}, notifytest.At.Add(time.Hour + time.Millisecond), "set the clock"},
		{"a keyword", server.Robot{Keywords: []string{"发布", "消费积压"}}, notifytest.At, ""},
		{"another keyword", server.Robot{Keywords: []string{"发布", "巡检"}}, notifytest.At, "keywords"},
		{"this address", server.Robot{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, notifytest.At, ""},
		{"another address", server.Robot{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, notifytest.At, "address is not among those"},
	}
	for _, tt := range tests {
		g.Add(token, tt.robot)
		g.env.Now = func() time.Time { return tt.now } // the server's clock stands at the true time
		err := sendOne(t, t.Context(), robot)
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || err.Class != notify.Permanent || err.Code != "310000" || !strings.Contains(err.Message, tt.says)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
}

func TestRemovedAndStopped(t *testing.T) {
	g := newGroup(t, "zh")
	robot := g.notifier(t, Config{})
	g.Stop(token)
	if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Permanent || err.Code != "400102" {
		t.Errorf("stopped: %+v", err)
	}
	g.Remove(token)
	if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Permanent || err.Code != "300005" {
		t.Errorf("removed: %+v", err)
	}
}
