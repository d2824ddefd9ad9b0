package wecomrobot

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

const key = "693a91f6-7aaa-4bc4-97a0-0ec2sifa5aaa"

// group is a fake of WeCom with one robot.
type group struct {
	*wecom.Server
	*notifytest.Fake
	address string // of the robot
}

func newGroup(t *testing.T, language string) *group {
	t.Helper()
	s, f := notifytest.StartFake(t, language, wecom.New)
	s.Add(key)
	return &group{s, f, f.URL + wecom.Path + "?key=" + key}
}

// notifier returns the notifier of c with the robot's address.
func (g *group) notifier(t *testing.T, c Config, files ...string) notify.Notifier {
	t.Helper()
	c.URL = setting.Secret(g.address)
	return notifytest.New(t, &c, g.Env, files...)
}

func TestAcceptedUnits(t *testing.T) {
	g := newGroup(t, "zh")
	robot := g.notifier(t, Config{MentionMobiles: []string{"13800000000"}})
	n := notifytest.Notification(oneTopic()...)
	for _, tt := range []struct{ accepted, want []string }{
		{nil, []string{"1/1", "mention"}},
		{[]string{"1/1"}, []string{"mention"}},
		{[]string{"mention"}, []string{"1/1"}},
		{[]string{"mention", "1/1"}, nil},
	} {
		n.AcceptedUnits = tt.accepted
		messages, err := robot.Messages(n)
		if err != nil || !slices.Equal(notifytest.Units(messages), tt.want) {
			t.Errorf("accepted %v: got units %v, %v; want %v", tt.accepted, notifytest.Units(messages), err, tt.want)
		}
	}
}

func TestMention(t *testing.T) {
	fromAlert := []*alert.Alert{{Labels: alert.Labels{"alertname": "A"}, Annotations: alert.Labels{"all": "@all|x", "word": "all"}, StartsAt: notifytest.At}}
	tests := []struct {
		name           string
		config         Config
		alerts         []*alert.Alert
		users, mobiles [][]string // of each message
	}{
		{"no mentions", Config{}, oneTopic(), [][]string{nil}, [][]string{nil}},
		{"users inside the message", Config{MentionUsers: []string{"u1", "u2"}}, oneTopic(), [][]string{{"u1", "u2"}}, [][]string{nil}},
		{"phones in a second message", Config{MentionMobiles: []string{"13800000000"}}, oneTopic(), [][]string{nil, nil}, [][]string{nil, {"13800000000"}}},
		{"everybody in a second message", Config{MentionUsers: []string{"@all"}}, oneTopic(), [][]string{nil, {"@all"}}, [][]string{nil, nil}},
		{"users and phones in the second", Config{MentionUsers: []string{"u1"}, MentionMobiles: []string{"13800000000", "@all"}}, oneTopic(),
			[][]string{nil, {"u1"}}, [][]string{nil, {"13800000000", "@all"}}},
		{"no mentions of resolved alerts", Config{MentionUsers: []string{"u1", "@all"}, MentionMobiles: []string{"13800000000"}}, notifytest.Resolved(oneTopic()...), [][]string{nil}, [][]string{nil}},
		{"people that the alert names", Config{MentionMobiles: []string{"{{ .CommonAnnotations.phones }}", "13800000000"}, MentionUsers: []string{"{{ .CommonAnnotations.bad }}", "{{ index .Alerts 9 }}"}},
			[]*alert.Alert{{Labels: alert.Labels{"alertname": "A"}, Annotations: alert.Labels{"phones": "13800000001, 13800000000;x", "bad": "u><@all>"}, StartsAt: notifytest.At}},
			[][]string{nil, nil}, [][]string{nil, {"13800000001", "13800000000"}}},
		{"everybody whom an alert names", Config{MentionMobiles: []string{"{{ .CommonAnnotations.all }}"}, MentionUsers: []string{"{{ .CommonAnnotations.all }}", "@{{ .CommonAnnotations.word }}", "{{ .CommonAnnotations.all | toLower }}"}},
			fromAlert, [][]string{{"x"}}, [][]string{nil}},
		{"everybody whom a condition names", Config{MentionUsers: []string{`{{ if eq .CommonLabels.alertname "A" }}@all{{ end }}`}}, fromAlert, [][]string{nil, {"@all"}}, [][]string{nil, nil}},
		{"everybody in a string of the template", Config{MentionMobiles: []string{`{{ "@all" }}`}}, fromAlert, [][]string{nil, nil}, [][]string{nil, {"@all"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, "zh")
			notifytest.SendAll(t, g.notifier(t, tt.config), notifytest.Notification(tt.alerts...))
			inbox := g.Inbox()
			if len(inbox) != len(tt.users) {
				t.Fatalf("got %d messages, want %d: %+v", len(inbox), len(tt.users), inbox)
			}
			for i, m := range inbox {
				if !slices.Equal(m.Users, tt.users[i]) || !slices.Equal(m.Mobiles, tt.mobiles[i]) {
					t.Errorf("message %d: got mentions of %v and %v, want %v and %v", i+1, m.Users, m.Mobiles, tt.users[i], tt.mobiles[i])
				}
			}
			if len(inbox) == 2 && (inbox[1].Type != "text" || !strings.HasPrefix(inbox[1].Content, "[告警] ")) {
				t.Errorf("got %s %q as the second message, want a text with the title", inbox[1].Type, inbox[1].Content)
			}
		})
	}
}

