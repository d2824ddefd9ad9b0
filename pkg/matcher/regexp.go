package matcher

import (
	"fmt"
	"regexp/syntax"
)

// maxRegexpSize bounds the regular expressions of one silence. Plain text of the 8 KiB
// that a matcher may have is below it.
const maxRegexpSize = 10_000

// CheckRegexps returns an error if the regular expressions, taken together, are so
// large that compiling and matching them would take a noticeable time, as repetitions
// of repetitions and long lists of character classes are. It compiles nothing. An
// expression that cannot be parsed has no size.
func CheckRegexps(texts ...string) error {
	size := 0
	for _, text := range texts {
		if re, err := syntax.Parse("^(?:"+text+")$", syntax.Perl); err == nil {
			size += regexpSize(re)
		}
	}
	if size > maxRegexpSize {
		return fmt.Errorf("regular expressions too large: about %d instructions (limit: %d)", size, maxRegexpSize)
	}
	return nil
}

// regexpSize returns about how many instructions the compiled expression has. The
// ranges of a character class count too: \pL has hundreds.
func regexpSize(re *syntax.Regexp) int {
	size := 1
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpCharClass:
		size += len(re.Rune) / 16
	}
	for _, sub := range re.Sub {
		size += regexpSize(sub)
	}
	if re.Op == syntax.OpRepeat { // package syntax limits both to 1,000, nested ones to that product
		size *= max(re.Min, re.Max, 1)
	}
	return size
}
