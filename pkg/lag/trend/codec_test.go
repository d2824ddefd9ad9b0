package trend

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"reflect"
	"slices"
	"testing"
)

func TestEmptyWindow(t *testing.T) {
	w, err := Decode(nil)
	if err != nil || !reflect.DeepEqual(w, &Window{}) {
		t.Errorf("%+v, %v", w, err)
	}
	if chunks, err := w.Encode(); chunks != nil || err != nil {
		t.Errorf("%v, %v", chunks, err)
	}
}

// A window that is stored between polls says what one says that never was, and is
// the same bytes.
func TestStored(t *testing.T) {
	c := newCluster(8, 5, 20)
	kept, reread := &Window{}, &Window{}
	for i := range 300 {
		groups := slices.Clone(c.poll())
		complete := i%7 != 0
		if i%5 == 0 {
			groups = groups[1:]
		}
		kept.Add(minute(float64(i)), groups, complete, true)
		reread = stored(t, reread)
		reread.Add(minute(float64(i)), groups, complete, true)
		if !bytes.Equal(joined(t, kept), joined(t, reread)) {
			t.Fatalf("after %d polls they differ", i+1)
		}
	}
}

// Each sample comes back as it was seen, with numbers of every size.
func TestRow(t *testing.T) {
	tests := map[string][]sample{
		"usual":         {{10, 20, 10}, {15, 22, 7}, {22, 22, 0}},
		"deleted":       {{10, 90, 10}, {10, 95, 5}},
		"beyond":        {{30, 20, 0}, {30, 25, 0}},
		"far":           {{0, tooLarge - 1, tooLarge - 1}, {tooLarge - 1, tooLarge - 1, 0}},
		"one":           {{0, 0, 0}},
		"none":          {},
		"a full window": slices.Repeat([]sample{{7, 9, 2}}, size),
	}
	for name, samples := range tests {
		for _, shared := range []bool{true, false} {
			want := row{held: 1_700_000_000_000, heldLag: 12}
			ends := [size]int64{}
			for i, s := range samples {
				want.known |= 1 << i
				want.samples[i] = s
				if shared {
					ends[i] = s.end
				} else {
					ends[i] = unknown
				}
			}
			var got row
			got.decode(want.encode(nil, &ends), size, &ends)
			if got != want {
				t.Errorf("%s, shared %v:\ngot  %+v\nwant %+v", name, shared, got, want)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := joined(t, watched(HasMembers, "10/20 10/21 10/22"))
	newer := slices.Clone(good)
	newer[len(magic)] = 2
	if _, err := Decode([][]byte{newer}); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("newer: %v", err)
	}
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 0x80
		if _, err := Decode([][]byte{bad}); err == nil {
			t.Errorf("byte %d changed, and it is read", i)
		}
		if _, err := Decode([][]byte{good[:i]}); err == nil {
			t.Errorf("cut to %d bytes, and it is read", i)
		}
	}
	if _, err := Decode([][]byte{good, {0}}); err == nil {
		t.Error("with a byte more it is read")
	}
	torn := joined(t, &Window{marks: []int64{1, 5}, times: []int64{1, 4}})
	if _, err := Decode([][]byte{torn}); err == nil {
		t.Error("polls of which a part is missing are read")
	}
	if w, err := Decode([][]byte{good[:7], good[7:]}); err != nil || !bytes.Equal(joined(t, w), good) {
		t.Errorf("in two chunks: %v", err)
	}
}

// A window of 15 polls of 24,000 partitions is smaller than 2 MB, even when each
// group reads topics of its own and traffic is heavy.
func TestSize(t *testing.T) {
	for name, c := range map[string]*cluster{"shared topics": newCluster(100, 20, 200), "own topics": newCluster(100, 20, 2000)} {
		w := &Window{}
		for i := range size {
			w.Add(minute(float64(i)), c.poll(), true, true)
		}
		n := len(joined(t, w))
		t.Logf("%s: %d bytes", name, n)
		if n >= 2_000_000 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	w := watched(HasMembers, "10/20 5/30 5/40/7 ? 50/45")
	w.Add(minute(9), []Group{reads("h", NoMembers, "? 3/4 -  5/6")}, false, true)
	f.Add(joined(f, w)[headSize:])
	f.Add([]byte{})
	f.Add([]byte{1, 2, 1, 2, 1, 1, 't', 0, 1, 1, 'g', 1, 1, 0, 4, 0, 2, 0xff, 0xff, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = Decode([][]byte{body})
		// As the body of a window whose head is right.
		data := append([]byte(magic), windowVersion, 0)
		data = binary.LittleEndian.AppendUint32(data, uint32(len(body)))
		data = binary.LittleEndian.AppendUint32(data, crc32.ChecksumIEEE(body))
		w, err := Decode([][]byte{append(data, body...)})
		if err != nil {
			return
		}
		for _, groups := range [][]Group{{reads("g", HasMembers, "10/20 10/20")}, nil} {
			for name, g := range w.groups {
				for topic := range g.topics {
					for _, id := range []int32{0, 1, math.MaxInt32} {
						w.Partition(name, topic, id, 1)
						w.Burrow(name, topic, id, 1, t0)
						w.Age(topic, id, 15, t0)
					}
					w.Topic(name, topic, 1)
					w.History(name, topic)
				}
			}
			w.Add(minute(1e6), groups, false, true)
			if _, err := w.Encode(); err != nil {
				t.Error(err)
			}
		}
		stored(t, w)
	})
}
