package bolt

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"
	"time"
)

func TestEncode(t *testing.T) {
	it := item{version: 0x0102, due: time.UnixMilli(0x1234567).UTC(), value: []byte("hi")}
	// The zero time is -62135596800000 ms: there are 719162 days from year 1 to 1970.
	const want = "01" + "0000000000000102" + "0000000001234567" + "ffffc77cedd32800" + "6869"
	if got := hex.EncodeToString(it.encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestIndexEntryOrder(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(ms) }
	want := [][]byte{
		dueEntry("a/x", at(-1000)), dueEntry("a/x", at(-1)), dueEntry("a/x", at(0)), dueEntry("a/x", at(1)),
		dueEntry("a/x", at(255)), dueEntry("a/x", at(256)), dueEntry("a/x/y", at(256)), dueEntry("a/y", at(256)),
		dueEntry("a/", at(1<<40)), dueEntry("b/", at(-1<<40)),
	}
	if !slices.IsSortedFunc(want, bytes.Compare) {
		t.Errorf("got entries that are not sorted: %x", want)
	}
	when, rest, ok := parseEntry("a", want[6])
	if !ok || rest != "x/y" || !when.Equal(at(256)) {
		t.Errorf("got %v, %q, %v, want the time and the rest of the entry", when, rest, ok)
	}
	when, rest, ok = parseEntry("", expiresEntry("a/x", at(-7)))
	if !ok || rest != "a/x" || !when.Equal(at(-7)) {
		t.Errorf("got %v, %q, %v, want the time and the rest of the entry", when, rest, ok)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{2})
	f.Add([]byte{format, 0, 0})
	f.Add(make([]byte, header))
	f.Add(item{version: 1}.encode())
	f.Add(item{version: 1 << 63, due: time.UnixMilli(5), expires: time.UnixMilli(-5), value: []byte("value")}.encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		it, err := decode(raw)
		if err != nil {
			return
		}
		if it.version == 0 || it.value == nil {
			t.Errorf("%x: got %+v, want a version and a value", raw, it)
		}
		if again := it.encode(); !bytes.Equal(again, raw) {
			t.Errorf("got %x, want %x again", again, raw)
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	f.Add("a", []byte("a/"))
	f.Add("a", dueEntry("a/b", time.UnixMilli(5)))
	f.Fuzz(func(t *testing.T, queue string, entry []byte) {
		at, rest, ok := parseEntry(queue, entry)
		if !ok || !bytes.HasPrefix(entry, []byte(queue+"/")) {
			return
		}
		if again := indexEntry(queue, at, rest); !bytes.Equal(again, entry) {
			t.Errorf("got %x, want %x again", again, entry)
		}
	})
}
