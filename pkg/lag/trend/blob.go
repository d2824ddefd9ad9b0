package trend

import "encoding/binary"

// A blob is the bodies of a topic's partitions, by rising id:
//
//	uvarint  id - the id before - 1 (of the first: id)
//	uvarint  length of the body
//	body

// blob builds one.
type blob struct {
	data []byte
	body []byte
	next int64
}

func newBlob(size int) *blob { return &blob{data: make([]byte, 0, size)} }

// add appends a body, which encode appends to what it is given.
func (b *blob) add(id int32, encode func([]byte) []byte) {
	b.body = encode(b.body[:0])
	b.data = binary.AppendUvarint(b.data, uint64(int64(id)-b.next))
	b.data = binary.AppendUvarint(b.data, uint64(len(b.body)))
	b.data = append(b.data, b.body...)
	b.next = int64(id) + 1
}

// walker goes through a blob.
type walker struct {
	id   int32
	body []byte

	rest     []byte
	expected int64
	corrupt  bool
}

func walk(data []byte) *walker { return &walker{rest: data} }

// next goes to the next body. It returns false at the end, and before what is
// not a body.
func (w *walker) next() bool {
	if len(w.rest) == 0 {
		return false
	}
	gap, n := binary.Uvarint(w.rest)
	if n <= 0 || gap > 1<<31 || w.expected+int64(gap) >= 1<<31 {
		w.rest, w.corrupt = nil, true
		return false
	}
	length, m := binary.Uvarint(w.rest[n:])
	if m <= 0 || length > uint64(len(w.rest)-n-m) {
		w.rest, w.corrupt = nil, true
		return false
	}
	id := w.expected + int64(gap)
	body := w.rest[n+m:]
	w.id, w.body, w.rest = int32(id), body[:length:length], body[length:]
	w.expected = id + 1
	return true
}

// numbers reads varints one after the other. What is not there is zero.
type numbers struct {
	data []byte
	at   int
}

func (n *numbers) more() bool { return n.at < len(n.data) }

func (n *numbers) unsigned() uint64 {
	var v uint64
	for shift := 0; shift < 64 && n.more(); shift += 7 {
		b := n.data[n.at]
		n.at++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	n.at = len(n.data)
	return 0
}

func (n *numbers) signed() int64 { return unzigzag(n.unsigned()) }

func zigzag(v int64) uint64 { return uint64(v)<<1 ^ uint64(v>>63) }

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
