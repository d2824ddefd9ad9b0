// Package provision lets the servers of the local cloud make the accounts, robots and
// applications that a sender's settings name, so that a real configuration can be
// tried without the real service.
package provision

import (
	"errors"
	"net/url"
	"strings"
)

// Decoder decodes a sender's settings, secrets included, into the struct that v points
// to. Its fields have yaml tags with the names of the settings.
type Decoder func(v any) error

// ParseURL returns the fixed part of an address, which may end in a template. What
// the template will print is not known.
func ParseURL(s string) (*url.URL, error) {
	s, _, _ = strings.Cut(s, "{{")
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("parse an address") // it may hold a key
	}
	return u, nil
}
