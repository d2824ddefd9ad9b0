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

// Address is the fixed part of an address in the settings, which may end in a template.
// What the template will print is not known.
type Address struct{ *url.URL }

// UnmarshalText parses an address. The error does not contain it: it may hold a key.
func (a *Address) UnmarshalText(text []byte) error {
	fixed, _, _ := strings.Cut(string(text), "{{")
	u, err := url.Parse(fixed)
	if err != nil {
		return errors.New("parse an address")
	}
	a.URL = u
	return nil
}
