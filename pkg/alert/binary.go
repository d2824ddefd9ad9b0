package alert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// binaryFormat is the first byte of the binary form, its version.
const binaryFormat = 1

// Bits of the second byte of the binary form. The first versions of Tocsin knew only
// timeoutFlag.
const (
	timeoutFlag  = 1
	builtinShift = 1
)

// errShort is returned for a binary form that is truncated, or in which a length
// exceeds the remaining bytes.
var errShort = errors.New("unexpected end of the binary form")

// AppendBinary appends the alert to b in the compact binary form in which stores keep
// alerts: there may be hundreds of thousands, and every update of one reads and
// writes it. Times keep the offset of their zone.
func (a *Alert) AppendBinary(b []byte) ([]byte, error) {
	flags := byte(a.Builtin) << builtinShift
	if a.Timeout {
		flags |= timeoutFlag
	}
	b = append(b, binaryFormat, flags)
	for _, t := range []time.Time{a.StartsAt, a.EndsAt, a.UpdatedAt} {
		b = append(b, 0)
		size := len(b)
		var err error
		if b, err = t.AppendBinary(b); err != nil {
			return nil, fmt.Errorf("alert: encode times: %w", err)
		}
		b[size-1] = byte(len(b) - size)
	}
	b = appendText(b, a.GeneratorURL)
	for _, l := range []Labels{a.Labels, a.Annotations} {
		b = binary.AppendUvarint(b, uint64(len(l)))
		for name, value := range l {
			b = appendText(appendText(b, name), value)
		}
	}
	return b, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// ReadBinary decodes an alert from the start of b and returns the bytes that follow
// it. The alert does not refer to b.
func (a *Alert) ReadBinary(b []byte) (rest []byte, err error) {
	if len(b) < 2 {
		return nil, fmt.Errorf("alert: %w", errShort)
	}
	if b[0] != binaryFormat {
		return nil, fmt.Errorf("alert: unknown binary format %d, this version of Tocsin reads %d", b[0], binaryFormat)
	}
	a.Timeout, a.Builtin = b[1]&timeoutFlag != 0, Builtin(b[1]>>builtinShift)
	end := reader[[]byte]{text: b, at: 2}
	if end.skip(); end.err != nil {
		return nil, fmt.Errorf("alert: %w", end.err)
	}
	// The alert's strings share one copy of its bytes, so that they do not keep b in
	// memory, which may hold thousands of alerts.
	r := reader[string]{text: string(b[:end.at]), at: 2}
	for _, t := range []*time.Time{&a.StartsAt, &a.EndsAt, &a.UpdatedAt} {
		if s := r.take(uint64(r.byte())); r.err == nil {
			r.err = t.UnmarshalBinary([]byte(s))
		}
	}
	a.GeneratorURL = r.string()
	a.Labels = readLabels(&r)
	a.Annotations = readLabels(&r)
	if r.err != nil {
		return nil, fmt.Errorf("alert: %w", r.err)
	}
	return b[r.at:], nil
}

// reader decodes the parts of a binary form. After the first error all parts are
// zero. The strings that it returns share the memory of text.
type reader[T string | []byte] struct {
	text T
	at   int
	err  error
}

// skip passes over the parts of an alert that follow its flags.
func (r *reader[T]) skip() {
	for range 3 { // start, end and update
		r.take(uint64(r.byte()))
	}
	r.take(r.number()) // the generator's URL
	for range 2 {      // labels and annotations
		for range 2 * r.count() {
			r.take(r.number())
		}
	}
}

func (r *reader[T]) fail() {
	if r.err == nil {
		r.err = errShort
	}
}

func (r *reader[T]) byte() byte {
	if s := r.take(1); len(s) > 0 {
		return s[0]
	}
	return 0
}

func (r *reader[T]) take(n uint64) (s T) {
	if r.err != nil || n > uint64(len(r.text)-r.at) {
		r.fail()
		return s
	}
	s = r.text[r.at : r.at+int(n)]
	r.at += int(n)
	return s
}

func (r *reader[T]) number() (n uint64) {
	for shift := 0; shift < 64 && r.err == nil; shift += 7 {
		c := r.byte()
		n |= uint64(c&0x7F) << shift
		if c < 0x80 {
			return n
		}
	}
	r.fail()
	return 0
}

func (r *reader[T]) string() T { return r.take(r.number()) }

// count returns the number of labels that follow.
func (r *reader[T]) count() uint64 {
	n := r.number()
	if n > uint64(len(r.text)-r.at)/2 { // a name and a value take at least one byte each
		r.fail()
		return 0
	}
	return n
}

func readLabels(r *reader[string]) Labels {
	n := r.count()
	if n == 0 || r.err != nil {
		return nil
	}
	l := make(Labels, n)
	for range n {
		name := r.string()
		l[name] = r.string()
	}
	return l
}
