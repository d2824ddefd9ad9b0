package notify

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// A redactor masks the parts of an address that may be credentials: its query and user
// information, its path, and each word of them.
type redactor struct {
	parts []string // masked wherever they occur, the longest first
	words map[string]bool
}

const (
	mask    = "<secret>"
	minWord = 4  // bytes of a word that is masked: shorter ones occur in any text
	minPart = 16 // bytes of a word that is masked within longer ones too
)

var wordPattern = regexp.MustCompile(`[\pL\pN_-]+`)

// publicWords are in the paths of many vendors and in their errors, which cannot be
// understood without them.
var publicWords = strings.Fields("alert alerts api apis bot cgi-bin hook hooks message messages notify open-apis robot send sendMessage services webhook webhooks")

// newRedactor returns the redactor of u.
func newRedactor(u *url.URL) redactor {
	r := redactor{words: map[string]bool{}}
	add := func(s string) {
		words := wordPattern.FindAllString(s, -1)
		if len(s) >= minPart || len(s) >= minWord && len(words) != 1 {
			r.parts = append(r.parts, s)
		}
		for _, word := range words {
			if len(word) >= minWord && !slices.Contains(publicWords, word) {
				r.words[word] = true
			}
		}
	}
	for _, path := range []string{u.Path, u.EscapedPath()} {
		if strings.Trim(path, "/") != "" {
			r.parts = append(r.parts, path)
		}
		for segment := range strings.SplitSeq(path, "/") {
			add(segment)
		}
	}
	if u.RawQuery != "" {
		r.parts = append(r.parts, u.RequestURI(), u.RawQuery)
	}
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
			add(url.QueryEscape(v))
		}
	}
	if user := u.User.String(); user != "" {
		password, _ := u.User.Password()
		r.parts = append(r.parts, user)
		add(password)
	}
	slices.SortFunc(r.parts, func(a, b string) int { return len(b) - len(a) })
	return r
}

// text returns s with the address masked.
func (r redactor) text(s string) string {
	for _, part := range r.parts {
		s = strings.ReplaceAll(s, part, mask)
	}
	return wordPattern.ReplaceAllStringFunc(s, func(word string) string {
		if r.words[word] {
			return mask
		}
		return word
	})
}

// err returns the cause of a failed request with the address masked.
func (r redactor) err(err error) error {
	err = setting.RequestCause(err)
	text := err.Error()
	if clean := render.CleanLine(r.text(text), maxExcerpt); clean != text {
		return errors.New(clean)
	}
	return err
}
