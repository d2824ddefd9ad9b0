package phone

import (
	"slices"
	"strings"

	"tocsin/pkg/setting"
)

// Validate adds to f what is wrong with the key to: templates of phone numbers,
// or of lists of them separated by commas or semicolons. What a template will
// print is not known yet. refuse says why the channel cannot reach a number; nil
// is a channel that reaches all.
func Validate(f *setting.Faults, to []string, refuse func(number string) error) {
	if len(to) == 0 {
		f.Addf("to", "is missing: name the phone numbers, for example +8613800000000")
	}
	for i, list := range to {
		if isTemplate(list) {
			continue
		}
		at := f.In("to", i)
		numbers := split(list)
		if len(numbers) == 0 {
			at.Addf("", "is empty: write a phone number like +8613800000000")
		}
		for _, s := range numbers {
			number, err := Parse(s)
			if err == nil && refuse != nil {
				err = refuse(number)
			}
			if err != nil {
				at.Addf("", "%v", err)
			}
		}
	}
}

// OnlyForeign tells whether to names numbers outside mainland China and nobody
// else. A template may name anybody.
func OnlyInternational(to []string) bool {
	return len(to) > 0 && !slices.ContainsFunc(to, func(list string) bool {
		return isTemplate(list) || slices.ContainsFunc(split(list), isDomestic)
	})
}

func isTemplate(s string) bool { return strings.Contains(s, "{{") }

func isDomestic(s string) bool {
	number, err := Parse(s)
	return err == nil && IsDomestic(number)
}
