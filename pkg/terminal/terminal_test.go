package terminal

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestEscaping(t *testing.T) {
	for _, tt := range []struct{ name, in, written, line string }{
		{"plain text is written as it is", "消费积压 · orders 👩‍💻 5 %", "消费积压 · orders 👩‍💻 5 %", "消费积压 · orders 👩‍💻 5 %"},
		{"a colour", "\x1b[31mred", `\u001b[31mred`, `\u001b[31mred`},
		{"a carriage return and a backspace", "a\rb\bc", `a\u000db\u0008c`, `a\u000db\u0008c`},
		{"DEL and a control sequence of C1", "\x7f\u009b31m", `\u007f\u009b31m`, `\u007f\u009b31m`},
		{"a byte of C1 that is no UTF-8", "a\x9b31m", "a\ufffd31m", "a\ufffd31m"},
		{"overrides and isolates of bidirectional text", "a\u202eb\u2066c\u200f", `a\u202eb\u2066c\u200f`, `a\u202eb\u2066c\u200f`},
		{"line breaks and tabs", "a\n\tb", "a\n\tb", `a\n\tb`},
		{"separators of lines and paragraphs", "a\u2028b\u2029", `a\u2028b\u2029`, `a\u2028b\u2029`},
		{"a next line of C1", "a\u0085b", `a\u0085b`, `a\u0085b`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			n, err := NewWriter(&out).Write([]byte(tt.in))
			if out.String() != tt.written || n != len(tt.in) || err != nil {
				t.Errorf("got %q written, %d and %v; want %q, %d and no error", out.String(), n, err, tt.written, len(tt.in))
			}
			if got := Line(tt.in); got != tt.line {
				t.Errorf("got line %q, want %q", got, tt.line)
			}
		})
	}
}

func TestJSONStaysTheSame(t *testing.T) {
	const text = "a\x7f\u202e\u0085\u2028\n\x1b"
	var out bytes.Buffer
	if err := json.NewEncoder(NewWriter(&out)).Encode(text); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got != text || strings.ContainsAny(out.String(), "\x7f\u202e\u0085") {
		t.Errorf("got %q and error %v from %q, want %q without control characters in it", got, err, out.String(), text)
	}
}

func TestRaw(t *testing.T) {
	var out bytes.Buffer
	if Raw(NewWriter(&out)) != &out || Raw(&out) != &out {
		t.Error("got another writer, want the one that was given")
	}
}
