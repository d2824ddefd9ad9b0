// Package intake decodes other systems' messages into alerts, with one file for
// each system. A decoder gets a body, a query and the time, and knows nothing of
// HTTP; authentication and size limits are the caller's.
//
// All decoders follow these rules:
//   - A label has the same value in every message about an alert, so that the message
//     that resolves the alert has the labels of the one that fired it. Current values,
//     counts and session ids are annotations.
//   - A scalar may be of any JSON type, because senders use 1, "1" and true for the
//     same value.
//   - Unknown fields become annotations, up to a size.
//   - A firing alert has no end until its source reports one. If the source never does,
//     the alert has Timeout set, and the caller sets the end.
//   - A message is decoded completely or rejected. Of a list of alerts, those with an
//     error are rejected, unless all are.
package intake

import (
	"fmt"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// Input is a received message.
type Input struct {
	Body []byte
	// Media is the media type of the body in lower case and without parameters, ""
	// if the sender gave none.
	Media string
	// Query and Header are without the sender's credentials.
	Query  url.Values
	Header textproto.MIMEHeader
	// Now is when the message was received.
	Now time.Time
	// Zone is the zone of times without one, for systems that send local times; nil
	// for UTC.
	Zone *time.Location
	// Authenticated is set when the sender used a token.
	Authenticated bool
}

// Output is a decoded message.
type Output struct {
	Alerts []*alert.Alert
	// Errors are the errors of the alerts that are not in Alerts, by their position in
	// the message.
	Errors map[int]*Error
	// Reply are members that the sender expects in the JSON object of the response.
	Reply map[string]any
}

// Decoder decodes the messages of one system. Its error is an *Error.
type Decoder func(in Input) (Output, error)

// Media types of bodies.
const (
	JSON = "application/json"
	Form = "application/x-www-form-urlencoded"
	Text = "text/plain"
)

// System is a system with a fixed message format. Amazon SNS, whose messages have
// to be verified, and the configured templates of NewGeneric are not Systems.
type System struct {
	// Name is the path of its hook below /hooks/.
	Name string
	// Media are the media types of its bodies; none if its messages are queries.
	Media  []string
	Decode Decoder
	// Formats names the accepted messages, for the sender of another one.
	Formats string
}

// Systems returns all systems.
func Systems() []System {
	return []System{
		{"alertmanager", []string{JSON, Text}, Alertmanager, "webhooks of Alertmanager, version 4 or 3"},
		{"grafana", []string{JSON, Text}, Grafana, "webhooks of Grafana, of unified and of legacy alerting"},
		{"tencent-monitor", []string{JSON, Text, Form}, TencentMonitor, "callbacks of Tencent Cloud Monitor on metrics and events"},
		{"zabbix", []string{JSON, Text, Form}, Zabbix, "messages of the media type in examples/zabbix, as JSON or a form"},
		{"aliyun", []string{Form, JSON, Text}, Aliyun, "threshold callbacks, event subscriptions and event callbacks of Alibaba Cloud Monitor, as a form or JSON"},
		{"open-falcon/im", []string{Form}, OpenFalcon, falconFormats},
		{"open-falcon/sms", []string{Form}, OpenFalcon, falconFormats},
		{"open-falcon/mail", []string{Form}, OpenFalconMail, "forms of Open-Falcon with tos, subject and content"},
		{"open-falcon/callback", nil, OpenFalconCallback, "queries of Open-Falcon's callback"},
	}
}

const falconFormats = "forms of Open-Falcon with tos and content"

// Error is an error in a message. It is shown to the sender.
type Error struct {
	// Path is the path of the value, such as alerts[3].labels, or the position in
	// the text, such as byte 12; "" for the whole message.
	Path    string
	Message string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

func errorf(path, format string, args ...any) *Error {
	return &Error{Path: path, Message: fmt.Sprintf(format, args...)}
}

// maxQuote is the number of bytes that an error quotes from a message.
const maxQuote = 100

// truncate shortens s to at most n bytes, between characters.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len("…")], "") + "…"
}
