package notifytest

import (
	"fmt"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/notify"
)

// VendorCode is a row in a table of a vendor's error codes.
type VendorCode struct {
	code       int
	text       string
	class      notify.Class
	retryAfter time.Duration
	message    string
}

// Code returns a row: the code and text of the vendor's response, and what the channel's
// error must have: the class, the time to wait, and a part of the message. The error must
// also quote the beginning of text.
func Code(code int, text string, class notify.Class, retryAfter time.Duration, message string) VendorCode {
	return VendorCode{code, text, class, retryAfter, message}
}

// CodeErrors returns an ErrorCase for each row. vendor is the vendor's name in errors;
// reject makes the fake respond with a code and a text.
func CodeErrors[C ChannelConfig](vendor string, reject func(code int, text string) fault.Handler, rows []VendorCode) []ErrorCase[C] {
	var cases []ErrorCase[C]
	for _, r := range rows {
		cases = append(cases, ErrorCase[C]{
			Name: fmt.Sprintf("code %d %.60s", r.code, r.text), Fault: reject(r.code, r.text),
			Want:     &notify.Error{Class: r.class, Code: fmt.Sprint(r.code), RetryAfter: r.retryAfter, Message: r.message},
			Contains: []string{fmt.Sprintf("%s answered \"%.20s", vendor, r.text)},
		})
	}
	return cases
}
