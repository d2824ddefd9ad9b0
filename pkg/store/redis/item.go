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
	head, value, _ := bytes.Cut(raw, []byte("\n"))
	written, rest, _ := strings.Cut(string(head), " ")
	if written != format {
		return store.Item{}, formatError(key)
	}
	version, due, _ := strings.Cut(rest, " ")
	it := store.Item{Key: key, Value: value}
	var err1, err2 error
	it.Version, err1 = strconv.ParseUint(version, 10, 64)
	if due != "" {
		it.Due, err2 = parseTime(due)
	}
	if errors.Join(err1, err2) != nil || it.Version == 0 {
		return store.Item{}, damagedError("the item of %q cannot be decoded", key)
	}
	return it, nil
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
		return time.Time{}, damagedError("%q is not a time", text)
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
		return time.Time{}, damagedError("the due index has an entry %q", entry)
	}
	return parseTime(entry[len(queuePrefix(kind)) : keyOffset(kind)-1])
}

// formatError returns the error for an item of another format.
func formatError(key string) error {
	return fmt.Errorf("the item of %q is not in format %s, which this Tocsin reads: was it written by a newer one?", key, format)
}

// damagedError returns the error for content that no Tocsin has written.
func damagedError(text string, args ...any) error {
	args = append(args, itemsKey, keysKey, dueKey, expiresKey)
	return fmt.Errorf("damaged: "+text+": restore Redis from a backup, or delete %s, %s, %s and %s to begin with an empty store", args...)
}
