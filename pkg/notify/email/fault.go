package email

import (
	"context"
	"crypto/tls"
	"errors"
	"net/textproto"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wneessen/go-mail/smtp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

// step is how far a delivery came.
type step uint8

const (
	toConnect step = iota
	toLogIn
	toSendFrom
	toSendTo
	toTransfer
	toEnd
)

// rateWait is how long to leave a provider alone that found the mails too
// frequent. Providers do not say how long; minutes is what they mean.
const rateWait = 5 * time.Minute

// fault explains why a delivery failed at a step.
func (s *server) fault(ctx context.Context, at step, err error) *notify.Error {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return s.refusal(at, reply)
	}
	f := &notify.Error{Class: notify.Retry, Ambiguous: at == toEnd, Err: err}
	var certificate *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	switch {
	case ctx.Err() != nil && f.Ambiguous:
		f.Message, f.Err = s.addr+" did not confirm the mail in time: it may have been sent", ctx.Err()
	case ctx.Err() != nil:
		f.Message, f.Err = s.addr+" did not answer in time", ctx.Err()
	case errors.As(err, &certificate):
		// A provider mends its certificate, or a person the configuration; until
		// then nothing is sent.
		f.Message = s.addr + " shows a certificate that is not valid for it, nothing was sent: check the name in smarthost, the clock and the trusted roots"
	case errors.As(err, &notTLS):
		f.Class = notify.Permanent
		f.Message = s.addr + " does not encrypt from the start: use port 465, or set force_implicit_tls: false for STARTTLS"
	case strings.Contains(err.Error(), "does not support STARTTLS"):
		f.Class = notify.Permanent
		f.Message = s.addr + " offers no encryption: use port 465, or set require_tls: false to send without"
	case errors.Is(err, smtp.ErrUnencrypted):
		f.Class = notify.Permanent
		f.Message = s.addr + " offers no encryption, so that the password was not sent: use port 465"
	case errors.Is(err, errNoLogin):
		f.Class = notify.Permanent
		f.Message = "cannot log in at " + s.addr + ": check auth_username, or leave it out for a server that wants no login"
	case f.Ambiguous:
		f.Message = "the connection to " + s.addr + " broke before it confirmed the mail: it may have been sent"
	default:
		f.Message = "cannot reach " + s.addr
	}
	return f
}

// refusal explains a reply of the server. 4yz is for now and 5yz for good
// (RFC 5321, 4.2.1), but Chinese providers also use 5yz for "too often".
func (s *server) refusal(at step, reply *textproto.Error) *notify.Error {
	said := s.secrets.Replace(render.CleanLine(decode(reply.Msg), 300))
	f := &notify.Error{Class: notify.Permanent, Code: strconv.Itoa(reply.Code)}
	if reply.Code < 500 {
		f.Class = notify.Retry
	}
	switch {
	case tooOften(said):
		f.Class, f.RetryAfter = notify.Rate, rateWait
		f.Message = s.addr + " finds the mails too frequent: " + said
	case strings.Contains(said, "5.3.4") || reply.Code == 552 && strings.Contains(strings.ToLower(said), "size"):
		f.Class = notify.TooLong
		f.Message = s.addr + " finds the mail too long: " + said
	case at == toConnect:
		f.Message = s.addr + " refused the connection: " + said
	case at == toLogIn:
		f.Message = s.addr + " refused the login: " + said
		if f.Class == notify.Permanent {
			f.Message += ". qq.com, 163.com and exmail want an authorization code as auth_password, not the login password, and SMTP switched on in the mailbox's settings"
		}
	case at == toSendFrom:
		f.Message = s.addr + " refused the sender: " + said
		if f.Class == notify.Permanent {
			f.Message += ". Most providers take mails only from the account itself: let from be the address of auth_username"
		}
	case at == toSendTo:
		f.Message = s.addr + " refused the recipient: " + said
	default:
		f.Message = s.addr + " refused the mail: " + said
	}
	return f
}

// tooOften tells whether a refusal is about how many mails there are. Seen:
// "550 Connection frequency limited", "550 Domain frequency limited".
func tooOften(said string) bool {
	said = strings.ToLower(said)
	for _, sign := range []string{"frequen", "too many", "rate limit", "rate-limit", "ratelimit", "sending rate", "throttl", "频率", "频繁"} {
		if strings.Contains(said, sign) {
			return true
		}
	}
	return false
}

// decode reads what a server said: UTF-8, or else GBK, in which exmail answers.
func decode(said string) string {
	if utf8.ValidString(said) {
		return said
	}
	text, err := simplifiedchinese.GB18030.NewDecoder().String(said)
	if err != nil {
		return strings.ToValidUTF8(said, "\uFFFD")
	}
	return text
}
