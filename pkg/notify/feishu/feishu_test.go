package feishu

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/fault"
	server "tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

const (
	token  = "00000000-1111-2222-3333-444455556666"
	secret = "demo-secret"
	member = "ou_7d8a6e6df7621556ce0d21922b676706"
)

// group is a fake of Feishu with one robot, which requires signatures.
type group struct {
	*server.Server
	*notifytest.Fake
	address string // of the robot
}

func newGroup(t *testing.T, language string) *group {
	t.Helper()
	s, f := notifytest.StartFake(t, language, server.New)
	s.Add(server.Robot{Token: token, Secret: secret, Members: []string{member}, MentionAll: true})
	return &group{s, f, f.URL + server.Path + token}
}

// notifier returns the notifier of c with the robot's address and secret.
func (g *group) notifier(t *testing.T, c Config, files ...string) notify.Notifier {
	t.Helper()
	c.URL, c.Secret = setting.Secret(g.address), secret
	return notifytest.New(t, &c, g.Env, files...)
}

// sendAll sends n, a message a second, and fails the test unless all is accepted.
func (g *group) sendAll(t *testing.T, to notify.Notifier, n *alert.Notification) []notify.Message {
	t.Helper()
	return notifytest.SendAll(t, to, n, func() { g.Advance(time.Second) })
}

func TestMention(t *testing.T) {
	const other = "ou_other"
	named := func() []*alert.Alert {
		a := notifytest.OneTopic()
		a[0].Annotations["who"] = "ou_other; " + member + "|nobody,all,ou_x></at><at id=all"
		return a
	}
	tests := []struct {
		name   string
		at     At
		alerts []*alert.Alert
		want   []string
	}{
		{"no mentions", At{}, notifytest.OneTopic(), nil},
		{"a member", At{OpenIDs: []string{member}}, notifytest.OneTopic(), []string{member}},
		{"everybody", At{All: true}, notifytest.OneTopic(), []string{"all"}},
		{"both, each once", At{OpenIDs: []string{member, member}, All: true}, notifytest.OneTopic(), []string{"all", member}},
		{"no mentions of resolved alerts", At{OpenIDs: []string{member}, All: true}, notifytest.Resolved(notifytest.OneTopic()...), nil},
		{"people that the alert names", At{OpenIDs: []string{"{{ .CommonAnnotations.who }}", "{{ index .Alerts 9 }}"}}, named(), []string{other, member}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, "zh")
			g.Add(server.Robot{Token: token, Secret: secret, Members: []string{member, other}, MentionAll: true})
			messages := g.sendAll(t, g.notifier(t, Config{At: tt.at}), notifytest.Notification(tt.alerts...))
			inbox := g.Inbox()
			if len(inbox) != 1 || inbox[0].Type != "interactive" || !slices.Equal(inbox[0].Mentions, tt.want) {
				t.Fatalf("got %+v, want one card that mentions %q", inbox, tt.want)
			}
			for _, who := range tt.want {
				if !strings.Contains(messages[0].Text, "@"+who) {
					t.Errorf("got preview without %s: %s", who, messages[0].Text)
				}
			}
		})
	}
}

