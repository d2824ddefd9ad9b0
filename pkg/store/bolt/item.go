package bolt

import (
	"encoding/binary"
	"fmt"
	"time"

	"tocsin/pkg/store"
)

// format is the first byte of every stored item. A change of the encoding takes
// the next number, so that an older Tocsin says so instead of misreading.
const format = 1

// header is the length of what stands before a value: format, version, due and
// expires. Times are milliseconds since 1970; the zero time has its own number.
const header = 1 + 8 + 8 + 8

// item is what the file holds for a key. The zero item is an absent one.
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

// decode reads what encode wrote. The value still lies in raw.
func decode(raw []byte) (item, error) {
	switch {
	case len(raw) == 0:
		return item{}, damaged("an empty item")
	case raw[0] != format:
		return item{}, fmt.Errorf("an item has format %d, this Tocsin reads %d: was the file written by a newer one?", raw[0], format)
	case len(raw) < header:
		return item{}, damaged("an item of %d bytes", len(raw))
	}
	it := item{
		version: binary.BigEndian.Uint64(raw[1:]),
		due:     unixMilli(binary.BigEndian.Uint64(raw[9:])),
		expires: unixMilli(binary.BigEndian.Uint64(raw[17:])),
		value:   raw[header:],
	}
	if it.version == 0 {
		return item{}, damaged("an item without a version")
	}
	return it, nil
}

// place is a key's entry in an index: the queue, a slash, the time, the rest of
// the key. Bytes then sort by queue, time, key, because no queue has a slash.
func place(queue string, at time.Time, rest string) []byte {
	p := append([]byte(queue), '/')
	// Turning the sign bit makes times before 1970 sort before the others.
	p = binary.BigEndian.AppendUint64(p, uint64(at.UnixMilli())^1<<63)
	return append(p, rest...)
}

// parsePlace returns the time and the rest of an entry of the queue.
func parsePlace(queue string, p []byte) (at time.Time, rest string, err error) {
	start := len(queue) + 1
	if len(p) < start+8 {
		return time.Time{}, "", damaged("an index entry of %d bytes", len(p))
	}
	return unixMilli(binary.BigEndian.Uint64(p[start:]) ^ 1<<63), string(p[start+8:]), nil
}

// duePlace is the entry of a key in the due index, nil when it is never due.
func duePlace(key string, due time.Time) []byte {
	if due.IsZero() {
		return nil
	}
	kind := store.Kind(key)
	return place(kind, due, key[len(kind)+1:])
}

// expiresPlace is the entry of a key in the expires index, which is one queue;
// nil when it never expires.
func expiresPlace(key string, expires time.Time) []byte {
	if expires.IsZero() {
		return nil
	}
	return place("", expires, key)
}

func unixMilli(ms uint64) time.Time { return time.UnixMilli(int64(ms)).UTC() }

// damaged returns the error for a file whose content cannot be.
func damaged(format string, args ...any) error {
	return fmt.Errorf("damaged: "+format+": restore it from a backup, or move it away to begin with an empty store", args...)
}
