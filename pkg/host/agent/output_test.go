package agent

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseOutput(t *testing.T) {
	tests := []struct{ name, output, want string }{
		{"lines", "queue=12\nage_seconds=1.5\nok=true\nname=a = b\n", `{"age_seconds":1.5,"name":"a = b","ok":true,"queue":12}`},
		{"blanks, comments and CRLF", "\r\n# of today\r\n  depth = -3 \r\n\r\nlate=false", `{"depth":-3,"late":false}`},
		{"no value", "note=", `{"note":""}`},
		{"what only looks like a number", "a=0x10\nb=1_000\nc=inf\nd=NaN\ne=1e999\nf=-\ng=1.2.3", `{"a":"0x10","b":"1_000","c":"inf","d":"NaN","e":"1e999","f":"-","g":"1.2.3"}`},
		{"numbers that JSON writes otherwise", "a=007\nb=+5\nc=.5\nd=5.\ne=12345678901234567890", `{"a":7,"b":5,"c":0.5,"d":5,"e":12345678901234567890}`},
		{"bytes that are no text", "a=\xff", "{\"a\":\"\uFFFD\"}"},
		{"JSON", ` {"a": {"b": [1, 2]}, "big": 12345678901234567890} ` + "\n", `{"a":{"b":[1,2]},"big":12345678901234567890}`},
		{"an empty object", "{}", `{}`},
	}
	for _, test := range tests {
		data, err := parseOutput([]byte(test.output))
		got, _ := json.Marshal(data)
		if err != nil || string(got) != test.want {
			t.Errorf("%s: %s, %v\nwant %s", test.name, got, err, test.want)
		}
	}
}

func TestParseOutputFaults(t *testing.T) {
	for output, want := range map[string]string{
		"":                "nothing",
		" \n\t":           "nothing",
		"# one\n":         "nothing but comments",
		"a=1\nOK":         "line 2",
		"=1":              "line 1",
		"a b=1":           "line 1",
		"a.b=1":           "line 1",
		"a=1\n\na=2":      "line 3",
		"[1]":             "line 1",
		`{"a":1`:          "as JSON",
		`{"a":1} {}`:      "behind",
		`{"a":1} x`:       "behind",
		`{"a":NaN}`:       "as JSON",
		"{" + "\x00" + "": "as JSON",
	} {
		if data, err := parseOutput([]byte(output)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want a fault with %q", output, data, err, want)
		}
	}
}

// What is taken can be reported, and reads the same again.
func FuzzParseOutput(f *testing.F) {
	for _, s := range []string{"a=1\nb=x", `{"a":{"b":[1,"x",null]}}`, "a=1e5\n#\n", "{", "a=\xff", "a=00.5e-3"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		data, err := parseOutput(output)
		if err != nil {
			return
		}
		text, err := json.Marshal(data)
		if err != nil {
			t.Fatalf("%q became what JSON cannot say: %v", output, err)
		}
		again, err := parseOutput(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if twice, _ := json.Marshal(again); string(twice) != string(text) {
			t.Errorf("%s reads as %s", text, twice)
		}
	})
}
