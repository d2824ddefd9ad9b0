package feishu

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
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
			t.Errorf("%s: got %s, want %s", timestamp, got, want)
		}
	}
}

// The signature is made when the message is sent, not when it is rendered.
func TestSignedWhenSent(t *testing.T) {
	g := newGroup(t, "zh")
	messages, err := g.notifier(t, Config{}).Messages(notifytest.Notification(notifytest.OneTopic()...))
	if err != nil {
		t.Fatal(err)
	}
	for _, late := range []time.Duration{0, 3 * time.Hour} {
		g.Now = notifytest.At.Add(late)
		if err := messages[0].Send(t.Context())[0].Err; err != nil {
			t.Errorf("%v later: got %v, want it accepted", late, err)
		}
	}
	g.Env.Now = func() time.Time { return g.Now.Add(-server.MaxClockSkew - time.Second) }
	if err := notify.AsError(messages[0].Send(t.Context())[0].Err); err.Code != "19021" || !strings.Contains(err.Message, "clock") {
		t.Errorf("got %v with a wrong clock, want 19021", err)
	}
}

// sendOne sends one alert and returns the error.
func (g *group) sendOne(t *testing.T, ctx context.Context, c Config) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, g.notifier(t, c), notifytest.Notification(notifytest.OneTopic()...), token, secret)
}

// The vendor counts the quotas: a message above them is to be sent later.
func TestQuotas(t *testing.T) {
	g := newGroup(t, "zh")
	for i := range 103 {
		err := g.sendOne(t, t.Context(), Config{})
		switch {
		case i == 5: // the sixth within a second
			if err == nil || err.Class != notify.Rate || err.Code != "9499" {
				t.Fatalf("message %d: got %+v, want a rate error", i+1, err)
			}
		case i > 100: // of which one was refused
			if err == nil || err.Class != notify.Rate || err.Code != "11232" {
				t.Fatalf("message %d: got %+v, want a rate error", i+1, err)
			}
		case err != nil:
			t.Fatalf("message %d: got %v, want it accepted", i+1, err)
		}
		if i == 5 {
			g.Advance(time.Second)
		} else if i > 5 {
			g.Advance(210 * time.Millisecond)
		}
	}
}

const unknown = "ou_00000000000000000000000000000000"

// A card that mentions an unknown person is rejected as a whole; it is sent again without
// mentions, with a note.
func TestUnknownMention(t *testing.T) {
	tests := []struct {
		name    string
		config  Config
		all     bool // whether the group allows to mention everybody
		note    bool
		mention []string
	}{
		{"an unknown person", Config{At: At{OpenIDs: []string{unknown}}}, true, true, nil},
		{"an unknown person among others", Config{At: At{OpenIDs: []string{member, unknown}, All: true}}, true, true, nil},
		{"everybody where that is forbidden", Config{At: At{All: true}}, false, true, nil},
		{"in the user's own text", Config{Message: `<at id="` + unknown + `">Li</at> look: {{ template "feishu.default" . }}`}, true, true, nil},
		{"by an e-mail", Config{Message: `<at email=a@example.com></at> {{ template "feishu.default" . }}`}, true, true, nil},
		{"a member", Config{At: At{OpenIDs: []string{member}}}, true, false, []string{member}},
	}
	for _, tt := range tests {
		for language, note := range map[string]string{"zh": "没有提醒任何人", "en": "Nobody was mentioned"} {
			t.Run(tt.name+" "+language, func(t *testing.T) {
				g := newGroup(t, language)
				g.Add(server.Robot{Token: token, Secret: secret, Members: []string{member}, MentionAll: tt.all})
				if err := g.sendOne(t, t.Context(), tt.config); err != nil {
					t.Fatal(err)
				}
				inbox := g.Inbox()
				if len(inbox) != 1 || inbox[0].Type != "interactive" || inbox[0].Color != "orange" || !slices.Equal(inbox[0].Mentions, tt.mention) {
					t.Fatalf("got %+v, want one orange card that mentions %q", inbox, tt.mention)
				}
				if got := inbox[0].Content; strings.Contains(got, note) != tt.note || !strings.Contains(got, "12,345") || tt.note && strings.Contains(got, "<at") {
					t.Errorf("got\n%s\nwant the alert, and the note: %v", got, tt.note)
				}
				if want := map[bool]int{true: 2, false: 1}[tt.note]; g.Calls() != want {
					t.Errorf("got %d requests, want %d", g.Calls(), want)
				}
			})
		}
	}
}

