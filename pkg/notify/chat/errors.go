package chat

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/notify"
)

// ErrorTable holds the error codes of a vendor.
type ErrorTable []Meaning

// Meaning is what a vendor's error code means and what can be done about it.
type Meaning struct {
	// Codes are the vendor's codes, separated by spaces.
	Codes string
	// About restricts the meaning to error texts that contain one of these words,
	// which are in lower case. It is for codes that stand for several errors; the
	// more specific row comes first.
	About []string
	// Class and RetryAfter are those of the notify.Error.
	Class      notify.Class
	RetryAfter time.Duration
	// Message names the fault and the remedy, for the operator.
	Message string
}

// Find returns the error of a code, nil when the table does not have it. text is
// the vendor's description.
func (t ErrorTable) Find(code, text string) *notify.Error {
	for _, m := range t {
		if slices.Contains(strings.Fields(m.Codes), code) && (m.About == nil || ContainsAny(text, m.About...)) {
			return &notify.Error{Class: m.Class, Code: code, Message: m.Message, RetryAfter: m.RetryAfter}
		}
	}
	return nil
}

// ContainsAny reports whether a vendor's text contains one of the words, which are
// in lower case.
func ContainsAny(text string, words ...string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// UnknownError returns the error of a code that is in no table. It may pass; if it
// does not, the notification goes to the fallback receiver.
func UnknownError(vendor, code string) *notify.Error {
	return &notify.Error{Class: notify.Retry, Code: code, Message: vendor + " refuses the message"}
}

// WithVendorText adds the vendor's own description, which must be cleaned, to an error.
func WithVendorText(e *notify.Error, vendor, text string) *notify.Error {
	if text != "" {
		e.Message += fmt.Sprintf("; %s answered %q", vendor, text)
	}
	return e
}

// ForeignResponse returns the error of a response that does not come from the vendor,
// because it lacks a field that all of the vendor's responses have. Whether the
// message was accepted is unknown.
func ForeignResponse(vendor, field string, r *notify.Response) *notify.Error {
	return &notify.Error{
		Class:     notify.Retry,
		Message:   fmt.Sprintf("the response has no %s, so it is not from %s: check for a proxy in between; it begins with %q", field, vendor, r.BodyExcerpt()),
		Ambiguous: true,
	}
}
