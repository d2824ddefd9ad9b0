package notify

import (
	"errors"
	"time"
)

// Class says what may be done about a delivery that failed.
type Class uint8

const (
	// Retry: a passing fault (network, 5xx, the vendor is busy). Try again later.
	Retry Class = iota
	// Rate: the vendor asks for patience. Try again after RetryAfter.
	Rate
	// Permanent: nothing but a person will help (wrong key, robot removed).
	Permanent
	// TooLong: the vendor found the message too long. Say it shorter, once.
	TooLong
)

// String returns the class as logs and status pages print it.
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

// Error is a delivery that failed. It never contains a credential: channels
// name their target without its secret parts.
type Error struct {
	Class Class
	// Code is the vendor's own code, "" when no answer was understood.
	Code string
	// Message says what happened and what to do next, in the operator's words.
	Message string
	// RetryAfter is the least time to wait before the next attempt; zero leaves
	// it to the caller.
	RetryAfter time.Duration
	// Ambiguous tells that the vendor may have accepted the message all the
	// same: the request went out and no answer came. Channels that cost money
	// or ring phones are not tried again after it.
	Ambiguous bool
	// Err is the cause, if it is another error. It must be free of secrets too.
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

// AsError returns err as an *Error; an error of another type counts as a
// passing fault.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Class: Retry, Message: err.Error()}
}
