package faas

import (
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestSelectRuntime(t *testing.T) {
	pointer := func(f func(*instance) error) uintptr { return reflect.ValueOf(f).Pointer() }
	for _, c := range []struct {
		name string
		set  string
		want func(*instance) error
	}{
		{"Lambda", "AWS_LAMBDA_RUNTIME_API", serveLambda},
		{"SCF CustomRuntime", "SCF_RUNTIME_API", serveSCFCustom},
		{"SCF Go1", "_LAMBDA_SERVER_PORT", serveSCF},
		{"Lambda's go1.x sets both variables", "AWS_LAMBDA_RUNTIME_API _LAMBDA_SERVER_PORT", serveLambda},
		{"CustomRuntime before Go1", "SCF_RUNTIME_API _LAMBDA_SERVER_PORT", serveSCFCustom},
		{"all variables", "_LAMBDA_SERVER_PORT SCF_RUNTIME_API AWS_LAMBDA_RUNTIME_API", serveLambda},
		{"no variable", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := selectRuntime(func(name string) string {
				if slices.Contains(strings.Fields(c.set), name) {
					return "x"
				}
				return ""
			})
			if pointer(got) != pointer(c.want) {
				t.Errorf("got runtime %s, want %s", runtimeName(got), runtimeName(c.want))
			}
		})
	}
}

func runtimeName(f func(*instance) error) string {
	if f == nil {
		return "none"
	}
	return runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
}
