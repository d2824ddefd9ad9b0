package phone

import (
	"errors"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/render"
	"tocsin/pkg/tencent"
)

// maxVendorText bounds the vendor's text in an error, in bytes.
const maxVendorText = 300

// ErrorTable holds the meanings of a vendor's error codes. The first one that
// applies counts.
type ErrorTable []Meaning

// Meaning is what an error code means and what can be done about it. It applies to
// the code and to those below it: LimitExceeded to LimitExceeded.AppDailyLimit. The
// code "" applies to all.
type Meaning struct {
	Code       string
	Class      notify.Class
	RetryAfter time.Duration
	// Message describes the problem and its remedy.
	Message string
}

// Find returns the meaning of a code.
func (t ErrorTable) Find(code string) (Meaning, bool) {
	for _, m := range t {
		if m.Code == "" || code == m.Code || strings.HasPrefix(code, m.Code+".") {
			return m, true
		}
	}
	return Meaning{}, false
}

// Error returns the error of a code. channel begins the message; text is the
// vendor's description, in which numbers are masked already.
func (m Meaning) Error(channel, code, text string) *notify.Error {
	e := &notify.Error{Class: m.Class, Code: code, Message: channel + ": " + m.Message, RetryAfter: m.RetryAfter}
	if text = render.CleanLine(text, maxVendorText); text != "" {
		e.Message += "; " + text
	}
	// The vendor's own timeout: its sending part may have received the request.
	e.Ambiguous = code == "InternalError.Timeout" || code == "InternalError.SendAndRecvFail"
	return e
}

// CallError returns the error of a failed call of the vendor's API, with the numbers
// masked.
func (t ErrorTable) CallError(channel string, err error, numbers ...string) *notify.Error {
	var e *tencent.Error
	if !errors.As(err, &e) {
		return &notify.Error{Class: notify.Retry, Message: channel + ": " + MaskIn(err.Error(), numbers...)}
	}
	if m, ok := t.Find(e.Code); ok && e.Code != "" {
		out := m.Error(channel, e.Code, MaskIn(e.Message, numbers...)+" "+e.RequestID)
		out.Ambiguous = out.Ambiguous || e.Ambiguous
		return out
	}
	out := &notify.Error{Class: notify.Permanent, Code: e.Code, Message: channel + ": " + MaskIn(e.Error(), numbers...), Ambiguous: e.Ambiguous}
	if e.Temporary {
		out.Class = notify.Retry
	}
	return out
}

// PermanentError returns the error of a unit that the vendor is not asked to reach.
func PermanentError(channel string, reason error) *notify.Error {
	return &notify.Error{Class: notify.Permanent, Message: channel + ": " + reason.Error()}
}
