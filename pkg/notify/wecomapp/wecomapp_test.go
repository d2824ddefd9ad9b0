package wecomapp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

const (
	corp   = "ww0123456789abcdef"
	secret = "s3cr3t-Qm9vdHN0cmFwLXNlY3JldA-_0"
	agent  = 1000002
)

// fakeAPI is the API of a company with one application.
type fakeAPI struct {
	*wecom.Apps
	*notifytest.Fake
	api string
}

func newFakeAPI(t *testing.T, language string) *fakeAPI {
	t.Helper()
	apps, f := notifytest.StartFake(t, language, wecom.NewApps)
	apps.Add(wecom.App{CorpID: corp, Secret: secret, AgentID: agent, Users: []string{"u1", "U2", "u3"}, Unlicensed: []string{"u3"}, Parties: []string{"1", "7"}, Tags: []string{"9"}})
	return &fakeAPI{apps, f, f.URL + "/cgi-bin/"}
}

// notifier returns the notifier of c, in which the application is filled in, and u1 if
// there are no recipients.
func (o *fakeAPI) notifier(t *testing.T, c Config, files ...string) notify.Notifier {
	t.Helper()
	if c.AgentID == "" {
		c.AgentID = fmt.Sprint(agent)
	}
	if c.ToUser+c.ToParty+c.ToTag == "" {
		c.ToUser = "u1"
	}
	c.Inherit(Global{APIURL: o.api, APISecret: secret, CorpID: corp})
	return notifytest.New(t, &c, o.Env, files...)
}

func TestAcceptedUnits(t *testing.T) {
	o := newFakeAPI(t, "zh")
	to := o.notifier(t, Config{ToUser: "u1|u2", ToParty: "7", ToTag: "x"})
	n := notifytest.Notification(notifytest.OneTopic()...)
	for _, tt := range []struct{ accepted, want []string }{
		{nil, []string{"1/1 u1", "1/1 u2", "1/1 party 7", "x"}},
		{[]string{"1/1 u1", "x"}, []string{"1/1 u2", "1/1 party 7"}},
		{[]string{"1/1 u1", "1/1 u2", "1/1 party 7"}, []string{"x"}},
		{[]string{"1/1 u1", "1/1 u2", "1/1 party 7", "x"}, nil},
	} {
		n.AcceptedUnits = tt.accepted
		messages, err := to.Messages(n)
		if err != nil || !slices.Equal(notifytest.Units(messages), tt.want) {
			t.Errorf("accepted %v: got units %v, %v; want %v", tt.accepted, notifytest.Units(messages), err, tt.want)
		}
	}
	// Only recipients that have not received it do.
	n.AcceptedUnits = []string{"1/1 u1", "x"}
	notifytest.SendAll(t, to, n)
	if got := o.Inbox(); len(got) != 1 || !slices.Equal(got[0].Users, []string{"u2"}) || !slices.Equal(got[0].Parties, []string{"7"}) {
		t.Errorf("got %+v, want one message to u2 and party 7", got)
	}
	// An invalid recipient needs no request.
	n.AcceptedUnits = []string{"1/1 u1", "1/1 u2", "1/1 party 7"}
	messages, err := to.Messages(n)
	if err != nil {
		t.Fatal(err)
	}
	calls := o.Calls(wecom.SendPath)
	out := messages[0].Send(t.Context())
	if len(out) != 1 || notify.AsError(out[0].Err).Class != notify.Permanent || o.Calls(wecom.SendPath) != calls {
		t.Errorf("got %+v, want a permanent error without a request", out)
	}
}

func TestRecipients(t *testing.T) {
	named := notifytest.OneTopic()
	named[0].Annotations["tos"] = "u1, U2;u1"
	tests := []struct {
		name                 string
		config               Config
		users, parties, tags []string
		fails                string
	}{
		{"a list", Config{ToUser: "u1|U2", ToParty: "7", ToTag: "9"}, []string{"u1", "U2"}, []string{"7"}, []string{"9"}, ""},
		{"recipients that the sender named", Config{ToUser: "{{ .CommonAnnotations.tos }}"}, []string{"u1", "U2"}, nil, nil, ""},
		{"everybody", Config{ToUser: "u1,@all", ToParty: "7"}, []string{"u1", "U2", "u3"}, nil, nil, ""},
		{"everybody by a condition", Config{ToUser: `{{ if eq .Status "firing" }}@all{{ end }}`}, []string{"u1", "U2", "u3"}, nil, nil, ""},
		{"the root department", Config{ToParty: "1"}, nil, []string{"1"}, nil, ""},
		{"no recipients", Config{ToUser: "{{ .CommonAnnotations.nope }}"}, nil, nil, nil, "there are no recipients"},
		{"too many recipients", Config{ToUser: `{{ range 201 }}u{{ . }},{{ end }}`}, nil, nil, nil, "201 recipients are more than 200"},
		{"one of two templates fails", Config{ToUser: "u1", ToTag: "{{ (index .Alerts 9).Labels.x }}"}, []string{"u1"}, nil, nil, ""},
		{"a template that fails", Config{ToTag: "{{ .Nope }}"}, nil, nil, nil, "to_tag: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newFakeAPI(t, "zh")
			to := o.notifier(t, tt.config)
			if tt.fails != "" {
				if _, err := to.Messages(notifytest.Notification(named...)); err == nil || !strings.HasPrefix(err.Error(), tt.fails) {
					t.Errorf("got error %v, want %q", err, tt.fails)
				}
				return
			}
			notifytest.SendAll(t, to, notifytest.Notification(named...))
			got := o.Inbox()
			if len(got) != 1 || !slices.Equal(got[0].Users, tt.users) || !slices.Equal(got[0].Parties, tt.parties) || !slices.Equal(got[0].Tags, tt.tags) {
				t.Errorf("got %+v, want users %v, parties %v, tags %v", got, tt.users, tt.parties, tt.tags)
			}
		})
	}
}

