package sms

import (
	"fmt"
	"strings"

	"tocsin/pkg/render"
)

// parseNumber returns a phone number in E.164's form, +8613800000000. Without a
// country code it is one of mainland China, as SendSms itself takes it:
// 13800000000, 8613800000000 and 008613800000000 are the same.
func parseNumber(s string) (string, error) {
	digits := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(s)
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
		return "", notNumber(s)
	}
	return "+" + digits, nil
}

// maxNumber bounds what should be a phone number, in bytes.
const maxNumber = 40

func notNumber(s string) error {
	return fmt.Errorf("%q is not a phone number: write it like +8613800000000, or 13800000000 for mainland China", mask(render.Clean(s, maxNumber)))
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

// domestic tells whether a number in E.164's form is in mainland China. A call
// holds numbers of one side only.
func domestic(number string) bool { return strings.HasPrefix(number, "+86") }

// mask hides the middle of a number: +86138****0000. Logs and messages to the
// operator name people this way.
func mask(number string) string {
	r := []rune(number)
	if len(r) <= 4 {
		return "****"
	}
	return string(r[:max(0, len(r)-8)]) + "****" + string(r[len(r)-4:])
}

// hide masks the numbers in a text that names them.
func hide(text string, numbers []string) string {
	var pairs []string
	for _, number := range numbers {
		local := strings.TrimPrefix(strings.TrimPrefix(number, "+"), "86")
		pairs = append(pairs, local, mask(local))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

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
