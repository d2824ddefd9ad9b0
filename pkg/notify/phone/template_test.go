package phone

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/pkg/alert"
	"tocsin/pkg/render"
)

var style = &render.Style{Language: "zh", Location: time.UTC}

func newView() *render.View { return render.NewView(newNotification(), style) }

func newNotification() *alert.Notification {
	return &alert.Notification{ID: "n1", Alerts: []*alert.Alert{{
		Labels: alert.Labels{"alertname": "订单消费积压告警", "phones": "13800000000; +14155550100", "link": "see http://a.example.com/b", "instance": "10.0.0.5"},
	}}}
}

func TestRecipientsOfTemplates(t *testing.T) {
	templates, err := NewTemplates(nil, []string{"{{ .CommonLabels.phones }}", "13800000001"}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	doc := render.NewDocument(newNotification(), style)
	got, err := templates.Recipients(doc, newView(), 3)
	if err != nil || !slices.Equal(got.Domestic, []string{"+8613800000000", "+8613800000001"}) || !slices.Equal(got.International, []string{"+14155550100"}) {
		t.Errorf("got %+v, %v; want two domestic numbers and one international", got, err)
	}
	if _, err := templates.Recipients(doc, newView(), 2); err == nil {
		t.Error("got no error for three recipients, want one for a limit of two")
	}
}

// A template that fails does not keep the others from being notified.
func TestFailingRecipients(t *testing.T) {
	const failing = "{{ (index .Alerts 7).Labels.x }}"
	for _, tt := range []struct {
		name  string
		to    []string
		want  []string
		fails string
	}{
		{"one of two", []string{failing, "13800000000"}, []string{"+8613800000000"}, ""},
		{"all", []string{"{{ .CommonLabels.none }}", failing}, nil, "to[1]: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			templates, err := NewTemplates(nil, tt.to, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			doc := render.NewDocument(newNotification(), style)
			got, err := templates.Recipients(doc, newView(), 9)
			if tt.fails != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.fails) {
					t.Errorf("got error %v, want it to begin with %s", err, tt.fails)
				}
				return
			}
			if err != nil || !slices.Equal(got.Domestic, tt.want) {
				t.Errorf("got %+v and error %v, want %v", got, err, tt.want)
			}
			if len(doc.Notes) != 1 || !strings.Contains(doc.Notes[0], "to[0]") {
				t.Errorf("got notes %q, want one on to[0]", doc.Notes)
			}
		})
	}
}

func TestParams(t *testing.T) {
	params := []string{"{{ .CommonLabels.alertname }}", "{{ .CommonLabels.link }}", "{{ .CommonLabels.instance }}", "{{ (index .Alerts 7).Labels.x }}", "{{ .CommonLabels.none }}"}
	for _, tt := range []struct {
		name     string
		params   []string
		length   int
		halfSize bool
		want     []string
	}{
		{"length of the configuration", params, 7, false, []string{"订单消费积压告", "see", "10.0.0.", "[告警] 订单", "-"}},
		{"half size", params, 7, true, []string{"订单消费积压", "see", "10_0_0", "[告警] 订", "-"}},
		{"a failed template, with room for the note", params[3:4], 0, false, []string{"[告警] 订单消费积压告警（模板出错）"}},
		{"default length", []string{strings.Repeat("长", 30)}, 0, false, []string{strings.Repeat("长", 20)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			templates, err := NewTemplates(nil, nil, tt.params, tt.length)
			if err != nil {
				t.Fatal(err)
			}
			sender := Sender{Templates: templates, Style: style}
			if got := sender.Params(render.NewDocument(newNotification(), style), newView(), tt.halfSize); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNewTemplatesNamesTheKeyInErrors(t *testing.T) {
	if _, err := NewTemplates(nil, []string{"1", "{{"}, nil, 0); err == nil || !strings.HasPrefix(err.Error(), "to[1]: ") {
		t.Errorf("got error %v, want it to begin with to[1]: ", err)
	}
	if _, err := NewTemplates(nil, nil, []string{"{{ nope }}"}, 0); err == nil || !strings.HasPrefix(err.Error(), "params[0]: ") {
		t.Errorf("got error %v, want it to begin with params[0]: ", err)
	}
}

func TestPreview(t *testing.T) {
	for _, tt := range []struct {
		name, language string
		params         []string
		want           string
	}{
		{"Chinese", "zh", []string{"a", "b"}, "模板 1：a, b"},
		{"English", "en", []string{"a", "b"}, "template 1: a, b"},
		{"no variables", "zh", nil, "模板 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Preview(tt.language, "1", tt.params); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCleanParam(t *testing.T) {
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{"orders", 20, "orders"},
		{"订单消费积压", 6, "订单消费积压"},
		{"订单消费积压了", 6, "订单消费积压"},
		{"a订单消费积压", 6, "a订单消费积"},
		{"磁盘👍👍👍", 3, "磁盘👍"},
		{"one two", 4, "one"}, // no space at the end
		{"", 6, "-"},
		{" \r\n\t ", 6, "-"},
		{"【紧急】¥100 ★☞✓※", 20, "紧急100"},
		{"two\r\nlines\x00 \u200e here", 20, "two lines here"},
		{"bad \xff bytes", 20, "bad bytes"},
		{"see https://example.com/a?b=c#d now", 20, "see now"},
		{"详情https://example.com/a请看", 20, "详情请看"},
		{"WWW.example.com", 20, "-"},
		{"a www.example.com b http://x c", 20, "a b c"},
		{"ftp://x and kafka+ssl://y", 20, "and"},
		{"://", 20, "-"},
		{"10.0.0.5", 20, "10.0.0.5"},
		{strings.Repeat("压", 5000), 20, strings.Repeat("压", 20)},
	} {
		if got := cleanParam(tt.in, tt.limit); got != tt.want {
			t.Errorf("cleanParam(%.40q, %d): got %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

func FuzzCleanParam(f *testing.F) {
	for _, s := range []string{"订单", "http://x", "www.", "【a】", "\xff", "a\u0130www.b"} {
		f.Add(s, 6)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 1 + limit&63
		got := cleanParam(s, limit)
		if got == "" || utf8.RuneCountInString(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("cleanParam(%q, %d): got %q, want 1 to %d characters in UTF-8", s, limit, got, limit)
		}
		if strings.ContainsAny(got, "【】¥★☞✓※\r\n\x00") || strings.Contains(got, "://") || strings.Contains(strings.ToLower(got), "www.") {
			t.Fatalf("cleanParam(%q): got %q, want it without the characters that templates reject", s, got)
		}
	})
}
