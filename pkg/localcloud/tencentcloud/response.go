package tencentcloud

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Error is an error of the API.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func errorf(code, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// writeError responds with an error and, as the vendor does, HTTP status 200.
func writeError(w http.ResponseWriter, requestID string, e *Error) {
	writeResponse(w, requestID, struct{ Error *Error }{e})
}

// rawJSON is a response that is encoded already.
type rawJSON []byte

// writeResponse responds with the fields of a struct or of rawJSON, and a request
// id.
func writeResponse(w http.ResponseWriter, requestID string, response any) {
	fields, encoded := response.(rawJSON)
	if !encoded {
		var err error
		if fields, err = json.Marshal(response); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	head, tail := `{"Response":`, fmt.Sprintf(`,"RequestId":%q}}`, requestID)
	fields = bytes.TrimSuffix(fields, []byte("}"))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(head)+len(fields)+len(tail)))
	for _, part := range [][]byte{[]byte(head), fields, []byte(tail)} {
		_, _ = w.Write(part) // the client may have gone
	}
}

// params decodes the body of a request into p, a struct of pointers and slices.
// Like the vendor, it rejects unknown parameters and values of another type.
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

// required rejects a missing or empty parameter.
func required(name string, value *string) error {
	if value == nil || *value == "" {
		return errorf("MissingParameter", "The request is missing a required parameter `%s`.", name)
	}
	return nil
}
