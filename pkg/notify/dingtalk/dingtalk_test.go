package dingtalk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/pkg/alert"
	server "tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

const (
	token  = "0c23aaaa5555bbbb0c23aaaa5555bbbb0c23aaaa5555bbbb0c23aaaa5555bbbb"
	secret = "SEC0123456789abcdef"
)

// group is a fake of DingTalk with one robot, which requires signatures.
type group struct {
	*server.Server
	*notifytest.Fake
	address string // of the robot
}

func newGroup(t *testing.T, language string) *group {
	t.Helper()
	s, f := notifytest.StartFake(t, language, server.New)
	s.Add(token, server.Robot{Secret: secret})
	return &group{s, f, f.URL + server.Path + "?access_token=" + token}
}

// notifier returns the notifier of c with the robot's address and secret.
func (g *group) notifier(t *testing.T, c Config, files ...string) notify.Notifier {
	t.Helper()
	c.URL, c.Secret = setting.Secret(g.address), secret
	var f setting.Faults
	if c.Validate(&f); len(f.List()) > 0 {
		t.Fatalf("got faults %v, want a valid configuration", f.List())
	}
	return notifytest.New(t, &c, g.Env, files...)
}

// Each part of a thousand topics keeps the limit, each topic is in one part, the worst
// first, and people are mentioned once.
func TestSplit(t *testing.T) {
	tests := []struct {
		kind  string
		half  bool
		limit int
		item  string // of topic %04d, %s behind
	}{
		{"markdown", false, 20000, "**topic-%04d** %s 条 · 已 1 小时  "},
		{"text", false, 20000, "topic-%04d %s 条 · 已 1 小时"},
		{"markdown", true, 10000, "topic-%04d %s 条 · 已 1 小时"}, // plain
	}
	for _, tt := range tests {
		g := newGroup(t, "zh")
		sent := notifytest.RecordBodies(g.Env)
		n := notifytest.Notification()
		n.HalfSize = tt.half
		for i := range 1000 {
			n.Alerts = append(n.Alerts, notifytest.LagAlert(fmt.Sprintf("topic-%04d", i), fmt.Sprint(99999-i), time.Hour))
		}
		robot := g.notifier(t, Config{Type: tt.kind, At: At{Mobiles: []string{"13800000000"}}})
		messages := notifytest.SendAll(t, robot, n)
		next := 0
		for i, m := range g.Inbox() {
			size := len((*sent)[i])
			if size > tt.limit || !utf8.ValidString(m.Text) || i+1 < len(messages) && size < tt.limit*9/10 {
				t.Errorf("part %d: got %d bytes, want nearly %d", i+1, size, tt.limit)
			}
			mark := fmt.Sprintf("（1000 个 topic） (%d/%d)", i+1, len(messages))
			if first, _, _ := strings.Cut(m.Text, "\n"); !strings.HasSuffix(first, mark) || m.Type == "markdown" && !strings.HasSuffix(m.Title, mark) {
				t.Errorf("part %d: got first line %q and title %q, want %q at their ends", i+1, first, m.Title, mark)
			}
			if (len(m.Mobiles) == 1) != (i == 0) || strings.Contains(m.Text, "@") != (i == 0) || strings.Contains((*sent)[i], `"at":`) != (i == 0) {
				t.Errorf("part %d: got mentions of %v, want them in the first part only", i+1, m.Mobiles)
			}
			for line := range strings.SplitSeq(m.Text, "\n") {
				if strings.HasPrefix(strings.TrimPrefix(line, "**"), "topic-") {
					behind := fmt.Sprint(99999 - next)
					if want := fmt.Sprintf(tt.item, next, behind[:2]+","+behind[2:]); line != want {
						t.Fatalf("got line %q, want %q", line, want)
					}
					next++
				}
			}
		}
		if next != 1000 || len(g.Inbox()) != len(messages) {
			t.Errorf("got %d topics in %d messages, want 1000", next, len(messages))
		}
		n.AcceptedUnits = []string{messages[0].Units[0], messages[2].Units[0]}
		want := slices.Delete(slices.Delete(notifytest.Units(messages), 2, 3), 0, 1)
		if rest, err := robot.Messages(n); err != nil || !slices.Equal(notifytest.Units(rest), want) {
			t.Errorf("got units %v, %v after two were accepted; want %v", notifytest.Units(rest), err, want)
		}
	}
}

