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

// Standard Webhooks (standardwebhooks.com, symmetric form v1): the receiver
// checks that a request is ours, that it is not old, and by its id that it has
// not had it before.

// keyPrefix is how secrets of the symmetric form begin.
const keyPrefix = "whsec_"

// The specification wants secrets of 24 to 64 bytes.
const minKey, maxKey = 24, 64

// parseKeys reads one secret or several. No error shows any part of them.
func parseKeys(secrets string) ([][]byte, error) {
	var keys [][]byte
	for _, s := range strings.FieldsFunc(secrets, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		encoded, ok := strings.CutPrefix(s, keyPrefix)
		if !ok {
			return nil, errors.New("does not begin with whsec_: write it as the receiver shows it, whsec_ and base64")
		}
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, errors.New("is not base64 behind whsec_: copy it again, with its = at the end")
		}
		if len(key) < minKey || len(key) > maxKey {
			return nil, fmt.Errorf("has %d bytes behind whsec_, and Standard Webhooks wants %d to %d: make one with: openssl rand -base64 32", len(key), minKey, maxKey)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// sign adds the headers of Standard Webhooks to h. id is the same in every
// attempt and has no dot; at is the moment of this one.
func sign(h http.Header, keys [][]byte, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", timestamp)
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
}

// messageID is the notification's id in the form that the specification allows:
// dots separate the parts of what is signed.
func messageID(id string) string { return strings.ReplaceAll(id, ".", "-") }
