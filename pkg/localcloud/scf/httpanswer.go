package scf

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// answer is an integrated response (document/product/583/12513).
type integratedResponse struct {
	StatusCode      int                     `json:"statusCode"`
	Headers         map[string]headerValues `json:"headers"`
	Body            string                  `json:"body"`
	IsBase64Encoded bool                    `json:"isBase64Encoded"`
}

// values are a header's: a text, or a list of texts.
type headerValues []string

func (v *headerValues) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(v))
	}
	*v = headerValues{""}
	return json.Unmarshal(b, &(*v)[0])
}

// respond writes what the function answered, or nothing when that is wrong.
func writeResponse(w http.ResponseWriter, text []byte, front HTTPTrigger) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); front == FunctionURL && json.Valid(text) && (err != nil || keys["statusCode"] == nil) {
		// Without a status code it is itself the body (583/96099).
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // the client may be gone
		return nil
	}
	var a integratedResponse
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if a.StatusCode < 200 || a.StatusCode > 599 {
		return errors.New("the answer has no status code")
	}
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			return fmt.Errorf("reading the body: %w", err)
		}
	}
	for name, values := range a.Headers {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	// The front has connections and lengths of its own.
	for _, own := range []string{"Connection", "Content-Length", "Transfer-Encoding"} {
		w.Header().Del(own)
	}
	w.WriteHeader(a.StatusCode)
	_, _ = w.Write(body) // the client may be gone
	return nil
}
