package phone

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"tocsin/pkg/render"
)

const (
	// defaultParamLength is how many characters most enterprise accounts may put
	// into a variable.
	defaultParamLength = 20
	// safeParamLength is how many characters every account may: individual
	// accounts have 12, those opened after January 2024 have 6.
	safeParamLength = 6
	// maxParam bounds the output of a variable's template, in bytes.
	maxParam = 4096
)

// Templates are the templates of a configuration: recipients, and the variables of
// the vendor's approved template.
type Templates struct {
	to, params  []*render.Text
	paramLength int
}

// NewTemplates compiles the templates of the keys to and params. Variables are cut
// to paramLength characters; 0 means 20. Errors are those of render.Compiler.
func NewTemplates(t *render.Templates, to, params []string, paramLength int) (*Templates, error) {
	compile := render.Compiler{Templates: t}
	out := &Templates{to: compile.List(to, "to"), params: compile.List(params, "params"), paramLength: cmp.Or(paramLength, defaultParamLength)}
	return out, compile.Err()
}

// Recipients returns the recipients of a notification. A template that fails is left out,
// which a note in doc reports. It is an error if there are no recipients, or more than
// limit: the list may come from an alert's annotations.
func (t *Templates) Recipients(doc *render.Document, view *render.View, limit int) (*Recipients, error) {
	lists := make([]string, len(t.to))
	var failed error
	for i, x := range t.to {
		var err error
		if lists[i], err = x.Execute(view); err != nil {
			failed = &render.KeyError{Path: []any{"to", i}, Err: err}
			doc.AddTemplateError(failed)
		}
	}
	if failed != nil && strings.Join(lists, "") == "" {
		return nil, failed
	}
	return parseRecipients(lists, limit)
}

// Params returns the values of the variables. In the place of a template that fails is
// the title of doc, the built-in message, with a note: an alert must not be lost over its
// wording. halfSize is for the attempt after the vendor refused the values: they are cut
// to the length that every account may send and lose their dots, which some accounts may
// not send because they look like links.
func (s *Sender) Params(doc *render.Document, view *render.View, halfSize bool) []string {
	limit := s.paramLength
	if halfSize {
		limit = min(limit, safeParamLength)
	}
	clean := func(value string, limit int) string {
		if halfSize {
			value = strings.ReplaceAll(dropLinks(value), ".", "_")
		}
		return cleanParam(value, limit)
	}
	note := failedNote(s.Style.Language)
	params := make([]string, len(s.params))
	for i, x := range s.params {
		value, err := x.Execute(view)
		if err == nil {
			params[i] = clean(value, limit)
			continue
		}
		doc.AddTemplateError(&render.KeyError{Path: []any{"params", i}, Err: err})
		if room := limit - utf8.RuneCountInString(note); room >= limit/2 {
			params[i] = clean(doc.Title, room) + note
		} else {
			params[i] = clean(doc.Title, limit)
		}
	}
	return params
}

// failedNote returns the note on a failed template, which must be short.
func failedNote(language string) string {
	if language == "en" {
		return "(bad tmpl)"
	}
	return "（模板出错）"
}

// Preview returns the known part of a message: the template's id, and the values
// of its variables. The vendor has the template's text.
func Preview(language, template string, params []string) string {
	word, colon := "模板 ", "："
	if language == "en" {
		word, colon = "template ", ": "
	}
	if len(params) == 0 {
		return word + template
	}
	return word + template + colon + strings.Join(params, ", ")
}

// cleanParam returns a value that a template accepts: one line of at most limit
// characters (not bytes), without links and without the characters that templates
// reject. An empty value becomes "-", because all variables must have a value.
//
// Tencent Cloud's rules for variables: no URL, no 【】, none of ¥ ★ ☞ ✓ ※, and a
// length that depends on the account.
func cleanParam(s string, limit int) string {
	s = strings.NewReplacer("【", "", "】", "", "¥", "", "￥", "", "★", "", "☞", "", "✓", "", "※", "").Replace(s)
	s = strings.Join(strings.Fields(dropLinks(render.CleanLine(s, maxParam))), " ")
	if r := []rune(s); len(r) > limit {
		s = strings.TrimSpace(string(r[:limit]))
	}
	if s == "" {
		return "-"
	}
	return s
}

// dropLinks removes each text that begins like a URL, up to the next space or
// character that is not ASCII.
func dropLinks(s string) string {
	var out strings.Builder
	for {
		start := linkStart(s)
		if start < 0 {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:start])
		s = strings.TrimLeftFunc(s[start:], func(r rune) bool { return r > ' ' && r < 0x7F })
	}
}

// linkStart returns the index of the first link in s, or -1.
func linkStart(s string) int {
	for i := range s {
		if rest := s[i:]; len(rest) >= 4 && strings.EqualFold(rest[:4], "www.") {
			return i
		} else if strings.HasPrefix(rest, "://") {
			scheme := strings.TrimRightFunc(s[:i], func(r rune) bool {
				return r < 0x7F && strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.", r)
			})
			return len(scheme)
		}
	}
	return -1
}
