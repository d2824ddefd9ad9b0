package store

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

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

// WithLargeValues returns s without its limit on the size of a value. A value that is
// larger than MaxValue is stored in parts: its key has the beginning and refers to the
// others, which have keys of their own.
//
// A part is stored under a hash of its content, so that a value that is read never has
// parts of two versions. The parts of a value that is replaced or deleted are deleted
// with it if the change has the item as it was read, by Unchanged or Unconditional;
// otherwise they stay.
func WithLargeValues(s Store) Store { return &largeValues{s} }

type largeValues struct{ Store }

func (l *largeValues) Get(ctx context.Context, keys ...string) ([]Item, error) {
	items, err := l.Store.Get(ctx, keys...)
	return l.join(ctx, items, err)
}

func (l *largeValues) List(ctx context.Context, prefix, after string, limit int) ([]Item, error) {
	items, err := l.Store.List(ctx, prefix, after, limit)
	return l.join(ctx, items, err)
}

func (l *largeValues) Due(ctx context.Context, kind string, now time.Time, limit int) ([]Item, error) {
	items, err := l.Store.Due(ctx, kind, now, limit)
	return l.join(ctx, items, err)
}

func (l *largeValues) Commit(ctx context.Context, now time.Time, changes ...Change) error {
	if slices.ContainsFunc(changes, concernsParts) {
		var split []Change
		for _, c := range changes {
			split = append(split, splitLarge(c)...)
		}
		changes = split
	}
	return l.Store.Commit(ctx, now, changes...)
}

// concernsParts reports whether a change writes a value in parts or replaces one.
func concernsParts(c Change) bool {
	return c.Writes() && (len(c.Value) > MaxValue || len(c.If.parts) > 0)
}

// splitLarge returns the changes that store c, whose value may have any size, and
// delete those parts of the replaced value that the new one does not have.
func splitLarge(c Change) []Change {
	if !concernsParts(c) {
		return []Change{c}
	}
	var parts []Change // to write
	var hashes []string
	unused := slices.Clone(c.If.parts)
	head := c.Value
	if len(head) <= MaxValue {
		head = nil // no parts
	}
	for len(head) > partSize {
		var part []byte
		head, part = head[:len(head)-partSize], head[len(head)-partSize:]
		hash := keyspace.Hash(c.Key, strconv.Itoa(len(hashes)), string(part))
		hashes = append(hashes, hash)
		key := keyspace.Part + hash
		stored := slices.Index(unused, key)
		if stored >= 0 {
			unused = slices.Delete(unused, stored, stored+1)
		}
		if stored < 0 || !c.Expires.IsZero() { // a stored part gets the new expiry
			parts = append(parts, Change{Key: key, Value: part, Expires: c.Expires})
		}
	}
	if len(hashes) > 0 {
		c.Value = slices.Concat([]byte(partsMagic+strings.Join(hashes, " ")+"\n"), head)
	}
	changes := append(parts, c)
	for _, key := range unused {
		changes = append(changes, Change{Key: key, Delete: true})
	}
	return changes
}

// join replaces the values of items that are in parts by the whole values. It takes the
// results of a read, and returns its error.
func (l *largeValues) join(ctx context.Context, items []Item, err error) ([]Item, error) {
	if err != nil {
		return nil, err
	}
	for i := range items {
		if items[i], err = l.joinItem(ctx, items[i]); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// joinItem returns an item with its whole value. If a part is missing, the item was
// replaced since it was read, and is read again; or else it is damaged, and Decode
// returns an error.
func (l *largeValues) joinItem(ctx context.Context, it Item) (Item, error) {
	for {
		complete, err := l.readParts(ctx, &it)
		if err != nil || complete {
			return it, err
		}
		latest, err := l.Store.Get(ctx, it.Key)
		if err != nil {
			return it, err
		}
		if latest[0].Version == it.Version {
			it.Value, it.parts, it.err = nil, nil, errors.New("a part of its value is missing")
			return it, nil
		}
		it = latest[0]
	}
}

// readParts reads the parts of an item and joins them, and reports whether all are there.
// An item that is not in parts is complete.
func (l *largeValues) readParts(ctx context.Context, it *Item) (complete bool, err error) {
	rest, large := bytes.CutPrefix(it.Value, []byte(partsMagic))
	if !large {
		return true, nil
	}
	hashes, head, _ := bytes.Cut(rest, []byte{'\n'})
	it.parts = nil
	for _, hash := range strings.Fields(string(hashes)) {
		it.parts = append(it.parts, keyspace.Part+hash)
	}
	whole := make([]byte, len(head)+len(it.parts)*partSize)
	copy(whole, head)
	for begin := 0; begin < len(it.parts); begin += partsAtATime {
		parts, err := l.Store.Get(ctx, it.parts[begin:min(begin+partsAtATime, len(it.parts))]...)
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
