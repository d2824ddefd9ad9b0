package redis

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/store"
)

// format is the beginning of every stored item. A change of the encoding takes the
// next number, so that an older Tocsin reports an unknown format instead of
// misreading the item. commit.lua parses it too.
const format = "1"

// encode returns the entry of an item in the items hash: a line with the format, the
// version and the due time, followed by the value.
func encode(version, due string, value []byte) []byte {
	return append([]byte(format+" "+version+" "+due+"\n"), value...)
}

// decode decodes the entry of a key in the items hash.
func decode(key string, raw []byte) (store.Item, error) {
	head, value, complete := bytes.Cut(raw, []byte("\n"))
	written, rest, _ := strings.Cut(string(head), " ")
	if written != format {
		return store.Item{}, fmt.Errorf("it is not in format %s, which this Tocsin reads", format)
	}
	version, due, separated := strings.Cut(rest, " ")
	it := store.Item{Key: key, Value: value}
	var err1, err2 error
	it.Version, err1 = strconv.ParseUint(version, 10, 64)
	if due != "" {
		it.Due, err2 = parseTime(due)
	}
	// commit.lua compares versions as text, so there must be one form of each.
	if err := errors.Join(err1, err2); err != nil || !complete || !separated || it.Version == 0 || version[0] == '0' {
		return store.Item{}, errors.New("its first line is damaged")
	}
	return it, nil
}

// readable decodes the entry of a key in the items hash, nil if an index has the key and
// the hash has not. An item that cannot be decoded is marked as such.
func readable(key string, raw []byte) store.Item {
	if raw == nil {
		return store.Unreadable(key, nil, time.Time{}, errors.New("an index has it, and it is not there"))
	}
	it, err := decode(key, raw)
	if err != nil {
		return store.Unreadable(key, raw, time.Time{}, err)
	}
	return it
}

// timeText returns a time in milliseconds as text that sorts like the time.
func timeText(t time.Time) string {
	// With the sign bit inverted, times before 1970 sort before the others.
	return fmt.Sprintf("%0*x", timeLen, uint64(t.UnixMilli())^1<<63)
}

const timeLen = 16

func parseTime(text string) (time.Time, error) {
	ms, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != timeLen {
		return time.Time{}, fmt.Errorf("%q is not a time", text)
	}
	return time.UnixMilli(int64(ms ^ 1<<63)).UTC(), nil
}

// dueText returns the text of a due time, empty for the zero time.
func dueText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return timeText(t)
}

// An entry of the due index is the kind, a slash, the time, a space and the key. Its
// byte order is that of kind, time and key, because no kind has a slash.

// queuePrefix returns the beginning of the entries of a kind.
func queuePrefix(kind string) string { return kind + "/" }

// keyOffset returns the position of the key in the entries of a kind.
func keyOffset(kind string) int { return len(queuePrefix(kind)) + timeLen + 1 }

// entryTime returns the time of an entry of the kind.
func entryTime(kind, entry string) (time.Time, error) {
	if len(entry) < keyOffset(kind) {
		return time.Time{}, fmt.Errorf("damaged: the due index has an entry %q", entry)
	}
	return parseTime(entry[len(queuePrefix(kind)) : keyOffset(kind)-1])
}
