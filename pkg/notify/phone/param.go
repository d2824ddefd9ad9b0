package phone

import (
	"strings"

	"tocsin/pkg/render"
)

// maxParam bounds a parameter before it is cut, in bytes.
const maxParam = 4096

// cleanParam makes a value that a template takes: one line, without links and
// without the characters that templates refuse, of at most limit characters
// (not bytes: a Chinese character is one). An empty value becomes "-", because a
// template wants all its variables filled.
//
// Tencent Cloud's rules for template variables: no URL, no 【】, none of
// ¥ ★ ☞ ✓ ※, and a length that depends on the account.
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

// dropLinks removes what begins like a URL, up to the next space or character
// that is not ASCII.
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

// linkStart returns where the first link in s begins, or -1.
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
