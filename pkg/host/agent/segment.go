package agent

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	segmentSuffix = ".log"
	sentName      = "sent"
	// segmentShare is the share of the buffer that one file has: what is dropped
	// at once when it is full.
	segmentShare = 16
	// sumSize is the length of a line's checksum and the space after it.
	sumSize = 9
	maxLine = sumSize + maxRecord + 1
	// maxPosition is further than any stream gets.
	maxPosition = 1 << 62
)

// segment is one file of a buffer.
type segment struct {
	base    int64 // position of its first byte in the stream
	size    int64
	reports int64 // not yet sent
}

func (s segment) end() int64 { return s.base + s.size }

func (s segment) name() string { return fmt.Sprintf("%016x%s", s.base, segmentSuffix) }

func (s segment) path(dir string) string { return filepath.Join(dir, s.name()) }

// frame returns the line of a record: its checksum, a space, the record.
func frame(record []byte) []byte {
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(record), record)
}

// unframe returns the record of a line, if it is whole.
func unframe(line []byte) ([]byte, bool) {
	if len(line) < sumSize+1 || line[sumSize-1] != ' ' || line[len(line)-1] != '\n' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(line[:sumSize-1]), 16, 32)
	record := line[sumSize : len(line)-1]
	return record, err == nil && uint32(sum) == crc32.ChecksumIEEE(record)
}

