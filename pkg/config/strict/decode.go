package strict

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// Aliases (*name) can make a small file expand to a very large or an infinite value.
// These limits bound the number of values that they add, and the depth.
const (
	maxAliased = 100_000
	maxDepth   = 64
)

// decoder decodes a tree of YAML nodes into a struct and collects problems.
type decoder struct {
	file     File
	problems []Problem
	// lines has the line of each value by its path, for faults that Validate finds.
	lines map[string]int
	// failed has the paths of values with an error.
	failed map[string]bool
	fields map[reflect.Type][]field

	expanded     int                     // bytes that variables were expanded to
	original     map[*yaml.Node]string   // text before variables were replaced
	expandErrors map[*yaml.Node][]string // of variables that could not be replaced

	nodes, steps int  // nodes of the file, and values decoded so far
	exceeded     bool // a limit was exceeded
}

// position is the path of a value, its line, and its depth.
type position struct {
	key         string
	line, depth int
}

func (p position) child(key string, line int) position {
	if p.key != "" {
		key = p.key + "." + key
	}
	return position{key, line, p.depth + 1}
}

func (p position) element(i, line int) position {
	return position{p.key + "[" + strconv.Itoa(i) + "]", line, p.depth + 1}
}

func (d *decoder) faultf(at position, format string, args ...any) {
	d.failed[at.key] = true
	d.problems = append(d.problems, Problem{Line: at.line, Key: at.key, Message: fmt.Sprintf(format, args...)})
}

// step counts n values and reports whether the limits allow them.
func (d *decoder) step(at position, n int) bool {
	if d.steps += n; d.exceeded {
		return false
	}
	if d.exceeded = d.steps > d.nodes+maxAliased || at.depth > maxDepth; d.exceeded {
		d.faultf(position{line: at.line}, "nested too deeply, or expanded too much by aliases (*name): an alias must not contain itself, nor many others")
	}
	return !d.exceeded
}

// decodeValue decodes n into v.
func (d *decoder) decodeValue(n *yaml.Node, v reflect.Value, at position) {
	if !d.step(at, 1) {
		return
	}
	d.lines[at.key] = at.line
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if unset := d.expandErrors[n]; unset != nil {
		for _, message := range unset {
			d.faultf(at, "%s", message)
		}
		return
	}
	if tag := n.Tag; len(tag) > 1 && tag[0] == '!' && tag[1] != '!' {
		d.faultf(at, "the tag %s is not supported", tag)
		return
	}
	if isNull(n) {
		return // as if the key were missing
	}
	if v.Kind() == reflect.Pointer {
		faults := len(d.problems)
		target := reflect.New(v.Type().Elem())
		d.decodeInto(n, target.Elem(), at)
		if len(d.problems) == faults || target.Elem().Kind() == reflect.Struct {
			v.Set(target) // otherwise it stays nil
		}
		return
	}
	d.decodeInto(n, v, at)
}

// decodeInto decodes n, neither null nor an alias, into v, not a pointer.
func (d *decoder) decodeInto(n *yaml.Node, v reflect.Value, at position) {
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.decodeText(n, text, v.Type(), at)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.decodeStruct(n, v, at)
	case reflect.Map:
		d.decodeMap(n, v, at)
	case reflect.Slice:
		d.decodeList(n, v, at)
	case reflect.String:
		if n.Kind != yaml.ScalarNode {
			d.faultf(at, "must be text, not %s", kindName(n))
			return
		}
		v.SetString(n.Value)
	case reflect.Interface:
		d.decodeAny(n, v, at)
	default:
		d.decodeScalar(n, v, at)
	}
}

// decodeAny decodes a value of any type into an any.
func (d *decoder) decodeAny(n *yaml.Node, v reflect.Value, at position) {
	switch n.Kind {
	case yaml.MappingNode:
		table := reflect.New(reflect.TypeFor[map[string]any]()).Elem()
		d.decodeMap(n, table, at)
		v.Set(table)
	case yaml.SequenceNode:
		list := reflect.New(reflect.TypeFor[[]any]()).Elem()
		d.decodeList(n, list, at)
		v.Set(list)
	default:
		if err := n.Load(v.Addr().Interface()); err != nil {
			d.faultf(at, "is not a valid value")
		}
	}
}

