package trend

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
)

// ErrNewerVersion is returned by Decode for a window that a later version of
// Tocsin wrote. It must not be overwritten.
var ErrNewerVersion = errors.New("the stored window was written by a newer version of Tocsin: deploy that version again, or delete the keys to start over")

const (
	// chunkSize is the size of the largest chunk: a store takes values of up to
	// 1 MiB.
	chunkSize = 512 << 10
	// largeWindow is the size above which a window is compressed. Compression
	// saves a tenth for a busy cluster and most of it for a quiet one; smaller
	// windows are not worth the time.
	largeWindow = chunkSize
	// maxWindow bounds a decompressed window: about half a million partitions.
	maxWindow = 64 << 20
	// maxPrealloc bounds the memory allocated for a count before its items are
	// read.
	maxPrealloc = 1 << 12

	magic         = "tocw"
	windowVersion = 1
	// headerSize is the size of magic, version, compression flag, and the
	// length and CRC-32 of the uncompressed body.
	headerSize = len(magic) + 1 + 1 + 4 + 4
)

// Encode returns the window in its stored form, in chunks of at most 512 KiB.
// Equal windows have equal bytes; an empty one has no chunks.
func (w *Window) Encode() ([][]byte, error) {
	if len(w.historyTimes) == 0 {
		return nil, nil
	}
	data := w.appendBody(make([]byte, headerSize, headerSize+w.sizeEstimate()))
	header, body := data[:headerSize], data[headerSize:]
	if len(body) > maxWindow {
		return nil, fmt.Errorf("encode window: %d bytes of history are more than %d: watch fewer groups or topics", len(body), maxWindow)
	}
	copy(header, magic)
	header[len(magic)] = windowVersion
	binary.LittleEndian.PutUint32(header[headerSize-8:], uint32(len(body)))
	binary.LittleEndian.PutUint32(header[headerSize-4:], crc32.ChecksumIEEE(body))
	if len(body) > largeWindow {
		header[len(magic)+1] = 1
		var out bytes.Buffer
		out.Grow(len(data))
		out.Write(header)
		if err := compress(&out, body); err != nil {
			return nil, fmt.Errorf("encode window: %w", err)
		}
		data = out.Bytes()
	}
	return slices.Collect(slices.Chunk(data, chunkSize)), nil
}

func compress(to io.Writer, body []byte) error {
	w, err := flate.NewWriter(to, flate.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Close()
}

// Decode parses the chunks that Encode returned; no chunks are an empty window.
// It returns ErrNewerVersion for a window of a later version, and another error
// for a damaged one, or for chunks of different windows: the caller then starts
// over with an empty window.
func Decode(chunks [][]byte) (*Window, error) {
	if len(chunks) == 0 {
		return &Window{}, nil
	}
	data := bytes.Join(chunks, nil)
	if len(data) < len(magic)+1 || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("decode window: it does not begin with %q", magic)
	}
	if data[len(magic)] > windowVersion {
		return nil, ErrNewerVersion
	}
	if data[len(magic)] < 1 || len(data) < headerSize {
		return nil, errors.New("decode window: the header is corrupt")
	}
	length := int(binary.LittleEndian.Uint32(data[headerSize-8:]))
	checksum := binary.LittleEndian.Uint32(data[headerSize-4:])
	compressed := data[len(magic)+1]
	data = data[headerSize:]
	if length > maxWindow || compressed > 1 {
		return nil, errors.New("decode window: the header is corrupt")
	}
	if compressed == 1 {
		var out bytes.Buffer
		out.Grow(min(length, 8*len(data)) + bytes.MinRead)
		if _, err := io.Copy(&out, io.LimitReader(flate.NewReader(bytes.NewReader(data)), int64(length)+1)); err != nil {
			return nil, fmt.Errorf("decompress window: %w", err)
		}
		data = out.Bytes()
	}
	if len(data) != length || crc32.ChecksumIEEE(data) != checksum {
		return nil, errors.New("decode window: the checksum does not match")
	}
	r := bodyReader{varintReader{rest: data}}
	w := r.window()
	if r.corrupt || len(r.rest) > 0 {
		return nil, errors.New("decode window: the body is corrupt")
	}
	return w, nil
}