// DingTalk counts the request, in which a quote has two bytes.
func TestSplitCountsTheRequest(t *testing.T) {
	for _, half := range []bool{false, true} {
		g := newGroup(t, "zh")
		n := notifytest.Notification(notifytest.LagAlert(strings.Repeat(`"`, 60), "10000", time.Hour))
		n.HalfSize = half
		for i := range 400 {
			n.Alerts = append(n.Alerts, notifytest.LagAlert(fmt.Sprint(i)+strings.Repeat(`"`, 110), "10000", time.Hour))
		}
		phones := []string{"{{ range $i, $_ := .Alerts }}{{ printf \"139%08d,\" $i }}{{ end }}"}
		users := []string{"{{ range $i, $_ := .Alerts }}{{ printf \"%064d,\" $i }}{{ end }}"}
		notifytest.SendAll(t, g.notifier(t, Config{At: At{Mobiles: phones, Users: users, All: true}}), n) // the fake checks the limit
		first := g.Inbox()[0]
		// Of each list as many as 1000 bytes hold, with "@" and a space.
		if len(first.Mobiles) != 1000/13 || len(first.Users) != 1000/66 || !first.All {
			t.Errorf("got %d phones, %d users, all %v; want as many as fit", len(first.Mobiles), len(first.Users), first.All)
		}
	}
}

func TestPayload(t *testing.T) {
	n := notifytest.Notification(&alert.Alert{Labels: alert.Labels{"alertname": "A<B&C"}, StartsAt: notifytest.At})
	people := At{Mobiles: []string{"13800000000"}, Users: []string{"u1"}, All: true}
	tests := []struct {
		config Config
		want   string
	}{
		{Config{}, `{"msgtype":"markdown","markdown":{"title":"[告警] A＜B&C","text":"#### [告警] A＜B&C\n> 开始：11-20 23:10:10  \n\n[全部告警](https://alerts.example.com)"}}`},
		{Config{At: people}, `{"msgtype":"markdown","markdown":{"title":"[告警] A＜B&C","text":"#### [告警] A＜B&C\n@所有人 @13800000000 @u1  \n> 开始：11-20 23:10:10  \n\n[全部告警](https://alerts.example.com)"},"at":{"atMobiles":["13800000000"],"atUserIds":["u1"],"isAtAll":true}}`},
		{Config{Type: "text", At: At{Users: []string{"u1"}}}, `{"msgtype":"text","text":{"content":"[告警] A<B&C\n@u1\n开始：11-20 23:10:10\n\n全部告警：https://alerts.example.com"},"at":{"atUserIds":["u1"]}}`},
	}
	for _, tt := range tests {
		g := newGroup(t, "zh")
		sent := notifytest.RecordBodies(g.Env)
		notifytest.SendAll(t, g.notifier(t, tt.config), n)
		if len(*sent) != 1 || (*sent)[0] != tt.want {
			t.Errorf("got  %s\nwant %s", *sent, tt.want)
		}
	}
}

// A message that DingTalk found unsafe is sent again without markup and without anything
// that a client makes a link of.
func TestHalfSize(t *testing.T) {
	g := newGroup(t, "zh")
	n := notifytest.Notification(notifytest.DiskAlert(disk)...)
	n.Alerts[0].Annotations["description"] = "see http://evil.example.com/x_1"
	n.HalfSize = true
	notifytest.SendAll(t, g.notifier(t, Config{Message: "**[own](https://evil.example.com)**", Title: "own", At: At{Mobiles: []string{"13800000000"}}}), n)
	m := g.Inbox()[0]
	want := `[告警] DiskFull · 10.0.0.8:9100
@13800000000
磁盘快满了
详情：see http：//evil.example.com/x_1
开始：11-19 21:10:10（已 1 天 2 小时）
级别：critical
实例：10.0.0.8:9100
job：node
mountpoint：/data`
	if m.Type != "text" || m.Text != want || len(m.Mobiles) != 1 {
		t.Errorf("got a %s with mentions of %v:\n%s\nwant a text:\n%s", m.Type, m.Mobiles, m.Text, want)
	}
}

