package wecomrobot

import (
	"slices"
	"strings"

	"tocsin/pkg/render"
)

// everybody is the vendor's word for all members of the group.
const everybody = "@all"

// maxMentions bounds the people whom templates can name.
const maxMentions = 100

// mentions are the people whom a notification mentions.
type mentions struct{ users, mobiles []string }

// mentions executes the lists of the configuration. What a template prints that
// is no phone number or user id is left out, and so is a template that fails:
// the alert goes out all the same.
func (r *robot) mentions(v *render.View) mentions {
	return mentions{users: names(r.users, v, isUser), mobiles: names(r.mobiles, v, isMobile)}
}

func names(texts []*render.Text, v *render.View, valid func(string) bool) []string {
	var out []string
	for _, t := range texts {
		text, err := t.Execute(v)
		if err != nil {
			continue
		}
		for _, s := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",;| \n\t", r) }) {
			if valid(s) && !slices.Contains(out, s) && len(out) < maxMentions {
				out = append(out, s)
			}
		}
	}
	return out
}

func (m mentions) any() bool { return len(m.users)+len(m.mobiles) > 0 }

// needText tells that somebody cannot be mentioned inside markdown, where only
// <@userid> works.
func (m mentions) needText() bool {
	return len(m.mobiles) > 0 || slices.Contains(m.users, everybody)
}

// inline is the markdown that mentions the users.
func (m mentions) inline() string {
	var b strings.Builder
	for _, u := range m.users {
		b.WriteString("<@" + u + ">")
	}
	return b.String()
}

// suffix shows the lists of a text message as its reader sees them.
func (m mentions) suffix() string {
	var b strings.Builder
	for _, s := range slices.Concat(m.users, m.mobiles) {
		b.WriteString(" @" + strings.TrimPrefix(s, "@"))
	}
	return b.String()
}

// isUser tells whether s can be a user id: letters, digits and "_-@.", up to 64
// bytes (developer.work.weixin.qq.com/document/path/90195), or everybody.
func isUser(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-@.", c) >= 0) {
			return false
		}
	}
	return s == everybody || s[0] != '@'
}

// isMobile tells whether s has the shape of a phone number, or is everybody.
func isMobile(s string) bool {
	if s == everybody {
		return true
	}
	digits := strings.TrimPrefix(s, "+")
	if len(digits) < 6 || len(digits) > 15 {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}
