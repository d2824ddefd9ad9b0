package faas

import (
	"reflect"
	"strings"
	"testing"
)

func TestPick(t *testing.T) {
	pointer := func(f func(*instance) error) uintptr { return reflect.ValueOf(f).Pointer() }
	for _, c := range []struct {
		name string
		set  string
		want func(*instance) error
	}{
		{"Lambda", "AWS_LAMBDA_RUNTIME_API", serveLambda},
		{"SCF, own loop", "SCF_RUNTIME_API", serveSCFCustom},
		{"SCF, Go1", "_LAMBDA_SERVER_PORT", serveSCF},
		{"Lambda's go1.x sets both", "AWS_LAMBDA_RUNTIME_API _LAMBDA_SERVER_PORT", serveLambda},
		{"own loop before Go1", "SCF_RUNTIME_API _LAMBDA_SERVER_PORT", serveSCFCustom},
		{"all", "_LAMBDA_SERVER_PORT SCF_RUNTIME_API AWS_LAMBDA_RUNTIME_API", serveLambda},
		{"none", "", nil},
	} {
		got := pick(func(name string) string {
			for v := range strings.FieldsSeq(c.set) {
				if v == name {
					return "x"
				}
			}
			return ""
		})
		if pointer(got) != pointer(c.want) {
			t.Errorf("%s: another runtime was picked", c.name)
		}
	}
}
