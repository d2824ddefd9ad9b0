package tencentcloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const algorithm = "TC3-HMAC-SHA256"

// maxSkew is the vendor's limit on the difference between a request's timestamp and its
// clock.
const maxSkew = 300 * time.Second

var authorization = regexp.MustCompile(`^TC3-HMAC-SHA256 Credential=([^/,\s]+)/(\d{4}-\d\d-\d\d)/([a-z]+)/tc3_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$`)

// verify checks the signature of a request ("Signature v3" in the vendor's
// documentation), which covers the headers that the request lists. It returns the key and
// the product of the signature.
func (c *Cloud) verify(r *http.Request, body []byte) (key Key, service string, err error) {
	parts := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if parts == nil {
		return Key{}, "", errorf("AuthFailure.InvalidAuthorization", "The `authorization` in the request header does not comply with the Tencent Cloud standard.")
	}
	id, date, service, names, got := parts[1], parts[2], parts[3], strings.Split(parts[4], ";"), parts[5]

	timestamp := r.Header.Get("X-TC-Timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return Key{}, "", errorf("MissingParameter", "The request is missing a required parameter `Timestamp`.")
	}
	signed, now := time.Unix(seconds, 0).UTC(), c.now()
	if d := now.Sub(signed); d > maxSkew || d < -maxSkew {
		return Key{}, "", errorf("AuthFailure.SignatureExpire", "Signature expired: the timestamp %d is more than five minutes from the server's time %d.", seconds, now.Unix())
	}

	c.mu.Lock()
	key, known := c.keys[id]
	c.mu.Unlock()
	if !known {
		return Key{}, "", errorf("AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure that your SecretId is correct.")
	}
	want := signature(key.Secret, date, service, stringToSign(timestamp, date, service, canonicalRequest(r, names, body)))
	complete := slices.Contains(names, "content-type") && slices.Contains(names, "host")
	if !complete || date != signed.Format(time.DateOnly) || !hmac.Equal([]byte(got), []byte(want)) {
		return Key{}, "", errorf("AuthFailure.SignatureFailure", "The provided credentials could not be validated. Please check your signature is correct.")
	}
	expired := !key.Expires.IsZero() && !now.Before(key.Expires)
	if expired || r.Header.Get("X-TC-Token") != key.Token {
		return Key{}, "", errorf("AuthFailure.TokenFailure", "Token verification failed. Please check your Token is correct.")
	}
	return key, service, nil
}

// canonicalRequest returns the text whose hash is signed. The path is always "/"
// and a POST has no query.
func canonicalRequest(r *http.Request, names []string, body []byte) string {
	var headers strings.Builder
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		headers.WriteString(name + ":" + strings.ToLower(strings.TrimSpace(value)) + "\n")
	}
	return strings.Join([]string{r.Method, "/", "", headers.String(), strings.Join(names, ";"), sum(body)}, "\n")
}

func stringToSign(timestamp, date, service, canonical string) string {
	scope := date + "/" + service + "/tc3_request"
	return strings.Join([]string{algorithm, timestamp, scope, sum([]byte(canonical))}, "\n")
}

func signature(secret, date, service, text string) string {
	key := mac(mac(mac([]byte("TC3"+secret), date), service), "tc3_request")
	return hex.EncodeToString(mac(key, text))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
