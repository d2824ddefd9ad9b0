// Package chat is the base of the channels that post text to a chat: WeCom,
// DingTalk, Feishu, Slack, Telegram.
//
// A channel is a [Dialect] (how the vendor writes bold, quotes and links, and what
// must be escaped), its limits, and its [ErrorTable]. The base does the rest:
//
//   - [Compiler] compiles the templates of a configuration entry.
//   - [Template.Execute] prints the user's own message, or gives way to the
//     built-in one.
//   - [Blocks] lays the built-in message out, in pieces between which it may be
//     split; render.Pack or a loop around it keeps the vendor's limit.
//   - [Unit], [Marker], [Accepted] and [NewMessage] make a notify.Message of each
//     part that the channel has not accepted yet.
//   - [Target] names a robot without its key.
//   - [ErrorTable.Find] classifies the vendor's error codes.
package chat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

// Dialect writes the elements of the built-in message in one vendor's markup. A
// text it is given is one line without control characters and is not escaped; what
// it returns is escaped. Markup must not span lines, so that a message can be split
// between any two of them.
type Dialect interface {
	// Lead writes the sentence below the title.
	Lead(text string) string
	// Item writes the title and the headline of one alert among several.
	Item(doc *render.Document, item render.Item) string
	// Field writes a "name: value" line, which is nested below an item or belongs
	// to all alerts.
	Field(text string, nested bool) string
	// Note writes a remark about the message itself.
	Note(text string) string
	// Links writes the links, whose addresses have been through URL. "" leaves
	// them out.
	Links(doc *render.Document, links []render.Link) string

	// Value escapes a label or an annotation for the templates of users, who may
	// put it anywhere in a line.
	Value(s string) string
	// URL escapes an address for the place that it has in a link.
	URL(s string) string
}

// Blocks lays out what follows the title of the built-in message, in pieces
// between which it may be split. A blank line precedes the first alert, every alert
// that has fields, every note, and the links.
func Blocks(doc *render.Document, d Dialect) []string {
	out := make([]string, 0, len(doc.Items)+8)
	if doc.Lead != "" {
		out = append(out, d.Lead(doc.Lead))
	}
	if len(doc.Facts) > 0 {
		out = append(out, fields(doc, d, doc.Facts, false))
	}
	for i, item := range doc.Items {
		block := d.Item(doc, item)
		if len(item.Fields) > 0 {
			block += "\n" + fields(doc, d, item.Fields, true)
		}
		if i == 0 || len(item.Fields) > 0 {
			block = "\n" + block
		}
		out = append(out, block)
	}
	for _, note := range doc.Notes {
		out = append(out, "\n"+d.Note(note))
	}
	if len(doc.Links) > 0 {
		links := make([]render.Link, len(doc.Links))
		for i, l := range doc.Links {
			links[i] = render.Link{Name: l.Name, URL: d.URL(l.URL)}
		}
		if s := d.Links(doc, links); s != "" {
			out = append(out, "\n"+s)
		}
	}
	return out
}

func fields(doc *render.Document, d Dialect, fields []render.Field, nested bool) string {
	lines := make([]string, len(fields))
	for i, f := range fields {
		lines[i] = d.Field(f.Name+doc.Colon+f.Value, nested)
	}
	return strings.Join(lines, "\n")
}

// Marker returns the mark that a title ends with when the message has several
// parts: " (1/3)". Parts count from one.
func Marker(part, parts int) string {
	if parts == 1 {
		return ""
	}
	return fmt.Sprintf(" (%d/%d)", part, parts)
}

// PackLines splits a user's own text between lines into parts of at most limit
// bytes. Several parts begin with their marker.
func PackLines(lines []string, limit int) []string {
	return render.Pack(limit, func(part, parts int) string { return strings.TrimSpace(Marker(part, parts)) }, lines)
}

// Unit names a part in notify.Message: "1/3". Parts count from one.
func Unit(part, parts int) string { return fmt.Sprintf("%d/%d", part, parts) }

// Accepted reports whether the channel accepted a unit of n in an earlier attempt.
func Accepted(n *alert.Notification, unit string) bool { return slices.Contains(n.AcceptedUnits, unit) }

// Limit returns the size limit of a message: limit, or half of it when the vendor
// rejected the last attempt as too long.
func Limit(n *alert.Notification, limit int) int {
	if n.HalfSize {
		return limit / 2
	}
	return limit
}

// NewMessage returns a message of one unit. text is the message without markup.
func NewMessage(target, unit, text string, send func(ctx context.Context) error) notify.Message {
	units := []string{unit}
	return notify.Message{
		Target: target,
		Units:  units,
		Text:   text,
		Send:   func(ctx context.Context) []notify.Outcome { return notify.Outcomes(units, send(ctx)) },
	}
}

// Target names the destination of a channel's messages, in logs and as the owner of
// a quota, without giving away the secret that identifies it.
func Target(channel, secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return channel + "/" + hex.EncodeToString(sum[:4])
}

// QueryParameter returns a parameter of an address's query, or the whole address
// when it has none of that name.
func QueryParameter(address, name string) string {
	if u, err := url.Parse(address); err == nil {
		if value := u.Query().Get(name); value != "" {
			return value
		}
	}
	return address
}
