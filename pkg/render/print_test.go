package render

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
)

func TestNames(t *testing.T) {
	n := newView().n
	n.GroupLabels = alert.Labels{"list": "a, @all|b", "word": "all", "sign": "@", "marks": "\x01x\x02y"}
	own := func(s string) Name { return Name{Text: s} }
	outside := func(s string) Name { return Name{Text: s, FromAlert: true} }
	for _, tt := range []struct {
		name, src string
		want      []Name
	}{
		{"text without a template", "a;@all", []Name{own("a"), own("@all")}},
		{"text in a template", "@all,{{ .GroupLabels.word }},b", []Name{own("@all"), outside("all"), own("b")}},
		{"a list", "{{ .GroupLabels.list }}", []Name{outside("a"), outside("@all"), outside("b")}},
		{"a part of a name", "x@{{ .GroupLabels.word }}y", []Name{outside("x@ally")}},
		{"two values", "{{ .GroupLabels.sign }}{{ .GroupLabels.word }}", []Name{outside("@all")}},
		{"an empty value", "@all{{ .GroupLabels.nothing }}", []Name{own("@all")}},
		{"a variable", `{{ $x := .GroupLabels.word }}@{{ $x }}`, []Name{outside("@all")}},
		{"a function", `{{ join "" (stringSlice "@" .GroupLabels.word) }}`, []Name{outside("@all")}},
		{"a condition", `{{ if eq .GroupLabels.word "all" }}@all{{ end }}`, []Name{own("@all")}},
		{"a string of the template", `{{ "@all" }}`, []Name{own("@all")}},
		{"a named template", `{{ define "x" }}@all,{{ . }}{{ end }}{{ template "x" .GroupLabels.word }}`, []Name{own("@all"), outside("all")}},
		{"a value that has marks", `{{ .GroupLabels.marks }}`, []Name{outside("xy")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, err := (*Templates)(nil).CompileMarked(tt.src)
			if err != nil {
				t.Fatal(err)
			}
			text, err := x.Execute(NewView(n, &Style{}))
			if got := SplitNames(text); err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %+v and error %v, want %+v", got, err, tt.want)
			}
		})
	}
}

// TestSplitNamesLong splits the longest text that a template may print, which takes minutes
// if the time grows with its square.
func TestSplitNamesLong(t *testing.T) {
	long := strings.Repeat("x", MaxOutput)
	done := make(chan []Name, 1)
	go func() { done <- SplitNames(string(markStart) + long + string(markEnd)) }()
	select {
	case got := <-done:
		if want := []Name{{long, true}}; !slices.Equal(got, want) {
			t.Errorf("got %d names, want the text as one name of an alert", len(got))
		}
	case <-time.After(10 * time.Second):
		t.Fatal("got no names within 10 s, want them at once")
	}
}