// appendBody appends the uncompressed body: the times; the topics' names with
// their log ends; the groups, which refer to topics by their index.
func (w *Window) appendBody(to []byte) []byte {
	to = appendTimes(to, w.snapshotTimes)
	to = appendTimes(to, w.historyTimes)

	indexes := make(map[string]int, len(w.ends))
	for topic := range w.ends {
		indexes[topic] = 0
	}
	for _, g := range w.groups {
		for topic := range g.topics {
			indexes[topic] = 0
		}
	}
	topics := slices.Sorted(maps.Keys(indexes))
	to = binary.AppendUvarint(to, uint64(len(topics)))
	for i, topic := range topics {
		indexes[topic] = i
		to = appendBytes(to, topic)
		to = appendBytes(to, w.ends[topic])
	}
	to = binary.AppendUvarint(to, uint64(len(w.groups)))
	var used []int
	for _, name := range slices.Sorted(maps.Keys(w.groups)) {
		g := w.groups[name]
		to = appendBytes(to, name)
		to = append(to, byte(g.members))
		used = used[:0]
		for topic := range g.topics {
			used = append(used, indexes[topic])
		}
		slices.Sort(used)
		to = binary.AppendUvarint(to, uint64(len(used)))
		for _, i := range used {
			t := g.topics[topics[i]]
			to = binary.AppendUvarint(to, uint64(i))
			to = appendBytes(to, t.rows)
			to = appendBytes(to, t.lags)
		}
	}
	return to
}

// sizeEstimate returns about how long the body is.
func (w *Window) sizeEstimate() int {
	n := 2000
	for topic, ends := range w.ends {
		n += len(topic) + len(ends) + 8
	}
	for name, g := range w.groups {
		n += len(name) + 8
		for _, t := range g.topics {
			n += len(t.rows) + len(t.lags) + 10
		}
	}
	return n
}

func appendTimes(to []byte, times []int64) []byte {
	to = binary.AppendUvarint(to, uint64(len(times)))
	var previous int64
	for _, t := range times {
		to = binary.AppendVarint(to, t-previous)
		previous = t
	}
	return to
}

func appendBytes[T string | []byte](to []byte, data T) []byte {
	to = binary.AppendUvarint(to, uint64(len(data)))
	return append(to, data...)
}

// bodyReader parses the body that appendBody wrote.
type bodyReader struct{ varintReader }

func (r *bodyReader) window() *Window {
	w := &Window{snapshotTimes: r.times(maxSnapshots), historyTimes: r.times(maxHistoryTimes)}
	if n := len(w.snapshotTimes); n > 0 && (len(w.historyTimes) == 0 || w.snapshotTimes[n-1] != w.historyTimes[len(w.historyTimes)-1]) {
		r.corrupt = true // the newest poll is in both
	}
	count := r.count()
	topics := make([]string, 0, min(count, maxPrealloc))
	w.ends = make(map[string][]byte, min(count, maxPrealloc))
	for range count {
		topic, ends := r.name(topics), r.blob()
		topics = append(topics, topic)
		if len(ends) > 0 {
			w.ends[topic] = ends
		}
	}
	count = r.count()
	w.groups = make(map[string]*group, min(count, maxPrealloc))
	var names []string
	for range count {
		names = append(names, r.name(names))
		g := &group{members: Members(r.number(uint64(HasMembers)))}
		count := r.count()
		g.topics = make(map[string]*topic, min(count, maxPrealloc))
		for range count {
			index := r.number(uint64(len(topics)))
			if r.corrupt || index == len(topics) || g.topics[topics[index]] != nil {
				r.corrupt = true
				return nil
			}
			g.topics[topics[index]] = &topic{rows: r.blob(), lags: r.bytes()}
		}
		w.groups[names[len(names)-1]] = g
	}
	return w
}

