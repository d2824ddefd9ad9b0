package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/notify"
)

// sender posts bodies with the authentication of a configuration.
type sender struct {
	env     *notify.Env
	timeout time.Duration
	keys    [][]byte // of signatures; none for no signature
	auth    string   // the Authorization header, or ""
	// secrets are replaced in the server's response.
	secrets [][]byte
}

func newSender(c *Config, env *notify.Env) (sender, error) {
	s := sender{env: env, timeout: c.Timeout.Std()}
	var err error
	if s.keys, err = parseKeys(string(c.Secret)); err != nil {
		return s, fmt.Errorf("secret: %w", err)
	}
	if c.HTTP == nil {
		return s, nil
	}
	if b := c.HTTP.BasicAuth; b != nil {
		encoded := base64.StdEncoding.EncodeToString([]byte(b.Username + ":" + string(b.Password)))
		s.auth = "Basic " + encoded
		s.addSecrets(encoded, string(b.Password))
	}
	if a := c.HTTP.Authorization; a != nil {
		s.auth = a.scheme() + " " + string(a.Credentials)
		s.addSecrets(string(a.Credentials))
	}
	return s, nil
}

func (s *sender) addSecrets(secrets ...string) {
	for _, secret := range secrets {
		if secret != "" {
			s.secrets = append(s.secrets, []byte(secret))
		}
	}
}

// send makes one attempt. Any status from 200 to 299 is success. As in Alertmanager
// 5xx is retried and 4xx is not; as Standard Webhooks requires, 429 waits for
// Retry-After, and a redirect is a failure.
func (s *sender) send(ctx context.Context, address, id string, body []byte) error {
	attempt, cancel := ctx, func() {}
	if s.timeout > 0 {
		attempt, cancel = context.WithTimeout(ctx, s.timeout)
	}
	defer cancel()
	header := http.Header{}
	if s.auth != "" {
		header.Set("Authorization", s.auth)
	}
	if len(s.keys) > 0 {
		sign(header, s.keys, id, s.env.Now(), body)
	}
	response, err := notify.PostJSON(attempt, s.env.HTTP, address, header, body)
	if err != nil {
		var e *notify.Error
		if errors.As(err, &e) && attempt.Err() != nil && ctx.Err() == nil {
			e.Message = fmt.Sprintf("no answer within timeout, %s: %s", s.timeout, e.Message)
		}
		return err
	}
	for _, secret := range s.secrets {
		response.Body = bytes.ReplaceAll(response.Body, secret, []byte("<secret>"))
	}
	e := response.StatusError()
	if e == nil {
		return nil // a nil *Error would not be a nil error
	}
	switch response.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Message = "the server denies access, check http_config and secret: " + e.Message
	case http.StatusGone:
		e.Message = "the webhook is gone for good, remove it from the configuration: " + e.Message
	case http.StatusRequestEntityTooLarge:
		e.Message = "the body is too large for the server, set max_alerts: " + e.Message
	}
	return e
}

// Secrets of Standard Webhooks (standardwebhooks.com, symmetric form v1) have a
// prefix and 24 to 64 bytes.
const (
	keyPrefix      = "whsec_"
	minKey, maxKey = 24, 64
)

// parseKeys parses secrets that are separated by spaces or commas. An error shows no
// part of them.
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

// sign adds the headers of Standard Webhooks to h, by which a receiver checks who
// sent a request, that it is recent, and whether it has processed its id before. id
// is the same in every attempt and has no dot; at is the time of this attempt.
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

// messageID returns a notification's id without dots, which separate the parts of
// the signed text.
func messageID(id string) string { return strings.ReplaceAll(id, ".", "-") }
