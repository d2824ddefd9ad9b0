package render

import (
	"errors"
	"fmt"
	"strings"
)

// Compiler compiles the templates of one entry of a configuration and collects their
// errors, each a *KeyError.
type Compiler struct {
	*Templates

	errs []error
}

// KeyError is the error of a template under a key.
type KeyError struct {
	// Path leads from the entry to the template: strings are keys, ints are positions
	// in lists.
	Path []any
	Err  error
}

// Error returns the error behind its key: "at.mobiles[0]: …".
func (e *KeyError) Error() string {
	var b strings.Builder
	for _, step := range e.Path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, step)
		}
	}
	return b.String() + ": " + e.Err.Error()
}

func (e *KeyError) Unwrap() error { return e.Err }

// Err returns the errors, joined.
func (c *Compiler) Err() error { return errors.Join(c.errs...) }

// Add adds the error of the template at a path, unless it is nil.
func (c *Compiler) Add(err error, path ...any) {
	if err != nil {
		c.errs = append(c.errs, &KeyError{path, err})
	}
}

// Join adds the errors of another compiler.
func (c *Compiler) Join(other *Compiler) { c.errs = append(c.errs, other.errs...) }

// Text compiles the text template at a path.
func (c *Compiler) Text(src string, path ...any) *Text {
	x, err := c.CompileText(src)
	c.Add(err, path...)
	return x
}

// HTML compiles the HTML template at a path.
func (c *Compiler) HTML(src string, path ...any) *HTML {
	x, err := c.CompileHTML(src)
	c.Add(err, path...)
	return x
}

// Marked compiles the text template at a path as [Templates.CompileMarked] does.
func (c *Compiler) Marked(src string, path ...any) *Text {
	x, err := c.CompileMarked(src)
	c.Add(err, path...)
	return x
}

// List compiles the text templates of the list at a path.
func (c *Compiler) List(srcs []string, path ...any) []*Text {
	out := make([]*Text, len(srcs))
	for i, src := range srcs {
		out[i] = c.Text(src, append(path[:len(path):len(path)], i)...)
	}
	return out
}
