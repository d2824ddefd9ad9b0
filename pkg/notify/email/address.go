package email

import (
	"net/mail"
	"strings"

	"tocsin/pkg/render"
)

// maxRecipients bounds a list that may come out of an alert's annotations.
const maxRecipients = 100

// parseRecipients takes a list apart that is separated by commas, semicolons
// or line breaks. Each address is there once; what is not an address is
// returned as it was written.
func parseRecipients(list string) (good []*mail.Address, bad []string) {
	seen := map[string]bool{}
	for _, s := range splitList(list) {
		a, err := mail.ParseAddress(s)
		name := s
		if err == nil {
			name = a.Address
		}
		// Local parts differ by case in theory only (RFC 5321, 2.4).
		if key := strings.ToLower(name); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		if err != nil {
			bad = append(bad, render.CleanLine(s, maxName))
			continue
		}
		good = append(good, a)
	}
	return good, bad
}

// splitList splits at separators outside of quotes and drops what is empty.
func splitList(list string) []string {
	quoted, escaped := false, false
	parts := strings.FieldsFunc(list, func(r rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		}
		return !quoted && strings.ContainsRune(",;，；\r\n", r)
	})
	out := parts[:0]
	for _, s := range parts {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// domain returns what is behind the last @ of an address.
func domain(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
