package notify

import (
	"errors"
	"fmt"
	"testing"
)

func TestErrorText(t *testing.T) {
	cause := errors.New("connection refused")
	for _, tt := range []struct {
		name string
		err  *Error
		want string
	}{
		{"message", &Error{Message: "the robot was removed"}, "the robot was removed"},
		{"code", &Error{Message: "the robot was removed", Code: "93000"}, "the robot was removed (93000)"},
		{"cause", &Error{Message: "post to example.com", Err: cause}, "post to example.com: connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAsError(t *testing.T) {
	e := &Error{Class: Permanent, Message: "the robot was removed"}
	if got := AsError(fmt.Errorf("send: %w", e)); got != e {
		t.Errorf("got %+v from a wrapped error, want the error itself", got)
	}
	if got := AsError(errors.New("broken")); got.Class != Retry || got.Message != "broken" {
		t.Errorf("got %+v from another error, want one to retry with its text", got)
	}
}

func TestClassString(t *testing.T) {
	for class, want := range map[Class]string{Retry: "retry", Rate: "rate", Permanent: "permanent", TooLong: "too long"} {
		if got := class.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
