package intake

import (
	"bytes"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// document is a message that is being decoded. It keeps the first error, so that a
// decoder can read all values and check for errors once.
type document struct{ first *Error }

func (d *document) fail(path, format string, args ...any) {
	if d.first == nil {
		d.first = errorf(path, format, args...)
	}
}

// err returns the first error, or nil.
func (d *document) err() error {
	if d.first == nil {
		return nil
	}
	return d.first
}

// node is a value in a message, as parsed from JSON; nil if it is absent.
type node struct {
	doc   *document
	base  string // path of its object, "" for the whole message
	name  string // in its object
	value any
}

// path returns the path of the value in the message.
func (n node) path() string {
	if n.base == "" {
		return truncate(n.name, 2*maxQuote)
	}
	return truncate(n.base+"."+n.name, 2*maxQuote)
}

// open parses a JSON body that is an object.
func open(body []byte) (node, error) {
	value, err := parseJSON(body)
	if err != nil {
		return node{}, err
	}
	n := node{doc: &document{}, value: value}
	if _, ok := value.(map[string]any); !ok {
		return n, errorf("", "%s where an object is expected", kind(value))
	}
	return n, nil
}

// openFormOrJSON parses a body that is a form or JSON. Some senders give the media type
// of a form to JSON, and none or that of text to forms.
func openFormOrJSON(in Input) (node, error) {
	body := bytes.TrimSpace(bytes.TrimPrefix(in.Body, byteOrderMark))
	isForm := in.Media == Form || in.Media != JSON && bytes.IndexByte(body, '=') > 0
	if isForm && !bytes.HasPrefix(body, []byte("{")) {
		return openForm(body)
	}
	return open(body)
}

// kind returns the JSON name of a value's type.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}

// get returns the first of the named members of an object that is present and not
// null. If none is, it is an absent node with the first name.
func (n node) get(names ...string) node {
	members := n.object()
	for _, name := range names {
		if v := members[name]; v != nil {
			return n.member(name, v)
		}
	}
	return n.member(names[0], nil)
}

func (n node) member(name string, v any) node { return node{n.doc, n.path(), name, v} }

// present reports whether the value is present.
func (n node) present() bool { return n.value != nil }

// required records an error if the value is absent.
func (n node) required() node {
	if !n.present() {
		n.doc.fail(n.path(), "is missing")
	}
	return n
}

// text returns a scalar as text, "" if it is absent.
func (n node) text() string {
	s, ok := scalar(n.value)
	if !ok {
		n.doc.fail(n.path(), "%s where text is expected", kind(n.value))
	}
	return s
}

func scalar(v any) (s string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	default:
		return "", false
	}
}

// anyText returns any value as text: a scalar as it is, other values as JSON.
func (n node) anyText() string { return anyText(n.value) }

func anyText(v any) string {
	if s, ok := scalar(v); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil { // cannot happen for a value that was parsed from JSON
		return ""
	}
	return string(b)
}

// object returns the members of an object, none if it is absent.
func (n node) object() map[string]any {
	members, ok := n.value.(map[string]any)
	if !ok && n.present() {
		n.doc.fail(n.path(), "%s where an object is expected", kind(n.value))
	}
	return members
}

type member struct {
	name string
	node node
}

// members returns the members of an object in byte order of their names.
func (n node) members() []member {
	object := n.object()
	out := make([]member, 0, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		out = append(out, member{name, n.member(name, object[name])})
	}
	return out
}

// texts iterates over the members of an object, in no order. It records an error if
// one has no name or is not a scalar.
func (n node) texts() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		object := n.object()
		if _, ok := object[""]; ok {
			n.doc.fail(n.path(), "a name is empty")
			return
		}
		for name, v := range object {
			s, ok := scalar(v)
			if !ok {
				for _, m := range n.members() { // so that always the same member is reported
					m.node.text()
				}
				return
			}
			if !yield(name, s) {
				return
			}
		}
	}
}

// list returns the items of an array, none if it is absent.
func (n node) list() []node {
	items, ok := n.value.([]any)
	if !ok && n.present() {
		n.doc.fail(n.path(), "%s where an array is expected", kind(n.value))
	}
	out, path := make([]node, len(items)), n.path()
	for i, v := range items {
		out[i] = node{doc: n.doc, name: path + "[" + strconv.Itoa(i) + "]", value: v}
	}
	return out
}

// time parses a time. It returns the zero time if the value is absent, 0 or the
// first day of year 1.
func (n node) time(zone *time.Location) time.Time {
	s := strings.TrimSpace(n.text())
	if s == "" {
		return time.Time{}
	}
	t, ok := parseTime(s, zone)
	if !ok {
		n.doc.fail(n.path(), "%q is not a time: write it like 2026-01-02T15:04:05Z", truncate(s, maxQuote))
	}
	return t
}

// timeLayouts are the layouts of the senders' times.
var timeLayouts = [...]string{
	time.RFC3339,
	"2006-01-02 15:04:05",
	"2006-01-02T15:04:05Z0700", // CloudWatch, Alibaba Cloud Monitor
	"20060102T150405.000Z0700", // Alibaba Cloud Monitor
	"20060102T150405Z0700",
	"2006-01-02T15:04:05",
	"2006.01.02 15:04:05", // Zabbix
	"2006-01-02 15:04:05 -0700 MST",
}

// parseTime parses a time in one of the layouts, or in seconds or milliseconds since
// 1970. Times without a zone are in zone, nil for UTC.
func parseTime(s string, zone *time.Location) (time.Time, bool) {
	if zone == nil {
		zone = time.UTC
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch {
		case n <= 0:
			return time.Time{}, n == 0
		case n < 1e11: // the year 5138 in seconds
			return time.Unix(n, 0).UTC(), true
		case n < 1e14:
			return time.UnixMilli(n).UTC(), true
		}
		return time.Time{}, false
	}
	for _, layout := range timeLayouts {
		t, err := time.ParseInLocation(layout, s, zone)
		if err == nil && isRFC3339(t) && isRFC3339(t.UTC()) {
			return t, true
		}
	}
	return time.Time{}, false
}

// isRFC3339 reports whether RFC 3339 can represent t: its year has four digits and
// its zone offset is less than a day.
func isRFC3339(t time.Time) bool {
	_, err := t.MarshalText()
	return err == nil
}