func TestPayload(t *testing.T) {
	g := newGroup(t, "zh")
	var got []string
	g.Inject(2, func(w http.ResponseWriter, r *http.Request, _ func()) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, string(body))
		server.Reject(200, 11310, "")(w, r, nil)
	})
	n := notifytest.Notification(&alert.Alert{Labels: alert.Labels{"alertname": "A<B&C"}, Annotations: alert.Labels{"summary": "x > \"y\""}, StartsAt: notifytest.At})
	messages, err := g.notifier(t, Config{At: At{OpenIDs: []string{member}}}).Messages(n)
	if err != nil {
		t.Fatal(err)
	}
	messages[0].Send(t.Context())
	// At is 1795187410; the signature was computed as those of TestSign.
	const signed = `{"timestamp":"1795187410","sign":"PDl2p/YgPNdJIK5+EG2ISSMP+Ob3RZUsReJ/DZf3XVk=",`
	want := []string{
		signed + `"msg_type":"interactive","card":{"config":{"wide_screen_mode":true},"header":{"template":"orange","title":{"tag":"plain_text","content":"[告警] A＜B&C"}},` +
			`"elements":[{"tag":"markdown","content":"x &#62; \"y\"\n开始：11-20 23:10:10\n\n[全部告警](https://alerts.example.com)\n\n<at id=` + member + `></at>"}]}}`,
		signed + `"msg_type":"text","content":{"text":"[告警] A＜B&C\nx > \"y\"\n开始：11-20 23:10:10\n\n全部告警: https://alerts.example.com <at user_id=\"` + member + `\"></at>"}}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// An alert with nothing but a name still makes a card with a text.
func TestAlertWithoutDetails(t *testing.T) {
	g := newGroup(t, "zh")
	g.Env.ExternalURL = ""
	g.sendAll(t, g.notifier(t, Config{}), notifytest.Notification(&alert.Alert{Labels: alert.Labels{"alertname": "A_b"}}))
	if m := g.Inbox()[0]; m.Title != "[告警] A_b" || m.Content != "&#91;告警&#93; A&#95;b" {
		t.Errorf("got %+v, want the title as the text", m)
	}
}

// A template in the address chooses the robot.
func TestAddressTemplate(t *testing.T) {
	g := newGroup(t, "zh")
	g.Add(server.Robot{Token: "other-project"})
	g.address = strings.Replace(g.address, token, "{{ .CommonLabels.project }}", 1)
	a := notifytest.HostAlert()
	a[0].Labels["project"] = "other-project"
	g.sendAll(t, g.notifier(t, Config{}), notifytest.Notification(a...))
	if got := g.Inbox(); len(got) != 1 || got[0].Token != "other-project" {
		t.Errorf("got %+v, want one message of the robot other-project", got)
	}
	failing := setting.Secret(g.address + "{{ index .Alerts 9 }}")
	n, err := (&Config{URL: failing}).New(g.Env, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Messages(notifytest.Notification(a...)); err == nil || notify.AsError(err).Class != notify.Permanent || strings.Contains(err.Error(), "project") {
		t.Errorf("got %v from a template that fails, want a permanent error", err)
	}
}

func TestPreview(t *testing.T) {
	g := newGroup(t, "zh")
	a := notifytest.MixedStates()
	messages := g.sendAll(t, g.notifier(t, Config{At: At{OpenIDs: []string{member}}}), notifytest.Notification(a...))
	want := `[告警] 消费积压 · orders / order-worker（1 个 topic，另有 1 个已恢复）
级别：warning
集群：orders
消费组：order-worker
阈值：2,000

order_created_* 积压 12,345 条
最慢分区：#3 5,000 · #7 4,100
开始：11-20 23:05:10（已 5 分钟）

order_paid 已恢复，持续了 15 分钟，最后读数 1,200 条
开始：11-20 22:55:10
恢复：11-20 23:10:10

全部告警: https://alerts.example.com

@` + member
	if messages[0].Text != want {
		t.Errorf("got\n%s\nwant\n%s", messages[0].Text, want)
	}
}

func BenchmarkMessages(b *testing.B) {
	n := notifytest.Notification()
	for i := range 5000 {
		n.Alerts = append(n.Alerts, notifytest.LagAlert(fmt.Sprintf("topic-%04d", i), fmt.Sprint(10001+i*7919%80000), time.Hour))
	}
	robot, err := (&Config{URL: "https://example.com/hook/x"}).New(notifytest.NewEnv("zh"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := robot.Messages(n); err != nil {
			b.Fatal(err)
		}
	}
}

// Alerts that are each too long for a card, with characters that JSON or markdown make
// longer, are cut between characters; the fake accepts every part, also in the forms that
// replace a card.
func TestTooLong(t *testing.T) {
	const own = "{{ range .Alerts }}**{{ .Annotations.text }}**\n{{ end }}{{ template \"feishu.default\" . }}"
	for _, char := range []string{"中", `"`, "*", "<", "😀", "1."} {
		for _, config := range []Config{{}, {Message: own}, {Message: strings.Repeat(char, 50000)}, {Message: strings.Repeat(char+"\n", 9000), Title: strings.Repeat(char, 3000)}} {
			g := newGroup(t, "zh")
			config.At = At{OpenIDs: []string{member}, All: true}
			to, a := g.notifier(t, config), notifytest.DiskAlert(disk)[0]
			a.Annotations["text"] = strings.Repeat(char, 30000)
			for i := range 60 {
				a.Annotations[fmt.Sprintf("note-%02d", i)] = strings.Repeat(char, 3000)
			}
			g.sendAll(t, to, notifytest.Notification(a))
			inbox := g.Inbox()
			for i, m := range inbox {
				if !utf8.ValidString(m.Content) || strings.Contains(m.Content, "\ufffd") || strings.Count(m.Content, "**")%2 != 0 && config.Message == own {
					t.Errorf("%q: got part %d with half a character or open markup", char, i+1)
				}
				for _, escape := range strings.Split(m.Content, "&#")[1:] {
					if end := strings.IndexByte(escape, ';'); config.Message == own && (end < 2 || end > 3) {
						t.Errorf("%q: got half an escape in part %d: %.10q", char, i+1, escape)
					}
				}
			}
			if last := inbox[len(inbox)-1].Mentions; !slices.Equal(last, []string{"all", member}) {
				t.Errorf("%q: got mentions of %q in the last part, want all and the member", char, last)
			}
			for _, code := range []int{11310, 11246} { // a text each; the card without mentions
				for range inbox {
					g.Inject(1, server.Reject(200, code, ""))
					g.Inject(1, fault.Pass)
				}
				g.sendAll(t, to, notifytest.Notification(a))
			}
		}
	}
}
