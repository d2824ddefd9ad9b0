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

// ErrNewerVersion says that a later version of Tocsin wrote the window. It must not be
// overwritten.
var ErrNewerVersion = errors.New("the stored window was written by a newer version of Tocsin: deploy that version again, or delete the keys to start anew")

const (
	// chunkSize is the largest chunk: a store holds values of up to 1 MiB.
	chunkSize = 512 << 10
	// largeWindow is what is compressed. It makes a busy cluster's window a tenth
	// smaller and a quiet one's many times. Less is not worth the time.
	largeWindow = chunkSize
	// maxWindow bounds what is decompressed: a window of half a million partitions.
	maxWindow = 64 << 20
	// maxHint bounds what is set aside before it is known to be there.
	maxHint = 1 << 12

	magic         = "tocw"
	windowVersion = 1
	// headSize is the magic, the version, whether it is compressed, the length
	// and the CRC-32 of what follows before compression.
	headSize = len(magic) + 1 + 1 + 4 + 4
)

// Encode returns the window as it is stored, in chunks of at most 512 KiB. Equal
// windows give equal bytes; an empty one gives no chunks.
func (w *Window) Encode() ([][]byte, error) {
	if len(w.times) == 0 {
		return nil, nil
	}
	data := w.append(make([]byte, headSize, headSize+w.weight()))
	head, body := data[:headSize], data[headSize:]
	if len(body) > maxWindow {
		return nil, fmt.Errorf("encode window: %d bytes of history are more than %d: watch fewer groups or topics", len(body), maxWindow)
	}
	copy(head, magic)
	head[len(magic)] = windowVersion
	binary.LittleEndian.PutUint32(head[headSize-8:], uint32(len(body)))
	binary.LittleEndian.PutUint32(head[headSize-4:], crc32.ChecksumIEEE(body))
	if len(body) > largeWindow {
		head[len(magic)+1] = 1
		var out bytes.Buffer
		out.Grow(len(data))
		out.Write(head)
		zip, err := flate.NewWriter(&out, flate.BestSpeed)
		if err != nil {
			return nil, fmt.Errorf("encode window: %w", err)
		}
		if _, err := zip.Write(body); err != nil {
			return nil, fmt.Errorf("encode window: %w", err)
		}
		if err := zip.Close(); err != nil {
			return nil, fmt.Errorf("encode window: %w", err)
		}
		data = out.Bytes()
	}
	return slices.Collect(slices.Chunk(data, chunkSize)), nil
}

// Decode reads what Encode wrote; no chunks are an empty window. It returns
// ErrNewerVersion for what a later version wrote, and an error for what is corrupt,
// chunks of two windows mixed up among it. Then it is best to start anew.
func Decode(chunks [][]byte) (*Window, error) {
	if len(chunks) == 0 {
		return &Window{}, nil
	}
	data := bytes.Join(chunks, nil)
	if len(data) < len(magic)+1 || string(data[:len(magic)]) != magic {
		return nil, errors.New("decode window: it does not begin as one")
	}
	if data[len(magic)] > windowVersion {
		return nil, ErrNewerVersion
	}
	if data[len(magic)] < 1 || len(data) < headSize {
		return nil, errors.New("decode window: its head is corrupt")
	}
	length := int(binary.LittleEndian.Uint32(data[headSize-8:]))
	checksum := binary.LittleEndian.Uint32(data[headSize-4:])
	compressed := data[len(magic)+1]
	data = data[headSize:]
	if length > maxWindow || compressed > 1 {
		return nil, errors.New("decode window: its head is corrupt")
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
		return nil, errors.New("decode window: its checksum is wrong")
	}
	r := reader{rest: data}
	w := r.window()
	if r.corrupt || len(r.rest) > 0 {
		return nil, errors.New("decode window: it is corrupt")
	}
	return w, nil
}

