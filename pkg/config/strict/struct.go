package strict

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/setting"
)

// maxSecret is the maximum size of a secret's file, in bytes.
const maxSecret = 64 << 10

// field is a field of a struct and its key.
type field struct {
	key    string
	index  []int
	secret bool
}

// decodeStruct decodes a mapping into a struct.
func (d *decoder) decodeStruct(n *yaml.Node, v reflect.Value, at position) {
	if n.Kind != yaml.MappingNode {
		d.faultf(at, `must be "key: value" pairs, not %s`, kindName(n))
		return
	}
	fields := d.fieldsOf(v.Type())
	find := func(key string) *field {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		if i < 0 {
			return nil
		}
		return &fields[i]
	}
	pairs := d.pairs(n, at)
	for _, p := range pairs {
		if f := find(p.key); f != nil {
			d.decodeValue(p.value, v.FieldByIndex(f.index), at.child(p.key, p.line))
			continue
		}
		secret := find(strings.TrimSuffix(p.key, "_file"))
		if secret == nil || !secret.secret {
			d.unknownKey(p, v.Type(), at)
			continue
		}
		given := slices.ContainsFunc(pairs, func(other pair) bool { return other.key == secret.key })
		d.secretFile(p, v.FieldByIndex(secret.index), at, secret.key, given)
	}
}

// unknownKey reports a key that the struct does not have, with the one that was probably
// meant.
func (d *decoder) unknownKey(p pair, in reflect.Type, at position) {
	here := at.child(p.key, p.line)
	if d.file.ExplainKey != nil {
		if why := d.file.ExplainKey(in, p.key); why != "" {
			d.faultf(here, "%s", why)
			return
		}
	}
	var known []string
	for _, f := range d.fieldsOf(in) {
		known = append(known, f.key)
		if f.secret {
			known = append(known, f.key+"_file")
		}
	}
	if near := setting.Nearest(p.key, known); near != "" {
		// The key that was meant is missing, which need not be reported too.
		d.failed[at.child(near, 0).key] = true
		d.faultf(here, "unknown key; did you mean %s?", near)
		return
	}
	slices.Sort(known)
	d.faultf(here, "unknown key; allowed here: %s", strings.Join(known, ", "))
}

// secretFile decodes the _file form of the secret key: the secret is the content of the
// file, without trailing newlines. given is whether the key itself is given too, which is
// an error.
func (d *decoder) secretFile(p pair, v reflect.Value, at position, key string, given bool) {
	here, secret := at.child(p.key, p.line), at.child(key, p.line)
	faults := len(d.problems)
	defer func() { d.failed[secret.key] = len(d.problems) > faults }()
	if given {
		d.faultf(here, "is given together with %s: keep one of them", key)
		return
	}
	d.lines[secret.key] = secret.line
	var path string
	if d.decodeValue(p.value, reflect.ValueOf(&path).Elem(), here); path == "" {
		return
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(d.file.Path), path)
	}
	content, err := readBounded(path, maxSecret)
	text := strings.TrimRight(string(content), "\r\n")
	switch {
	case err != nil:
		d.faultf(here, "%v", err)
	case text == "":
		d.faultf(here, "%s is empty", path)
	default:
		v.SetString(text)
	}
}

// fieldsOf returns the fields of a struct, including those of inlined structs.
func (d *decoder) fieldsOf(t reflect.Type) []field {
	if list, ok := d.fields[t]; ok {
		return list
	}
	var list []field
	for f := range t.Fields() {
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case key == "-" || !f.IsExported():
		case options == "inline":
			for _, inner := range d.fieldsOf(f.Type) {
				inner.index = append([]int{f.Index[0]}, inner.index...)
				list = append(list, inner)
			}
		default:
			if key == "" {
				key = strings.ToLower(f.Name)
			}
			list = append(list, field{key, f.Index, f.Type == reflect.TypeFor[setting.Secret]()})
		}
	}
	d.fields[t] = list
	return list
}
