package phone

import (
	"reflect"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	got, err := read([]string{"13800000002, +8613800000001;008613800000002", "", "+1 415 555 0100，ops\x00@example.com", "+14155550100\nops@example.com"}, 4)
	want := &Recipients{Domestic: []string{"+8613800000002", "+8613800000001"}, International: []string{"+14155550100"}, Invalid: []string{"ops@example.com"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v; want %+v", got, err, want)
	}
	got.Remove([]string{"+8613800000002", "ops@example.com", "+8613800000009"})
	want = &Recipients{Domestic: []string{"+8613800000001"}, International: []string{"+14155550100"}, Invalid: []string{}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	for list, want := range map[string]string{
		" ,; ":                         "nobody to send to",
		"13800000000,+8613800000000,a": "", // two
		"13800000000,13800000001,a":    "there are more than the 2 phone numbers",
	} {
		if _, err := read([]string{list}, 2); want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", list, err, want)
		}
	}
}
