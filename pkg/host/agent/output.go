package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// parseOutput reads what an executable printed: a JSON object, or lines of
// key=value. Blank lines and lines that begin with # are passed over there, and
// values that are numbers, true or false become that.
func parseOutput(output []byte) (map[string]any, error) {
	output = bytes.TrimSpace(output)
	if len(output) == 0 {
		return nil, errors.New("it printed nothing: print a JSON object, or lines of key=value")
	}
	if output[0] == '{' {
		return parseObject(output)
	}
	data := map[string]any{}
	n := 0
	for line := range strings.Lines(strings.ToValidUTF8(string(output), "\uFFFD")) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if _, twice := data[key]; !found || !isKey(key) || twice {
			return nil, fmt.Errorf("line %d of its output is not key=value, with a key of letters, digits, _ and - that no other line has; print a JSON object for more", n)
		}
		data[key] = parseValue(strings.TrimSpace(value))
	}
	if len(data) == 0 {
		return nil, errors.New("it printed nothing but comments")
	}
	return data, nil
}

func parseObject(output []byte) (map[string]any, error) {
	var data map[string]any
	d := json.NewDecoder(bytes.NewReader(output))
	d.UseNumber() // large numbers stay what they are
	if err := d.Decode(&data); err != nil {
		return nil, fmt.Errorf("its output begins as JSON, but is none: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the JSON object that it printed")
	}
	return data, nil
}

func isKey(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return false
		}
	}
	return s != ""
}

func parseValue(s string) any {
	switch s {
	case "true":
		return true
	case "false":
		return false
	}
	// ParseFloat knows more than decimal numbers: 0x1p4, 1_000, inf, nan.
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return s
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return s
	}
	if json.Valid([]byte(s)) {
		return json.Number(s)
	}
	return v
}