// open finds the segments, cuts a broken line off the end of the last one, and
// reads how far they were sent.
func (b *buffer) open() error {
	files, err := os.ReadDir(b.dir) // sorted by name, so by position
	if err != nil {
		return err
	}
	for _, f := range files {
		base, err := strconv.ParseInt(strings.TrimSuffix(f.Name(), segmentSuffix), 16, 64)
		s := segment{base: base}
		if err != nil || base < 0 || base > maxPosition || s.name() != f.Name() || !f.Type().IsRegular() {
			continue // nothing of the buffer's
		}
		info, err := f.Info()
		if err != nil {
			return err
		}
		s.size = info.Size()
		if n := len(b.segments); n > 0 { // what lies behind the next one's begin is none of it
			b.segments[n-1].size = min(b.segments[n-1].size, base-b.segments[n-1].base)
		}
		b.segments = append(b.segments, s)
	}
	if b.sentFile, err = os.OpenFile(filepath.Join(b.dir, sentName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	b.sent = b.readSent()
	for i := range b.segments {
		s := &b.segments[i]
		whole, err := s.count(b.dir, b.sent)
		if err != nil {
			return err
		}
		if i == len(b.segments)-1 && whole < s.size {
			b.drop(1, "the last one was not written to its end")
			s.size = whole
		}
	}
	if n := len(b.segments); n > 0 {
		s := b.segments[n-1]
		if b.out, err = os.OpenFile(s.path(b.dir), os.O_RDWR, 0); err != nil {
			return err
		}
		if err := b.out.Truncate(s.size); err != nil {
			return err
		}
		b.sent = min(b.sent, s.end())
	}
	b.clean()
	return nil
}

// count counts the lines from the position sent on, and returns the size up to
// the end of the last line.
func (s *segment) count(dir string, sent int64) (whole int64, err error) {
	f, err := os.Open(s.path(dir))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	text, chunk, at := io.LimitReader(f, s.size), make([]byte, 64<<10), int64(0)
	for {
		n, err := text.Read(chunk)
		for rest := chunk[:n]; ; {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				at += int64(len(rest))
				break
			}
			at += int64(i) + 1
			rest = rest[i+1:]
			whole = at
			if s.base+at > sent {
				s.reports++
			}
		}
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// write writes a line to the end of the last segment, in a new one if that is
// large enough, and makes room for it.
func (b *buffer) write(line []byte) error {
	size := int64(len(line))
	for n := len(b.segments); n > 0 && b.total()+size > b.limit; n-- {
		b.drop(b.segments[0].reports, "the buffer is full: --buffer gives it more room")
		if err := b.remove(); err != nil {
			return err
		}
	}
	if n := len(b.segments); n == 0 || b.segments[n-1].size+size > max(b.limit/segmentShare, size) {
		if err := b.extend(); err != nil {
			return err
		}
	}
	s := &b.segments[len(b.segments)-1]
	if _, err := b.out.WriteAt(line, s.size); err != nil {
		_ = b.out.Truncate(s.size) // else the next line is written over it
		return err
	}
	s.size += size
	s.reports++
	return nil
}

func (b *buffer) total() (n int64) {
	for _, s := range b.segments {
		n += s.size
	}
	return n
}

// extend begins a new segment at the end of the stream.
func (b *buffer) extend() error {
	s := segment{base: b.sent}
	if n := len(b.segments); n > 0 {
		s.base = b.segments[n-1].end()
	}
	f, err := os.OpenFile(s.path(b.dir), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if b.out != nil {
		_ = b.out.Sync()
		b.out.Close()
	}
	b.out = f
	b.segments = append(b.segments, s)
	return nil
}

// remove removes the oldest segment.
func (b *buffer) remove() error {
	s := b.segments[0]
	if err := os.Remove(s.path(b.dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	b.segments = b.segments[1:]
	b.sent = max(b.sent, s.end())
	if len(b.segments) == 0 && b.out != nil {
		b.out.Close()
		b.out = nil
	}
	return nil
}

// clean removes segments from which all was sent, the last one only once it is
// large.
func (b *buffer) clean() {
	for len(b.segments) > 0 && b.sent >= b.segments[0].end() && (len(b.segments) > 1 || b.segments[0].size >= drained) {
		if b.remove() != nil {
			return // it is tried again after the next report
		}
	}
}

// read reads the line at the position sent, which lies in s. A line that is too
// long to be one comes back in part; nothing when the file cannot be read.
func (b *buffer) read(s *segment) ([]byte, error) {
	f, last := b.out, s.base == b.segments[len(b.segments)-1].base
	if !last {
		var err error
		if f, err = os.Open(s.path(b.dir)); err != nil {
			return nil, err
		}
		defer f.Close()
	}
	left := s.end() - b.sent
	for size := int64(1 << 10); ; size *= 4 {
		size = min(size, left, maxLine)
		if int64(cap(b.line)) < size {
			b.line = make([]byte, size)
		}
		n, err := f.ReadAt(b.line[:size], b.sent-s.base)
		if i := bytes.IndexByte(b.line[:n], '\n'); i >= 0 {
			return b.line[:i+1], nil
		}
		switch {
		case n == 0 && err != nil:
			return nil, err
		case int64(n) < size || size == left || size == maxLine:
			return b.line[:n], nil
		}
	}
}

// readSent returns the position that keepSent wrote, 0 if it is missing or
// damaged: what was sent is sent again then.
func (b *buffer) readSent() int64 {
	var line [64]byte
	n, _ := b.sentFile.ReadAt(line[:], 0)
	record, ok := unframe(line[:n])
	at, err := strconv.ParseInt(string(record), 16, 64)
	if !ok || err != nil || at < 0 || at > maxPosition {
		return 0
	}
	return at
}

// keepSent writes down how far reports were sent. Its length never changes, so
// that it is overwritten in place.
func (b *buffer) keepSent() {
	if _, err := b.sentFile.WriteAt(frame(fmt.Appendf(nil, "%016x", b.sent)), 0); err != nil {
		b.log.Error("how far reports were sent was not kept: a restart may send some again", "err", err)
	}
}

// shut closes the files.
func (b *buffer) shut() error {
	err := b.sentFile.Close()
	if b.out != nil {
		err = errors.Join(b.out.Sync(), b.out.Close(), err)
		b.out = nil
	}
	b.segments = nil
	return err
}
