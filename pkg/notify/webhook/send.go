package webhook

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tocsin/pkg/notify"
)

// sender posts bodies with what proves who sends them.
type sender struct {
	env     *notify.Env
	timeout time.Duration
	keys    [][]byte // of signatures; none for no signature
	auth    string   // the Authorization header, or ""
	// secrets are what a server could repeat that must not be shown.
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
		s.hide(encoded, string(b.Password))
	}
	if a := c.HTTP.Authorization; a != nil {
		s.auth = a.scheme() + " " + string(a.Credentials)
		s.hide(string(a.Credentials))
	}
	return s, nil
}

func (s *sender) hide(secrets ...string) {
	for _, secret := range secrets {
		if secret != "" {
			s.secrets = append(s.secrets, []byte(secret))
		}
	}
}

// send makes one attempt. Any status from 200 to 299 is success. As in
// Alertmanager 5xx is tried again and 4xx is not, and as Standard Webhooks asks
// 429 waits for as long as Retry-After says, and a redirect is a failure.
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
	answer, err := notify.PostJSON(attempt, s.env.HTTP, address, header, body)
	if err != nil {
		var e *notify.Error
		if errors.As(err, &e) && attempt.Err() != nil && ctx.Err() == nil {
			e.Message = fmt.Sprintf("no answer within timeout, %s: %s", s.timeout, e.Message)
		}
		return err
	}
	for _, secret := range s.secrets {
		answer.Body = bytes.ReplaceAll(answer.Body, secret, []byte("<secret>"))
	}
	refused := answer.StatusError()
	if refused == nil {
		return nil
	}
	switch answer.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		refused.Message = "the server does not let us in, check http_config and secret: " + refused.Message
	case http.StatusGone:
		refused.Message = "the webhook is gone for good, remove it from the configuration: " + refused.Message
	case http.StatusRequestEntityTooLarge:
		refused.Message = "the body is too large for the server, set max_alerts: " + refused.Message
	}
	return refused
}
