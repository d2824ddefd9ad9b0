package phone

import (
	"errors"
	"fmt"
	"testing"

	"tocsin/pkg/setting"
)

func TestValidate(t *testing.T) {
	notHongKong := func(number string) error {
		if number == "+85290000000" {
			return errors.New("no")
		}
		return nil
	}
	for _, tt := range []struct {
		to     []string
		refuse func(string) error
		want   string // where the faults are
	}{
		{[]string{"13800000000", "+85290000000"}, nil, ""},
		{[]string{"13800000000, +85290000000"}, notHongKong, "[to 0]"},
		{[]string{"{{ .CommonAnnotations.phones }}", "13800000000"}, notHongKong, ""},
		{[]string{"{{ .CommonAnnotations.phones }}, 12"}, notHongKong, ""}, // not known yet
		{[]string{"12;34", "13800000000", "56"}, notHongKong, "[to 0][to 0][to 2]"},
		{[]string{" , "}, nil, "[to 0]"},
		{nil, nil, "[to]"},
	} {
		var f setting.Faults
		Validate(&f, tt.to, tt.refuse)
		got := ""
		for _, fault := range f.List() {
			got += fmt.Sprint(fault.Path)
		}
		if got != tt.want {
			t.Errorf("%q: faults at %s, want %s", tt.to, got, tt.want)
		}
	}
}

func TestOnlyForeign(t *testing.T) {
	for _, tt := range []struct {
		to   []string
		want bool
	}{
		{[]string{"+85290000000", "+14155550100; +85290000001"}, true},
		{[]string{"+85290000000", "+14155550100; 13800000000"}, false},
		{[]string{"+85290000000", "{{ .CommonAnnotations.phones }}"}, false},
		{nil, false},
	} {
		if got := OnlyInternational(tt.to); got != tt.want {
			t.Errorf("%q: %v", tt.to, got)
		}
	}
}
