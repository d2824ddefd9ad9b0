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
	// The zero time is -62135596800000 ms: year 1 to 1970 are 719162 days.
	const want = "01" + "0000000000000102" + "0000000001234567" + "ffffc77cedd32800" + "6869"
	if got := hex.EncodeToString(it.encode()); got != want {
		t.Errorf("encode:\n got %s\nwant %s", got, want)
	}
}

func TestPlaceOrder(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(ms) }
	want := [][]byte{
		duePlace("a/x", at(-1000)), duePlace("a/x", at(-1)), duePlace("a/x", at(0)), duePlace("a/x", at(1)),
		duePlace("a/x", at(255)), duePlace("a/x", at(256)), duePlace("a/x/y", at(256)), duePlace("a/y", at(256)),
		duePlace("a/", at(1<<40)), duePlace("b/", at(-1<<40)),
	}
	if !slices.IsSortedFunc(want, bytes.Compare) {
		t.Errorf("not in order: %x", want)
	}
	when, rest, err := parsePlace("a", want[6])
	if err != nil || rest != "x/y" || !when.Equal(at(256)) {
		t.Errorf("parsePlace: %v, %q, %v", when, rest, err)
	}
	when, rest, err = parsePlace("", expiresPlace("a/x", at(-7)))
	if err != nil || rest != "a/x" || !when.Equal(at(-7)) {
		t.Errorf("parsePlace: %v, %q, %v", when, rest, err)
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
			t.Errorf("%x decodes to %+v", raw, it)
		}
		if again := it.encode(); !bytes.Equal(again, raw) {
			t.Errorf("%x decodes and encodes to %x", raw, again)
		}
	})
}

func FuzzParsePlace(f *testing.F) {
	f.Add("a", []byte("a/"))
	f.Add("a", duePlace("a/b", time.UnixMilli(5)))
	f.Fuzz(func(t *testing.T, queue string, p []byte) {
		at, rest, err := parsePlace(queue, p)
		if err != nil || !bytes.HasPrefix(p, []byte(queue+"/")) {
			return
		}
		if again := place(queue, at, rest); !bytes.Equal(again, p) {
			t.Errorf("%x parses and becomes %x", p, again)
		}
	})
}
