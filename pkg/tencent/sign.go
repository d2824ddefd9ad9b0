package tencent

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm     = "TC3-HMAC-SHA256"
	signedHeaders = "content-type;host"
)

// sign adds the timestamp and the signature (TC3-HMAC-SHA256, "Signature v3" in the
// vendor's documentation) to a POST request for the path / of a product's API.
func sign(r *http.Request, body []byte, product string, key Key, now time.Time) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	date := now.UTC().Format(time.DateOnly)
	scope := date + "/" + product + "/tc3_request"
	canonical := strings.Join([]string{
		http.MethodPost, "/", "",
		"content-type:" + r.Header.Get("Content-Type"), "host:" + r.URL.Host, "",
		signedHeaders, hexHash(body),
	}, "\n")
	text := strings.Join([]string{algorithm, timestamp, scope, hexHash([]byte(canonical))}, "\n")
	derived := hmacSHA256([]byte("TC3"+key.Secret), date)
	for _, part := range []string{product, "tc3_request", text} {
		derived = hmacSHA256(derived, part)
	}
	r.Header.Set("X-TC-Timestamp", timestamp)
	r.Header.Set("Authorization", algorithm+" Credential="+key.ID+"/"+scope+", SignedHeaders="+signedHeaders+", Signature="+hex.EncodeToString(derived))
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexHash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
