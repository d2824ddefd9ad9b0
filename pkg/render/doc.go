// Package render puts notifications into words. Document makes the built-in
// messages, in Chinese and English, as plain text that each channel dresses in
// its own markup; Templates holds what users write to replace them.
package render

import "time"

// Style is how notifications are put into words.
type Style struct {
	// Language is "zh" or "en"; Location is the zone of times.
	Language string
	Location *time.Location
	// ExternalURL is where a reader can look alerts up, "" for nowhere.
	ExternalURL string
	// TemplateFailed is called whenever a user's template fails and the built-in
	// text takes its place; nil for nobody.
	OnTemplateError func()
}

// Doc is a notification in words, before any channel's markup. Every text in it
// is one line of valid UTF-8 without control characters; nothing is escaped. A
// channel prints the parts in the order in which they stand here.
type Document struct {
	// Resolved tells that every alert in it is over.
	Resolved bool
	// Severity is the worst of the alerts that fire, or of all when none does.
	Severity Severity
	// Title says what it is about: "[告警] 消费积压 · orders / order-worker（3 个 topic）".
	Title string
	// Lead says in one sentence how bad it is. Title and Lead together are the
	// short form of the message. It may be "".
	Lead string
	// Facts are what all alerts have in common.
	Facts []Field
	// Items are the alerts, in reading order: firing before resolved; consumer
	// lag by size, others by severity, then start, then labels. It is empty when
	// the notification has a single alert, which Lead and Facts then describe.
	Items []Item
	// Notes are what the reader should know of the message itself.
	Notes []string
	Links []Link
	// Colon is what the language puts between a field's name and its value.
	Colon string

	draft *draft // what it was made of
	style *Style
}

// Item is one alert among several.
type Item struct {
	Resolved bool
	Severity Severity
	// Title tells the alert from the others of the notification.
	Title string
	// Headline says what is wrong with it, on one line. It may be "".
	Headline string
	// Fields are its details; there are none when the alerts are many.
	Fields []Field
}

// Field is a named value.
type Field struct{ Name, Value string }

// Link is an http or https address.
type Link struct{ Name, URL string }

// Severity orders alerts by how bad they are.
type Severity uint8

// The severities, mildest first. An alert without a severity label, or with one
// that is not known, is a Warning.
const (
	Info Severity = iota
	Warning
	Critical
)