const badCard = "ErrCode: 200621; ErrMsg: parse card json err; "

// A card that is rejected for another reason is sent again as a text, with its mentions.
func TestPlainText(t *testing.T) {
	for _, code := range []int{11246, 11310, 230099} {
		g := newGroup(t, "zh")
		g.Inject(1, server.Reject(200, code, badCard))
		if err := g.sendOne(t, t.Context(), Config{At: At{OpenIDs: []string{member}, All: true}, Title: "<at user_id=\"all\">x</at>"}); err != nil {
			t.Fatal(err)
		}
		want := `＜at user_id="all">x＜/at>
积压 12,345 条，阈值 2,000 条
最慢分区：#3 5,000 · #7 4,100
开始：11-20 23:05:10（已 5 分钟）
级别：warning
集群：orders
消费组：order-worker
Topic：order_created_*

全部告警: https://alerts.example.com <at user_id="all"></at> <at user_id="` + member + `"></at>`
		inbox := g.Inbox()
		if len(inbox) != 1 || inbox[0].Type != "text" || inbox[0].Content != want || !slices.Equal(inbox[0].Mentions, []string{"all", member}) {
			t.Errorf("%d: got %+v, want one text:\n%s", code, inbox, want)
		}
	}
}

// A label inside a mention of the user's own text cannot add another mention.
func TestLabelInMention(t *testing.T) {
	g := newGroup(t, "zh")
	g.Inject(1, server.Reject(200, 11310, ""))
	n := notifytest.Notification(notifytest.OneTopic()...)
	n.Alerts[0].Labels["owner"] = `x"></at><at user_id="all`
	g.sendAll(t, g.notifier(t, Config{Message: "look <at id={{ .CommonLabels.owner }}></at>"}), n)
	if inbox := g.Inbox(); len(inbox) != 1 || len(inbox[0].Mentions) != 0 || strings.Contains(inbox[0].Content, "<") {
		t.Errorf("got %+v, want one text without mentions", inbox)
	}
}

// A card that is rejected without its mentions too is sent as a text.
func TestUnknownMentionInBadCard(t *testing.T) {
	g := newGroup(t, "en")
	g.Inject(1, fault.Pass)
	g.Inject(1, server.Reject(200, 11246, badCard))
	if err := g.sendOne(t, t.Context(), Config{At: At{OpenIDs: []string{unknown}}}); err != nil {
		t.Fatal(err)
	}
	inbox := g.Inbox()
	if len(inbox) != 1 || inbox[0].Type != "text" || len(inbox[0].Mentions) != 0 || !strings.Contains(inbox[0].Content, "Nobody was mentioned") || g.Calls() != 3 {
		t.Errorf("got %d requests and %+v, want 3 and a text with the note", g.Calls(), inbox)
	}
}

// The error is that of the last request.
func TestSimplerMessageFails(t *testing.T) {
	g := newGroup(t, "zh")
	g.Inject(1, fault.Pass)
	g.Inject(1, server.Reject(400, 9499, "too many request"))
	if err := g.sendOne(t, t.Context(), Config{At: At{OpenIDs: []string{unknown}}}); err == nil || err.Class != notify.Rate || g.Calls() != 2 || len(g.Inbox()) != 0 {
		t.Errorf("got %d requests and %+v, want 2 and a rate error", g.Calls(), err)
	}
}
