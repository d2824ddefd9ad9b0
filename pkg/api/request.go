package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// decodeBody returns a decoder of the JSON body of a request. The name of the body,
// such as "alerts", is part of errors.
func (a *api) decodeBody(r *http.Request, name string) (*json.Decoder, error) {
	if r.ContentLength != 0 { // a missing body is reported as such, whatever its type
		if err := checkJSONType(r.Header.Get("Content-Type")); err != nil {
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
		return nil, codedError(http.StatusRequestEntityTooLarge, "%s body has more than %d bytes: send less in one request", name, a.Limits.Body)
	case err != nil:
		return nil, readError(name, err)
	case len(body) == 0:
		return nil, validationError(codeRequired, "%s in body is required", name)
	case !utf8.Valid(body): // the decoder would silently replace invalid bytes
		return nil, parseError(name, "it is not UTF-8")
	}
	return json.NewDecoder(bytes.NewReader(body)), nil
}

// readError returns the error of a body that cannot be read.
func readError(name string, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return codedError(http.StatusRequestTimeout, "reading %s body failed, because it was not complete in time", name)
	}
	return codedError(http.StatusBadRequest, "reading %s body failed, because %s", name, err)
}

// checkJSONType returns an error unless a Content-Type is that of JSON.
func checkJSONType(header string) error {
	if header == "" {
		header = "application/octet-stream" // RFC 9110, 8.3
	}
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return codedError(http.StatusBadRequest, "parsing Content-Type header from %q failed, because %s", truncate(header), err)
	}
	if media != "application/json" {
		return codedError(http.StatusUnsupportedMediaType, "unsupported media type %q, only [application/json] are allowed", truncate(media))
	}
	return nil
}

// expectEnd returns an error unless the body ends here.
func expectEnd(dec *json.Decoder, name string) error {
	offset := dec.InputOffset()
	if _, err := dec.Token(); errors.Is(err, io.EOF) {
		return nil
	}
	return parseError(name, "unexpected data after byte %d", offset)
}

// parseError returns the error of a body that cannot be parsed, with the text of
// Alertmanager's OpenAPI layer.
func parseError(name, reason string, args ...any) error {
	return codedError(http.StatusBadRequest, "parsing %s body from \"\" failed, because %s", name, fmt.Sprintf(reason, args...))
}

// explainDecodeError returns the text of a decoder's error, without the names of Go
// types.
func explainDecodeError(err error) string {
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return fmt.Sprintf("%s: %s where %s is expected", truncate(mistyped.Field), mistyped.Value, jsonKind(mistyped.Type))
	case errors.As(err, &mistyped):
		return fmt.Sprintf("%s where %s is expected", mistyped.Value, jsonKind(mistyped.Type))
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF.Error()
	default:
		return err.Error()
	}
}

// jsonKind returns the JSON name of a Go type.
func jsonKind(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Slice:
		return "an array"
	case t.Kind() == reflect.Bool:
		return "a boolean"
	case t.Kind() == reflect.Map, t.Kind() == reflect.Struct && t != reflect.TypeFor[requestTime]():
		return "an object"
	default:
		return "a string"
	}
}

// requestTime is a time in a request: RFC 3339, or another format of ISO 8601 that
// Alertmanager accepts. Without a zone it is UTC; empty is the zero time.
type requestTime struct{ time time.Time }

var timeLayouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02 15:04:05",
	"2006-01-02",
}

func (m *requestTime) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		m.time = time.Time{}
		return nil
	}
	for _, layout := range timeLayouts {
		t, err := time.Parse(layout, string(text))
		if err == nil && isRFC3339(t) && isRFC3339(t.UTC()) {
			m.time = t
			return nil
		}
	}
	return fmt.Errorf("%q is not a time: write it like 2026-01-02T15:04:05Z", truncate(string(text)))
}

// isRFC3339 reports whether RFC 3339 can represent t: its year has four digits and
// its zone offset is less than a day.
func isRFC3339(t time.Time) bool {
	_, err := t.MarshalText()
	return err == nil
}

// mediaType returns the media type of a body, which must be an accepted one; "" if the
// sender gave none.
func mediaType(r *http.Request, accepted []string) (string, error) {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return "", nil
	}
	media, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", codedError(http.StatusBadRequest, "parsing Content-Type header from %q failed, because %s", truncate(header), err)
	}
	if !slices.Contains(accepted, media) {
		return "", codedError(http.StatusUnsupportedMediaType, "unsupported media type %q, only [%s] are allowed", truncate(media), strings.Join(accepted, " "))
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", codedError(http.StatusUnsupportedMediaType, "unsupported charset %q, only utf-8 is allowed", truncate(charset))
	}
	return media, nil
}

// readBody reads a body of at most limit bytes, before and after decompression.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	tooLarge := codedError(http.StatusRequestEntityTooLarge, "the body has more than %d bytes: send less in one request, or raise webhook.max_body", limit)
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	var body io.Reader = http.MaxBytesReader(nil, r.Body, limit)
	switch encoding := r.Header.Get("Content-Encoding"); strings.ToLower(encoding) {
	case "", "identity":
	case "gzip":
		decompressed, err := gzip.NewReader(body)
		if err != nil {
			return nil, codedError(http.StatusBadRequest, "the body is not gzip, despite its Content-Encoding: %s", err)
		}
		body = decompressed
	default:
		return nil, codedError(http.StatusUnsupportedMediaType, "unsupported content encoding %q, only [gzip] is allowed", truncate(encoding))
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), int64(len(data)) > limit:
		return nil, tooLarge
	case err != nil:
		return nil, readError("the", err)
	}
	return data, nil
}

// queryLabels parses the labels that a query adds to every alert, as name:value.
func (a *api) queryLabels(pairs []string) (map[string]string, error) {
	if len(pairs) > a.Limits.Labels {
		return nil, fmt.Errorf("%d labels in the query: at most %d are allowed", len(pairs), a.Limits.Labels)
	}
	labels := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, ":")
		switch {
		case !utf8.ValidString(pair):
			return nil, errors.New("a label in the query is not UTF-8")
		case !ok || value == "" || !a.validName(name):
			return nil, fmt.Errorf("label %q in the query is not a label: write it as name:value", truncate(pair))
		}
		labels[name] = value
	}
	return labels, nil
}
