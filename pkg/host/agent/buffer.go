package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
)

const (
	// maxRecordSize bounds a report, in bytes.
	maxRecordSize = 256 << 10
	// maxInMemory bounds the reports in memory while the disk cannot be written.
	maxInMemory = 1024
	// drainedSize is the size from which a file whose reports were all sent is
	// deleted.
	drainedSize = 64 << 10
)

// buffer stores reports on disk in the order in which they were made, until they
// are sent. When it is full the oldest are dropped. It is safe for concurrent use.
//
// The reports are lines of files (segments), which together are a stream. A segment
// is named by the position of its first byte in the stream. One more file has the
// position up to which reports were sent; a report that was sent just before a crash
// may be sent again. A process that is killed while it writes leaves an incomplete
// last line, which is cut off. A power failure may lose the writes since the last
// sync that the kernel has not flushed.
//
// While the disk cannot be written, reports are kept in memory, so that a full
// disk can still be reported.
type buffer struct {
	// filled has a value when there may be something to send.
	filled chan struct{}
	log    *slog.Logger

	mu       sync.Mutex
	dir      string
	limit    int64
	segments []segment // oldest first; the last one is written to
	out      *os.File  // the last segment
	sent     int64     // the position up to which reports were sent
	sentFile *os.File
	inMemory [][]byte // younger than the reports on disk
	removed  int64    // how many were removed from inMemory
	dropped  int64
	line     []byte // the last line that was read; reused
	disk     failureLog
	closed   bool
}

// bufferStats describes the content of a buffer.
type bufferStats struct {
	reports, bytes int64
	// dropped counts the reports since the start that were damaged or made room
	// for others.
	dropped int64
}

// position is the end of a report in the stream, or the number of a report in
// memory.
type position struct {
	inMemory bool
	end      int64
}

// openBuffer opens the buffer in dir, which it creates if it is missing. limit is
// in bytes.
func openBuffer(dir string, limit int64, log *slog.Logger) (*buffer, error) {
	b := &buffer{filled: make(chan struct{}, 1), log: log, dir: dir, limit: limit, disk: failureLog{log: log}}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = b.open()
	}
	if err != nil {
		return nil, fmt.Errorf("open the buffer in %s: %w", dir, err)
	}
	b.filled <- struct{}{}
	return b, nil
}

// append adds record, which is one line.
func (b *buffer) append(record []byte) error {
	if len(record) > maxRecordSize {
		return fmt.Errorf("the report has %d bytes: at most %d are allowed, so collect less", len(record), maxRecordSize)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errors.New("the agent has stopped")
	}
	defer func() {
		select {
		case b.filled <- struct{}{}:
		default:
		}
	}()
	if len(b.inMemory) == 0 {
		err := b.write(encodeLine(record))
		if err == nil {
			b.disk.recovered("the state directory can be written again")
			return nil
		}
		b.disk.failed("the state directory cannot be written and reports are kept in memory", err)
	}
	if len(b.inMemory) == maxInMemory {
		b.inMemory = b.inMemory[1:]
		b.removed++
		b.drop(1, "the memory for them is full")
	}
	b.inMemory = append(b.inMemory, slices.Clone(record))
	return nil
}

// first returns the oldest report without removing it. It is valid until the next
// call.
func (b *buffer) first() (record []byte, pos position, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var damaged int64
	defer func() { b.drop(damaged, "they are damaged") }()
	for i := 0; i < len(b.segments); {
		s := &b.segments[i]
		b.sent = max(b.sent, s.base)
		if b.sent >= s.end() {
			i++
			continue
		}
		line, err := b.readLine(s)
		if err == nil {
			if record, ok := decodeLine(line); ok {
				return record, position{end: b.sent + int64(len(line))}, true
			}
		}
		// Skip one damaged line, or the rest of a file that cannot be read.
		lines, size := int64(1), int64(len(line))
		if err != nil {
			b.log.Warn("a file of reports cannot be read", "err", err)
			lines, size = s.reports, s.end()-b.sent
		}
		s.reports = max(0, s.reports-lines)
		damaged += lines
		b.sent += size
	}
	if len(b.inMemory) > 0 {
		return b.inMemory[0], position{inMemory: true, end: b.removed + 1}, true
	}
	return nil, position{}, false
}

// remove removes the report that first returned with pos. If it was dropped in
// the meantime nothing happens.
func (b *buffer) remove(pos position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if pos.inMemory {
		if pos.end > b.removed {
			b.inMemory, b.removed = b.inMemory[1:], pos.end
		}
		return
	}
	if pos.end <= b.sent {
		return
	}
	b.sent = pos.end
	for i := range b.segments {
		if s := &b.segments[i]; b.sent > s.base && b.sent <= s.end() {
			s.reports = max(0, s.reports-1)
		}
	}
	b.deleteSent()
	b.saveSent()
}

// sync flushes the writes to disk, so that a power failure does not lose them.
func (b *buffer) sync() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out != nil {
		_ = b.out.Sync() // append reports a disk that fails
	}
}

func (b *buffer) stats() bufferStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	st := bufferStats{reports: int64(len(b.inMemory)), dropped: b.dropped}
	for _, s := range b.segments {
		st.reports += s.reports
		st.bytes += max(0, s.end()-max(b.sent, s.base))
	}
	return st
}

// close writes the reports in memory to disk as far as possible.
func (b *buffer) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, record := range b.inMemory {
		if err := b.write(encodeLine(record)); err != nil {
			return errors.Join(fmt.Errorf("%d reports are lost, as the state directory cannot be written: %w", len(b.inMemory), err), b.closeFiles())
		}
		b.inMemory = b.inMemory[1:]
	}
	return b.closeFiles()
}

// drop counts and logs reports that will not be sent.
func (b *buffer) drop(n int64, reason string) {
	if n > 0 {
		b.dropped += n
		b.log.Warn("reports are lost: "+reason, "reports", n, "since_start", b.dropped)
	}
}
