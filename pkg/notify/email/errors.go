package email

import (
	"context"
	"crypto/tls"
	"errors"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wneessen/go-mail/smtp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

// step is a step of a delivery.
type step uint8

const (
	stepConnect step = iota
	stepLogin
	stepSender
	stepRecipient
	stepData
	stepEnd // the server's confirmation
)

const (
	// rateLimitWait is the wait after a reply that mails come too often. Providers
	// do not document it; their limits are per minute.
	rateLimitWait = 5 * time.Minute
	// maxReply bounds a server's reply in an error, in bytes.
	maxReply = 300
)

// deliveryError returns the error of a delivery that failed at a step.
func (s *server) deliveryError(ctx context.Context, at step, err error) *notify.Error {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return s.replyError(at, reply)
	}
	e := &notify.Error{Class: notify.Retry, Ambiguous: at == stepEnd, Err: err}
	var certificate *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	switch {
	case ctx.Err() != nil && e.Ambiguous:
		e.Message, e.Err = s.addr+" did not confirm the mail in time: it may have been sent", ctx.Err()
	case ctx.Err() != nil:
		e.Message, e.Err = s.addr+" did not answer in time", ctx.Err()
	case errors.As(err, &certificate):
		// Retried, because a provider may correct its certificate.
		e.Message = s.addr + " shows a certificate that is not valid for it, nothing was sent: check the name in smarthost, the clock and the trusted roots"
	case errors.As(err, &notTLS):
		e.Class = notify.Permanent
		e.Message = s.addr + " does not encrypt from the start: use port 465, or set force_implicit_tls: false for STARTTLS"
	case strings.Contains(err.Error(), "does not support STARTTLS"):
		e.Class = notify.Permanent
		e.Message = s.addr + " offers no encryption: use port 465, or set require_tls: false to send without"
	case errors.Is(err, smtp.ErrUnencrypted):
		e.Class = notify.Permanent
		e.Message = s.addr + " offers no encryption, so that the password was not sent: use port 465"
	case errors.Is(err, errNoMechanism):
		e.Class = notify.Permanent
		e.Message = "cannot log in at " + s.addr + ": check auth_username, or leave it out for a server that needs no login"
	case e.Ambiguous:
		e.Message = "the connection to " + s.addr + " broke before it confirmed the mail: it may have been sent"
	default:
		e.Message = "cannot reach " + s.addr
	}
	return e
}

// replyError returns the error of a server's reply. 4yz is temporary and 5yz
// permanent (RFC 5321, 4.2.1), but Chinese providers also use 5yz for a rate limit.
func (s *server) replyError(at step, reply *textproto.Error) *notify.Error {
	text := s.secrets.Replace(render.CleanLine(decodeReply(reply.Msg), maxReply))
	e := &notify.Error{Class: notify.Permanent, Code: strconv.Itoa(reply.Code)}
	if reply.Code < 500 {
		e.Class = notify.Retry
	}
	switch {
	case isRateLimit(text):
		e.Class, e.RetryAfter = notify.Rate, rateLimitWait
		e.Message = s.addr + " finds the mails too frequent: " + text
	case strings.Contains(text, "5.3.4") || reply.Code == 552 && strings.Contains(strings.ToLower(text), "size"):
		e.Class = notify.TooLong
		e.Message = s.addr + " finds the mail too long: " + text
	case at == stepConnect:
		e.Message = s.addr + " refused the connection: " + text
	case at == stepLogin:
		e.Message = s.addr + " refused the login: " + text
		if e.Class == notify.Permanent {
			e.Message += ". qq.com, 163.com and exmail want an authorization code as auth_password, not the login password, and SMTP switched on in the mailbox's settings"
		}
	case at == stepSender:
		e.Message = s.addr + " refused the sender: " + text
		if e.Class == notify.Permanent {
			e.Message += ". Most providers take mails only from the account itself: let from be the address of auth_username"
		}
	case at == stepRecipient:
		e.Message = s.addr + " refused the recipient: " + text
	default:
		e.Message = s.addr + " refused the mail: " + text
	}
	return e
}

// isRateLimit reports whether a reply is about the number of mails, such as "550
// Connection frequency limited" and "550 Domain frequency limited".
func isRateLimit(text string) bool {
	text = strings.ToLower(text)
	words := []string{"frequen", "too many", "rate limit", "rate-limit", "ratelimit", "sending rate", "throttl", "频率", "频繁"}
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}

// decodeReply decodes a reply as UTF-8, or else as GBK, which exmail uses.
func decodeReply(reply string) string {
	if utf8.ValidString(reply) {
		return reply
	}
	text, err := simplifiedchinese.GB18030.NewDecoder().String(reply)
	if err != nil {
		return strings.ToValidUTF8(reply, "\uFFFD")
	}
	return text
}