// An alert can name recipients, but not everybody, by the user @all or by the department
// that all others are in. The others are notified.
func TestAlertsCannotNotifyEverybody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config Config
		unit   string
	}{
		{"alone", Config{ToUser: "u1,{{ .CommonAnnotations.all }}"}, "@all"},
		{"among others", Config{ToUser: "u1|{{ .CommonAnnotations.list }}"}, "@all"},
		{"partly from the configuration", Config{ToUser: "u1,@{{ .CommonAnnotations.word }}"}, "@all"},
		{"partly from two values", Config{ToUser: "u1,{{ .CommonAnnotations.sign }}{{ .CommonAnnotations.word }}"}, "@all"},
		{"the root department", Config{ToUser: "u1", ToParty: "{{ .CommonAnnotations.root }}"}, "01"},
		{"the root department by a digit", Config{ToUser: "u1", ToParty: "00{{ .CommonAnnotations.one }}"}, "001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newFakeAPI(t, "zh")
			named := notifytest.OneTopic()
			maps.Copy(named[0].Annotations, alert.Labels{"all": "@all", "list": "@all|U2", "word": "all", "sign": "@", "root": "01", "one": "1"})
			messages, err := o.notifier(t, tt.config).Messages(notifytest.Notification(named...))
			if err != nil || len(messages) != 1 {
				t.Fatalf("got %d messages and error %v, want 1", len(messages), err)
			}
			var refused []string
			for _, outcome := range messages[0].Send(t.Context()) {
				if outcome.Err != nil {
					refused = append(refused, outcome.Unit)
					if !strings.Contains(outcome.Err.Error(), "everybody") {
						t.Errorf("got error %v, want one about everybody", outcome.Err)
					}
				}
			}
			if !slices.Equal(refused, []string{tt.unit}) {
				t.Errorf("got %q refused, want %q", refused, tt.unit)
			}
			if got := o.Inbox(); len(got) != 1 || slices.Contains(got[0].Users, "u3") || len(got[0].Parties) > 0 {
				t.Errorf("got %+v, want one message that does not reach u3", got)
			}
		})
	}
}

func TestPayload(t *testing.T) {
	n := notifytest.Notification(&alert.Alert{Labels: alert.Labels{"alertname": "A&B"}, StartsAt: notifytest.At})
	for kind, want := range map[string]string{
		"":         `{"touser":"u1|u2","toparty":"7","msgtype":"text","agentid":1000002,"text":{"content":"[告警] A&B\n开始：11-20 23:10:10\n\n<a href=\"https://alerts.example.com\">全部告警</a>"},"enable_duplicate_check":1,"duplicate_check_interval":300}`,
		"markdown": `{"touser":"u1|u2","toparty":"7","msgtype":"markdown","agentid":1000002,"markdown":{"content":"**<font color=\"warning\">[告警] A&B</font>**\n> 开始：11-20 23:10:10\n\n[全部告警](https://alerts.example.com)"},"enable_duplicate_check":1,"duplicate_check_interval":300}`,
	} {
		o := newFakeAPI(t, "zh")
		to := o.notifier(t, Config{ToUser: "u1,u2", ToParty: "7", MessageType: kind})
		sent := notifytest.RecordBodies(o.Env)
		messages := notifytest.SendAll(t, to, n)
		if len(*sent) != 1 || (*sent)[0] != want {
			t.Errorf("got  %s\nwant %s", *sent, want)
		}
		const text = "[告警] A&B\n开始：11-20 23:10:10\n\n全部告警: https://alerts.example.com"
		if preview := strings.ReplaceAll(messages[0].Text, "\n  ", "\n"); preview != text || messages[0].Target != "wecom_app/"+corp+"/1000002" {
			t.Errorf("got preview %q and target %q, want %q", messages[0].Text, messages[0].Target, text)
		}
	}
}

