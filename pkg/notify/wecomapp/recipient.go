package wecomapp

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin/pkg/render"
)

// everybody is the vendor's word for all members whom the application may write
// to. It makes departments and tags meaningless.
const everybody = "@all"

// maxRecipients bounds the lists, which may come out of an alert's annotations.
// The vendor takes up to 1000 users, but what became of each is kept.
const maxRecipients = 200

// lists are the templates of the recipients.
type lists struct{ users, parties, tags *render.Text }

// recipient is somebody, or a group, that a message goes to.
type recipient struct {
	kind recipientKind
	id   string
}

type recipientKind uint8

const (
	user recipientKind = iota
	party
	tag
)

// String names the recipient in units and messages to the operator.
func (r recipient) String() string { return [...]string{"", "party ", "tag "}[r.kind] + r.id }

// recipients executes the lists. What they print that can be no recipient is
// returned as it is written.
func (l lists) recipients(v *render.View) (good []recipient, bad []string, err error) {
	for _, list := range []struct {
		key   string
		text  *render.Text
		kind  recipientKind
		valid func(string) bool
	}{{"to_user", l.users, user, isUser}, {"to_party", l.parties, party, isNumber}, {"to_tag", l.tags, tag, isNumber}} {
		text, err := list.text.Execute(v)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", list.key, err)
		}
		ids, wrong := parseList(text, list.valid)
		bad = append(bad, wrong...)
		if slices.Contains(ids, everybody) {
			return []recipient{{user, everybody}}, bad, nil
		}
		for _, id := range ids {
			good = append(good, recipient{list.kind, id})
		}
	}
	switch total := len(good) + len(bad); {
	case total == 0:
		return nil, nil, errors.New("nobody to send to: the templates in to_user, to_party and to_tag printed nothing")
	case total > maxRecipients:
		return nil, nil, fmt.Errorf("%d recipients are more than %d: use a department (to_party) or a tag (to_tag)", total, maxRecipients)
	}
	return good, bad, nil
}

// parseList takes a list apart that is separated by "|", commas, semicolons or
// white space. Each id is there once.
func parseList(list string, valid func(string) bool) (good, bad []string) {
	for _, s := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune("|,;，；、 \t\r\n", r) }) {
		switch {
		case !valid(s):
			if s = render.CleanLine(s, 64); !slices.Contains(bad, s) {
				bad = append(bad, s)
			}
		case !slices.Contains(good, s):
			good = append(good, s)
		}
	}
	return good, bad
}

// joined is the form in which the API takes the ids of one kind.
func joined(list []recipient, kind recipientKind) string {
	var ids []string
	for _, r := range list {
		if r.kind == kind {
			ids = append(ids, r.id)
		}
	}
	return strings.Join(ids, "|")
}

// isUser tells whether s can be a user id: letters, digits and "_-@.", up to 64
// bytes (document/path/90195), or everybody.
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

// isNumber tells whether s can be the number of a department or a tag.
func isNumber(s string) bool {
	return s != "" && len(s) <= 10 && strings.Trim(s, "0123456789") == ""
}
