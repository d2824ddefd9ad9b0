package render

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// Truncate shortens s to at most limit bytes, between characters, and ends a
// shortened text with "…". Vendors count the bytes of UTF-8, in which a Chinese
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

// CleanText cleans the output of a user's template for vendors. It removes control
// characters and invalid UTF-8, which vendors reject, makes every line break \n and
// every tab a space, and trims white space at both ends.
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

// CleanLine makes one line of at most limit bytes out of untrusted text. It removes
// control characters, bidirectional control characters and invalid UTF-8, and
// replaces runs of white space by one space.
func CleanLine(s string, limit int) string {
	if isClean(s) {
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

// isClean reports whether CleanLine has nothing to do, as for nearly every label. It
// is false for all non-ASCII text.
func isClean(s string) bool {
	last := byte(' ')
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7F || c == ' ' && last == ' ' {
			return false
		}
		last = s[i]
	}
	return s == "" || last != ' '
}

// PlainLinks rewrites the [name](address) of markdown as "name: address", for
// readers who see the source.
func PlainLinks(s string) string {
	var b strings.Builder
	for {
		middle := strings.Index(s, "](")
		if middle < 0 {
			return b.String() + s
		}
		start, end := strings.LastIndex(s[:middle], "["), strings.IndexByte(s[middle:], ')')
		if start < 0 || end < 0 {
			return b.String() + s
		}
		b.WriteString(s[:start] + s[start+1:middle] + ": " + s[middle+2:middle+end])
		s = s[middle+end+1:]
	}
}

// ReplaceBetween replaces each text between the delimiters open and end, together
// with the delimiters, by the result of replace for it.
func ReplaceBetween(s, open, end string, replace func(string) string) string {
	var b strings.Builder
	for {
		before, rest, opened := strings.Cut(s, open)
		inner, after, closed := strings.Cut(rest, end)
		if !opened || !closed {
			return b.String() + s
		}
		b.WriteString(before + replace(inner))
		s = after
	}
}

// Pack distributes blocks, in order and each on a new line, over parts of at most
// limit bytes. Every part starts with head(part, parts), for a marker such as "1/3";
// parts count from one, and the head must not get shorter as the number of parts
// grows. A block longer than a part is split between its lines, and a longer line is
// truncated. Pack returns at least one part.
func Pack(limit int, head func(part, parts int) string, blocks []string) []string {
	out := pack(limit, head, blocks, 1)
	for total := 1; len(out) > total; {
		total = len(out)
		out = pack(limit, head, blocks, total)
	}
	return out
}

// pack is Pack with heads for an assumed number of parts.
func pack(limit int, head func(part, parts int) string, blocks []string, total int) []string {
	var parts []string
	var part strings.Builder
	headSize := 0
	startPart := func() {
		if headSize > 0 || part.Len() > 0 { // not before the first part
			parts = append(parts, part.String())
		}
		part.Reset()
		part.WriteString(Truncate(head(len(parts)+1, total), limit))
		headSize = part.Len()
	}
	// add appends a block if the part has room for it.
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
	startPart()
	for _, block := range blocks {
		if add(block) {
			continue
		}
		if part.Len() > headSize {
			startPart()
			if add(block) {
				continue
			}
		}
		for line := range strings.SplitSeq(block, "\n") {
			if add(line) {
				continue
			}
			if part.Len() > headSize {
				startPart()
			}
			add(Truncate(line, max(limit-part.Len()-1, 0)))
		}
	}
	return append(parts, part.String())
}
