package chat_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// dialect marks every element, so that a test sees what wrote a line.
type dialect struct{}

func (dialect) Lead(text string) string { return "lead:" + text }
func (dialect) Item(_ *render.Document, item render.Item) string {
	return "item:" + item.Title + ":" + item.Headline
}
func (dialect) Field(text string, nested bool) string {
	return fmt.Sprintf("field(%v):%s", nested, text)
}
func (dialect) Note(text string) string { return "note:" + text }
func (dialect) Links(_ *render.Document, links []render.Link) string {
	return "links:" + links[0].Name + "=" + links[0].URL
}
func (dialect) Value(s string) string { return strings.ReplaceAll(s, "o", "0") }
func (dialect) URL(s string) string   { return strings.ToUpper(s) }

func TestBlocks(t *testing.T) {
	links := []render.Link{{Name: "all", URL: "https://x"}}
	for name, tt := range map[string]struct {
		doc  render.Document
		want []string
	}{
		"one alert": {render.Document{Lead: "l", Facts: []render.Field{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}, Colon: ":", Links: links},
			[]string{"lead:l", "field(false):a:1\nfield(false):b:2", "\nlinks:all=HTTPS://X"}},
		"alerts with fields are apart": {render.Document{Items: []render.Item{{Title: "t", Fields: []render.Field{{Name: "a", Value: "1"}}}, {Title: "u", Fields: []render.Field{{Name: "b", Value: "2"}}}}, Colon: ":"},
			[]string{"\nitem:t:\nfield(true):a:1", "\nitem:u:\nfield(true):b:2"}},
		"alerts of one line are together": {render.Document{Items: []render.Item{{Title: "t", Headline: "h"}, {Title: "u"}}},
			[]string{"\nitem:t:h", "item:u:"}},
		"notes": {render.Document{Notes: []string{"n"}}, []string{"\nnote:n"}},
		"empty": {render.Document{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := chat.Blocks(&tt.doc, dialect{}); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParts(t *testing.T) {
	if got := chat.Marker(1, 1) + "|" + chat.Marker(2, 3) + "|" + chat.Unit(2, 3); got != "| (2/3)|2/3" {
		t.Errorf("got %q", got)
	}
	lines := strings.Split(strings.TrimSuffix(strings.Repeat("0123456789\n", 5), "\n"), "\n")
	if got, want := chat.PackLines(lines, 40), []string{"(1/2)\n0123456789\n0123456789\n0123456789", "(2/2)\n0123456789\n0123456789"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	n := notifytest.Notification()
	n.AcceptedUnits = []string{"1/2"}
	if !chat.Accepted(n, "1/2") || chat.Accepted(n, "2/2") || chat.Limit(n, 100) != 100 {
		t.Errorf("got accepted %v and %v, limit %d", chat.Accepted(n, "1/2"), chat.Accepted(n, "2/2"), chat.Limit(n, 100))
	}
	if n.HalfSize = true; chat.Limit(n, 100) != 50 {
		t.Errorf("got limit %d at half size, want 50", chat.Limit(n, 100))
	}
}

func TestTarget(t *testing.T) {
	// printf %s secret | sha256sum
	if got := chat.Target("robot", "secret"); got != "robot/2bb80d53" {
		t.Errorf("got target %s", got)
	}
	for address, want := range map[string]string{
		"https://h/send?key=k&x=1": "k",
		"https://h/send?x=1":       "https://h/send?x=1",
		"https://h/%zz?key=k":      "https://h/%zz?key=k",
	} {
		if got := chat.QueryParameter(address, "key"); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}

func TestErrorTable(t *testing.T) {
	table := chat.ErrorTable{
		{Codes: "1 2", Class: notify.Permanent, Message: "one or two"},
		{Codes: "3", About: []string{"too fast", "限流"}, Class: notify.Rate, RetryAfter: time.Minute, Message: "rate"},
		{Codes: "3", Class: notify.Permanent, Message: "other"},
		{Codes: "4", About: []string{"length"}, Class: notify.TooLong, Message: "long"},
	}
	for _, tt := range []struct{ code, text, want string }{
		{"1", "", "one or two"}, {"2", "x", "one or two"}, {"12", "", ""}, {"", "", ""},
		{"3", "Too Fast!", "rate"}, {"3", "已限流", "rate"}, {"3", "x", "other"},
		{"4", "LENGTH", "long"}, {"4", "x", ""},
	} {
		got := ""
		if e := table.Find(tt.code, tt.text); e != nil {
			if got = e.Message; e.Code != tt.code || (got == "rate") != (e.RetryAfter == time.Minute) {
				t.Errorf("%s %q: got %+v", tt.code, tt.text, e)
			}
		}
		if got != tt.want {
			t.Errorf("%s %q: got %q, want %q", tt.code, tt.text, got, tt.want)
		}
	}
	if e := chat.WithVendorText(table.Find("1", ""), "Vendor", "why"); e.Message != `one or two; Vendor answered "why"` || table[0].Message != "one or two" {
		t.Errorf("got %q, and %q in the table", e.Message, table[0].Message)
	}
}

func TestMentions(t *testing.T) {
	compile := chat.NewCompiler(nil)
	mentions := compile.Mentions([]string{"a, b；a", "{{ .Nope }}", "{{ .CommonLabels.topic }}|c BAD\nd、e"}, "at", "users")
	if err := compile.Err(); err != nil {
		t.Fatal(err)
	}
	n := notifytest.Notification(notifytest.OneTopic()...)
	style := &notifytest.NewEnv("en").Style
	doc := render.NewDocument(n, style)
	got := mentions.Execute(doc, render.NewView(n, style), func(name render.Name) (string, bool) { return "@" + name.Text, len(name.Text) == 1 })
	if want := []string{"@a", "@b", "@c", "@d", "@e"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want each valid name once, %q", got, want)
	}
	if notes, want := strings.Join(doc.Notes, "\n"), "at.users[1]: template"; !strings.Contains(notes, want) {
		t.Errorf("got notes %q, want the failed template in them, %q", notes, want)
	}
}

func TestTemplates(t *testing.T) {
	env := notifytest.NewEnv("en")
	n := notifytest.Notification(notifytest.OneTopic()...)
	for name, tt := range map[string]struct{ src, want, note string }{
		"built-in":            {"", "", ""},
		"built-in by name":    {`{{ template "x.default" . }}`, "", ""},
		"around the built-in": {`a {{ template "x.default" . }} b`, "a built-in b", ""},
		"escaped values":      {"{{ .CommonLabels.cluster }}", "0rders", ""},
		"control characters":  {"a\x00\r\nb", "a\nb", ""},
		"failing":             {"{{ .Nope }}", "", "message: template"},
		"empty":               {`{{ " " }}`, "", "message: it prints nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			compile := chat.Compiler{}
			message := compile.Message("message", tt.src, "x.default")
			if err := compile.Err(); err != nil {
				t.Fatal(err)
			}
			doc := render.NewDocument(n, &env.Style)
			view := chat.EscapedView(render.NewView(n, &env.Style), dialect{}, func() string { return "built-in" })
			if got := message.Execute(doc, view); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if notes := strings.Join(doc.Notes, "\n"); tt.note == "" && notes != "" || !strings.Contains(notes, tt.note) {
				t.Errorf("got notes %q, want %q", notes, tt.note)
			}
		})
	}
}

func TestLineTemplates(t *testing.T) {
	env := notifytest.NewEnv("en")
	n := notifytest.Notification(notifytest.OneTopic()...)
	for name, tt := range map[string]struct{ src, want, note string }{
		"none":    {"", "default", ""},
		"own":     {"{{ .Status }}\n!", "firing !", ""},
		"empty":   {"{{ .CommonLabels.nope }}", "default", ""},
		"long":    {"0123456789abcdef", "0123456…", ""},
		"failing": {"{{ .Nope }}", "default", "title: template"},
	} {
		t.Run(name, func(t *testing.T) {
			compile := chat.Compiler{}
			title := compile.Line("title", tt.src)
			doc := render.NewDocument(n, &env.Style)
			if got := title.ExecuteLine(doc, render.NewView(n, &env.Style), 10, "default"); got != tt.want || compile.Err() != nil {
				t.Errorf("got %q and %v, want %q", got, compile.Err(), tt.want)
			}
			if notes := strings.Join(doc.Notes, "\n"); tt.note == "" && notes != "" || !strings.Contains(notes, tt.note) {
				t.Errorf("got notes %q, want %q", notes, tt.note)
			}
		})
	}
}

// A value becomes everybody neither by itself nor behind the markup of a mention that the
// template has. The expected texts have the full-width form of a word's first letter.
func TestValuesAreNotEverybodyInText(t *testing.T) {
	style := &notifytest.NewEnv("en").Style
	n := notifytest.Notification(notifytest.OneTopic()...)
	n.RouteLabels = alert.Labels{"all": "all", "here": "!here", "at": "@ALL", "a": "a", "ll": "ll", "name": "all-hands", "other": "alliance"}
	for _, tt := range []struct{ name, src, want string }{
		{"Feishu", "<at id={{ .RouteLabels.all }}></at>", "<at id=ａll></at>"},
		{"Feishu, quoted", `<at id="{{ .RouteLabels.all }}"></at>`, `<at id="ａll"></at>`},
		{"Slack", "<!{{ .RouteLabels.all }}> <{{ .RouteLabels.here }}>", "<!ａll> <!ｈere>"},
		{"WeCom", "<@{{ .RouteLabels.all }}> <{{ .RouteLabels.at }}>", "<@ａll> <@ＡLL>"},
		{"DingTalk and Mattermost", "@{{ .RouteLabels.all }}, @{{ .RouteLabels.name }}", "@ａll, @ａll-hands"},
		{"two values", "@{{ .RouteLabels.a }}{{ .RouteLabels.ll }}", "@ａll"},
		{"a longer name", "@{{ .RouteLabels.other }}", "@alliance"},
		{"outside of a mention", "env={{ .RouteLabels.all }} <b>{{ .RouteLabels.all }}</b> <https://h/{{ .RouteLabels.all }}|x>", "env=all <b>all</b> <https://h/all|x>"},
		{"the configuration's own", `@all <at id=all></at> <!here> {{ if eq .RouteLabels.all "all" }}<@all>{{ end }}`, "@all <at id=all></at> <!here> <@all>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			compile := chat.Compiler{}
			message, line := compile.Message("message", tt.src, "x.default"), compile.Line("title", tt.src)
			if err := compile.Err(); err != nil {
				t.Fatal(err)
			}
			doc, view := render.NewDocument(n, style), render.NewView(n, style)
			if got := message.Execute(doc, view); got != tt.want {
				t.Errorf("got message %q, want %q", got, tt.want)
			}
			if got := line.ExecuteLine(doc, view, 1000, ""); got != tt.want {
				t.Errorf("got line %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCompilerErrors(t *testing.T) {
	for want, use := range map[string]func(*chat.Compiler){
		`message: template "x" is not defined`: func(c *chat.Compiler) { c.Message("message", `{{ template "x" . }}`, "y") },
		"title: ":                              func(c *chat.Compiler) { c.Line("title", "{{") },
		"at.users[1]: ":                        func(c *chat.Compiler) { c.Mentions([]string{"a", "{{ nope }}"}, "at", "users") },
		"first: ":                              func(c *chat.Compiler) { c.Text("{{", "first"); c.Text("{{", "second") },
		"url: the template is wrong":           func(c *chat.Compiler) { c.Address("url", "https://h/?key=hunter2{{ nope }}") },
	} {
		c := &chat.Compiler{}
		use(c)
		if err := c.Err(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

func TestAddress(t *testing.T) {
	env := notifytest.NewEnv("en")
	view := render.NewView(notifytest.Notification(notifytest.OneTopic()...), &env.Style)
	compile := chat.Compiler{}
	if got, err := compile.Address("url", "https://h/?key={{ .CommonLabels.cluster }}").Execute(view); got != "https://h/?key=orders" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := compile.Address("url", "https://h/hook/{{ .CommonLabels.nothing }}?a=..&b={{ .Receiver }}&c={{ \"a&b\" }}").Execute(view); got != "https://h/hook/?a=..&b="+view.Data().Receiver+"&c=a&b" || err != nil {
		t.Errorf("got %q, %v; want only what the actions print encoded", got, err)
	}
	_, err := compile.Address("url", "https://h/?key=hunter2{{ index .Alerts 9 }}").Execute(view)
	var e *notify.Error
	if !errors.As(err, &e) || e.Class != notify.Permanent || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "url") {
		t.Errorf("got %v from a template that fails, want a permanent error without the address", err)
	}
}

func TestValidateRobotURL(t *testing.T) {
	for address, want := range map[setting.Secret][]string{
		"https://h/send?key=k":                   nil,
		"https://h/send?key={{ .X }}":            nil,
		"http://127.0.0.1/send?key=k":            nil,
		"":                                       {"[url]: is missing: it is the robot's webhook address, EXAMPLE"},
		"key":                                    {"[url]: is not an https address: it looks like EXAMPLE"},
		"ftp://h/?key=k":                         {"[url]: is not an https address"},
		"https://h/send":                         {"[url]: has no key: copy"},
		"http://h/send?key=k":                    {"?[url]: is plain http: everybody on the way can read the robot's key"},
		"https://{{ .X }}/send?key=k":            {"[url]: only what follows the question mark can be a template"},
		"https://h/{{ .X }}?key=k":               {"[url]: only what follows the question mark can be a template"},
		"https://h.example.com{{ .X }}?key=k":    {"[url]: only what follows the question mark can be a template"},
		"https://user:hunter2@h/send?x={{ .X }}": nil,
	} {
		t.Run(string(address), func(t *testing.T) {
			notifytest.CheckFaults(t, func(f *setting.Faults) { chat.ValidateRobotURL(f, address, "key", "EXAMPLE") }, want, "hunter2")
		})
	}
}
