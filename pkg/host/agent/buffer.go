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
	// maxRecord bounds a report, in bytes.
	maxRecord = 256 << 10
	// maxSpilled bounds the reports in memory while the disk takes none.
	maxSpilled = 1024
	// A file from which all was sent is replaced once it has grown to drained.
	drained = 64 << 10
)

// buffer keeps reports on disk, in the order in which they were made, until they
// are sent. When it is full the oldest make room. It is safe for concurrent use.
//
// The reports are lines of files, each named by the position of its first byte
// in the stream of all that was ever written. How far they were sent is one such
// position, in a file of its own; a report that was sent just before a crash may
// be sent again. A process that is killed while it writes leaves a broken last
// line, which is cut off. A power cut may take what was written since the last
// sync, and the kernel has not yet brought to disk.
//
// While the disk takes nothing, reports are kept in memory: a full disk is when
// they are needed most.
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
	spilled  [][]byte // younger than what is on disk
	popped   int64    // how many left spilled
	dropped  int64
	line     []byte // read last; reused
	disk     trouble
	closed   bool
}

// stats is what a buffer holds.
type stats struct {
	reports, bytes int64
	// dropped is how many made room for others, or were damaged, since the start.
	dropped int64
}

// mark is the end of a report in the stream, or its number among the spilled.
type mark struct {
	spilled bool
	end     int64
}

// openBuffer reads what is in dir, which it makes if it is missing. limit is in
// bytes.
func openBuffer(dir string, limit int64, log *slog.Logger) (*buffer, error) {
	b := &buffer{filled: make(chan struct{}, 1), log: log, dir: dir, limit: limit, disk: trouble{log: log}}
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

// append keeps record, which is one line, until done is called with its mark.
func (b *buffer) append(record []byte) error {
	if len(record) > maxRecord {
		return fmt.Errorf("the report has %d bytes, and may have %d: collect less", len(record), maxRecord)
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
	if len(b.spilled) == 0 {
		err := b.write(frame(record))
		if err == nil {
			b.disk.over("the state directory takes reports again")
			return nil
		}
		b.disk.is("the state directory takes no reports: they are kept in memory", err)
	}
	if len(b.spilled) == maxSpilled {
		b.spilled = b.spilled[1:]
		b.popped++
		b.drop(1, "there is no more room for them in memory")
	}
	b.spilled = append(b.spilled, slices.Clone(record))
	return nil
}

// first returns the oldest report, which stays. It is valid until the next call.
func (b *buffer) first() (record []byte, at mark, ok bool) {
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
		line, err := b.read(s)
		if err == nil {
			if record, ok := unframe(line); ok {
				return record, mark{end: b.sent + int64(len(line))}, true
			}
		}
		// One broken line is passed over; a file that cannot be read is left.
		lines, size := int64(1), int64(len(line))
		if err != nil {
			b.log.Warn("a file of reports cannot be read", "err", err)
			lines, size = s.reports, s.end()-b.sent
		}
		s.reports = max(0, s.reports-lines)
		damaged += lines
		b.sent += size
	}
	if len(b.spilled) > 0 {
		return b.spilled[0], mark{spilled: true, end: b.popped + 1}, true
	}
	return nil, mark{}, false
}

// done forgets the report that first returned with at, unless it has made room
// for others meanwhile.
func (b *buffer) done(at mark) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at.spilled {
		if at.end > b.popped {
			b.spilled, b.popped = b.spilled[1:], at.end
		}
		return
	}
	if at.end <= b.sent {
		return
	}
	b.sent = at.end
	for i := range b.segments {
		if s := &b.segments[i]; b.sent > s.base && b.sent <= s.end() {
			s.reports = max(0, s.reports-1)
		}
	}
	b.clean()
	b.keepSent()
}

// sync brings what was written to disk, so that a power cut leaves it.
func (b *buffer) sync() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out != nil {
		_ = b.out.Sync() // a disk that fails is told of by append
	}
}

// stats tells what waits.
func (b *buffer) stats() stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	st := stats{reports: int64(len(b.spilled)), dropped: b.dropped}
	for _, s := range b.segments {
		st.reports += s.reports
		st.bytes += max(0, s.end()-max(b.sent, s.base))
	}
	return st
}

// close writes down what is in memory, as far as the disk takes it.
func (b *buffer) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, record := range b.spilled {
		if err := b.write(frame(record)); err != nil {
			return errors.Join(fmt.Errorf("%d reports are lost, as the state directory takes none: %w", len(b.spilled), err), b.shut())
		}
		b.spilled = b.spilled[1:]
	}
	return b.shut()
}

// drop counts reports that will not be sent, and says so.
func (b *buffer) drop(n int64, why string) {
	if n > 0 {
		b.dropped += n
		b.log.Warn("reports are lost: "+why, "reports", n, "since_start", b.dropped)
	}
}
