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
	// A segment is at most 1/maxSegments of the buffer. That is how much is dropped
	// at once when the buffer is full.
	maxSegments = 16
	// checksumSize is the length of a line's checksum and the space after it.
	checksumSize = 9
	maxLineSize  = checksumSize + maxRecordSize + 1
	// maxPosition is greater than any position of a real stream.
	maxPosition = 1 << 62
)

// segment is one file of a buffer.
type segment struct {
	base    int64 // position of its first byte in the stream
	size    int64
	reports int64 // that were not sent yet
}

func (s segment) end() int64 { return s.base + s.size }

func (s segment) name() string { return fmt.Sprintf("%016x%s", s.base, segmentSuffix) }

func (s segment) path(dir string) string { return filepath.Join(dir, s.name()) }

// encodeLine returns the line of a record: its checksum, a space, the record.
func encodeLine(record []byte) []byte {
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(record), record)
}

// decodeLine returns the record of a line and reports whether it is intact.
func decodeLine(line []byte) ([]byte, bool) {
	if len(line) < checksumSize+1 || line[checksumSize-1] != ' ' || line[len(line)-1] != '\n' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(line[:checksumSize-1]), 16, 32)
	record := line[checksumSize : len(line)-1]
	return record, err == nil && uint32(sum) == crc32.ChecksumIEEE(record)
}

// open finds the segments, cuts an incomplete line off the end of the last one,
// and reads up to which position reports were sent.
func (b *buffer) open() error {
	files, err := os.ReadDir(b.dir) // sorted by name, so by position
	if err != nil {
		return err
	}
	for _, f := range files {
		base, err := strconv.ParseInt(strings.TrimSuffix(f.Name(), segmentSuffix), 16, 64)
		s := segment{base: base}
		if err != nil || base < 0 || base > maxPosition || s.name() != f.Name() || !f.Type().IsRegular() {
			continue // not a segment
		}
		info, err := f.Info()
		if err != nil {
			return err
		}
		s.size = info.Size()
		if n := len(b.segments); n > 0 { // it ends where the next one begins
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
		complete, err := s.countReports(b.dir, b.sent)
		if err != nil {
			return err
		}
		if i == len(b.segments)-1 && complete < s.size {
			b.drop(1, "the last one was not written completely")
			s.size = complete
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
	b.deleteSent()
	return nil
}

// countReports counts the lines that end after the position sent, and returns the
// size up to the end of the last complete line.
func (s *segment) countReports(dir string, sent int64) (complete int64, err error) {
	f, err := os.Open(s.path(dir))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	text, chunk, offset := io.LimitReader(f, s.size), make([]byte, 64<<10), int64(0)
	for {
		n, err := text.Read(chunk)
		for rest := chunk[:n]; ; {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				offset += int64(len(rest))
				break
			}
			offset += int64(i) + 1
			rest = rest[i+1:]
			complete = offset
			if s.base+offset > sent {
				s.reports++
			}
		}
		if errors.Is(err, io.EOF) {
			return complete, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// write appends a line to the last segment, or to a new one if that would become
// too large. It drops the oldest segments if the buffer is full.
func (b *buffer) write(line []byte) error {
	size := int64(len(line))
	for n := len(b.segments); n > 0 && b.total()+size > b.limit; n-- {
		b.drop(b.segments[0].reports, "the buffer is full: raise --buffer")
		if err := b.removeOldest(); err != nil {
			return err
		}
	}
	if n := len(b.segments); n == 0 || b.segments[n-1].size+size > max(b.limit/maxSegments, size) {
		if err := b.addSegment(); err != nil {
			return err
		}
	}
	s := &b.segments[len(b.segments)-1]
	if _, err := b.out.WriteAt(line, s.size); err != nil {
		_ = b.out.Truncate(s.size) // the next line is written to the same place
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

// addSegment begins a new segment at the end of the stream.
func (b *buffer) addSegment() error {
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

// removeOldest deletes the oldest segment.
func (b *buffer) removeOldest() error {
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

// deleteSent deletes the segments whose reports were all sent, the last one only
// when it is large.
func (b *buffer) deleteSent() {
	for len(b.segments) > 0 && b.sent >= b.segments[0].end() && (len(b.segments) > 1 || b.segments[0].size >= drainedSize) {
		if b.removeOldest() != nil {
			return // retried after the next report
		}
	}
}

// readLine reads the line at the position sent, which is in s. Of a line that is
// too long it returns a part.
func (b *buffer) readLine(s *segment) ([]byte, error) {
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
		size = min(size, left, maxLineSize)
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
		case int64(n) < size || size == left || size == maxLineSize:
			return b.line[:n], nil
		}
	}
}

// readSent returns the position that saveSent wrote. If it is missing or damaged
// it returns 0: reports are sent again rather than lost.
func (b *buffer) readSent() int64 {
	var line [64]byte
	n, _ := b.sentFile.ReadAt(line[:], 0)
	record, ok := decodeLine(line[:n])
	pos, err := strconv.ParseInt(string(record), 16, 64)
	if !ok || err != nil || pos < 0 || pos > maxPosition {
		return 0
	}
	return pos
}

// saveSent saves the position up to which reports were sent. Its length never
// changes, so that it can be overwritten in place.
func (b *buffer) saveSent() {
	if _, err := b.sentFile.WriteAt(encodeLine(fmt.Appendf(nil, "%016x", b.sent)), 0); err != nil {
		b.log.Error("the position of the sent reports cannot be saved and a restart may send some again", "err", err)
	}
}

// closeFiles flushes and closes the files.
func (b *buffer) closeFiles() error {
	err := b.sentFile.Close()
	if b.out != nil {
		err = errors.Join(b.out.Sync(), b.out.Close(), err)
		b.out = nil
	}
	b.segments = nil
	return err
}
