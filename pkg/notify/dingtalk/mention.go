package dingtalk

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/pkg/render"
)

// maxNames bounds the people whom one list can name, in bytes: 75 phone numbers,
// say. They stand in the request twice, and must leave room for what has happened.
const maxNames = 1000

// lists are the templates of the people.
type lists struct {
	mobiles, users []*render.Text
	all            bool
}

func (a *At) compile(t *render.Templates) (lists, error) {
	l := lists{all: a.All}
	for _, list := range []struct {
		key  string
		srcs []string
		out  *[]*render.Text
	}{{"mobiles", a.Mobiles, &l.mobiles}, {"users", a.Users, &l.users}} {
		for _, src := range list.srcs {
			text, err := t.CompileText(src)
			if err != nil {
				return lists{}, fmt.Errorf("%s: %w", list.key, err)
			}
			*list.out = append(*list.out, text)
		}
	}
	return l, nil
}

// mentions are the people whom a notification mentions, in the vendor's form.
type mentions struct {
	Mobiles []string `json:"atMobiles,omitempty"`
	Users   []string `json:"atUserIds,omitempty"`
	All     bool     `json:"isAtAll,omitempty"`

	everybody string // the word for all
}

// execute prints the lists. What a template prints that is no phone number or
// user id is left out, and so is a template that fails: the alert goes out all
// the same.
func (l lists) execute(v *render.View, language string) mentions {
	m := mentions{
		Mobiles: names(l.mobiles, v, mobile, isMobile),
		Users:   names(l.users, v, strings.TrimSpace, isUser),
		All:     l.all, everybody: "@all",
	}
	if language == "zh" {
		m.everybody = "@所有人"
	}
	return m
}

func names(texts []*render.Text, v *render.View, form func(string) string, valid func(string) bool) []string {
	var out []string
	size := 0
	for _, t := range texts {
		text, err := t.Execute(v)
		if err != nil {
			continue
		}
		for _, s := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("|,;，；、 \t\r\n", r) }) {
			if s = form(s); valid(s) && !slices.Contains(out, s) && size+len(s)+2 <= maxNames {
				out = append(out, s)
				size += len(s) + 2
			}
		}
	}
	return out
}

func (m mentions) any() bool { return m.All || len(m.Mobiles)+len(m.Users) > 0 }

// String is what the text must say, or nobody is notified: every @ of the lists.
func (m mentions) String() string {
	var words []string
	if m.All {
		words = append(words, m.everybody)
	}
	for _, s := range slices.Concat(m.Mobiles, m.Users) {
		words = append(words, "@"+s)
	}
	return strings.Join(words, " ")
}

// mobile is the form in which DingTalk knows a number of mainland China: without
// the country.
func mobile(s string) string {
	if rest, found := strings.CutPrefix(s, "+86"); found && len(rest) == 11 {
		return rest
	}
	return s
}

// isMobile tells whether s has the shape of a phone number; one of another
// country may be written as +852-00000000.
func isMobile(s string) bool {
	digits := s
	if country, rest, found := strings.Cut(s, "-"); found && len(country) > 1 && country[0] == '+' {
		digits = country[1:] + rest
	}
	digits = strings.TrimPrefix(digits, "+")
	return len(digits) >= 6 && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}

// isUser tells whether s can be a user id, which has up to 64 characters. Only
// letters, digits and "_-@." are taken, and a letter or a digit as the first: an
// alert may name people, and what it names must stay one word in the text.
func isUser(s string) bool {
	if s == "" || len(s) > 64 || strings.IndexByte("_-@.", s[0]) >= 0 {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-@.", c) >= 0) {
			return false
		}
	}
	return true
}
