// Package base has the setting types that need the standard library alone, for
// programs that must stay small: importing pkg/setting makes a binary 3.3 MB
// larger, for Prometheus's durations and templates. Package setting names them
// again, so that a configuration needs only that one.
package base

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Secret is a value that must not be shown. It prints as <secret> wherever it
// goes, unless it is converted to a string.
type Secret string

const masked = "<secret>"

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// Format prints the mask with every verb, %d and %#v among them.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText prints the mask, so that a configuration can be shown.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps the secret out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Size is a number of bytes, written like 64KiB or 1MiB.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}, {"", 1}}

// UnmarshalText parses digits and a unit: B, KiB, MiB or GiB; without one they
// are bytes. More than 1 TiB is an error.
func (s *Size) UnmarshalText(text []byte) error {
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(string(text), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err == nil && n >= 0 && n <= 1<<40/unit.bytes {
			*s = Size(n * unit.bytes)
			return nil
		}
	}
	return fmt.Errorf("%q is not a size: write it like 512KiB or 1MiB", text)
}

// MarshalText prints the size in the largest unit in which it is whole.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	for i := 2; i >= 0; i-- {
		if unit := sizeUnits[i]; s != 0 && int64(s)%unit.bytes == 0 {
			return strconv.FormatInt(int64(s)/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// RequestCause returns the cause of a request that failed: the error inside those of
// net/http, which contain the URL and with it credentials.
func RequestCause(err error) error {
	for {
		var outer *url.Error
		if !errors.As(err, &outer) {
			return err
		}
		err = outer.Err
	}
}

// IsLoopback reports whether host, a name or an IP address, is this machine.
// Traffic to it never leaves the machine, so it needs no encryption.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
