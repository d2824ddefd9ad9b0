// Package intake turns other systems' messages into alerts, one file for each
// system. A decoder is given a body, a query and a clock, and knows nothing of
// HTTP; who may send, and how much, is decided before it is asked.
//
// What holds for every decoder:
//   - Labels are what stays the same from an alert's first message to its last,
//     so that the word that it is over meets the word that it fires. Current
//     values, counts and session ids are annotations.
//   - A scalar may be of any JSON type: senders write 1, "1" and true for one
//     thing.
//   - Fields that a decoder does not know become annotations, up to a size.
//   - An alert that fires has no end until its source says that it is over. One
//     whose source never says so ends by itself: its Timeout is set.
//   - A message is taken as a whole or refused as a whole.
package intake

import (
	"fmt"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// Input is a message as it arrived.
type Input struct {
	Body []byte
	// Media is the media type of the body, in lower case and without parameters;
	// "" when the sender did not name one.
	Media string
	// Query and Header are without what authenticates the sender.
	Query  url.Values
	Header textproto.MIMEHeader
	// Now is when the message arrived.
	Now time.Time
	// Zone is where times without a zone are from, for systems whose times are
	// local; nil is UTC.
	Zone *time.Location
	// Trusted tells that the sender proved who it is, by a token.
	Authenticated bool
}

// Output is what a message says.
type Output struct {
	Alerts []*alert.Alert
	// Reply are the members that the sender expects in the answer, a JSON object.
	Reply map[string]any
}

// Decoder reads one system's messages. Its error is an *Error.
type Decoder func(in Input) (Output, error)

// Media types of bodies.
const (
	JSON = "application/json"
	Form = "application/x-www-form-urlencoded"
	Text = "text/plain"
)

// System is a system whose messages are understood by themselves; Amazon SNS,
// whose messages must be verified, and the templates of Generic are apart.
type System struct {
	// Name is the path of its hook, below /hooks/.
	Name string
	// Media are the media types of its bodies. Without any, its messages are
	// queries.
	Media  []string
	Decode Decoder
}

// Systems returns all of them.
func Systems() []System {
	return []System{
		{"alertmanager", []string{JSON}, Alertmanager},
		{"grafana", []string{JSON}, Grafana},
		{"tencent-monitor", []string{JSON}, TencentMonitor},
		{"zabbix", []string{JSON, Form}, Zabbix},
		{"aliyun", []string{Form, JSON}, Aliyun},
		{"open-falcon/im", []string{Form}, OpenFalcon},
		{"open-falcon/sms", []string{Form}, OpenFalcon},
		{"open-falcon/mail", []string{Form}, OpenFalconMail},
		{"open-falcon/callback", nil, OpenFalconCallback},
	}
}

// Error is what is wrong with a message, in words for its sender.
type Error struct {
	// Where is the way to the value, such as alerts[3].labels, or the place in
	// the text; "" is the message as a whole.
	Path    string
	Message string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

func faultf(where, format string, args ...any) *Error {
	return &Error{Path: where, Message: fmt.Sprintf(format, args...)}
}

// maxQuote bounds what an error repeats of a message, in bytes.
const maxQuote = 100

// cut shortens s to at most n bytes, at the border of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len("…")], "") + "…"
}
