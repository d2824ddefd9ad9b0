package render

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// Cut shortens s to at most limit bytes, between characters, and ends it with
// "…" if anything was left out. Vendors count bytes of UTF-8, in which a Chinese
// character has three.
func Truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := ellipsis
	if limit < len(end) {
		end = ""
	}
	at := max(limit-len(end), 0)
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	return s[:at] + end
}

// Lines makes a text of a user's own fit for a vendor, whatever a template put
// into it: every line break is \n, a tab is a space, and control characters and
// bytes that are not UTF-8, which vendors refuse, go. White space around it goes too.
func CleanText(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\t", " ").Replace(s)
	s = strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || r == 0x7F) {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// Clean makes one line of at most limit bytes out of a text that came from
// outside: runs of white space become one space; control characters, marks that
// turn the direction of writing, and bytes that are not UTF-8 go.
func CleanLine(s string, limit int) string {
	if plain(s) {
		return Truncate(s, limit)
	}
	var b strings.Builder
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = true
			continue
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == utf8.RuneError:
			continue
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
		if b.Len() > limit {
			break
		}
	}
	return Truncate(b.String(), limit)
}

// plain tells that s is what Clean would make of it, as nearly every label is.
func plain(s string) bool {
	last := byte(' ')
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7F || c == ' ' && last == ' ' {
			return false
		}
		last = s[i]
	}
	return s == "" || last != ' '
}

// Pack lays blocks out, in order, in parts of at most limit bytes, one block on
// the next line after another. Every part starts with head(part, parts), which
// is where "1/3" goes; parts count from one, and what head returns must not get
// shorter as the number of parts grows. A block that is longer than a part is
// broken between its lines, and a line that is still longer is cut. There is
// always at least one part.
func Pack(limit int, head func(part, parts int) string, blocks []string) []string {
	out := pack(limit, head, blocks, 1)
	for total := 1; len(out) > total; {
		total = len(out)
		out = pack(limit, head, blocks, total)
	}
	return out
}

// pack is Pack for a number of parts that is assumed.
func pack(limit int, head func(part, parts int) string, blocks []string, total int) []string {
	var parts []string
	var part strings.Builder
	start := 0 // bytes of the head
	next := func() {
		if start > 0 || part.Len() > 0 {
			parts = append(parts, part.String())
		}
		part.Reset()
		part.WriteString(Truncate(head(len(parts)+1, total), limit))
		start = part.Len()
	}
	// add writes a block if the part has room for it.
	add := func(block string) bool {
		need := len(block)
		if part.Len() > 0 {
			need++
		}
		if part.Len()+need > limit {
			return false
		}
		if part.Len() > 0 {
			part.WriteByte('\n')
		}
		part.WriteString(block)
		return true
	}
	next()
	for _, block := range blocks {
		if add(block) {
			continue
		}
		if part.Len() > start {
			next()
			if add(block) {
				continue
			}
		}
		for line := range strings.SplitSeq(block, "\n") {
			if add(line) {
				continue
			}
			if part.Len() > start {
				next()
			}
			add(Truncate(line, max(limit-part.Len()-1, 0)))
		}
	}
	return append(parts, part.String())
}
