package matcher_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/matcher"
	"tocsin/pkg/setting"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, text, want string // want "" for an error
	}{
		{"equal", `severity="critical"`, `{severity="critical"}`},
		{"without quotes", `severity=critical`, `{severity="critical"}`},
		{"several", `{a="b",c!~"d.*"}`, `{a="b",c!~"d.*"}`},
		{"UTF-8 name", `"主题"="a"`, `{主题="a"}`},
		{"classic only", `a=\`, `{a="\\"}`},
		{"no operator", `severity`, ""},
		{"bad regular expression", `a=~"("`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			ms, err := matcher.Parse(test.text)
			if got := ms.String(); err == nil && got != test.want || (err != nil) != (test.want == "") {
				t.Errorf("got %s and %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestCompile(t *testing.T) {
	var pattern setting.Pattern
	if err := pattern.UnmarshalText([]byte("x|y")); err != nil {
		t.Fatal(err)
	}
	ms, err := matcher.Config{
		Matchers: []string{`z="1"`, `b!="2"`}, Match: map[string]string{"c": "3"}, MatchRE: map[string]setting.Pattern{"a": pattern},
	}.Compile()
	if want := `{a=~"^(?:x|y)$",b!="2",c="3",z="1"}`; err != nil || ms.String() != want {
		t.Errorf("got %s and %v, want %s", ms, err, want)
	}
}

func TestMatches(t *testing.T) {
	ms, err := matcher.Config{Matchers: []string{`a="1"`, `b!="2"`, `c=~"3?"`}}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		ms     labels.Matchers
		labels alert.Labels
		want   bool
	}{
		{"no matchers", nil, alert.Labels{"a": "1"}, true},
		{"all met", ms, alert.Labels{"a": "1", "b": "1", "c": "3"}, true},
		{"absent labels are empty", ms, alert.Labels{"a": "1"}, true},
		{"one not met", ms, alert.Labels{"a": "1", "b": "2"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := matcher.Matches(test.ms, test.labels); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	var faults setting.Faults
	matcher.Validate(faults.In("matchers"), []string{`a="1"`, `a`, `b=~"("`})
	var got []string
	for _, f := range faults.List() {
		got = append(got, fmt.Sprint(f.Path))
	}
	if want := "[[matchers 1] [matchers 2]]"; fmt.Sprint(got) != want {
		t.Errorf("got faults at %v, want %s", got, want)
	}
	if remedy := regexp.MustCompile(`write it like severity="critical"`); len(got) > 0 && !remedy.MatchString(faults.List()[0].Message) {
		t.Errorf("got %q, want the remedy in it", faults.List()[0].Message)
	}
}
