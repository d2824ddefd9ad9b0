package alertmanager

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/matcher/compat"

	"tocsin/pkg/inhibit"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/memory"
)

// TestMatchers checks that random matchers are valid for both or for neither, and
// match the same alerts.
func TestMatchers(t *testing.T) {
	r := newRand(t)
	valid, invalid := 0, 0
	for range 20_000 {
		input := matcherText(r)
		theirs, err := compat.Matchers(input, "test")
		rule := inhibit.Rule{SourceMatchers: []string{input}}
		var f setting.Faults
		rule.Validate(&f)
		if (err != nil) != (len(f.List()) > 0) {
			t.Fatalf("%q: got %v, want Alertmanager's %v", input, f.List(), err)
		}
		if err != nil {
			invalid++
			continue
		}
		valid++
		// A route shows which alerts they match.
		c := config{Receivers: []receiver{{Name: "others"}, {Name: "matched"}}, Route: &route.Config{Receiver: "others",
			Routes: []*route.Config{{Receiver: "matched", Matchers: []string{input}}}}}
		engine, err := c.engine(memory.New(), &transcript{}, true)
		if err != nil {
			t.Fatalf("%q: got %v, want no error", input, err)
		}
		for range 5 {
			l := randomLabels(r)
			// The matcher's own names and values make a match likelier.
			for _, m := range theirs {
				if r.IntN(2) == 0 {
					l[m.Name] = strings.Trim(m.Value, ".*+()|")
				}
			}
			now := time.Now()
			if err := engine.Ingest(t.Context(), now, push{end: noEnd}.with(l).tocsinAlerts(now, 0)); err != nil {
				t.Fatal(err)
			}
			views, err := engine.Alerts(t.Context(), now)
			if err != nil || len(views) != 1 {
				t.Fatalf("got %d alerts and %v, want 1", len(views), err)
			}
			if ours := views[0].Receivers[0] == "matched"; ours != theirs.Matches(labelSet(l)) {
				t.Fatalf("%q, parsed as %v, matches %q: got %v, want Alertmanager's %v", input, theirs, l, ours, !ours)
			}
			if err := engine.Ingest(t.Context(), now, push{}.with(l).tocsinAlerts(now, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if valid < 3000 || invalid < 3000 {
		t.Errorf("got %d valid and %d invalid matchers, want at least 3000 of each", valid, invalid)
	}
}

// matcherText returns the text of matchers, often invalid.
func matcherText(r *rand.Rand) string {
	var parts []string
	for range 1 + r.IntN(2) {
		name := pick(r, "a", "job", "主机", `"a b"`, `'a'`, "a-b", "", "0a", "a:b", `"\n"`)
		value := pick(r, "x", `"x"`, `"x y"`, `"\\d"`, `\d`, `"\d"`, `"a\"b"`, `""`, "", ".+", `".+"`, "x|y", `"(x"`, `"x\n"`, "'x'", `"主机"`, "主机", `"\u4e3b"`, `"\xff"`, "x=y", `"{}"`, "{x}", `x"`, `\x`, `"\\"`, `x\ny`, "x y", `"a\tb"`, `a\tb`)
		op := pick(r, "=", "!=", "=~", "!~", "=", "=~", "==", "!", "~", " = ", " =~")
		parts = append(parts, name+op+value)
	}
	s := strings.Join(parts, pick(r, ",", ", ", " ,", ",,", " "))
	switch r.IntN(8) {
	case 0, 1:
		s = "{" + s + "}"
	case 2:
		s = "{" + s
	case 3:
		s += ","
	case 4:
		s = fmt.Sprintf(" %s ", s)
	}
	return s
}
