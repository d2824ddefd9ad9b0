package phone

import (
	"cmp"
	"fmt"
	"strings"

	"tocsin/pkg/render"
)

const (
	// defaultLength is how many characters enterprise accounts usually may put
	// into a variable.
	defaultLength = 20
	// safeLength is what every account may: individual ones 12, and those opened
	// after January 2024 this.
	safeLength = 6
)

// Form is what a channel's configuration wants filled in for each notification:
// whom it goes to, and the variables of the approved template.
type Templates struct {
	to, params []*render.Text
	length     int
}

// NewForm compiles the templates of the keys to and params; an error begins with
// the key. Variables are cut to length characters; 0 is 20.
func NewTemplates(t *render.Templates, to, params []string, length int) (*Templates, error) {
	f := &Templates{length: cmp.Or(length, defaultLength)}
	for _, key := range []struct {
		name    string
		sources []string
		texts   *[]*render.Text
	}{{"to", to, &f.to}, {"params", params, &f.params}} {
		for i, src := range key.sources {
			x, err := t.CompileText(src)
			if err != nil {
				return nil, fmt.Errorf("%s: %d: %w", key.name, i, err)
			}
			*key.texts = append(*key.texts, x)
		}
	}
	return f, nil
}

// Recipients returns whom a notification goes to. It is an error when that is
// nobody, or more than most: the list may come out of an alert's annotations.
func (f *Templates) Recipients(view *render.View, most int) (*Recipients, error) {
	lists := make([]string, len(f.to))
	for i, x := range f.to {
		var err error
		if lists[i], err = x.Execute(view); err != nil {
			return nil, fmt.Errorf("to: %d: %w", i, err)
		}
	}
	return read(lists, most)
}

// Params returns the template's variables. A template that fails leaves its
// variable empty: half a message is better than a phone that stays silent. To
// shrink is for when the vendor refused the values as they were: they are cut to
// what every account may send and lose their dots, which some accounts are
// refused as links.
func (f *Templates) Params(view *render.View, shrink bool) []string {
	params := make([]string, len(f.params))
	for i, x := range f.params {
		value, err := x.Execute(view)
		if err != nil {
			value = ""
		}
		if shrink {
			params[i] = cleanParam(strings.ReplaceAll(dropLinks(value), ".", "_"), min(f.length, safeLength))
		} else {
			params[i] = cleanParam(value, f.length)
		}
	}
	return params
}

// Preview is a message so far as it is known here: the template's text is the
// vendor's.
func Preview(language, template string, params []string) string {
	word, colon := "模板 ", "："
	if language == "en" {
		word, colon = "template ", ": "
	}
	if len(params) == 0 {
		return word + template
	}
	return word + template + colon + strings.Join(params, ", ")
}
