package strict

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// Aliases (*name) let a small file unfold into a large one, or into an endless
// one. These bound how many values they may add, and how deep it may get.
const (
	maxAliased = 100_000
	maxDepth   = 64
)

// decoder puts a tree of YAML nodes into a struct and keeps what it learns on
// the way.
type decoder struct {
	file     File
	problems []Problem
	// lines has the line of each value by its key, for problems found later.
	lines map[string]int
	// failed has the keys of which something is known to be wrong.
	failed map[string]bool
	fields map[reflect.Type][]field

	expanded int                     // bytes that variables came to
	written  map[*yaml.Node]string   // what stood where variables were replaced
	unset    map[*yaml.Node][]string // why they could not be

	nodes, steps int  // what the file has, what was done
	stopped      bool // a bound was passed
}

// place is where the decoder is: the key, its line, and how deep it lies.
type place struct {
	key         string
	line, depth int
}

func (p place) in(key string, line int) place {
	if p.key != "" {
		key = p.key + "." + key
	}
	return place{key, line, p.depth + 1}
}

func (p place) at(i, line int) place {
	return place{p.key + "[" + strconv.Itoa(i) + "]", line, p.depth + 1}
}

func (d *decoder) faultf(at place, format string, args ...any) {
	d.failed[at.key] = true
	d.problems = append(d.problems, Problem{Line: at.line, Key: at.key, Message: fmt.Sprintf(format, args...)})
}

// step counts work and tells whether to go on.
func (d *decoder) step(at place, n int) bool {
	if d.steps += n; d.stopped {
		return false
	}
	if d.stopped = d.steps > d.nodes+maxAliased || at.depth > maxDepth; d.stopped {
		d.faultf(place{line: at.line}, "nested too deep, or made too much of by aliases (*name): an alias must not contain itself, nor many others")
	}
	return !d.stopped
}

// value puts n into v.
func (d *decoder) value(n *yaml.Node, v reflect.Value, at place) {
	if !d.step(at, 1) {
		return
	}
	d.lines[at.key] = at.line
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if unset := d.unset[n]; unset != nil {
		for _, message := range unset {
			d.faultf(at, "%s", message)
		}
		return
	}
	if tag := n.Tag; len(tag) > 1 && tag[0] == '!' && tag[1] != '!' {
		d.faultf(at, "the tag %s means nothing here", tag)
		return
	}
	if isNull(n) {
		return // as if the key were not there
	}
	if v.Kind() == reflect.Pointer {
		faults := len(d.problems)
		target := reflect.New(v.Type().Elem())
		d.into(n, target.Elem(), at)
		if len(d.problems) == faults || target.Elem().Kind() == reflect.Struct {
			v.Set(target) // else it stays missing
		}
		return
	}
	d.into(n, v, at)
}

// into puts n, which is neither null nor an alias, into a v that is no pointer.
func (d *decoder) into(n *yaml.Node, v reflect.Value, at place) {
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(n, text, v.Type(), at)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, v, at)
	case reflect.Map:
		d.table(n, v, at)
	case reflect.Slice:
		d.list(n, v, at)
	case reflect.String:
		if n.Kind != yaml.ScalarNode {
			d.faultf(at, "must be text, not %s", kindName(n))
			return
		}
		v.SetString(n.Value)
	case reflect.Interface:
		d.free(n, v, at)
	default:
		d.scalar(n, v, at)
	}
}

// free puts a value of any shape into an any: what it means its owner knows.
func (d *decoder) free(n *yaml.Node, v reflect.Value, at place) {
	switch n.Kind {
	case yaml.MappingNode:
		table := reflect.New(reflect.TypeFor[map[string]any]()).Elem()
		d.table(n, table, at)
		v.Set(table)
	case yaml.SequenceNode:
		list := reflect.New(reflect.TypeFor[[]any]()).Elem()
		d.list(n, list, at)
		v.Set(list)
	default:
		if err := n.Load(v.Addr().Interface()); err != nil {
			d.faultf(at, "is not a value")
		}
	}
}

// text fills a type that reads itself from text.
func (d *decoder) text(n *yaml.Node, v encoding.TextUnmarshaler, t reflect.Type, at place) {
	if n.Kind != yaml.ScalarNode {
		d.faultf(at, "must be text, not %s", kindName(n))
		return
	}
	err := v.UnmarshalText([]byte(n.Value))
	if err == nil {
		return
	}
	if written, ok := d.written[n]; ok {
		// The message would show what the variable holds: let it speak of the
		// variable instead.
		scratch := reflect.New(t).Interface().(encoding.TextUnmarshaler)
		if err = scratch.UnmarshalText([]byte(written)); err == nil {
			err = fmt.Errorf("what %q stands for does not fit here", written)
		}
	}
	d.faultf(at, "%v", err)
}

// scalar fills a number or a truth value, by YAML's rules. Only the text counts,
// not quotes (inside [ ] and { } a ${NAME} needs them) nor where it came from.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, at place) {
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
		if written, ok := d.written[n]; ok {
			shown = written
		}
		d.faultf(at, "must be %s, not %q", want, shown)
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, at place) {
	if n.Kind != yaml.SequenceNode {
		d.faultf(at, `must be a list, not %s: write each item on its own line behind "- ", or all in [ ]`, kindName(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.value(c, list.Index(i), at.at(i, c.Line))
	}
	v.Set(list)
}

// table fills a map whose keys the user chooses.
func (d *decoder) table(n *yaml.Node, v reflect.Value, at place) {
	if n.Kind != yaml.MappingNode {
		d.faultf(at, `must be "key: value" pairs, not %s`, kindName(n))
		return
	}
	table := reflect.MakeMap(v.Type())
	for _, p := range d.pairs(n, at) {
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(p.value, value, at.in(p.key, p.line))
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

// pairs returns the entries of a mapping, those that << merges into it last.
// An entry of its own wins over a merged one.
func (d *decoder) pairs(n *yaml.Node, at place) []pair {
	var own, merged []pair
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			d.faultf(at.in("?", key.Line), "a key must be text, not %s", kindName(key))
		case key.ShortTag() == "!!merge":
			merged = append(merged, d.merge(value, at.in("<<", key.Line))...)
		case seen[key.Value] != 0:
			d.faultf(at.in(key.Value, key.Line), "is given twice; it is in line %d already", seen[key.Value])
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

// merge returns the entries that << brings in: those of a mapping, or of a list
// of them, of which the first wins.
func (d *decoder) merge(n *yaml.Node, at place) []pair {
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
			all = append(all, d.merge(c, at.at(i, c.Line))...)
		}
		return all
	}
	d.faultf(at, "takes a mapping or a list of mappings, not %s", kindName(n))
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kindName says what n is to somebody who does not know YAML's words.
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
