package feishu

import (
	"strings"

	"tocsin/pkg/render"
)

// everybody is the vendor's id for all members of the group.
const everybody = "all"

// maxMentions limits the people that templates print.
const maxMentions = 50

// mentions returns the markup that mentions the people of the configuration.
func (r *robot) mentions(doc *render.Document, v *render.View) string {
	var ids []string
	if r.all {
		ids = append(ids, everybody)
	}
	ids = append(ids, r.openIDs.Execute(doc, v, func(name render.Name) (string, bool) { return name.Text, isOpenID(name.Text) })...)
	var b strings.Builder
	for _, id := range ids[:min(len(ids), maxMentions)] {
		b.WriteString("<at id=" + id + "></at>")
	}
	return b.String()
}

// replaceMentions replaces every mention, <at id=ou_1></at> or any other form that a
// user's own text has, by the result of with for its id. Untrusted text has none.
func replaceMentions(markdown string, with func(id string) string) string {
	return render.ReplaceBetween(markdown, "<at ", "</at>", func(inner string) string {
		attribute, _, _ := strings.Cut(inner, ">")
		_, id, _ := strings.Cut(attribute, "=")
		return with(strings.Trim(id, `"' `))
	})
}

// cutMentions removes the mentions from markdown and returns their ids.
func cutMentions(markdown string) (bare string, ids []string) {
	bare = replaceMentions(markdown, func(id string) string {
		ids = append(ids, id)
		return ""
	})
	return strings.TrimRight(bare, "\n "), ids
}

// mentionsRemoved returns the note in a card that Feishu rejected because of its
// mentions.
func mentionsRemoved(language string) string {
	if language == "en" {
		return "Nobody was mentioned: Feishu knows no such person in this group, or forbids to mention everybody. Check at in the configuration."
	}
	return "没有提醒任何人：飞书不认识要提醒的人，或本群不允许 @所有人。请检查配置中的 at。"
}

// isOpenID reports whether s has the form of an open_id: ou_, then letters and
// digits, at present 32 of them.
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
