package matcher_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tocsin/pkg/matcher"
)

func TestCheckRegexps(t *testing.T) {
	var hosts []string
	for i := range 500 {
		hosts = append(hosts, fmt.Sprintf("%x.example.com", i*7919))
	}
	for _, test := range []struct {
		name  string
		texts []string
		want  bool // accepted
	}{
		{"none", nil, true},
		{"a prefix", []string{"web-.*"}, true},
		{"500 hosts", []string{"(" + strings.Join(hosts, "|") + "):[0-9]+"}, true},
		{"8 KiB of text", []string{strings.Repeat("a", 8<<10)}, true},
		{"a class of letters", []string{`\pL+`}, true},
		{"not an expression", []string{"("}, true},
		{"repetitions of repetitions", []string{"(((some words ){10}){10}){10}"}, false},
		{"a repetition without an end", []string{"(" + strings.Repeat("ab?", 20) + "){500,}"}, false},
		{"many classes", []string{strings.Repeat(`\pL`, 2700)}, false},
		{"many optional letters", []string{strings.Repeat("a?", 4<<10) + strings.Repeat("a", 4<<10)}, false},
		{"too large only together", slices.Repeat([]string{strings.Repeat("a", 1<<10)}, 10), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := matcher.CheckRegexps(test.texts...)
			if (err == nil) != test.want {
				t.Errorf("got %v, want accepted: %v", err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), "(limit: 10000)") {
				t.Errorf("got %q, want the limit", err)
			}
		})
	}
}
