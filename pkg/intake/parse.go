package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxDepth is the limit on the nesting of arrays and objects. Messages about
	// alerts are at most ten levels deep.
	maxDepth = 64
	// maxValues is the limit on the values of a message: a value takes about fifty
	// times the memory of its text.
	maxValues = 100_000
	// maxFields is the limit on the fields of a form.
	maxFields = 1000
)

// byteOrderMark is the UTF-8 byte order mark that programs on Windows put first.
var byteOrderMark = []byte("\ufeff")

// parseJSON parses a body that is one JSON value (RFC 8259) in UTF-8 and rejects
// duplicate names in objects. Numbers keep their text.
func parseJSON(body []byte) (any, error) {
	body = bytes.TrimPrefix(body, byteOrderMark)
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errorf("", "the body is empty: JSON is expected")
	}
	p := jsonParser{dec: jsontext.NewDecoder(bytes.NewReader(body)), left: maxValues}
	v, err := p.value(0)
	if err != nil {
		return nil, p.explain(err)
	}
	end := p.dec.InputOffset()
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errorf(position(end), "unexpected data after the JSON value")
	}
	return v, nil
}

type jsonParser struct {
	dec  *jsontext.Decoder
	left int // values that may follow
}

func (p *jsonParser) value(depth int) (any, error) {
	if p.left--; p.left < 0 {
		return nil, errorf(position(p.dec.InputOffset()), "more than %d values in one message", maxValues)
	}
	if depth > maxDepth {
		return nil, errorf(position(p.dec.InputOffset()), "nested more than %d levels deep", maxDepth)
	}
	token, err := p.dec.ReadToken()
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
		return p.object(depth)
	default: // '[', because the decoder rejects other tokens here
		return p.array(depth)
	}
}

func (p *jsonParser) object(depth int) (any, error) {
	members := map[string]any{}
	for p.dec.PeekKind() != '}' {
		token, err := p.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String() // the next read overwrites the token
		if members[name], err = p.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := p.dec.ReadToken()
	return members, err
}

func (p *jsonParser) array(depth int) (any, error) {
	items := []any{}
	for p.dec.PeekKind() != ']' {
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := p.dec.ReadToken()
	return items, err
}

// explain converts the decoder's error to an *Error with its position.
func (p *jsonParser) explain(err error) error {
	var own *Error
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errorf(position(p.dec.InputOffset()), "unexpected end of the JSON")
	case !errors.As(err, &syntax):
		return errorf("", "invalid JSON: %s", truncate(err.Error(), maxQuote))
	case errors.Is(err, jsontext.ErrDuplicateName):
		return errorf(position(syntax.ByteOffset), "duplicate name %q in one object", truncate(syntax.JSONPointer.LastToken(), maxQuote))
	default:
		return errorf(position(syntax.ByteOffset), "invalid JSON: %s", truncate(syntax.Err.Error(), maxQuote))
	}
}

// position is the Error.Path of an offset in a body.
func position(offset int64) string { return "byte " + strconv.FormatInt(offset, 10) }

// openForm parses a form as an object whose members are text.
func openForm(body []byte) (node, error) {
	values, err := url.ParseQuery(string(bytes.TrimPrefix(body, byteOrderMark)))
	if err != nil {
		return node{}, errorf("", "invalid form: %s", truncate(err.Error(), maxQuote))
	}
	return openValues(values)
}

// openValues makes an object of the fields of a form or a query.
func openValues(values url.Values) (node, error) {
	if len(values) == 0 {
		return node{}, errorf("", "no fields")
	}
	if len(values) > maxFields {
		return node{}, errorf("", "%d fields: at most %d are allowed", len(values), maxFields)
	}
	members := make(map[string]any, len(values))
	for name, all := range values {
		switch {
		case !utf8.ValidString(name) || !utf8.ValidString(all[0]):
			return node{}, errorf("", "the field %q is not UTF-8", truncate(name, maxQuote))
		case len(all) > 1:
			return node{}, errorf("", "duplicate field %q", truncate(name, maxQuote))
		}
		members[name] = all[0]
	}
	return node{doc: &document{}, value: members}, nil
}
