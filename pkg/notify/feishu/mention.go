package feishu

import (
	"slices"
	"strings"

	"tocsin/pkg/render"
)

// everybody is the vendor's id for all members of the group.
const everybody = "all"

// maxMentions bounds the people whom templates can name.
const maxMentions = 50

// mentions returns the markup that mentions the people of the configuration.
// What a template prints that is no open_id is left out, and so is a template
// that fails: the alert goes out all the same.
func (r *robot) mentions(v *render.View) string {
	var ids []string
	if r.all {
		ids = append(ids, everybody)
	}
	for _, t := range r.openIDs {
		text, err := t.Execute(v)
		if err != nil {
			continue
		}
		for _, s := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",;| \n\t", r) }) {
			if isOpenID(s) && !slices.Contains(ids, s) && len(ids) < maxMentions {
				ids = append(ids, s)
			}
		}
	}
	var b strings.Builder
	for _, id := range ids {
		b.WriteString("<at id=" + id + "></at>")
	}
	return b.String()
}

// replaceMentions puts what with makes of an id in the place of its mention:
// <at id=ou_1></at>, or any other form that a user's own text has. Untrusted text
// has none.
func replaceMentions(markdown string, with func(id string) string) string {
	return render.ReplaceBetween(markdown, "<at ", "</at>", func(inner string) string {
		attribute, _, _ := strings.Cut(inner, ">")
		_, id, _ := strings.Cut(attribute, "=")
		return with(strings.Trim(id, `"' `))
	})
}

// cutMentions takes the mentions out of markdown and returns whom they name.
func cutMentions(markdown string) (bare string, ids []string) {
	bare = replaceMentions(markdown, func(id string) string {
		ids = append(ids, id)
		return ""
	})
	return strings.TrimRight(bare, "\n "), ids
}

// notMentioned is what a card says when Feishu refuses whom it mentions.
func notMentioned(language string) string {
	if language == "en" {
		return "Nobody was mentioned: Feishu knows no such person in this group, or forbids to mention everybody. Check at in the configuration."
	}
	return "没有提醒任何人：飞书不认识要提醒的人，或本群不允许 @所有人。请检查配置中的 at。"
}

// isOpenID tells whether s has the form of an open_id: ou_, then letters and
// digits, which are 32 at present.
func isOpenID(s string) bool {
	id, ok := strings.CutPrefix(s, "ou_")
	if !ok || id == "" || len(id) > 45 {
		return false
	}
	for _, c := range []byte(id) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}
