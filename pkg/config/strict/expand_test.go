package strict_test

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestExpand(t *testing.T) {
	env := map[string]string{
		"A": "one", "B_2": "two", "EMPTY": "", "PORT": "9093", "TRUE": "true", "TEXT": "x: y", "LIST": "[a, b]", "ALIAS": "*base",
		"TILDE": "~", "NULL": "null", "OCTAL": "0123", "FLOAT": "1e5", "LINES": "a\nb: c", "QUOTE": `"`, "REF": "${A}", "MERGE": "<<", "BAD": "s3cret-value",
	}
	text := map[string]string{
		`${A}`: "one", `x${A}y${B_2}z`: "xonetwoz"[:4] + "ytwoz", `'${A}'`: "one", `"${A}"`: "one",
		`${NONE:-d}`: "d", `${NONE:-}`: "", `${EMPTY:-d}`: "d", `${EMPTY}`: "", `${A:-d}`: "one", `"${NONE:-a: b}"`: "a: b",
		`$${A}`: "${A}", `$$${A}`: "$${A}", `$A`: "$A", `$$`: "$$", `'{{ $labels.topic }} $1 ${1}'`: "{{ $labels.topic }} $1 ${1}",
		`${a}`: "${a}", `${A-b}`: "${A-b}", `${A:=b}`: "${A:=b}", `"${A"`: "${A", `${}`: "${}", `a$`: "a$",
		// The value of a variable is always text.
		`${TEXT}`: "x: y", `${LIST}`: "[a, b]", `${ALIAS}`: "*base", `${TILDE}`: "~", `${NULL}`: "null", `${TRUE}`: "true", `${OCTAL}`: "0123",
		`${FLOAT}`: "1e5", `${LINES}`: "a\nb: c", `${QUOTE}`: `"`, `${REF}`: "${A}", `${MERGE}`: "<<",
	}
	for written, want := range text {
		t.Run(written, func(t *testing.T) {
			c, problems := parse(t, "name: "+written+"\nsecret: "+written+"\nitems: [{name: x, key: "+quoted(written)+"}]", env)
			if problems != nil {
				t.Fatal(problems)
			}
			if c.Name != want || string(c.Secret) != want || string(c.Items[0].Key) != want {
				t.Errorf("got %q, %q and %q, want %q", c.Name, string(c.Secret), string(c.Items[0].Key), want)
			}
		})
	}

	c, problems := parse(t, "port: ${PORT}\non: ${TRUE}\nwait: ${N:-5m}\nitems: [{name: a, max_lag: \"${PORT}\"}]\nlabels:\n  ${A}: ${A}\n", env)
	if problems != nil || c.Port != 9093 || !c.On || c.Wait.Std() != 5*time.Minute || c.Items[0].Lag != 9093 {
		t.Errorf("typed values: got %+v, %v, want the values of the variables", c, problems)
	}
	if want := map[string]string{"${A}": "one"}; !reflect.DeepEqual(c.Labels, want) {
		t.Errorf("keys: got %v, want %v", c.Labels, want)
	}

	for text, want := range map[string][]string{
		"port: 1\nname: ${GONE}${LOST}\n": {
			"f.yaml:2: name: the environment variable GONE is not set; set it, or write ${GONE:-default}",
			"f.yaml:2: name: the environment variable LOST is not set; set it, or write ${LOST:-default}"},
		"items:\n  - name: ${GONE}\n":    {"f.yaml:2: items[0].name: the environment variable GONE is not set; set it, or write ${GONE:-default}"},
		"name: ${GONE:-${A}}\n":          {"f.yaml:1: name: a default cannot contain another ${…}"},
		"port: ${NULL}\nsize: ${LIST}\n": {`f.yaml:1: port: must be a whole number, not "${NULL}"`, `f.yaml:2: size: must be a whole number, not below 0, not "${LIST}"`},
		"items: ${LIST}\n":               {`f.yaml:1: items: must be a list, not a single value: write each item on its own line after "- ", or all in [ ]`},
		// An error does not show the value of a variable, which may be a secret.
		"port: ${BAD}\nwait: ${BAD}\non: x${BAD}\n": {
			`f.yaml:1: port: must be a whole number, not "${BAD}"`,
			`f.yaml:2: wait: "${BAD}" is not a duration: write it like 30s, 5m or 1h30m`,
			`f.yaml:3: on: must be true or false, not "x${BAD}"`},
		"match: ${QUOTE}(\n": {"f.yaml:1: match: \"${QUOTE}(\" is not a regular expression: error parsing regexp: missing closing ): `${QUOTE}(`"},
	} {
		t.Run(text, func(t *testing.T) {
			if _, got := parse(t, text, env); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
			}
		})
	}
}

// quoted puts a value in quotes, as is needed inside brackets, unless it has some.
func quoted(s string) string {
	if s[0] == '"' || s[0] == '\'' {
		return s
	}
	return `"` + s + `"`
}