// number reads a number up to limit.
func (r *bodyReader) number(limit uint64) int {
	v := r.uvarint()
	if v > limit {
		r.fail()
		return 0
	}
	return int(v)
}

// count reads the number of items that follow, of at least two bytes each.
func (r *bodyReader) count() int { return r.number(uint64(len(r.rest) / 2)) }

func (r *bodyReader) bytes() []byte {
	n := r.number(uint64(len(r.rest)))
	if n > len(r.rest) {
		r.corrupt, n = true, len(r.rest)
	}
	data := r.rest[:n:n]
	r.rest = r.rest[n:]
	return data
}

// name reads a name, which must sort after the previous ones.
func (r *bodyReader) name(previous []string) string {
	name := string(r.bytes())
	if n := len(previous); n > 0 && name <= previous[n-1] {
		r.corrupt = true
	}
	return name
}

// blob reads a partition blob and checks it.
func (r *bodyReader) blob() []byte {
	data := r.bytes()
	b := iterateBlob(data)
	for b.next() {
	}
	r.corrupt = r.corrupt || b.corrupt
	return data
}

// times reads at most limit times, each later than the one before.
func (r *bodyReader) times(limit int) []int64 {
	times := make([]int64, r.number(uint64(limit)))
	var previous int64
	for i := range times {
		times[i] = previous + r.varint()
		if i > 0 && times[i] <= previous {
			r.corrupt = true
		}
		previous = times[i]
	}
	return times
}

// A partition blob holds data of the partitions of a topic, by rising id. For
// each partition it has
//
//	uvarint  id minus the previous id minus 1; for the first, id
//	uvarint  length of the body
//	body

// blobBuilder builds a partition blob in data.
type blobBuilder struct {
	data []byte
	body []byte
	next int64
}

func newBlobBuilder(size int) *blobBuilder { return &blobBuilder{data: make([]byte, 0, size)} }

// add appends the body of a partition, which encode appends to its argument.
func (b *blobBuilder) add(id int32, encode func([]byte) []byte) {
	b.body = encode(b.body[:0])
	b.data = binary.AppendUvarint(b.data, uint64(int64(id)-b.next))
	b.data = binary.AppendUvarint(b.data, uint64(len(b.body)))
	b.data = append(b.data, b.body...)
	b.next = int64(id) + 1
}

// blobIterator iterates over a partition blob.
type blobIterator struct {
	id   int32
	body []byte

	varintReader
	nextID int64 // the lowest id that may follow
}

func iterateBlob(data []byte) *blobIterator {
	return &blobIterator{varintReader: varintReader{rest: data}}
}

// next advances to the next partition. It returns false at the end and before a
// corrupt one.
func (b *blobIterator) next() bool {
	if !b.more() {
		return false
	}
	gap, length := b.uvarint(), b.uvarint()
	if b.corrupt || gap > 1<<31 || b.nextID+int64(gap) >= 1<<31 || length > uint64(len(b.rest)) {
		b.fail()
		return false
	}
	id := b.nextID + int64(gap)
	b.id, b.body, b.rest = int32(id), b.rest[:length:length], b.rest[length:]
	b.nextID = id + 1
	return true
}

// varintReader reads numbers one after the other. From the first one that is
// missing or malformed on, all are zero, and corrupt is set.
type varintReader struct {
	rest    []byte
	corrupt bool
}

func (r *varintReader) more() bool { return len(r.rest) > 0 }

func (r *varintReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.skip(n)
	return v
}

func (r *varintReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.skip(n)
	return v
}

// skip skips the n bytes of a number. Without a number, n is not positive.
func (r *varintReader) skip(n int) {
	if n <= 0 {
		r.fail()
		return
	}
	r.rest = r.rest[n:]
}

func (r *varintReader) fail() { r.rest, r.corrupt = nil, true }
