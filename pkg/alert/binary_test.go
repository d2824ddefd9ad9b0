package alert

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestBinary(t *testing.T) {
	start := time.Date(2026, 11, 20, 23, 5, 10, 123456789, time.FixedZone("", 8*3600))
	for name, want := range map[string]*Alert{
		"empty": {},
		"all fields": {
			Labels:       Labels{"alertname": "磁盘", "": "x", "empty": "", "bytes": "\x00\xff"},
			Annotations:  Labels{"summary": strings.Repeat("长", 100)},
			GeneratorURL: "http://prometheus.example.com/",
			StartsAt:     start, EndsAt: start.Add(time.Hour), UpdatedAt: start.UTC(), Timeout: true, Builtin: BuiltinSummary | BuiltinDescription,
		},
		"built-in summary, no timeout": {Builtin: BuiltinSummary},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := want.AppendBinary([]byte("before"))
			if err != nil {
				t.Fatal(err)
			}
			encoded, found := bytes.CutPrefix(b, []byte("before"))
			var got Alert
			rest, err := got.ReadBinary(append(bytes.Clone(encoded), "after"...))
			if err != nil || !found || string(rest) != "after" {
				t.Fatalf("ReadBinary: got rest %q, error %v; want %q", rest, err, "after")
			}
			for what, times := range map[string][2]time.Time{
				"start": {got.StartsAt, want.StartsAt}, "end": {got.EndsAt, want.EndsAt}, "update": {got.UpdatedAt, want.UpdatedAt},
			} {
				_, gotOffset := times[0].Zone()
				_, wantOffset := times[1].Zone()
				if !times[0].Equal(times[1]) || gotOffset != wantOffset {
					t.Errorf("%s: got %v, want %v", what, times[0], times[1])
				}
			}
			got.StartsAt, got.EndsAt, got.UpdatedAt = want.StartsAt, want.EndsAt, want.UpdatedAt
			if !reflect.DeepEqual(&got, want) {
				t.Errorf("got %+v, want %+v", &got, want)
			}
			for size := range encoded {
				if _, err := got.ReadBinary(encoded[:size]); err == nil {
					t.Errorf("the first %d bytes of %d: got no error, want one", size, len(encoded))
				}
			}
		})
	}
}

// TestReadBinaryOfOlderVersion reads an alert of a version without marks for built-in
// texts, in which only the timeout was a flag.
func TestReadBinaryOfOlderVersion(t *testing.T) {
	want := &Alert{Labels: Labels{"a": "b"}, Timeout: true}
	b, err := want.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if b[1] != 1 {
		t.Errorf("flags of an alert with a timeout and without built-in texts: got %d, want 1", b[1])
	}
	for flags, want := range map[byte]Alert{0: {}, 1: {Timeout: true}} {
		var got Alert
		b[1] = flags
		if _, err := got.ReadBinary(b); err != nil || got.Timeout != want.Timeout || got.Builtin != want.Builtin {
			t.Errorf("flags %d: got timeout %v, built-in %b, error %v; want %v and %b", flags, got.Timeout, got.Builtin, err, want.Timeout, want.Builtin)
		}
	}
}

func TestReadBinaryErrors(t *testing.T) {
	for input, want := range map[string]string{
		"\x09\x00\x00":  "unknown binary format 9",
		`{"labels":{}}`: "unknown binary format",
		"":              "unexpected end",
	} {
		t.Run(input, func(t *testing.T) {
			if _, err := new(Alert).ReadBinary([]byte(input)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want an error with %q", err, want)
			}
		})
	}
}

func FuzzReadBinary(f *testing.F) {
	seed := &Alert{Labels: Labels{"a": "b"}, Annotations: Labels{"c": "d"}, StartsAt: time.Unix(1, 0)}
	b, err := seed.AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		var a, again Alert
		if _, err := a.ReadBinary(b); err != nil {
			return
		}
		out, err := a.AppendBinary(nil)
		if err != nil {
			return // a zone that time.Time decodes but does not encode
		}
		if _, err := again.ReadBinary(out); err != nil || !reflect.DeepEqual(a.Labels, again.Labels) {
			t.Errorf("%q, encoded again as %q: got labels %v, error %v; want %v", b, out, again.Labels, err, a.Labels)
		}
	})
}