// A digest of notifications that waited has a note.
func TestDigest(t *testing.T) {
	for language, note := range map[string]string{"zh": "合并了 25 条", "en": "in place of 25"} {
		g := newGroup(t, language)
		n := notifytest.Notification(append(notifytest.DiskAlert(disk), notifytest.OneTopic()...)...)
		n.Merged = 25
		messages := notifytest.SendAll(t, g.notifier(t, Config{}), n)
		if m := g.Inbox()[0]; len(messages) != 1 || !strings.Contains(m.Text, note) || !strings.Contains(m.Text, "DiskFull") || !strings.Contains(m.Text, "12,345") {
			t.Errorf("got %d messages:\n%s\nwant one with %q and both alerts", len(messages), m.Text, note)
		}
	}
}

func TestPreview(t *testing.T) {
	g := newGroup(t, "zh")
	n := notifytest.Notification(notifytest.MixedStates()...)
	messages := notifytest.SendAll(t, g.notifier(t, Config{At: At{Mobiles: []string{"13800000000"}}}), n)
	want := `[告警] 消费积压 · orders / order-worker（1 个 topic，另有 1 个已恢复）
@13800000000
  级别：warning
  集群：orders
  消费组：order-worker
  阈值：2,000

order_created＿＊ 积压 12,345 条
  最慢分区：#3 5,000 · #7 4,100
  开始：11-20 23:05:10（已 5 分钟）

order_paid 已恢复，持续了 15 分钟，最后读数 1,200 条
  开始：11-20 22:55:10
  恢复：11-20 23:10:10

全部告警: https://alerts.example.com`
	if messages[0].Text != want {
		t.Errorf("got\n%s\nwant\n%s", messages[0].Text, want)
	}
}

// A template in the address chooses the robot.
func TestAddressTemplate(t *testing.T) {
	g := newGroup(t, "zh")
	g.Add("other", server.Robot{Secret: secret})
	g.address = strings.Replace(g.address, token, "{{ .CommonLabels.robot | urlquery }}", 1)
	a := notifytest.OneTopic()
	a[0].Labels["robot"] = "other"
	notifytest.SendAll(t, g.notifier(t, Config{}), notifytest.Notification(a...))
	if got := g.Inbox(); len(got) != 1 || got[0].Token != "other" {
		t.Errorf("got %+v, want one message of the robot other", got)
	}
	g.address = strings.Replace(g.address, ".CommonLabels.robot", "index .Alerts 9", 1)
	_, err := g.notifier(t, Config{}).Messages(notifytest.Notification(a...))
	var e *notify.Error
	if !errors.As(err, &e) || e.Class != notify.Permanent {
		t.Errorf("got %v from a template that fails, want a permanent error", err)
	}
}

