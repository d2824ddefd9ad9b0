package dingtalk

import (
	"slices"
	"strings"

	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

// maxNames limits each list of people that templates print, in bytes: 75 phone
// numbers, for example. A request has the names twice, and must have room left for
// the alerts.
const maxNames = 1000

// mentionLists holds the templates of the people to mention.
type mentionLists struct {
	mobiles, users *chat.Mentions
	all            bool
}

// mentions lists the people that a notification mentions, in the vendor's form.
type mentions struct {
	Mobiles []string `json:"atMobiles,omitempty"`
	Users   []string `json:"atUserIds,omitempty"`
	All     bool     `json:"isAtAll,omitempty"`

	everybody string // the word that mentions all
}

// execute prints the lists.
func (l mentionLists) execute(doc *render.Document, v *render.View, language string) mentions {
	m := mentions{
		Mobiles: limitNames(l.mobiles.Execute(doc, v, parseMobile)),
		Users:   limitNames(l.users.Execute(doc, v, parseUser)),
		All:     l.all, everybody: "@all",
	}
	if language == "zh" {
		m.everybody = "@所有人"
	}
	return m
}

// limitNames leaves out the names that exceed maxNames.
func limitNames(names []string) []string {
	size := 0
	return slices.DeleteFunc(names, func(s string) bool {
		if size+len(s)+2 > maxNames {
			return true
		}
		size += len(s) + 2
		return false
	})
}

func (m mentions) any() bool { return m.All || len(m.Mobiles)+len(m.Users) > 0 }

// String returns the mentions as the text must have them: a name that is only in the
// lists is not notified.
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

// parseMobile returns a phone number as DingTalk takes it: one of mainland China has
// no country code, one of another country may be written as +852-00000000.
func parseMobile(name render.Name) (string, bool) {
	s := name.Text
	if rest, found := strings.CutPrefix(s, "+86"); found && len(rest) == 11 {
		s = rest
	}
	digits := s
	if country, rest, found := strings.Cut(s, "-"); found && len(country) > 1 && country[0] == '+' {
		digits = country[1:] + rest
	}
	digits = strings.TrimPrefix(digits, "+")
	return s, len(digits) >= 6 && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}

// parseUser returns a user id. An alert cannot name all, which the text would mention as
// everybody.
func parseUser(name render.Name) (string, bool) {
	return name.Text, isUserID(name.Text) && !(name.FromAlert && strings.EqualFold(name.Text, "all"))
}

// isUserID reports whether s can be a user id, which has up to 64 characters. Only
// letters, digits and "_-@." are accepted, with a letter or a digit first: an alert
// may name people, and a name must stay one word of the text.
func isUserID(s string) bool {
	if s == "" || len(s) > 64 || strings.IndexByte("_-@.", s[0]) >= 0 {
		return false
	}
	for _, c := range []byte(s) {
		if !isWord(c) && strings.IndexByte("_-@.", c) < 0 {
			return false
		}
	}
	return true
}
