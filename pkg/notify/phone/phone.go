// Package phone is what the channels have in common that reach people by phone
// number and say only what an approved template leaves open: reading, masking and
// sorting numbers, and filling in a template's variables.
package phone

import (
	"fmt"
	"strings"

	"tocsin/pkg/render"
)

// Parse returns a phone number in E.164's form, +8613800000000. Without a
// country code it is one of mainland China, as Tencent Cloud itself takes it:
// 13800000000, 8613800000000 and 008613800000000 are the same. The error is
// NotNumber.
func Parse(s string) (string, error) {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -()", r) {
			return -1
		}
		return r
	}, s)
	if rest, ok := strings.CutPrefix(digits, "+"); ok {
		digits = rest
	} else if rest, ok := strings.CutPrefix(digits, "00"); ok {
		digits = rest
	} else if isMainland(digits) {
		digits = "86" + digits
	} else if !strings.HasPrefix(digits, "86") {
		digits = ""
	}
	local, china := strings.CutPrefix(digits, "86")
	if !isE164(digits) || china && !isMainland(local) {
		return "", InvalidError(s)
	}
	return "+" + digits, nil
}

// Domestic tells whether a number in E.164's form is in mainland China.
func IsDomestic(number string) bool { return strings.HasPrefix(number, "+86") }

// Mask hides the middle of a number: +86138****0000. Logs and messages to the
// operator name people this way.
func Mask(number string) string {
	r := []rune(number)
	if len(r) <= 4 {
		return "****"
	}
	return string(r[:max(0, len(r)-8)]) + "****" + string(r[len(r)-4:])
}

// Names masks the first number of a list and tells how many more there are:
// +86138****0000 +2. The list must not be empty.
func MaskList(numbers []string) string {
	if more := len(numbers) - 1; more > 0 {
		return fmt.Sprintf("%s +%d", Mask(numbers[0]), more)
	}
	return Mask(numbers[0])
}

// Hide masks the numbers, with their country code or without, in a text that
// names them.
func MaskIn(text string, numbers ...string) string {
	var pairs []string
	for _, number := range numbers {
		local := strings.TrimPrefix(strings.TrimPrefix(number, "+"), "86")
		pairs = append(pairs, local, Mask(local))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// maxNumber bounds what should be a phone number, in bytes.
const maxNumber = 40

// NotNumber is the error about what is not a number, which it masks.
func InvalidError(s string) error {
	return fmt.Errorf("%q is not a phone number: write it like +8613800000000, or 13800000000 for mainland China", Mask(render.CleanLine(s, maxNumber)))
}

// isE164 tells whether digits are a country code and a number: 15 at most, the
// first not a zero.
func isE164(digits string) bool {
	return len(digits) >= 7 && len(digits) <= 15 && digits[0] != '0' && areDigits(digits)
}

// isMainland tells whether digits are a mobile number of mainland China.
func isMainland(digits string) bool {
	return len(digits) == 11 && digits[0] == '1' && digits[1] >= '3' && areDigits(digits)
}

func areDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// split takes a list apart that is separated by commas, semicolons or line
// breaks, and drops what is empty.
func split(list string) []string {
	var out []string
	for _, s := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(",;，；\r\n", r) }) {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}
