// Package terminal escapes text from outside, such as labels, names of consumer groups
// and vendors' errors, so that a terminal shows it instead of following it. Programs
// print through a [Writer].
package terminal

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Line returns s as one line: as a [Writer] writes it, with line breaks and tabs escaped
// too.
func Line(s string) string {
	return escape(s, isControl)
}

// Writer writes to another writer, in which it escapes control characters, those of
// bidirectional text, and line and paragraph separators as \uXXXX, which is valid within
// JSON. Line breaks and tabs stay. Invalid UTF-8 becomes U+FFFD; a character must not be
// divided between two calls of Write.
type Writer struct{ raw io.Writer }

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w} }

// Write writes p with its characters escaped. It returns len(p) if there is no error.
func (w *Writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.raw, escape(string(p), func(r rune) bool { return isControl(r) && r != '\n' && r != '\t' })); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Raw returns the writer that a Writer writes to, and w if it is another: a program
// writes its own control sequences to it.
func Raw(w io.Writer) io.Writer {
	if w, ok := w.(*Writer); ok {
		return w.raw
	}
	return w
}

func escape(s string, unsafe func(rune) bool) string {
	s = strings.ToValidUTF8(s, string(unicode.ReplacementChar))
	if strings.IndexFunc(s, unsafe) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' && unsafe(r):
			b.WriteString(`\n`)
		case r == '\t' && unsafe(r):
			b.WriteString(`\t`)
		case unsafe(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isControl reports whether a terminal, or a program between, may follow r.
func isControl(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}
