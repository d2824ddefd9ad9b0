package intake

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"
)

// document is a message while it is read. Its first fault is kept, so that a
// decoder can read on and ask at the end.
type document struct{ err *Error }

func (d *document) fail(where, format string, args ...any) {
	if d.err == nil {
		d.err = faultf(where, format, args...)
	}
}

// fault is what is wrong with the message, nil for nothing.
func (d *document) fault() error {
	if d.err == nil {
		return nil
	}
	return d.err
}

// node is a value in a message: what a JSON decoder makes of it, or nil when it
// is not there.
type node struct {
	doc   *document
	base  string // path of the object that it is in, "" for the whole message
	name  string // there
	value any
}

// path says where in the message the value is.
func (n node) path() string {
	if n.base == "" {
		return cut(n.name, 2*maxQuote)
	}
	return cut(n.base+"."+n.name, 2*maxQuote)
}

// open parses a JSON body whose top is an object.
func open(body []byte) (node, error) {
	value, err := parseJSON(body)
	if err != nil {
		return node{}, err
	}
	n := node{doc: &document{}, value: value}
	if _, ok := value.(map[string]any); !ok {
		return n, faultf("", "%s where an object is expected", kind(value))
	}
	return n, nil
}

// kind names a value's type in the words of JSON.
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

// get is the first of an object's members that is there and not null.
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

// is tells whether the value is there.
func (n node) is() bool { return n.value != nil }

// need makes it a fault that the value is not there.
func (n node) need() node {
	if !n.is() {
		n.doc.fail(n.path(), "is missing")
	}
	return n
}

// text is a scalar as text, "" when it is not there.
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

// plain is any value as text: one that is no scalar is written as JSON.
func (n node) plain() string { return plain(n.value) }

func plain(v any) string {
	if s, ok := scalar(v); ok {
		return s
	}
	return compact(v)
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // of no value that was parsed from JSON
		return ""
	}
	return string(b)
}

// object is the members of an object, none when it is not there.
func (n node) object() map[string]any {
	members, ok := n.value.(map[string]any)
	if !ok && n.is() {
		n.doc.fail(n.path(), "%s where an object is expected", kind(n.value))
	}
	return members
}

// members are those of an object, in byte order of their names.
func (n node) members() []member {
	object := n.object()
	out := make([]member, 0, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		out = append(out, member{name, n.member(name, object[name])})
	}
	return out
}

type member struct {
	name string
	node node
}

// texts are the members of an object by their names, in no order. It is a fault
// if one is no scalar.
func (n node) texts() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for name, v := range n.object() {
			s, ok := scalar(v)
			if !ok {
				for _, m := range n.members() { // the first of them is told, whatever the order here
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

// list is the items of an array, none when it is not there.
func (n node) list() []node {
	items, ok := n.value.([]any)
	if !ok && n.is() {
		n.doc.fail(n.path(), "%s where an array is expected", kind(n.value))
	}
	out, path := make([]node, len(items)), n.path()
	for i, v := range items {
		out[i] = node{doc: n.doc, name: path + "[" + strconv.Itoa(i) + "]", value: v}
	}
	return out
}
