package app

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"tocsin/pkg/config"
	"tocsin/pkg/store/keyspace"
)

// integrationIdentity returns a hash of a channel's kind and of all keys of its
// entry, secrets included: two robots may differ in nothing else.
func integrationIdentity(kind string, c config.Channel) string {
	var b strings.Builder
	writeValue(&b, reflect.ValueOf(c))
	return keyspace.Hash(kind, b.String())
}

// writeValue writes the exported parts of v, in an order that does not change.
func writeValue(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.String: // not by a method, which would hide a secret
		fmt.Fprintf(b, "%q", v.String())
		return
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteByte('-')
			return
		}
	}
	if text, ok := v.Interface().(encoding.TextMarshaler); ok {
		if t, err := text.MarshalText(); err == nil {
			fmt.Fprintf(b, "%q", t)
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		writeValue(b, v.Elem())
	case reflect.Struct:
		b.WriteByte('{')
		for field, value := range v.Fields() {
			if field.IsExported() && !value.IsZero() {
				fmt.Fprintf(b, "%s:", field.Name)
				writeValue(b, value)
			}
		}
		b.WriteByte('}')
	case reflect.Slice, reflect.Array:
		b.WriteByte('[')
		for i := range v.Len() {
			writeValue(b, v.Index(i))
		}
		b.WriteByte(']')
	case reflect.Map:
		entries := map[string]string{}
		for key, value := range v.Seq2() {
			var k, entry strings.Builder
			writeValue(&k, key)
			writeValue(&entry, value)
			entries[k.String()] = entry.String()
		}
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			fmt.Fprintf(b, "(%s:%s)", key, entries[key])
		}
	default:
		fmt.Fprintf(b, "%v ", v.Interface())
	}
}
