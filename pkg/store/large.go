package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"tocsin/pkg/store/keyspace"
)

const (
	// partSize is the size of a part, in bytes. A value is cut from its end, so that
	// parts stay the same when only its beginning changes.
	partSize = MaxValue / 2
	// partsMagic begins the value of a key whose value is in parts. Neither JSON nor
	// a binary form begins with it.
	partsMagic = "\x00parts\n"
	// partsAtATime is how many parts are read at a time.
	partsAtATime = 16
)

// SplitLarge returns the changes that make c, which may have a value of any size: c
// itself, or if its value is larger than MaxValue, a change that writes the beginning
// and refers to the parts, and one for each part. old is the item that c replaces or
// deletes, as JoinLarge left it; parts of it that are not used any more are deleted.
//
// A part is stored under a hash of its content, so that what is read is never composed
// of two versions. c must be conditional on old, or parts of a value that was written in
// the meantime would be left behind.
func SplitLarge(c Change, old Item) []Change {
	changes := []Change{c}
	unused := map[string]bool{}
	for _, key := range old.parts {
		unused[key] = true
	}
	if len(c.Value) > MaxValue {
		head := c.Value
		var parts []string
		for n := 0; len(head) > partSize; n++ {
			var part []byte
			head, part = head[:len(head)-partSize], head[len(head)-partSize:]
			key := keyspace.Part + keyspace.Hash(c.Key, fmt.Sprint(n), string(part))
			parts = append(parts, key[len(keyspace.Part):])
			if !unused[key] || !c.Expires.IsZero() {
				changes = append(changes, Change{Key: key, Value: part, Expires: c.Expires})
			}
			delete(unused, key)
		}
		changes[0].Value = slices.Concat([]byte(partsMagic+strings.Join(parts, " ")+"\n"), head)
	}
	for _, key := range old.parts {
		if unused[key] {
			changes = append(changes, Change{Key: key, Delete: true})
		}
	}
	return changes
}

// JoinLarge replaces the values of those items that SplitLarge wrote in parts with the
// whole values. An item that was replaced since it was read is read again. One whose parts
// are missing keeps its value, which Decode rejects.
func JoinLarge(ctx context.Context, s Store, items []Item) error {
	for i := range items {
		for again := false; ; again = true {
			joined, err := join(ctx, s, &items[i])
			if err != nil {
				return err
			}
			if joined || again {
				break
			}
			latest, err := s.Get(ctx, items[i].Key)
			if err != nil {
				return err
			}
			if latest[0].Version == items[i].Version {
				break
			}
			items[i] = latest[0]
		}
	}
	return nil
}

// join joins the parts of an item, and reports whether it is complete.
func join(ctx context.Context, s Store, it *Item) (complete bool, err error) {
	rest, large := bytes.CutPrefix(it.Value, []byte(partsMagic))
	if !large {
		return true, nil
	}
	list, head, _ := bytes.Cut(rest, []byte{'\n'})
	it.parts = it.parts[:0]
	for _, hash := range strings.Fields(string(list)) {
		it.parts = append(it.parts, keyspace.Part+hash)
	}
	whole := make([]byte, len(head)+len(it.parts)*partSize)
	copy(whole, head)
	for begin := 0; begin < len(it.parts); begin += partsAtATime {
		keys := it.parts[begin:min(begin+partsAtATime, len(it.parts))]
		parts, err := s.Get(ctx, keys...)
		if err != nil {
			return false, err
		}
		for i, part := range parts {
			if len(part.Value) != partSize {
				return false, nil
			}
			copy(whole[len(whole)-(begin+i+1)*partSize:], part.Value)
		}
	}
	it.Value = whole
	return true, nil
}
