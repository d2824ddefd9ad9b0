package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxDepth bounds how deep arrays and objects may be nested. Ten is deep for
	// a message about an alert.
	maxDepth = 64
	// maxValues bounds how many values a message may have: each takes some fifty
	// times the memory of its text.
	maxValues = 100_000
)

// parseJSON reads a body that is one JSON value (RFC 8259) in UTF-8, in which no
// object has a name twice. Numbers stay as they are written.
func parseJSON(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, faultf("", "the body is empty: JSON is expected")
	}
	r := jsonReader{dec: jsontext.NewDecoder(bytes.NewReader(body)), left: maxValues}
	v, err := r.value(0)
	if err != nil {
		return nil, r.explain(err)
	}
	at := r.dec.InputOffset()
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, faultf(place(at), "more follows behind the JSON value")
	}
	return v, nil
}

type jsonReader struct {
	dec  *jsontext.Decoder
	left int
}

func (r *jsonReader) value(depth int) (any, error) {
	if r.left--; r.left < 0 {
		return nil, faultf(place(r.dec.InputOffset()), "more than %d values in one message", maxValues)
	}
	if depth > maxDepth {
		return nil, faultf(place(r.dec.InputOffset()), "nested more than %d deep", maxDepth)
	}
	token, err := r.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return token.Bool(), nil
	case '"':
		return token.String(), nil
	case '0':
		return json.Number(token.String()), nil
	case '{':
		return r.object(depth)
	default: // '[': the decoder lets nothing else begin a value
		return r.array(depth)
	}
}

func (r *jsonReader) object(depth int) (any, error) {
	members := map[string]any{}
	for r.dec.PeekKind() != '}' {
		name, err := r.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String() // before the token is overwritten
		if members[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := r.dec.ReadToken()
	return members, err
}

func (r *jsonReader) array(depth int) (any, error) {
	items := []any{}
	for r.dec.PeekKind() != ']' {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := r.dec.ReadToken()
	return items, err
}

// explain says why the decoder stopped, and where.
func (r *jsonReader) explain(err error) error {
	var ours *Error
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return faultf(place(r.dec.InputOffset()), "the JSON ends too soon")
	case !errors.As(err, &syntax):
		return faultf("", "it is not JSON: %s", cut(err.Error(), maxQuote))
	case errors.Is(err, jsontext.ErrDuplicateName):
		return faultf(place(syntax.ByteOffset), "the name %q is there twice in one object", cut(syntax.JSONPointer.LastToken(), maxQuote))
	default:
		return faultf(place(syntax.ByteOffset), "it is not JSON: %s", cut(syntax.Err.Error(), maxQuote))
	}
}

// place is where something stands in a body.
func place(offset int64) string { return "byte " + strconv.FormatInt(offset, 10) }
