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
	for name, a := range map[string]*Alert{
		"empty": {},
		"whole": {
			Labels:       Labels{"alertname": "磁盘", "": "x", "empty": "", "bytes": "\x00\xff"},
			Annotations:  Labels{"summary": strings.Repeat("长", 100)},
			GeneratorURL: "http://prometheus.example.com/",
			StartsAt:     start, EndsAt: start.Add(time.Hour), UpdatedAt: start.UTC(), Timeout: true, Builtin: BuiltinSummary | BuiltinDescription,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := a.AppendBinary([]byte("before"))
			if err != nil {
				t.Fatal(err)
			}
			var got Alert
			rest, err := got.ReadBinary(append(bytes.TrimPrefix(b, []byte("before")), "after"...))
			if err != nil || string(rest) != "after" {
				t.Fatalf("%q remains, %v", rest, err)
			}
			if _, offset := got.StartsAt.Zone(); !got.StartsAt.Equal(a.StartsAt) || a.Timeout && offset != 8*3600 {
				t.Errorf("it starts at %v, want %v", got.StartsAt, a.StartsAt)
			}
			if !got.EndsAt.Equal(a.EndsAt) || !got.UpdatedAt.Equal(a.UpdatedAt) {
				t.Errorf("%v and %v, want %v and %v", got.EndsAt, got.UpdatedAt, a.EndsAt, a.UpdatedAt)
			}
			if !reflect.DeepEqual(got.Labels, a.Labels) || !reflect.DeepEqual(got.Annotations, a.Annotations) || got.GeneratorURL != a.GeneratorURL || got.Timeout != a.Timeout || got.Builtin != a.Builtin {
				t.Errorf("%+v, want %+v", got, a)
			}
			for cut := range len(b) - len("before") {
				if _, err := got.ReadBinary(b[len("before"):][:cut]); err == nil {
					t.Errorf("%d bytes of it were enough", cut)
				}
			}
		})
	}
	if _, err := new(Alert).ReadBinary([]byte{9, 0, 0}); err == nil || !strings.Contains(err.Error(), "format 9") {
		t.Errorf("another format: %v", err)
	}
	if _, err := new(Alert).ReadBinary([]byte(`{"labels":{}}`)); err == nil {
		t.Error("JSON was read")
	}
}

func FuzzReadBinary(f *testing.F) {
	whole := &Alert{Labels: Labels{"a": "b"}, Annotations: Labels{"c": "d"}, StartsAt: time.Unix(1, 0)}
	b, err := whole.AppendBinary(nil)
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
			return // a zone that Go reads and does not write
		}
		if _, err := again.ReadBinary(out); err != nil || !reflect.DeepEqual(a.Labels, again.Labels) {
			t.Errorf("%q was written as %q: %v", b, out, err)
		}
	})
}
