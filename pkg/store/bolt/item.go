package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"tocsin/pkg/store"
)

// format is the first byte of every stored item. A change of the encoding takes the
// next number, so that an older Tocsin reports an unknown format instead of
// misreading the item.
const format = 1

// header is the number of bytes before the value: format, version, due and expires.
// Times are Unix milliseconds; the zero time is the number that it has there.
const header = 1 + 8 + 8 + 8

// item is a stored item. The zero item stands for an absent key.
type item struct {
	version      uint64
	due, expires time.Time
	value        []byte
}

func (it item) encode() []byte {
	raw := make([]byte, 0, header+len(it.value))
	raw = append(raw, format)
	raw = binary.BigEndian.AppendUint64(raw, it.version)
	raw = binary.BigEndian.AppendUint64(raw, uint64(it.due.UnixMilli()))
	raw = binary.BigEndian.AppendUint64(raw, uint64(it.expires.UnixMilli()))
	return append(raw, it.value...)
}

// decode decodes an encoded item. The value of the result is a part of raw.
func decode(raw []byte) (item, error) {
	switch {
	case len(raw) == 0:
		return item{}, errors.New("it is empty")
	case raw[0] != format:
		return item{}, fmt.Errorf("it has format %d, this Tocsin reads %d", raw[0], format)
	case len(raw) < header:
		return item{}, fmt.Errorf("it has %d bytes, fewer than its header", len(raw))
	}
	it := item{
		version: binary.BigEndian.Uint64(raw[1:]),
		due:     unixMilli(binary.BigEndian.Uint64(raw[9:])),
		expires: unixMilli(binary.BigEndian.Uint64(raw[17:])),
		value:   raw[header:],
	}
	if it.version == 0 {
		return item{}, errors.New("it has no version")
	}
	return it, nil
}

// indexEntry returns the entry of a key in an index: the queue, a slash, the time
// and the rest of the key. Entries sort by queue, time and key, because no queue has
// a slash.
func indexEntry(queue string, at time.Time, rest string) []byte {
	entry := append([]byte(queue), '/')
	// With the sign bit inverted, times before 1970 sort before the others.
	entry = binary.BigEndian.AppendUint64(entry, uint64(at.UnixMilli())^1<<63)
	return append(entry, rest...)
}

// parseEntry returns the time and the rest of an entry of the queue, and false for one
// that is too short to have a time.
func parseEntry(queue string, entry []byte) (at time.Time, rest string, ok bool) {
	start := len(queue) + 1
	if len(entry) < start+8 {
		return time.Time{}, "", false
	}
	return unixMilli(binary.BigEndian.Uint64(entry[start:]) ^ 1<<63), string(entry[start+8:]), true
}

// dueEntry returns the entry of a key in the due index, nil when due is zero.
func dueEntry(key string, due time.Time) []byte {
	if due.IsZero() {
		return nil
	}
	kind := store.Kind(key)
	return indexEntry(kind, due, key[len(kind)+1:])
}

// expiresEntry returns the entry of a key in the expires index, nil when expires is
// zero. All keys are in one queue there.
func expiresEntry(key string, expires time.Time) []byte {
	if expires.IsZero() {
		return nil
	}
	return indexEntry("", expires, key)
}

func unixMilli(ms uint64) time.Time { return time.UnixMilli(int64(ms)).UTC() }

// damagedError returns the error for content that no Tocsin has written.
func damagedError(format string, args ...any) error {
	return fmt.Errorf("damaged: "+format+": restore it from a backup, or move it away to begin with an empty store", args...)
}

// export copies the item of a key out of the transaction. raw is its stored form, nil for
// none; an item that cannot be decoded is marked as such.
func export(key string, raw []byte) store.Item {
	it, err := decode(raw)
	switch {
	case raw == nil:
		return store.Item{Key: key}
	case err != nil:
		return store.Unreadable(key, raw, time.Time{}, err)
	}
	return store.Item{Key: key, Value: bytes.Clone(it.value), Version: it.version, Due: it.due}
}

// existing returns what a commit must know of the stored form of an item, nil for none. Of
// one that cannot be decoded that is the version only.
func existing(raw []byte) item {
	it, err := decode(raw)
	if err != nil {
		return item{version: store.RawVersion(raw)}
	}
	return it
}
