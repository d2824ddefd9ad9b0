package trend

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"
)

func TestEmptyWindowHasNoChunks(t *testing.T) {
	w, err := Decode(nil)
	if err != nil || !reflect.DeepEqual(w, &Window{}) {
		t.Errorf("Decode(nil): got %+v, error %v; want an empty window", w, err)
	}
	if chunks, err := w.Encode(); chunks != nil || err != nil {
		t.Errorf("Encode: got %v, error %v; want no chunks", chunks, err)
	}
}

// TestStoredFormat compares encoded windows with bytes from before: a new
// version must be able to read what a deployed one has stored. The small window
// is in full in testdata; it covers deletions, rewinds, created topics, unknown
// and missing partitions and missed polls.
func TestStoredFormat(t *testing.T) {
	polls := []string{
		"10/20 0/100 ? 5/6 40/60/45 -",
		"10/20 60/160 3/9 6/30 40/70/55 -",
		"10/25 120/200 4/9 2/40 ? 7/7",
		"? 130/210 5/9 3/50 58/90/58 7/9",
		"10/30 0/5 6/9 4/60 60/95/58 9/9",
	}
	small := &Window{}
	for i := range 40 {
		groups := []Group{
			newGroup("g", Members(i/15), polls[i%len(polls)]),
			newGroup("h", NoMembers, polls[min(i, len(polls)-1)]),
		}
		if i%11 == 10 {
			groups = groups[:1]
		}
		small.Add(atMinute(float64(i)*1.5), groups, i%4 != 0, true)
	}
	file, err := os.ReadFile("testdata/window-v1.hex")
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(string(bytes.ReplaceAll(file, []byte("\n"), nil)))
	if err != nil {
		t.Fatal(err)
	}
	if got := encoded(t, small); !bytes.Equal(got, want) {
		t.Errorf("small window: got\n%x\nwant\n%x", got, want)
	}
	decoded, err := Decode([][]byte{want})
	if err != nil {
		t.Fatalf("decode stored window: %v", err)
	}
	if got := encoded(t, decoded); !bytes.Equal(got, want) {
		t.Errorf("decoded and encoded again: got\n%x\nwant\n%x", got, want)
	}

	large, traffic := &Window{}, newTraffic(8, 5, 20)
	for i := range 300 {
		large.Add(atMinute(float64(i)), traffic.poll(), i%7 != 0, true)
	}
	const wantSum = "75dbdd858b70b8c33313f6da0feed221ae882bd1c95009df4fc46bf3bb7a0cd8"
	if got := fmt.Sprintf("%x", sha256.Sum256(encoded(t, large))); got != wantSum {
		t.Errorf("large window: got SHA-256 %s, want %s", got, wantSum)
	}
}

// TestStoredWindowEqualsWindowInMemory stores and loads a window between polls
// and compares it with one that stays in memory.
func TestStoredWindowEqualsWindowInMemory(t *testing.T) {
	traffic := newTraffic(8, 5, 20)
	inMemory, stored := &Window{}, &Window{}
	for i := range 300 {
		groups := slices.Clone(traffic.poll())
		complete := i%7 != 0
		if i%5 == 0 {
			groups = groups[1:]
		}
		inMemory.Add(atMinute(float64(i)), groups, complete, true)
		stored = roundTrip(t, stored)
		stored.Add(atMinute(float64(i)), groups, complete, true)
		if got, want := encoded(t, stored), encoded(t, inMemory); !bytes.Equal(got, want) {
			t.Fatalf("after %d polls: the stored window has %d bytes that differ from the %d of the one in memory", i+1, len(got), len(want))
		}
	}
}