// decodeText decodes a value that parses itself.
func (d *decoder) decodeText(n *yaml.Node, v encoding.TextUnmarshaler, t reflect.Type, at position) {
	if n.Kind != yaml.ScalarNode {
		d.faultf(at, "must be text, not %s", kindName(n))
		return
	}
	err := v.UnmarshalText([]byte(n.Value))
	if err == nil {
		return
	}
	if written, ok := d.original[n]; ok {
		// The message quotes the text, which may be a secret from the environment:
		// use the one for the text before expansion.
		scratch := reflect.New(t).Interface().(encoding.TextUnmarshaler)
		if err = scratch.UnmarshalText([]byte(written)); err == nil {
			err = fmt.Errorf("the value of %q is not valid here", written)
		}
	}
	d.faultf(at, "%v", err)
}

// decodeScalar decodes a number or a boolean by YAML's rules. Quotes are ignored, because
// inside [ ] and { } a ${NAME} needs them.
func (d *decoder) decodeScalar(n *yaml.Node, v reflect.Value, at position) {
	want := "a number"
	switch {
	case v.Kind() == reflect.Bool:
		want = "true or false"
	case v.CanInt():
		want = "a whole number"
	case v.CanUint():
		want = "a whole number, not below 0"
	}
	if n.Kind != yaml.ScalarNode {
		d.faultf(at, "must be %s, not %s", want, kindName(n))
		return
	}
	plain := yaml.Node{Kind: yaml.ScalarNode, Value: n.Value}
	null := slices.Contains([]string{"", "~", "null", "Null", "NULL"}, n.Value)
	if null || plain.Load(v.Addr().Interface()) != nil {
		shown := n.Value
		if written, ok := d.original[n]; ok {
			shown = written
		}
		d.faultf(at, "must be %s, not %q", want, shown)
	}
}

// decodeList decodes a list.
func (d *decoder) decodeList(n *yaml.Node, v reflect.Value, at position) {
	if n.Kind != yaml.SequenceNode {
		d.faultf(at, `must be a list, not %s: write each item on its own line after "- ", or all in [ ]`, kindName(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.decodeValue(c, list.Index(i), at.element(i, c.Line))
	}
	v.Set(list)
}

// decodeMap decodes a map whose keys the user chooses.
func (d *decoder) decodeMap(n *yaml.Node, v reflect.Value, at position) {
	if n.Kind != yaml.MappingNode {
		d.faultf(at, `must be "key: value" pairs, not %s`, kindName(n))
		return
	}
	table := reflect.MakeMap(v.Type())
	for _, p := range d.pairs(n, at) {
		value := reflect.New(v.Type().Elem()).Elem()
		d.decodeValue(p.value, value, at.child(p.key, p.line))
		table.SetMapIndex(reflect.ValueOf(p.key).Convert(v.Type().Key()), value)
	}
	v.Set(table)
}

// pair is one entry of a mapping.
type pair struct {
	key   string
	line  int
	value *yaml.Node
}

// pairs returns the entries of a mapping, followed by those that << merges into it. The
// mapping's own entries win.
func (d *decoder) pairs(n *yaml.Node, at position) []pair {
	var own, merged []pair
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			d.faultf(at.child("?", key.Line), "a key must be text, not %s", kindName(key))
		case key.ShortTag() == "!!merge":
			merged = append(merged, d.merge(value, at.child("<<", key.Line))...)
		case seen[key.Value] != 0:
			d.faultf(at.child(key.Value, key.Line), "is given twice; it is in line %d already", seen[key.Value])
		default:
			seen[key.Value] = key.Line
			own = append(own, pair{key.Value, key.Line, value})
		}
	}
	for _, p := range merged {
		if seen[p.key] == 0 {
			seen[p.key] = p.line
			own = append(own, p)
		}
	}
	return own
}

// merge returns the entries of the value of <<: a mapping, or a list of mappings, the
// first of which wins.
func (d *decoder) merge(n *yaml.Node, at position) []pair {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if !d.step(at, 1+len(n.Content)) {
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		return d.pairs(n, at)
	case yaml.SequenceNode:
		var all []pair
		for i, c := range n.Content {
			all = append(all, d.merge(c, at.element(i, c.Line))...)
		}
		return all
	}
	d.faultf(at, "takes a mapping or a list of mappings, not %s", kindName(n))
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kindName describes the kind of n without YAML's terms.
func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return `"key: value" pairs`
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "*" + n.Value
	}
	if n.Value == "" {
		return "nothing"
	}
	return "a single value"
}
