package render

import (
	"fmt"
	htmltemplate "html/template"
	"path/filepath"
	"strings"
	"sync"
	texttemplate "text/template"

	"github.com/prometheus/alertmanager/template"
)

// MaxOutput bounds what one template may print, in bytes.
const MaxOutput = 1 << 20

// Templates holds the user's template files together with Alertmanager's own
// named templates, for the templates in a configuration to refer to. A nil
// *Templates is one without files.
type Templates struct {
	files bool
	named func() (*set, error) // load, once
}

// set is the named templates, in both forms.
type set struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

// ParseTemplates reads the files that Alertmanager's `templates` key names. A
// pattern may match nothing, as in Alertmanager. Without patterns nothing is
// read or parsed.
func ParseTemplates(globs ...string) (*Templates, error) {
	t := &Templates{files: len(globs) > 0, named: sync.OnceValues(func() (*set, error) { return load(globs) })}
	for _, glob := range globs {
		if _, err := filepath.Match(glob, ""); err != nil {
			return nil, fmt.Errorf("templates: %q: %w", glob, err)
		}
	}
	if t.files {
		if _, err := t.named(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// load parses Alertmanager's named templates and then the files, so that files
// redefine names. Alertmanager's type keeps its parts to itself but shows them
// to its options.
func load(globs []string) (*set, error) {
	s := &set{}
	_, err := template.FromGlobs(globs, func(text *texttemplate.Template, html *htmltemplate.Template) {
		s.text, s.html = text, html
	})
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return s, nil
}

// base returns what src is compiled in: the named templates if there are files
// or src refers to a name, otherwise nothing, because parsing Alertmanager's
// templates takes longer than the rest of a cold start.
func (t *Templates) base(src string) (*set, error) {
	switch {
	case t != nil && t.files, t != nil && refers(src):
		return t.named()
	case refers(src):
		return load(nil)
	default:
		return &set{text: texttemplate.New(""), html: htmltemplate.New("")}, nil
	}
}

func refers(src string) bool {
	return strings.Contains(src, "template") || strings.Contains(src, "block")
}

// defines tells that the user's files, or Alertmanager, define a name.
func (t *Templates) defines(name string) bool {
	if t == nil || !t.files {
		return false
	}
	s, err := t.named()
	return err == nil && s.text.Lookup(name) != nil
}
