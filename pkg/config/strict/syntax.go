package strict

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// checkText rejects content that is not UTF-8 text. The YAML library does too, but
// without the line.
func checkText(data []byte) *Problem {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		var m string
		switch {
		case r == utf8.RuneError && size == 1:
			m = "the file is not UTF-8 text: save it as UTF-8"
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff:
			m = fmt.Sprintf("the control character %U is not allowed", r)
		}
		if m != "" {
			return &Problem{Line: 1 + bytes.Count(data[:i], []byte("\n")), Message: m}
		}
		i += size
	}
	return nil
}

// syntaxProblem translates an error of the YAML library. The line is the one that has to
// be changed, which is often not where parsing failed.
func syntaxProblem(data []byte, err error) *Problem {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		return &Problem{Line: 1, Message: "not YAML: " + err.Error()}
	}
	line, began := e.Mark.Line, e.ContextMark.Line
	text := lineOf(data, line)
	var m string
	switch msg := e.Message; {
	case strings.Contains(leadingSpace(text), "\t"):
		m = "a tab cannot indent: use spaces"
	case strings.HasPrefix(msg, "found character that cannot start"):
		m = fmt.Sprintf("a value cannot begin with %q: put it in quotes", runeAt(text, e.Mark.Column))
	case strings.HasPrefix(msg, "mapping values are not allowed"):
		m = `a ":" is not allowed here: check the indentation, or put a value that has ": " in it in quotes`
	case strings.HasPrefix(msg, "could not find expected ':'"):
		line = began
		m = `neither "key: value" nor "- item": is a ":" or the space after it missing?`
	case e.ContextMsg == "while scanning a quoted scalar":
		line = began
		m = "the quote that opens here is not closed"
	case msg == "did not find expected key" || strings.HasPrefix(msg, "did not find expected '-'"):
		m = fmt.Sprintf("does not fit what begins in line %d: check the indentation and the quotes", began)
	case strings.HasPrefix(msg, "did not find expected ','"):
		m = fmt.Sprintf("the bracket that opens in line %d is neither closed nor followed by a comma", began)
	case strings.HasPrefix(msg, "did not find expected node content"):
		m = "a value is missing here"
	default:
		m = "not YAML: " + msg
	}
	switch text = lineOf(data, line); {
	case strings.ContainsAny(text, "[{") && strings.Contains(text, "${"):
		m += `; inside [ ] and { } write "${NAME}" with quotes`
	case strings.Contains(text, "："):
		m += `; YAML wants ":" and a space, not the wide "："`
	}
	return &Problem{Line: line, Message: m}
}

// lineOf returns the text of a line, counted from 1.
func lineOf(data []byte, line int) string {
	for range line - 1 {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	text, _, _ := bytes.Cut(data, []byte("\n"))
	return string(text)
}

func leadingSpace(s string) string { return s[:len(s)-len(strings.TrimLeft(s, " \t"))] }

// runeAt returns the character in a column, counted from 1, a space if there is none.
func runeAt(s string, column int) rune {
	for _, r := range s {
		if column--; column == 0 {
			return r
		}
	}
	return ' '
}
