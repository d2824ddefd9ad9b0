package wecomapp

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin/pkg/notify/wecom"
	"tocsin/pkg/render"
)

// maxRecipients limits the lists, which may come from an alert's annotations. WeCom
// takes up to 1000 users, but the outcome of each is stored.
const maxRecipients = 200

// recipientLists holds the templates of the recipients.
type recipientLists struct{ users, parties, tags *render.Text }

// recipient is a member, a department or a tag.
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

// String returns the recipient's name in units and in errors.
func (r recipient) String() string { return [...]string{"", "party ", "tag "}[r.kind] + r.id }

// execute prints the lists. A template that fails is left out, which a note in doc reports.
// The user wecom.Everybody makes the other recipients meaningless.
func (l recipientLists) execute(doc *render.Document, v *render.View) (valid []recipient, invalid []string, err error) {
	var failed error
	for _, list := range []struct {
		key   string
		text  *render.Text
		kind  recipientKind
		valid func(render.Name) bool
	}{{"to_user", l.users, user, wecom.IsUser}, {"to_party", l.parties, party, isParty}, {"to_tag", l.tags, tag, isNumber}} {
		text, err := list.text.Execute(v)
		if err != nil {
			failed = &render.KeyError{Path: []any{list.key}, Err: err}
			doc.AddTemplateError(failed)
			continue
		}
		ids, wrong := parseIDs(text, list.valid)
		invalid = append(invalid, wrong...)
		if slices.Contains(ids, wecom.Everybody) {
			return []recipient{{user, wecom.Everybody}}, invalid, nil
		}
		for _, id := range ids {
			valid = append(valid, recipient{list.kind, id})
		}
	}
	switch total := len(valid) + len(invalid); {
	case total == 0 && failed != nil:
		return nil, nil, failed
	case total == 0:
		return nil, nil, errors.New("there are no recipients: the templates under to_user, to_party and to_tag printed nothing")
	case total > maxRecipients:
		return nil, nil, fmt.Errorf("%d recipients are more than %d: use a department (to_party) or a tag (to_tag)", total, maxRecipients)
	}
	return valid, invalid, nil
}

// parseIDs splits a list of ids. Each is returned once.
func parseIDs(list string, isValid func(render.Name) bool) (valid, invalid []string) {
	for _, name := range render.SplitNames(list) {
		s := name.Text
		switch {
		case !isValid(name):
			if s = render.CleanLine(s, 64); !slices.Contains(invalid, s) {
				invalid = append(invalid, s)
			}
		case !slices.Contains(valid, s):
			valid = append(valid, s)
		}
	}
	return valid, invalid
}

// joinIDs returns the ids of one kind as the API takes them.
func joinIDs(list []recipient, kind recipientKind) string {
	var ids []string
	for _, r := range list {
		if r.kind == kind {
			ids = append(ids, r.id)
		}
	}
	return strings.Join(ids, "|")
}

// isParty reports whether a name can be the number of a department. Everybody is in
// rootParty, which only the configuration can name.
func isParty(name render.Name) bool {
	return isNumber(name) && !(name.FromAlert && isEverybody(name.Text))
}

// isEverybody reports whether an id stands for all members.
func isEverybody(id string) bool {
	return id == wecom.Everybody || strings.TrimLeft(id, "0") == rootParty
}

// rootParty is the number of the department that all others are in.
const rootParty = "1"

// isNumber reports whether a name can be the number of a department or a tag.
func isNumber(name render.Name) bool {
	s := name.Text
	return s != "" && len(s) <= 10 && strings.Trim(s, "0123456789") == ""
}
