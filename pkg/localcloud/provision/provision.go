// Package provision lets the servers of the local cloud create the accounts, robots and
// applications in a sender's settings, so that a real configuration can be tried without
// the real service.
package provision

import (
	"errors"
	"net/url"
	"strings"
)

// Decoder decodes a sender's settings, with their secrets, into the struct that v points
// to, whose fields have yaml tags with the names of the settings.
type Decoder func(v any) error

// Address is an address in the settings. If it contains a template, it is the part before
// the template, whose output is not known.
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