func TestRowEncoding(t *testing.T) {
	tests := map[string][]sample{
		"lag is end minus commit": {{10, 20, 10}, {15, 22, 7}, {22, 22, 0}},
		"deleted messages":        {{10, 90, 10}, {10, 95, 5}},
		"commit beyond the end":   {{30, 20, 0}, {30, 25, 0}},
		"largest offsets":         {{0, offsetLimit - 1, offsetLimit - 1}, {offsetLimit - 1, offsetLimit - 1, 0}},
		"one poll":                {{0, 0, 0}},
		"no poll":                 {},
		"full window":             slices.Repeat([]sample{{7, 9, 2}}, windowSize),
	}
	for name, samples := range tests {
		for _, sharedEnds := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, shared ends %v", name, sharedEnds), func(t *testing.T) {
				want := row{frozenSince: 1_700_000_000_000, frozenLag: 12}
				if len(samples) == 0 {
					want = row{lastSeen: 1_700_000_000_000}
				}
				ends := [windowSize]int64{}
				for i, s := range samples {
					want.known |= 1 << i
					want.samples[i] = s
					if sharedEnds {
						ends[i] = s.end
					} else {
						ends[i] = unknownValue
					}
				}
				var got row
				got.decode(want.encode(nil, &ends), windowSize, &ends)
				if got != want {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
			})
		}
	}
}

func TestDecodeRejects(t *testing.T) {
	good := encoded(t, newWindow(HasMembers, "10/20 10/21 10/22"))
	newer := slices.Clone(good)
	newer[len(magic)] = 2
	if _, err := Decode([][]byte{newer}); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("newer version: got error %v, want %v", err, ErrNewerVersion)
	}
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 0x80
		if _, err := Decode([][]byte{bad}); err == nil {
			t.Errorf("byte %d changed: got no error, want one", i)
		}
		if _, err := Decode([][]byte{good[:i]}); err == nil {
			t.Errorf("truncated to %d bytes: got no error, want one", i)
		}
	}
	if _, err := Decode([][]byte{good, {0}}); err == nil {
		t.Error("one byte too many: got no error, want one")
	}
	inconsistent := encoded(t, &Window{snapshotTimes: []int64{1, 5}, historyTimes: []int64{1, 4}})
	if _, err := Decode([][]byte{inconsistent}); err == nil {
		t.Error("newest snapshot without history: got no error, want one")
	}
	if w, err := Decode([][]byte{good[:7], good[7:]}); err != nil || !bytes.Equal(encoded(t, w), good) {
		t.Errorf("two chunks: got error %v, want the window", err)
	}
}

// TestEncodedSize checks that a window of 24,000 partitions stays below 2 MB,
// even when each group has its own topics and traffic is heavy.
func TestEncodedSize(t *testing.T) {
	for name, traffic := range map[string]*trafficGenerator{"shared topics": newTraffic(100, 20, 200), "own topics": newTraffic(100, 20, 2000)} {
		t.Run(name, func(t *testing.T) {
			w := &Window{}
			for i := range windowSize {
				w.Add(atMinute(float64(i)), traffic.poll(), true, true)
			}
			if got := len(encoded(t, w)); got >= 2_000_000 {
				t.Errorf("got %d bytes, want less than 2,000,000", got)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	w := newWindow(HasMembers, "10/20 5/30 5/40/7 ? 50/45")
	w.Add(atMinute(9), []Group{newGroup("h", NoMembers, "? 3/4 -  5/6")}, false, true)
	f.Add(encoded(f, w)[headerSize:])
	f.Add([]byte{})
	f.Add([]byte{1, 2, 1, 2, 1, 1, 't', 0, 1, 1, 'g', 1, 1, 0, 4, 0, 2, 0xff, 0xff, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = Decode([][]byte{body})
		// The same bytes as the body of a window with a valid header.
		data := append([]byte(magic), windowVersion, 0)
		data = binary.LittleEndian.AppendUint32(data, uint32(len(body)))
		data = binary.LittleEndian.AppendUint32(data, crc32.ChecksumIEEE(body))
		w, err := Decode([][]byte{append(data, body...)})
		if err != nil {
			return
		}
		for _, groups := range [][]Group{{newGroup("g", HasMembers, "10/20 10/20")}, nil} {
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
			w.Add(atMinute(1e6), groups, false, true)
			if _, err := w.Encode(); err != nil {
				t.Errorf("Encode: %v", err)
			}
		}
		roundTrip(t, w)
	})
}
