package notifytest

import (
	"fmt"
	"strings"
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

// ErrcodeErrors returns the cases of responses that no vendor documents, for vendors whose
// responses have the member errcode. reject makes the fake respond with an errcode and a
// text; -1 must be an error to retry.
func ErrcodeErrors[C ChannelConfig](reject func(code int, text string) fault.Handler) []ErrorCase[C] {
	foreign := &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "no errcode"}
	return []ErrorCase[C]{
		{Name: "JSON without errcode", Fault: fault.Respond(200, "application/json", `{"code":0,"msg":"ok"}`), Want: foreign},
		{Name: "null", Fault: fault.Respond(200, "application/json", `null`), Want: foreign},
		{Name: "status 404 with errcode 0", Fault: fault.Respond(404, "application/json", `{"errcode":0}`),
			Want: &notify.Error{Class: notify.Permanent, Code: "HTTP 404", Message: "refuses the request"}},
		{Name: "long errmsg", Fault: reject(-1, strings.Repeat("长", 9999)),
			Want: &notify.Error{Class: notify.Retry, Code: "-1", Message: "…"}},
	}
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