// append appends the window before compression: the times; the topics' names,
// with their ends; the groups, whose topics are numbers of those.
func (w *Window) append(to []byte) []byte {
	to = appendTimes(to, w.marks)
	to = appendTimes(to, w.times)

	numbers := make(map[string]int, len(w.ends))
	for topic := range w.ends {
		numbers[topic] = 0
	}
	for _, g := range w.groups {
		for topic := range g.topics {
			numbers[topic] = 0
		}
	}
	topics := slices.Sorted(maps.Keys(numbers))
	to = binary.AppendUvarint(to, uint64(len(topics)))
	for i, topic := range topics {
		numbers[topic] = i
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
			used = append(used, numbers[topic])
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

// weight is about how long the window is before compression.
func (w *Window) weight() int {
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
	var before int64
	for _, t := range times {
		to = binary.AppendUvarint(to, zigzag(t-before))
		before = t
	}
	return to
}

func appendBytes[T string | []byte](to []byte, data T) []byte {
	to = binary.AppendUvarint(to, uint64(len(data)))
	return append(to, data...)
}

// reader reads what append wrote. What is wrong it remembers in corrupt.
type reader struct {
	rest    []byte
	corrupt bool
}

func (r *reader) window() *Window {
	w := &Window{marks: r.times(maxMarks), times: r.times(maxTimes)}
	if n := len(w.marks); n > 0 && (len(w.times) == 0 || w.marks[n-1] != w.times[len(w.times)-1]) {
		r.corrupt = true // a poll is both
	}
	count := r.count()
	topics := make([]string, 0, min(count, maxHint))
	w.ends = make(map[string][]byte, min(count, maxHint))
	for range count {
		topic, ends := r.name(topics), r.blob()
		topics = append(topics, topic)
		if len(ends) > 0 {
			w.ends[topic] = ends
		}
	}
	count = r.count()
	w.groups = make(map[string]*group, min(count, maxHint))
	var names []string
	for range count {
		names = append(names, r.name(names))
		g := &group{members: Members(r.number(uint64(HasMembers)))}
		count := r.count()
		g.topics = make(map[string]*topic, min(count, maxHint))
		for range count {
			number := r.number(uint64(len(topics)))
			if r.corrupt || number == len(topics) || g.topics[topics[number]] != nil {
				r.corrupt = true
				return nil
			}
			g.topics[topics[number]] = &topic{rows: r.blob(), lags: r.bytes()}
		}
		w.groups[names[len(names)-1]] = g
	}
	return w
}

// number reads a number up to limit.
func (r *reader) number(limit uint64) int {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > limit {
		r.corrupt, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

// count reads how many things of at least two bytes follow.
func (r *reader) count() int { return r.number(uint64(len(r.rest) / 2)) }

func (r *reader) bytes() []byte {
	n := r.number(uint64(len(r.rest)))
	if n > len(r.rest) {
		r.corrupt, n = true, len(r.rest)
	}
	data := r.rest[:n:n]
	r.rest = r.rest[n:]
	return data
}

// name reads a name, which is behind those before it in order.
func (r *reader) name(before []string) string {
	name := string(r.bytes())
	if n := len(before); n > 0 && name <= before[n-1] {
		r.corrupt = true
	}
	return name
}

// blob reads a blob and looks through it.
func (r *reader) blob() []byte {
	data := r.bytes()
	b := walk(data)
	for b.next() {
	}
	r.corrupt = r.corrupt || b.corrupt
	return data
}

// times reads at most limit times, each later than the one before.
func (r *reader) times(limit int) []int64 {
	times := make([]int64, r.number(uint64(limit)))
	var before int64
	for i := range times {
		v, n := binary.Uvarint(r.rest)
		if n <= 0 {
			r.corrupt = true
			return nil
		}
		r.rest = r.rest[n:]
		times[i] = before + unzigzag(v)
		if i > 0 && times[i] <= before {
			r.corrupt = true
		}
		before = times[i]
	}
	return times
}
