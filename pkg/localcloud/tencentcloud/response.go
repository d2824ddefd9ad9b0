package tencentcloud

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Error is a refusal in the vendor's words.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func errorf(code, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// writeError answers with HTTP status 200, as the vendor does.
func writeError(w http.ResponseWriter, requestID string, e *Error) {
	writeResponse(w, requestID, struct{ Error *Error }{e})
}

// encoded is an answer that is JSON already.
type rawJSON []byte

// writeAnswer answers with the fields of answer, a struct or encoded, and a
// request id.
func writeResponse(w http.ResponseWriter, requestID string, answer any) {
	fields, ready := answer.(rawJSON)
	if !ready {
		var err error
		if fields, err = json.Marshal(answer); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	head, tail := `{"Response":`, fmt.Sprintf(`,"RequestId":%q}}`, requestID)
	fields = bytes.TrimSuffix(fields, []byte("}"))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(head)+len(fields)+len(tail)))
	for _, part := range [][]byte{[]byte(head), fields, []byte(tail)} {
		_, _ = w.Write(part) // a client that is gone misses nothing
	}
}

// params decodes a request's body into p, a struct of pointers and slices. Like
// the vendor it refuses parameters that it does not know and values of another
// type.
func (c *call) params(p any) error {
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	err := d.Decode(p)
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "unknown field"):
		return errorf("UnknownParameter", "The request contains an unknown parameter: %v.", err)
	default:
		return errorf("InvalidParameter", "The request is not valid: %v.", err)
	}
}

// required refuses a parameter that was not given.
func required(name string, value *string) error {
	if value == nil || *value == "" {
		return errorf("MissingParameter", "The request is missing a required parameter `%s`.", name)
	}
	return nil
}
