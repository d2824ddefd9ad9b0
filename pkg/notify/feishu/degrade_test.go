package feishu

import (
	"slices"
	"strings"
	"testing"

	"tocsin/pkg/localcloud/fault"
	server "tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

const stranger = "ou_00000000000000000000000000000000"

// A card that mentions somebody unknown is refused as a whole; it arrives
// without the mention, and says so.
func TestBadMention(t *testing.T) {
	tests := []struct {
		name    string
		config  Config
		all     bool // whether the group allows to mention everybody
		note    bool
		mention []string
	}{
		{"a stranger", Config{At: At{OpenIDs: []string{stranger}}}, true, true, nil},
		{"a stranger among others", Config{At: At{OpenIDs: []string{member, stranger}, All: true}}, true, true, nil},
		{"everybody where that is forbidden", Config{At: At{All: true}}, false, true, nil},
		{"in the user's own text", Config{Message: `<at id="` + stranger + `">Li</at> look: {{ template "feishu.default" . }}`}, true, true, nil},
		{"by an e-mail", Config{Message: `<at email=a@example.com></at> {{ template "feishu.default" . }}`}, true, true, nil},
		{"nothing wrong", Config{At: At{OpenIDs: []string{member}}}, true, false, []string{member}},
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
					t.Fatalf("%+v", inbox)
				}
				if got := inbox[0].Content; strings.Contains(got, note) != tt.note || !strings.Contains(got, "12,345") || tt.note && strings.Contains(got, "<at") {
					t.Errorf("%s", got)
				}
				if want := map[bool]int{true: 2, false: 1}[tt.note]; g.Calls() != want {
					t.Errorf("%d calls, want %d", g.Calls(), want)
				}
			})
		}
	}
}

const badCard = "ErrCode: 200621; ErrMsg: parse card json err; "

// A card that is refused for another reason arrives as a text, with its
// mentions.
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
			t.Errorf("%d: %+v", code, inbox)
		}
	}
}

// What a label puts into a mention of the user's own text cannot write another.
func TestMentionOfALabel(t *testing.T) {
	g := newGroup(t, "zh")
	g.Inject(1, server.Reject(200, 11310, ""))
	n := notifytest.Notification(notifytest.OneTopic()...)
	n.Alerts[0].Labels["owner"] = `x"></at><at user_id="all`
	g.say(t, g.notifier(t, Config{Message: "look <at id={{ .CommonLabels.owner }}></at>"}), n)
	if inbox := g.Inbox(); len(inbox) != 1 || len(inbox[0].Mentions) != 0 || strings.Contains(inbox[0].Content, "<") {
		t.Errorf("%+v", inbox)
	}
}

// First the mentions go, then the card.
func TestBoth(t *testing.T) {
	g := newGroup(t, "en")
	g.Inject(1, fault.Pass)
	g.Inject(1, server.Reject(200, 11246, badCard))
	if err := g.sendOne(t, t.Context(), Config{At: At{OpenIDs: []string{stranger}}}); err != nil {
		t.Fatal(err)
	}
	inbox := g.Inbox()
	if len(inbox) != 1 || inbox[0].Type != "text" || len(inbox[0].Mentions) != 0 || !strings.Contains(inbox[0].Content, "Nobody was mentioned") || g.Calls() != 3 {
		t.Errorf("%d calls: %+v", g.Calls(), inbox)
	}
}

// What happens to the last attempt is what is told.
func TestDegradedFails(t *testing.T) {
	g := newGroup(t, "zh")
	g.Inject(1, fault.Pass)
	g.Inject(1, server.Reject(400, 9499, "too many request"))
	if err := g.sendOne(t, t.Context(), Config{At: At{OpenIDs: []string{stranger}}}); err == nil || err.Class != notify.Rate || g.Calls() != 2 || len(g.Inbox()) != 0 {
		t.Errorf("%d calls: %+v", g.Calls(), err)
	}
}
