package notifytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tocsin/pkg/setting"
)

// CheckFaults fails the test unless validate finds the faults want, in that order. Each
// string in want is the beginning of a fault's text, which is "[path]: message", or
// "?[path]: message" for a warning. No fault may contain one of the secrets.
func CheckFaults(t *testing.T, validate func(*setting.Faults), want []string, secrets ...string) {
	t.Helper()
	var f setting.Faults
	validate(&f)
	var got []string
	for _, fault := range f.List() {
		s := fmt.Sprintf("%v: %s", fault.Path, fault.Message)
		if fault.Warning {
			s = "?" + s
		}
		checkHidden(t, secrets, "a fault", s)
		got = append(got, s)
	}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("got faults %q, want %q", got, want)
	}
}