func TestPayload(t *testing.T) {
	a := &alert.Alert{Labels: alert.Labels{"alertname": "A&B"}, StartsAt: notifytest.At}
	n := notifytest.Notification(a)
	got := bodies(t, n, notifytest.NewEnv("zh"), &Config{URL: "https://example.com/?key=k", MentionMobiles: []string{"13800000000"}, MentionUsers: []string{"u1"}})
	want := []string{
		`{"msgtype":"markdown","markdown":{"content":"**<font color=\"warning\">[告警] A&B</font>**\n> 开始：11-20 23:10:10\n\n[全部告警](https://alerts.example.com)"}}`,
		`{"msgtype":"text","text":{"content":"[告警] A&B","mentioned_list":["u1"],"mentioned_mobile_list":["13800000000"]}}`,
	}
	if len(got) != 2 || string(got[0]) != want[0] || string(got[1]) != want[1] {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPreview(t *testing.T) {
	g := newGroup(t, "zh")
	n := notifytest.Notification(mixed()...)
	messages := notifytest.SendAll(t, g.notifier(t, Config{MentionUsers: []string{"u1", "u2"}}), n)
	want := `[告警] 消费积压 · orders / order-worker（1 个 topic，另有 2 个已恢复）
  级别：warning
  集群：orders
  消费组：order-worker

order_created_＊ 积压 12,345 条，阈值 2,000 条
  最慢分区：#3 5,000 · #7 4,100
  开始：11-20 23:05:10（已 5 分钟）

order_paid 已恢复，持续了 15 分钟，最后读数 800 条
  开始：11-20 22:55:10
  恢复：11-20 23:10:10

order-old 已恢复，持续了 1 小时
  详情：消费组 order-worker 已不再有主题 order-old，告警结束
  开始：11-20 22:10:10
  恢复：11-20 23:10:10

全部告警: https://alerts.example.com

@u1 @u2`
	if messages[0].Text != want {
		t.Errorf("got\n%s\nwant\n%s", messages[0].Text, want)
	}
}

// bodies returns the bodies of the requests that send n.
func bodies(t *testing.T, n *alert.Notification, e *notify.Env, c *Config) [][]byte {
	t.Helper()
	record := &recorder{}
	e.HTTP = record.client()
	notifytest.SendAll(t, notifytest.New(t, c, e), n)
	return record.bodies
}

// content returns the text of a request.
func content(t *testing.T, body []byte) string {
	t.Helper()
	var m struct{ Text, Markdown struct{ Content string } }
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatalf("got body %s, want JSON: %v", body, err)
	}
	return m.Text.Content + m.Markdown.Content
}

// A template in the address chooses the robot.
func TestAddressTemplate(t *testing.T) {
	g := newGroup(t, "zh")
	g.Add("other")
	g.address = strings.Replace(g.address, key, "{{ .CommonLabels.robot | urlquery }}", 1)
	a := oneTopic()
	a[0].Labels["robot"] = "other"
	notifytest.SendAll(t, g.notifier(t, Config{}), notifytest.Notification(a...))
	if got := g.Inbox(); len(got) != 1 || got[0].Key != "other" {
		t.Errorf("got %+v, want one message of the robot other", got)
	}
}

func BenchmarkMessages(b *testing.B) {
	n := notifytest.Notification()
	for i := range 5000 {
		n.Alerts = append(n.Alerts, lagAlert(fmt.Sprintf("topic-%04d", i), fmt.Sprint(2001+i*7919%100000), "2000", "", time.Hour))
	}
	robot, err := (&Config{URL: "https://example.com/?key=k"}).New(notifytest.NewEnv("zh"), nil)
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

// recorder accepts every request and keeps its body.
type recorder struct{ bodies [][]byte }

func (r *recorder) client() *http.Client { return &http.Client{Transport: r} }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	r.bodies = append(r.bodies, body)
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"errcode":0,"errmsg":"ok"}`))}, err
}

// sendOne sends one alert and returns the error.
func sendOne(t *testing.T, ctx context.Context, to notify.Notifier) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, to, notifytest.Notification(oneTopic()...), key)
}

// The vendor counts the quota: the 21st message of a minute is to be sent later.
func TestQuota(t *testing.T) {
	g := newGroup(t, "zh")
	robot := g.notifier(t, Config{})
	for i := range wecom.PerMinute {
		if err := sendOne(t, t.Context(), robot); err != nil {
			t.Fatalf("message %d: got %v, want it accepted", i+1, err)
		}
	}
	if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Rate || err.RetryAfter != time.Minute {
		t.Errorf("message 21: got %+v, want a rate error with a minute to wait", err)
	}
}

func TestCustomMessage(t *testing.T) {
	file := notifytest.TemplateFile(t, `{{ define "short" }}{{ .Status }}: {{ .CommonLabels.topic }}{{ end }}`)
	long := strings.TrimSuffix(strings.Repeat("0123456789012345678901234567890123456789\n", 150), "\n") // 150 lines of 41 bytes
	builtin := notifytest.ReadGolden(t, "one-topic-firing.zh.md")
	tests := []struct {
		name, message string
		want          []string
	}{
		{"a constant", "look here", []string{"look here"}},
		{"from a file", `{{ template "short" . }}`, []string{"firing: order_created_＊"}},
		{"around the built-in text", `**oh**` + "\n" + `{{ template "wecom.default" . }}`, []string{"**oh**\n" + builtin}},
		// "(1/2)" and 99 lines are 5 + 99 × 41 = 4064 bytes.
		{"too long", long, []string{"(1/2)\n" + long[:99*41-1], "(2/2)\n" + long[99*41:]}},
		{"characters that the vendor rejects", "a\x01b\tc\r\nd\u2028e", []string{"ab c\nd\ne"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, "zh")
			notifytest.SendAll(t, g.notifier(t, Config{Message: tt.message}, file), notifytest.Notification(oneTopic()...))
			var got []string
			for _, m := range g.Inbox() {
				got = append(got, m.Content)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestNewErrors(t *testing.T) {
	for want, c := range map[string]Config{
		"message: template \"x\" is not defined": {Message: `{{ template "x" . }}`},
		"mention_mobiles[0]: ":                   {MentionMobiles: []string{"{{"}},
		"mention_users[0]: ":                     {MentionUsers: []string{"{{ nope }}"}},
		"url: ":                                  {URL: "https://example.com/?key=" + key + "{{ nope }}"},
	} {
		if c.URL == "" {
			c.URL = "https://example.com/?key=k"
		}
		_, err := c.New(notifytest.NewEnv("zh"), nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), key) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}