func TestCustomMessage(t *testing.T) {
	file := notifytest.TemplateFile(t, `{{ define "short" }}{{ .Status }}: {{ .CommonLabels.topic }}{{ end }}`)
	builtin := notifytest.ReadGolden(t, "one-topic-firing.zh.text")
	long := strings.TrimSuffix(strings.Repeat("0123456789012345678901234567890123456789\n", 75), "\n") // 75 lines of 41 bytes
	for _, tt := range []struct {
		message string
		want    []string
	}{
		{"look here", []string{"look here"}},
		{`{{ template "short" . }}`, []string{"firing: order_created_*"}},
		{"oh\n" + `{{ template "wecom.default" . }}`, []string{"oh\n" + builtin}},
		{"a\x01b\tc\r\nd\u2028e", []string{"ab c\nd\ne"}},
		// "(1/2)" and 49 lines are 5 + 49 × 41 = 2014 bytes.
		{long, []string{"(1/2)\n" + long[:49*41-1], "(2/2)\n" + long[49*41:]}},
	} {
		o := newFakeAPI(t, "zh")
		notifytest.SendAll(t, o.notifier(t, Config{Message: tt.message}, file), notifytest.Notification(notifytest.OneTopic()...))
		var got []string
		for _, m := range o.Inbox() {
			got = append(got, m.Content)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("got  %q\nwant %q", got, tt.want)
		}
	}
}

func TestNewErrors(t *testing.T) {
	for want, c := range map[string]Config{
		"message: template \"x\" is not defined": {AgentID: "1", Message: `{{ template "x" . }}`},
		"to_user: ":                              {AgentID: "1", ToUser: "{{"},
		"to_party: ":                             {AgentID: "1", ToParty: "{{ nope }}"},
		"to_tag: ":                               {AgentID: "1", ToTag: "{{ nope }}"},
		"agent_id: ":                             {},
	} {
		c.APISecret = setting.Secret(secret)
		if _, err := c.New(notifytest.NewEnv("zh"), nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

// sendOne sends one alert to u1 and returns the error.
func sendOne(t *testing.T, ctx context.Context, to notify.Notifier) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, to, notifytest.Notification(notifytest.OneTopic()...), secret, firstToken)
}

// firstToken is the first token of the application:
// printf %s ww0123456789abcdef/s3cr3t-Qm9vdHN0cmFwLXNlY3JldA-_0/1 | sha256sum
const firstToken = "decaf3dd958a38ba87c646f8b0401873f7194c2f9eaf422e386b54bc69ca38ff"

// WeCom accepts a message that it can deliver to any recipient. The others are permanent
// errors.
func TestPartialDelivery(t *testing.T) {
	o := newFakeAPI(t, "zh")
	messages, err := o.notifier(t, Config{ToUser: "u1,U2,u3,Ghost,<@all>", ToParty: "7,8", ToTag: "9|10"}).Messages(notifytest.Notification(notifytest.OneTopic()...))
	if err != nil || len(messages) != 1 {
		t.Fatalf("got %d messages, %v, want 1", len(messages), err)
	}
	want := map[string]string{
		"1/1 u1": "", "1/1 U2": "", "1/1 party 7": "", "1/1 tag 9": "",
		"1/1 u3":      "no licence was bought for user u3",
		"1/1 Ghost":   "WeCom knows no user Ghost",
		"1/1 party 8": "WeCom knows no department 8",
		"1/1 tag 10":  "WeCom knows no tag 10",
		"<@all>":      `"<@all>" is no recipient`,
	}
	outcomes := messages[0].Send(t.Context())
	if len(outcomes) != len(want) || len(messages[0].Units) != len(want) {
		t.Errorf("got units %v and outcomes %v, want one of each recipient", messages[0].Units, outcomes)
	}
	for i, o := range outcomes {
		text, ok := want[o.Unit]
		if !ok || o.Unit != messages[0].Units[i] || (o.Err == nil) != (text == "") {
			t.Errorf("%s: got %v, want %q", o.Unit, o.Err, text)
		}
		if o.Err != nil && (notify.AsError(o.Err).Class != notify.Permanent || !strings.Contains(o.Err.Error(), text)) {
			t.Errorf("%s: got %v, want %q", o.Unit, o.Err, text)
		}
	}
	if got := o.Inbox(); len(got) != 1 || !slices.Equal(got[0].Users, []string{"u1", "U2"}) {
		t.Errorf("got %+v, want one message to u1 and U2", got)
	}
}

// A retry after a lost response is not read twice.
func TestRetryAfterLostResponse(t *testing.T) {
	o := newFakeAPI(t, "zh")
	to := o.notifier(t, Config{})
	o.Fail(wecom.SendPath, 1, fault.DropAfterAccept)
	if err := sendOne(t, t.Context(), to); err == nil || !err.Ambiguous || err.Class != notify.Retry {
		t.Fatalf("got %+v, want an ambiguous error", err)
	}
	o.Advance(4 * time.Minute)
	if err := sendOne(t, t.Context(), to); err != nil || len(o.Inbox()) != 1 || o.Dropped() != 1 {
		t.Errorf("got %v, %d messages, %d dropped; want one of each", err, len(o.Inbox()), o.Dropped())
	}
}
