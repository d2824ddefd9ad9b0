// Package setting has the types of configuration values, and collects the faults of a
// configuration. Every package that owns a part of the configuration uses it.
package setting

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"time"

	"github.com/prometheus/common/model"

	"tocsin/pkg/setting/base"
)

// Duration is a time span in Prometheus's notation: 30s, 1h30m, 5d, 0s.
type Duration time.Duration

// UnmarshalText parses Prometheus's notation.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := model.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration: write it like 30s, 5m or 1h30m", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText returns Prometheus's notation.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string { return model.Duration(d).String() }

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Types of package base, so that a configuration needs only this package.
type (
	Secret = base.Secret
	Size   = base.Size
)

// IsLoopback reports whether host, a name or an IP address, is this machine.
func IsLoopback(host string) bool { return base.IsLoopback(host) }

// RequestCause returns the cause of a request that failed, without its URL.
func RequestCause(err error) error { return base.RequestCause(err) }

// Pattern is a regular expression that is anchored on both sides, like Prometheus's
// matchers. The zero value matches everything.
type Pattern struct {
	re   *regexp.Regexp
	text string
}

// NewPattern compiles text.
func NewPattern(text string) (Pattern, error) {
	// First without the group: ")(" is invalid alone but not inside of one.
	if _, err := syntax.Parse(text, syntax.Perl); err != nil {
		return Pattern{}, fmt.Errorf("%q is not a regular expression: %w", text, err)
	}
	re, err := regexp.Compile("^(?s:" + text + ")$")
	if err != nil {
		return Pattern{}, fmt.Errorf("%q is not a regular expression: %w", text, err)
	}
	return Pattern{re: re, text: text}, nil
}

// UnmarshalText compiles the expression.
func (p *Pattern) UnmarshalText(text []byte) error {
	v, err := NewPattern(string(text))
	if err != nil {
		return err
	}
	*p = v
	return nil
}

// MarshalText returns the expression as it was written.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// IsZero reports whether no expression was given.
func (p Pattern) IsZero() bool { return p.re == nil }

// Match reports whether the whole of s matches.
func (p Pattern) Match(s string) bool { return p.re == nil || p.re.MatchString(s) }

func (p Pattern) String() string { return p.text }
