// Package phone is shared by the channels that reach people by phone number and
// send an approved template with variables: SMS and voice calls. It parses, masks
// and sorts phone numbers, and executes the templates of recipients and variables.
package phone

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// Parse returns a phone number in the form of E.164, +8613800000000. Without a
// country code it is a mainland China number, as Tencent Cloud itself reads it:
// 13800000000, 8613800000000 and 008613800000000 are the same. The error is
// InvalidError.
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

// IsDomestic reports whether a number in the form of E.164 is in mainland China.
func IsDomestic(number string) bool { return strings.HasPrefix(number, "+86") }

// Mask hides the middle of a number, +86138****0000, for logs and messages to the
// operator.
func Mask(number string) string {
	r := []rune(number)
	if len(r) <= 4 {
		return "****"
	}
	return string(r[:max(0, len(r)-8)]) + "****" + string(r[len(r)-4:])
}

// MaskList returns the first number of a list, masked, and the count of the
// others: +86138****0000 +2. The list must not be empty.
func MaskList(numbers []string) string {
	if more := len(numbers) - 1; more > 0 {
		return fmt.Sprintf("%s +%d", Mask(numbers[0]), more)
	}
	return Mask(numbers[0])
}

// MaskIn masks the numbers, with or without their country code, in a text.
func MaskIn(text string, numbers ...string) string {
	var pairs []string
	for _, number := range numbers {
		local := strings.TrimPrefix(strings.TrimPrefix(number, "+"), "86")
		pairs = append(pairs, local, Mask(local))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// maxNumber is the longest text that an error shows in place of a phone number, in
// bytes.
const maxNumber = 40

// InvalidError returns the error about a text that is not a phone number. It masks
// the text.
func InvalidError(s string) error {
	return fmt.Errorf("%q is not a phone number: write it like +8613800000000, or 13800000000 for mainland China", Mask(render.CleanLine(s, maxNumber)))
}

// isE164 reports whether digits are a country code and a number: at most 15, the
// first not a zero.
func isE164(digits string) bool {
	return len(digits) >= 7 && len(digits) <= 15 && digits[0] != '0' && areDigits(digits)
}

// isMainland reports whether digits are a mobile number in mainland China.
func isMainland(digits string) bool {
	return len(digits) == 11 && digits[0] == '1' && digits[1] >= '3' && areDigits(digits)
}

func areDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// splitList splits a list at commas, semicolons and line breaks, and drops empty
// parts.
func splitList(list string) []string {
	var out []string
	for _, s := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(",;，；\r\n", r) }) {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// Recipients are the phone numbers of one notification, without duplicates and in
// the order of the configuration.
type Recipients struct {
	Domestic, International []string // in the form of E.164
	Invalid                 []string // texts that are not numbers, as one short line
}

// parseRecipients parses lists of numbers. It returns an error if they have none,
// or more than limit.
func parseRecipients(lists []string, limit int) (*Recipients, error) {
	r := new(Recipients)
	seen := map[string]bool{}
	for _, list := range lists {
		for _, text := range splitList(list) {
			number, err := Parse(text)
			if err != nil {
				number = render.CleanLine(text, maxNumber)
			}
			if seen[number] {
				continue
			}
			if seen[number] = true; len(seen) > limit {
				return nil, fmt.Errorf("there are more than the %d phone numbers that one notification may have", limit)
			}
			switch {
			case err != nil:
				r.Invalid = append(r.Invalid, number)
			case IsDomestic(number):
				r.Domestic = append(r.Domestic, number)
			default:
				r.International = append(r.International, number)
			}
		}
	}
	if len(seen) == 0 {
		return nil, errors.New("there are no recipients: the templates under to printed nothing")
	}
	return r, nil
}

// Remove removes the recipients whose units were accepted.
func (r *Recipients) Remove(accepted []string) {
	for _, list := range []*[]string{&r.Domestic, &r.International, &r.Invalid} {
		*list = slices.DeleteFunc(*list, func(unit string) bool { return slices.Contains(accepted, unit) })
	}
}

// Validate adds to f the faults of the key to: a list of phone numbers, of lists of
// them separated by commas or semicolons, or of templates, which are not checked.
// check returns why the channel cannot reach a number; nil is a channel that reaches
// all.
func Validate(f *setting.Faults, to []string, check func(number string) error) {
	if len(to) == 0 {
		f.Addf("to", "is missing: name the phone numbers, for example +8613800000000")
	}
	for i, list := range to {
		if isTemplate(list) {
			continue
		}
		at := f.In("to", i)
		numbers := splitList(list)
		if len(numbers) == 0 {
			at.Addf("", "is empty: write a phone number like +8613800000000")
		}
		for _, s := range numbers {
			number, err := Parse(s)
			if err == nil && check != nil {
				err = check(number)
			}
			if err != nil {
				at.Addf("", "%v", err)
			}
		}
	}
}

// OnlyInternational reports whether all recipients are outside mainland China. It is
// false if one of them is a template.
func OnlyInternational(to []string) bool {
	return len(to) > 0 && !slices.ContainsFunc(to, func(list string) bool {
		return isTemplate(list) || slices.ContainsFunc(splitList(list), func(s string) bool {
			number, err := Parse(s)
			return err == nil && IsDomestic(number)
		})
	})
}

func isTemplate(s string) bool { return strings.Contains(s, "{{") }