func BenchmarkMessages(b *testing.B) {
	for _, count := range []int{1, 50, 5000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			n := notifytest.Notification()
			for i := range count {
				n.Alerts = append(n.Alerts, notifytest.LagAlert(fmt.Sprintf("topic-%04d", i), fmt.Sprint(10000+i*7919%89999), time.Hour))
			}
			robot, err := (&Config{URL: "https://example.com/?access_token=t", At: At{Mobiles: []string{"13800000000"}}}).New(notifytest.NewEnv("zh"), nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := robot.Messages(n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestCustomMessage(t *testing.T) {
	file := notifytest.TemplateFile(t, `{{ define "short" }}{{ .Status }}: {{ .CommonLabels.topic }}{{ end }}`)
	golden := func(name string) string {
		return strings.Replace(notifytest.ReadGolden(t, name), "@13800000000 @zhang-san", "", 1)
	}
	_, markdown, _ := strings.Cut(golden("one-topic-firing.zh.markdown"), "\n\n")
	markdown = strings.Replace(markdown, "\n  \n", "\n", 1)
	text := strings.Replace(golden("one-topic-firing.zh.text"), "\n\n", "\n", 1)
	// A heading ends its line without the two spaces; in a user's own text every line
	// has them.
	first, rest, _ := strings.Cut(markdown, "\n")
	tests := []struct {
		name   string
		config Config
		title  string
		want   string
	}{
		{"a constant", Config{Message: "look here"}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "look here"},
		{"a title", Config{Title: "{{ .Status | toUpper }}\n!", Message: "x"}, "FIRING !", "x"},
		{"a title that prints nothing", Config{Title: "{{ .CommonLabels.nope }}", Message: "x"}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "x"},
		{"from a file", Config{Message: `{{ template "short" . }}`}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "firing: order_created＿＊"},
		{"lines", Config{Message: "# a\nb  \n\n* c\n"}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "# a  \nb  \n\n* c"},
		{"around the built-in text", Config{Message: "**oh**\n" + `{{ template "dingtalk.default" . }}`}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "**oh**  \n" + first + "  \n" + rest},
		{"around the built-in text, as a text", Config{Type: "text", Message: "oh\n" + `{{ template "dingtalk.default" . }}`}, "", "oh\n" + text},
		{"control characters", Config{Message: "a\x01b\tc\r\nd\u2028e"}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "ab c  \nd  \ne"},
		{"with a mention", Config{Message: "a\nb", At: At{Mobiles: []string{"13800000000"}}}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "@13800000000  \na  \nb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, "zh")
			notifytest.SendAll(t, g.notifier(t, tt.config, file), notifytest.Notification(notifytest.OneTopic()...))
			if m := g.Inbox()[0]; m.Text != tt.want || m.Title != tt.title {
				t.Errorf("got  %q with title %q\nwant %q with title %q", m.Text, m.Title, tt.want, tt.title)
			}
		})
	}
}

// A user's own text is split between lines; a line that is too long is cut.
func TestCustomMessageTooLong(t *testing.T) {
	line := strings.Repeat("0123456789", 10)
	long := strings.TrimSuffix(strings.Repeat(line+"\n", 400), "\n") // 400 lines of 101 bytes, with "  " 103
	g := newGroup(t, "zh")
	messages := notifytest.SendAll(t, g.notifier(t, Config{Message: long, At: At{Mobiles: []string{"13800000000"}}}), notifytest.Notification(notifytest.OneTopic()...))
	// "(1/3)  " and 184 lines are 7 + 184 × 103 = 18959 bytes of the 19000 that are
	// tried first.
	if got := notifytest.Units(messages); !slices.Equal(got, []string{"1/3", "2/3", "3/3"}) {
		t.Fatalf("got units %v, want three", got)
	}
	lines := 0
	for i, m := range g.Inbox() {
		lines += strings.Count(m.Text, line)
		if want := []string{"@13800000000 (1/3)  \n", "(2/3)  \n", "(3/3)  \n"}[i]; !strings.HasPrefix(m.Text, want) {
			t.Errorf("part %d: got %.30q, want it to begin with %q", i+1, m.Text, want)
		}
	}
	if lines != 400 {
		t.Errorf("got %d lines, want 400", lines)
	}

	for name, tt := range map[string]struct{ message, end string }{
		"bold":    {"**" + strings.Repeat("中", 9000) + "**", "中…**"},
		"code":    {"x `" + strings.Repeat("中", 9000) + "`", "中…`"},
		"italic":  {"* *" + strings.Repeat("中", 9000) + "*", "中…*"},
		"both":    {"**a `" + strings.Repeat("中", 9000) + "` b**", "中…`**"},
		"a link":  {strings.Repeat("中", 6300) + "[a](https://example.com/" + strings.Repeat("a", 900) + ")", "中…"},
		"no link": {"[a] " + strings.Repeat("中", 9000) + "[b](https://example.com)", "中…"},
		"plain":   {strings.Repeat("中", 9000), "中…"},
	} {
		g := newGroup(t, "zh")
		notifytest.SendAll(t, g.notifier(t, Config{Message: tt.message}), notifytest.Notification(notifytest.OneTopic()...))
		if m := g.Inbox()[0]; len(g.Inbox()) != 1 || !strings.HasSuffix(m.Text, tt.end) || strings.Contains(m.Text, "](") || !utf8.ValidString(m.Text) || len(m.Text) < 18000 {
			t.Errorf("%s: got %d messages, %d bytes, ending in %q, want one with closed markup", name, len(g.Inbox()), len(m.Text), m.Text[max(len(m.Text)-12, 0):])
		}
	}
}
