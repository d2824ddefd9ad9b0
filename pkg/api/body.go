package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"time"
	"unicode/utf8"
)

// open reads the JSON body of a request. What it is called, such as "alerts",
// stands in errors.
func (a *api) open(r *http.Request, what string) (*json.Decoder, error) {
	if r.ContentLength != 0 { // else it is missing, of whatever type
		if err := isJSON(r.Header.Get("Content-Type")); err != nil {
			return nil, err
		}
	}
	var body []byte
	var err error
	if r.ContentLength <= a.Limits.Body {
		body, err = io.ReadAll(r.Body)
	}
	var large *http.MaxBytesError
	switch {
	case r.ContentLength > a.Limits.Body, errors.As(err, &large):
		return nil, malformed(http.StatusRequestEntityTooLarge, "%s body has more than %d bytes: send less in one request", what, a.Limits.Body)
	case err != nil:
		return nil, malformed(http.StatusBadRequest, "reading %s body failed, because %s", what, err)
	case len(body) == 0:
		return nil, unfit(codeRequired, "%s in body is required", what)
	case !utf8.Valid(body): // which the decoder would mend in silence
		return nil, notParsed(what, "it is not UTF-8")
	}
	return json.NewDecoder(bytes.NewReader(body)), nil
}

func isJSON(header string) error {
	if header == "" {
		header = "application/octet-stream" // RFC 9110, 8.3
	}
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return malformed(http.StatusBadRequest, "parsing Content-Type header from %q failed, because %s", cut(header), err)
	}
	if media != "application/json" {
		return malformed(http.StatusUnsupportedMediaType, "unsupported media type %q, only [application/json] are allowed", cut(media))
	}
	return nil
}

// end makes sure that nothing stands behind what was read.
func end(dec *json.Decoder, what string) error {
	at := dec.InputOffset()
	if _, err := dec.Token(); errors.Is(err, io.EOF) {
		return nil
	}
	return notParsed(what, "more follows behind byte %d", at)
}

// notParsed is the answer to a body that cannot be read, in the words of
// Alertmanager's OpenAPI layer.
func notParsed(what, why string, args ...any) error {
	return malformed(http.StatusBadRequest, "parsing %s body from \"\" failed, because %s", what, fmt.Sprintf(why, args...))
}

// explain says why the decoder stopped, without the names of Go's types.
func explain(err error) string {
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return fmt.Sprintf("%s: %s where %s is expected", cut(mistyped.Field), mistyped.Value, kind(mistyped.Type))
	case errors.As(err, &mistyped):
		return fmt.Sprintf("%s where %s is expected", mistyped.Value, kind(mistyped.Type))
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF.Error()
	default:
		return err.Error()
	}
}

// kind names a Go type in the words of JSON.
func kind(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Slice:
		return "an array"
	case t.Kind() == reflect.Bool:
		return "a boolean"
	case t.Kind() == reflect.Map, t.Kind() == reflect.Struct && t != reflect.TypeFor[moment]():
		return "an object"
	default:
		return "a string"
	}
}

// moment is a time in a body: RFC 3339, or one of the forms that ISO 8601 allows
// and Alertmanager takes; without a zone it is UTC. Empty is the zero time.
type moment struct{ at time.Time }

var layouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02 15:04:05",
	"2006-01-02",
}

func (m *moment) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		m.at = time.Time{}
		return nil
	}
	for _, layout := range layouts {
		t, err := time.Parse(layout, string(text))
		if err == nil && writable(t) && writable(t.UTC()) {
			m.at = t
			return nil
		}
	}
	return fmt.Errorf("%q is not a time: write it like 2026-01-02T15:04:05Z", cut(string(text)))
}

// writable tells whether a time can be written as RFC 3339: its year has four
// digits, and its zone is less than a day away.
func writable(t time.Time) bool {
	_, err := t.MarshalText()
	return err == nil
}

// stamp is a time in an answer: RFC 3339 with milliseconds, in its own zone.
type stamp time.Time

func (s stamp) AppendText(b []byte) ([]byte, error) {
	return time.Time(s).AppendFormat(b, "2006-01-02T15:04:05.000Z07:00"), nil
}

func (s stamp) MarshalText() ([]byte, error) { return s.AppendText(nil) }
