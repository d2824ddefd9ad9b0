package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tolerance is how old a request may be, or how far in the future: what the
// reference library of Standard Webhooks allows.
const tolerance = 5 * time.Minute

// Sign makes the server refuse what is not signed with one of the secrets, each
// whsec_ and base64.
func (s *Server) RequireSignature(secrets ...string) error {
	var keys [][]byte
	for _, secret := range secrets {
		encoded, ok := strings.CutPrefix(secret, "whsec_")
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil {
			return errors.New("a secret is whsec_ and base64")
		}
		keys = append(keys, key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = keys
	return nil
}

// verify checks a request and returns its id. Signatures are compared in
// constant time.
func verify(h http.Header, keys [][]byte, now time.Time, body []byte) (id string, err error) {
	id, timestamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	if id == "" || strings.Contains(id, ".") {
		return "", errors.New("webhook-id is missing or has a dot")
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return "", errors.New("webhook-timestamp is not a number")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return "", fmt.Errorf("webhook-timestamp is %s away", age)
	}
	for signature := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		version, encoded, _ := strings.Cut(signature, ",")
		given, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || version != "v1" {
			continue
		}
		for _, key := range keys {
			mac := hmac.New(sha256.New, key)
			fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
			if hmac.Equal(given, mac.Sum(nil)) {
				return id, nil
			}
		}
	}
	return "", errors.New("no signature matches")
}
