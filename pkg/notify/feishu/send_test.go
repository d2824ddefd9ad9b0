package feishu

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	server "tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

// The signatures were computed with
//
//	key=$(printf '100\ndemo' | od -An -tx1 | tr -d ' \n')
//	printf '' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64
func TestSign(t *testing.T) {
	for seconds, want := range map[int64]string{
		100:        "jquNHnVOwmDRfw+vqTIrY5dooJAgi5EcRtLsQE4wfXg=",
		1700000000: "8oT2n3SMKFfEnDoiwer8BUM/SjKLwe9SqoEIHlhDTKo=",
	} {
		if timestamp, got := sign(time.Unix(seconds, 999), "demo"); got != want || timestamp != fmt.Sprint(seconds) {
			t.Errorf("%s: %s, want %s", timestamp, got, want)
		}
	}
}

// The signature is of the moment of sending, not of the wording.
func TestSignedWhenSent(t *testing.T) {
	g := newGroup(t, "zh")
	messages, err := g.notifier(t, Config{}).Messages(notifytest.Notification(notifytest.OneTopic()...))
	if err != nil {
		t.Fatal(err)
	}
	for _, late := range []time.Duration{0, 3 * time.Hour} {
		g.now = notifytest.At.Add(late)
		g.env.Now = func() time.Time { return g.now }
		if err := messages[0].Send(t.Context())[0].Err; err != nil {
			t.Errorf("%v later: %v", late, err)
		}
	}
	g.env.Now = func() time.Time { return g.now.Add(-server.MaxClockSkew - time.Second) }
	if err := notify.AsError(messages[0].Send(t.Context())[0].Err); err.Code != "19021" || !strings.Contains(err.Message, "clock") {
		t.Errorf("a clock that is wrong: %v", err)
	}
}

// sendOne says one alert and returns what became of it.
func (g *group) sendOne(t *testing.T, ctx context.Context, c Config) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, g.notifier(t, c), notifytest.Notification(notifytest.OneTopic()...), token, secret)
}

// The quotas are the vendor's to count: what is too much comes back as what is
// to be sent later.
func TestQuotas(t *testing.T) {
	g := newGroup(t, "zh")
	for i := range 103 {
		err := g.sendOne(t, t.Context(), Config{})
		switch {
		case i == 5: // the sixth within a second
			if err == nil || err.Class != notify.Rate || err.Code != "9499" {
				t.Fatalf("message %d: %+v", i+1, err)
			}
		case i > 100: // of which one was refused
			if err == nil || err.Class != notify.Rate || err.Code != "11232" {
				t.Fatalf("message %d: %+v", i+1, err)
			}
		case err != nil:
			t.Fatalf("message %d: %v", i+1, err)
		}
		if i == 5 {
			g.now = g.now.Add(time.Second)
		} else if i > 5 {
			g.now = g.now.Add(210 * time.Millisecond)
		}
	}
}
