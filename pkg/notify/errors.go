package notify

import (
	"errors"
	"time"
)

// Class is what can be done about a failed delivery.
type Class uint8

const (
	// Retry is a temporary failure (network, 5xx, the vendor is busy): try again
	// later.
	Retry Class = iota
	// Rate means that the vendor limits the rate: try again after RetryAfter.
	Rate
	// Permanent needs a person: a wrong key, a removed robot.
	Permanent
	// TooLong means that the vendor found the message too long: send a shorter
	// one, once.
	TooLong
)

// String returns the class as logs and status pages show it.
func (c Class) String() string {
	switch c {
	case Rate:
		return "rate"
	case Permanent:
		return "permanent"
	case TooLong:
		return "too long"
	default:
		return "retry"
	}
}

// Error is a failed delivery. It contains no credentials: channels name their
// target without its secret parts.
type Error struct {
	Class Class
	// Code is the vendor's code, "" without a response that could be parsed.
	Code string
	// Message states the failure and what the operator can do about it.
	Message string
	// RetryAfter is the least time until the next attempt; zero leaves it to the
	// caller.
	RetryAfter time.Duration
	// Ambiguous means that the vendor may have accepted the message all the same:
	// the request was sent and no response arrived. Channels that cost money or
	// ring phones are not tried again after it (Kind.AtMostOnce).
	Ambiguous bool
	// Err is the cause, if it is another error. It must not contain secrets
	// either.
	Err error
}

func (e *Error) Error() string {
	s := e.Message
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// AsError returns err as an *Error. An error of another type counts as a
// temporary failure.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Class: Retry, Message: err.Error()}
}
