package strict_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/config/strict"
	"tocsin/pkg/setting"
)

// conf has every kind of value that the rooms' configurations have.
type conf struct {
	Name    string            `yaml:"name"`
	Port    int               `yaml:"port"`
	Size    uint8             `yaml:"size"`
	Ratio   float64           `yaml:"ratio"`
	On      bool              `yaml:"on"`
	Maybe   *bool             `yaml:"maybe"`
	Wait    setting.Duration  `yaml:"wait"`
	Every   *setting.Duration `yaml:"every"`
	Match   setting.Pattern   `yaml:"match"`
	Secret  setting.Secret    `yaml:"secret"`
	Labels  map[string]string `yaml:"labels"`
	Items   []item            `yaml:"items"`
	Tree    *tree             `yaml:"tree"`
	Ignored string            `yaml:"-"`
	limits  `yaml:",inline"`
	Common  `yaml:",inline"`
	faults  []setting.Fault
}

type limits struct{ Nothing string }

type Common struct {
	SendResolved *bool `yaml:"send_resolved,omitempty"`
}

type item struct {
	Name string   `yaml:"name"`
	Lag  int64    `yaml:"max_lag"`
	Tags []string `yaml:"tags"`
	Key  setting.Secret
}

type tree struct {
	Name string  `yaml:"name"`
	Sub  []*tree `yaml:"sub"`
}

func (c *conf) Validate(f *setting.Faults) {
	for i, it := range c.Items {
		at := f.In("items", i)
		if it.Name == "" {
			at.Addf("name", "is missing")
		}
		if it.Lag < 0 {
			at.Addf("max_lag", "must not be below 0")
		}
		if strings.HasPrefix(it.Name, "http:") {
			at.Warnf("name", "is not encrypted")
		}
	}
	if c.Secret == "" && c.Port == 7 {
		f.Addf("secret", "is missing")
	}
	for _, x := range c.faults {
		f.In(x.Path...).Addf("", "%s", x.Message)
	}
}

func parse(t *testing.T, text string, env map[string]string) (*conf, []string) {
	t.Helper()
	c := &conf{Name: "default"}
	warnings, err := strict.File{
		Path: "f.yaml",
		Lookup: func(name string) (string, bool) {
			v, ok := env[name]
			return v, ok
		},
		ExplainKey: func(in reflect.Type, key string) string {
			if key == "elsewhere" && in == reflect.TypeFor[conf]() {
				return "belongs elsewhere"
			}
			return ""
		},
	}.Parse([]byte(text), c, c.Validate)
	var lines []string
	var faults strict.Faults
	if err != nil && !errors.As(err, &faults) {
		t.Fatalf("the error is a %T, want Faults: %v", err, err)
	}
	for _, w := range warnings {
		if !w.Warning {
			t.Errorf("a fault among the warnings: %v", w)
		}
		lines = append(lines, "warning "+w.String())
	}
	if err != nil {
		lines = append(lines, strings.Split(err.Error(), "\n")...)
	}
	return c, lines
}

// all are the keys of conf.
const all = "every, items, labels, match, maybe, name, on, port, ratio, secret, secret_file, send_resolved, size, tree, wait"

func ptr[T any](v T) *T { return &v }

func TestValues(t *testing.T) {
	c, problems := parse(t, `
name: "n"
port: 0x10
size: 255
ratio: 1e-3
on: yes
maybe: false
wait: 1h30m
every: 0s
match: a|b
secret: s
labels: {a: 1, "b.c": true, d: ~}
send_resolved: true
items:
  - name: one
    max_lag: 1_000
    tags: [x, 2, "~"]
  - {name: two, key: k}
tree: {name: root, sub: [{name: child}, ~]}
`, nil)
	if problems != nil {
		t.Fatal(problems)
	}
	match, err := setting.NewPattern("a|b")
	if err != nil {
		t.Fatal(err)
	}
	want := &conf{
		Name: "n", Port: 16, Size: 255, Ratio: 0.001, On: true, Maybe: ptr(false),
		Wait: setting.Duration(90 * time.Minute), Every: ptr(setting.Duration(0)), Match: match, Secret: "s",
		Labels: map[string]string{"a": "1", "b.c": "true", "d": ""},
		Items:  []item{{Name: "one", Lag: 1000, Tags: []string{"x", "2", "~"}}, {Name: "two", Key: "k"}},
		Tree:   &tree{Name: "root", Sub: []*tree{{Name: "child"}, nil}},
		Common: Common{SendResolved: ptr(true)},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

// A value that is not given, or null, leaves the default.
func TestDefaultsStay(t *testing.T) {
	for _, text := range []string{"port: 1\n", "name:\n", "name: ~\nport: 1\n"} {
		if c, problems := parse(t, text, nil); c.Name != "default" || problems != nil {
			t.Errorf("%q: name %q, %v", text, c.Name, problems)
		}
	}
}

func TestAnchorsAndMerging(t *testing.T) {
	c, problems := parse(t, `
items:
  - &base {name: base, max_lag: 5, tags: [a]}
  - <<: *base
    name: own
  - <<: [{name: first}, *base]
  - *base
`, nil)
	if problems != nil {
		t.Fatal(problems)
	}
	want := []item{
		{Name: "base", Lag: 5, Tags: []string{"a"}}, {Name: "own", Lag: 5, Tags: []string{"a"}},
		{Name: "first", Lag: 5, Tags: []string{"a"}}, {Name: "base", Lag: 5, Tags: []string{"a"}},
	}
	if !reflect.DeepEqual(c.Items, want) {
		t.Errorf("got %+v, want %+v", c.Items, want)
	}
}

func TestProblems(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"unknown key at the top", "name: a\nprot: 1\n", []string{"f.yaml:2: prot: unknown key; did you mean port?"}},
		{"unknown key deep in", "items:\n  - name: a\n    max_lagg: 1\n", []string{"f.yaml:3: items[0].max_lagg: unknown key; did you mean max_lag?"}},
		{"nothing near", "items: [{name: a, colour: 1}]\n", []string{"f.yaml:1: items[0].colour: unknown key; allowed here: key, key_file, max_lag, name, tags"}},
		{"unexported and ignored fields are no keys", "faults: 1\nignored: 1\nnothing: 1\ncommon: 1\n", []string{
			"f.yaml:1: faults: unknown key; allowed here: " + all, "f.yaml:2: ignored: unknown key; allowed here: " + all,
			"f.yaml:3: nothing: unknown key; allowed here: " + all, "f.yaml:4: common: unknown key; allowed here: " + all}},
		{"foreign key", "elsewhere: {x: 1}\ntree:\n  elsewhere: 1\n", []string{
			"f.yaml:1: elsewhere: belongs elsewhere", "f.yaml:3: tree.elsewhere: unknown key; allowed here: name, sub"}},
		{"a misspelt key is not missing as well", "items:\n  - nmae: a\n", []string{"f.yaml:2: items[0].nmae: unknown key; did you mean name?"}},
		{"duplicate key", "name: a\nport: 1\nname: b\n", []string{"f.yaml:3: name: is given twice; it is in line 1 already"}},
		{"duplicate key in a table", "labels:\n  a: 1\n  a: 2\n", []string{"f.yaml:3: labels.a: is given twice; it is in line 2 already"}},
		{"number", "port: many\nsize: -1\nratio: x\n", []string{
			`f.yaml:1: port: must be a whole number, not "many"`,
			`f.yaml:2: size: must be a whole number, not below 0, not "-1"`,
			`f.yaml:3: ratio: must be a number, not "x"`}},
		{"number out of range", "size: 256\n", []string{`f.yaml:1: size: must be a whole number, not below 0, not "256"`}},
		{"fraction", "port: 1.5\n", []string{`f.yaml:1: port: must be a whole number, not "1.5"`}},
		{"truth", "on: 1\nmaybe: perhaps\n", []string{
			`f.yaml:1: on: must be true or false, not "1"`, `f.yaml:2: maybe: must be true or false, not "perhaps"`}},
		{"wrong kinds", "name: [a]\nlabels: x\nitems: {name: a}\ntree: [x]\nwait: {a: 1}\nport: []\n", []string{
			"f.yaml:1: name: must be text, not a list",
			`f.yaml:2: labels: must be "key: value" pairs, not a single value`,
			`f.yaml:3: items: must be a list, not "key: value" pairs: write each item on its own line behind "- ", or all in [ ]`,
			`f.yaml:4: tree: must be "key: value" pairs, not a list`,
			`f.yaml:5: wait: must be text, not "key: value" pairs`,
			`f.yaml:6: port: must be a whole number, not a list`}},
		{"duration", "wait: 5 minutes\n", []string{`f.yaml:1: wait: "5 minutes" is not a duration: write it like 30s, 5m or 1h30m`}},
		{"regular expression", "match: a(\n", []string{"f.yaml:1: match: \"a(\" is not a regular expression: error parsing regexp: missing closing ): `a(`"}},
		{"what Validate says has its line", "items:\n  - name: a\n  -\n    max_lag: -1\n", []string{
			"f.yaml:4: items[1].max_lag: must not be below 0", "f.yaml:4: items[1].name: is missing"}},
		{"warnings do not fail", "items:\n  - name: http://a\n", []string{"warning f.yaml:2: items[0].name: is not encrypted"}},
		{"everything at once, in order of lines", "items:\n  - name: a\n    max_lag: -1\nport: x\nnmae: y\nwait: z\n", []string{
			"f.yaml:3: items[0].max_lag: must not be below 0",
			`f.yaml:4: port: must be a whole number, not "x"`,
			"f.yaml:5: nmae: unknown key; did you mean name?",
			`f.yaml:6: wait: "z" is not a duration: write it like 30s, 5m or 1h30m`}},
		{"a value that could not be read is not judged", "items: [{name: [], max_lag: x}]\n", []string{
			`f.yaml:1: items[0].max_lag: must be a whole number, not "x"`, "f.yaml:1: items[0].name: must be text, not a list"}},
		{"strange keys", "? [a]\n: 1\n1: 2\n", []string{
			"f.yaml:1: ?: a key must be text, not a list",
			"f.yaml:3: 1: unknown key; allowed here: " + all}},
		{"tag", "name: !vault x\n", []string{"f.yaml:1: name: the tag !vault means nothing here"}},
		{"merging what is no mapping", "items:\n  - <<: 5\n    name: a\n", []string{"f.yaml:2: items[0].<<: takes a mapping or a list of mappings, not a single value"}},

		{"empty", "", []string{"f.yaml:1: the file is empty"}},
		{"only a comment", "# nothing\n\n", []string{"f.yaml:1: the file is empty"}},
		{"only a document mark", "---\n...\n", []string{"f.yaml:1: the file is empty"}},
		{"null", "~\n", []string{"f.yaml:1: the file is empty"}},
		{"a list at the top", "# c\n- a\n", []string{`f.yaml:2: the file must be "key: value" at its top, not a list`}},
		{"text at the top", "name:a\n", []string{`f.yaml:1: the file must be "key: value" at its top, not a single value`}},
		{"two documents", "name: a\n---\nname: b\n", []string{"f.yaml:2: a second document begins here: put everything into one, without a line ---"}},
		{"not UTF-8", "name: a\nport: \xb5\n", []string{"f.yaml:2: the file is not UTF-8 text: save it as UTF-8"}},
		{"control character", "name: a\n\nport: \x01\n", []string{"f.yaml:3: the control character U+0001 is not allowed"}},

		{"tab", "items:\n\t- name: a\n", []string{"f.yaml:2: a tab cannot indent: use spaces"}},
		{"unclosed bracket", "items: [a\nname: b\n", []string{"f.yaml:2: the bracket that opens in line 1 is neither closed nor followed by a comma"}},
		{"unclosed quote", "port: 1\nname: \"b\nsize: 2\n", []string{"f.yaml:2: the quote that opens here is not closed"}},
		{"indentation", "items:\n  - name: a\n tree: {}\n", []string{"f.yaml:3: does not fit to what begins in line 1: check the indentation and the quotes"}},
		{"colon in a value", "name: a: b\n", []string{`f.yaml:1: a ":" is not allowed here: check the indentation, or put a value that has ": " in it in quotes`}},
		{"no colon", "name: a\nport\n", []string{`f.yaml:2: neither "key: value" nor "- item": is a ":" or a space behind it missing?`}},
		{"wide colon", "name: a\nport：1\n", []string{`f.yaml:2: neither "key: value" nor "- item": is a ":" or a space behind it missing?; YAML wants ":" and a space, not the wide "："`}},
		{"character that needs quotes", "name: a\nlabels: {a: 1}\nsecret: @b\n", []string{`f.yaml:3: a value cannot begin with '@': put it in quotes`}},
		{"unknown anchor", "name: *x\n", []string{"f.yaml:1: not YAML: unknown anchor 'x' referenced"}},
		{"variable in brackets", "items: [{name: ${A}}]\n", []string{
			`f.yaml:1: the bracket that opens in line 1 is neither closed nor followed by a comma; inside [ ] and { } write "${NAME}" with quotes`}},
		{"end of file within brackets", "name: a\nitems: [\n", []string{"f.yaml:2: a value is missing here"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, got := parse(t, tt.text, nil); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s\ngot  %s\nwant %s", tt.text, strings.Join(got, "\n     "), strings.Join(tt.want, "\n     "))
			}
		})
	}
}

func TestVariables(t *testing.T) {
	env := map[string]string{
		"A": "one", "B_2": "two", "EMPTY": "", "PORT": "9093", "TRUE": "true", "TEXT": "x: y", "LIST": "[a, b]", "ALIAS": "*base",
		"TILDE": "~", "NULL": "null", "OCTAL": "0123", "FLOAT": "1e5", "LINES": "a\nb: c", "QUOTE": `"`, "REF": "${A}", "MERGE": "<<", "BAD": "s3cret-value",
	}
	text := map[string]string{
		`${A}`: "one", `x${A}y${B_2}z`: "xonetwoz"[:4] + "ytwoz", `'${A}'`: "one", `"${A}"`: "one",
		`${NONE:-d}`: "d", `${NONE:-}`: "", `${EMPTY:-d}`: "d", `${EMPTY}`: "", `${A:-d}`: "one", `"${NONE:-a: b}"`: "a: b",
		`$${A}`: "${A}", `$$${A}`: "$${A}", `$A`: "$A", `$$`: "$$", `'{{ $labels.topic }} $1 ${1}'`: "{{ $labels.topic }} $1 ${1}",
		`${a}`: "${a}", `${A-b}`: "${A-b}", `${A:=b}`: "${A:=b}", `"${A"`: "${A", `${}`: "${}", `a$`: "a$",
		// What a variable holds is text and nothing else.
		`${TEXT}`: "x: y", `${LIST}`: "[a, b]", `${ALIAS}`: "*base", `${TILDE}`: "~", `${NULL}`: "null", `${TRUE}`: "true", `${OCTAL}`: "0123",
		`${FLOAT}`: "1e5", `${LINES}`: "a\nb: c", `${QUOTE}`: `"`, `${REF}`: "${A}", `${MERGE}`: "<<",
	}
	for written, want := range text {
		c, problems := parse(t, "name: "+written+"\nsecret: "+written+"\nitems: [{name: x, key: "+quoted(written)+"}]", env)
		if problems != nil || c.Name != want || string(c.Secret) != want || string(c.Items[0].Key) != want {
			t.Errorf("%s: %q, %q, want %q; %v", written, c.Name, string(c.Secret), want, problems)
		}
	}

	c, problems := parse(t, "port: ${PORT}\non: ${TRUE}\nwait: ${N:-5m}\nitems: [{name: a, max_lag: \"${PORT}\"}]\nlabels:\n  ${A}: ${A}\n", env)
	if problems != nil || c.Port != 9093 || !c.On || c.Wait.Std() != 5*time.Minute || c.Items[0].Lag != 9093 {
		t.Errorf("typed values: %+v, %v", c, problems)
	}
	if want := map[string]string{"${A}": "one"}; !reflect.DeepEqual(c.Labels, want) {
		t.Errorf("a key was replaced: %v", c.Labels)
	}

	for text, want := range map[string][]string{
		"port: 1\nname: ${GONE}${LOST}\n": {
			"f.yaml:2: name: the environment variable GONE is not set; set it, or write ${GONE:-default}",
			"f.yaml:2: name: the environment variable LOST is not set; set it, or write ${LOST:-default}"},
		"items:\n  - name: ${GONE}\n":    {"f.yaml:2: items[0].name: the environment variable GONE is not set; set it, or write ${GONE:-default}"},
		"name: ${GONE:-${A}}\n":          {"f.yaml:1: name: a default cannot hold another ${…}"},
		"port: ${NULL}\nsize: ${LIST}\n": {`f.yaml:1: port: must be a whole number, not "${NULL}"`, `f.yaml:2: size: must be a whole number, not below 0, not "${LIST}"`},
		"items: ${LIST}\n":               {`f.yaml:1: items: must be a list, not a single value: write each item on its own line behind "- ", or all in [ ]`},
		// What a variable holds may be a secret that ended up in the wrong place.
		"port: ${BAD}\nwait: ${BAD}\non: x${BAD}\n": {
			`f.yaml:1: port: must be a whole number, not "${BAD}"`,
			`f.yaml:2: wait: "${BAD}" is not a duration: write it like 30s, 5m or 1h30m`,
			`f.yaml:3: on: must be true or false, not "x${BAD}"`},
		"match: ${QUOTE}(\n": {"f.yaml:1: match: \"${QUOTE}(\" is not a regular expression: error parsing regexp: missing closing ): `${QUOTE}(`"},
	} {
		if _, got := parse(t, text, env); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", text, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
}

// quoted makes a value fit for brackets.
func quoted(s string) string {
	if s[0] == '"' || s[0] == '\'' {
		return s
	}
	return `"` + s + `"`
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("password", "  pass word\r\n")
	write("empty", "\n")
	write("large", strings.Repeat("x", 64<<10+1))
	load := func(text string) (*conf, string) {
		t.Helper()
		write("c.yaml", text)
		c := &conf{}
		_, err := strict.File{Path: filepath.Join(dir, "c.yaml"), Lookup: func(n string) (string, bool) { return dir, n == "DIR" }}.Load(c, c.Validate)
		if err != nil {
			return c, strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
		}
		return c, ""
	}
	for _, text := range []string{"secret_file: password\n", "secret_file: ${DIR}/password\n", "secret_file: ./password\n"} {
		if c, err := load(text); err != "" || c.Secret != "  pass word" {
			t.Errorf("%s: %q, %s", text, string(c.Secret), err)
		}
	}
	if c, err := load("items: [{name: a, key_file: password}]\n"); err != "" || c.Items[0].Key != "  pass word" {
		t.Errorf("in a list: %q, %s", string(c.Items[0].Key), err)
	}
	for text, want := range map[string]string{
		"name: a\nsecret_file: gone\n":              "c.yaml:2: secret_file: stat gone: no such file or directory",
		"secret: a\nsecret_file: password\n":        "c.yaml:2: secret_file: is given together with secret: keep one of them",
		"secret_file: password\nsecret: a\n":        "c.yaml:1: secret_file: is given together with secret: keep one of them",
		"secret_file: empty\n":                      "c.yaml:1: secret_file: empty is empty",
		"secret_file: large\n":                      "c.yaml:1: secret_file: large is larger than 65536 bytes",
		"secret_file: /dev/zero\n":                  "c.yaml:1: secret_file: /dev/zero is not a file",
		"port: 7\nsecret_file:\n":                   "c.yaml:2: secret: is missing", // names no file
		"port: 7\nsecret_file: gone\n":              "c.yaml:2: secret_file: stat gone: no such file or directory",
		"secret_file: [a]\n":                        "c.yaml:1: secret_file: must be text, not a list",
		"name_file: password\n":                     "c.yaml:1: name_file: unknown key; allowed here: " + all,
		"secrte_file: password\n":                   "c.yaml:1: secrte_file: unknown key; did you mean secret_file?",
		"secret_file: password\nsecret_file: again": "c.yaml:2: secret_file: is given twice; it is in line 1 already",
	} {
		if _, got := load(text); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}

// A fault of a secret that came from a file has the line of its _file key.
func TestFaultOfSecretFromFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &conf{faults: []setting.Fault{{Path: []any{"secret"}, Message: "too short"}}}
	_, err := strict.File{Path: filepath.Join(dir, "c.yaml")}.Parse([]byte("name: a\n\nsecret_file: p\n"), c, c.Validate)
	if err == nil || !strings.HasSuffix(err.Error(), "c.yaml:3: secret: too short") {
		t.Errorf("got %v", err)
	}
}

func TestLinesOfMissingThings(t *testing.T) {
	c := &conf{faults: []setting.Fault{
		{Path: []any{"tree", "sub", 0, "name"}, Message: "1"},
		{Path: []any{"tree", "sub", 7, "name"}, Message: "2"},
		{Path: []any{"items"}, Message: "3"},
		{Path: nil, Message: "4"},
	}}
	_, err := strict.File{Path: "f"}.Parse([]byte("# c\n\nname: a\ntree:\n  sub:\n    - sub: []\n"), c, c.Validate)
	want := "f:3: 4\nf:3: items: 3\nf:5: tree.sub[7].name: 2\nf:6: tree.sub[0].name: 1"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestBounds(t *testing.T) {
	bomb := "tree:\n  sub:\n    - &t0 {name: x}\n"
	for i := range 30 {
		bomb += fmt.Sprintf("    - &t%d {sub: [*t%d, *t%d, *t%d]}\n", i+1, i, i, i)
	}
	tooMuch := "nested too deep, or made too much of by aliases (*name): an alias must not contain itself, nor many others"
	tests := map[string]struct{ text, want string }{
		"aliases that unfold":        {bomb, tooMuch},
		"an alias in itself":         {"tree: &t\n  sub: [*t]\n", tooMuch},
		"an alias in itself, wide":   {"tree: &t\n  sub: [*t, *t, *t, *t]\n", tooMuch},
		"a merge of itself":          {"tree: &t\n  <<: *t\n", tooMuch},
		"a merge that comes again":   {"tree: &x {<<: &y {sub: [{<<: *y}]}}\n", tooMuch},
		"merges that unfold":         {"tree: &m {sub: [{<<: [" + strings.Repeat("*m, ", 2000) + "]}]}\n", tooMuch},
		"nested in brackets":         {"name: " + strings.Repeat("[", 20000) + "\n", "exceeded max depth"},
		"nested in lines":            {strings.Repeat("- ", 20000) + "\n", "exceeded max depth"},
		"larger than allowed":        {"name: " + strings.Repeat("x", strict.MaxSize) + "\n", "larger than 1048576 bytes"},
		"variables that make it big": {"items:\n" + strings.Repeat("  - name: ${BIG}\n", 100), "the variables of this file come to more than"},
	}
	big := strings.Repeat("x", 64<<10)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, problems := parse(t, tt.text, map[string]string{"BIG": big})
			if len(problems) == 0 || !strings.Contains(problems[0], tt.want) {
				t.Errorf("got %.300q, want %q", problems, tt.want)
			}
		})
	}
	if _, err := (strict.File{Path: filepath.Join(t.TempDir(), "gone.yaml")}).Load(&conf{}, (&conf{}).Validate); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := (strict.File{Path: t.TempDir()}).Load(&conf{}, (&conf{}).Validate); err == nil {
		t.Error("a folder was taken for a file")
	}
}

// A large file without aliases is within the bounds.
func TestLargeFile(t *testing.T) {
	c, problems := parse(t, "items:\n"+strings.Repeat("- name: a\n", 100_000), nil)
	if problems != nil || len(c.Items) != 100_000 {
		t.Errorf("%d items, %v", len(c.Items), problems)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"name: a\nitems: [{name: b, max_lag: 1}]\n", "name: ${A:-b}\n<<: *x\n", "tree: &t {sub: [*t]}\n", "a:\n\tb: 1\n", "? [a]\n: b\n",
		"secret_file: strict.go\n", "name: !x y\n", "---\n---\n", "port: ${A}\r\nname: b\r", "\xef\xbb\xbfname: a\n", "name: a\u2028port: x\n", "%YAML 1.1\n---\non: yes\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, problems := parse(t, text, map[string]string{"A": "7"})
		lines := 1 + strings.Count(text, "\n")
		for _, p := range problems {
			p = strings.TrimPrefix(p, "warning ")
			if !strings.HasPrefix(p, "f.yaml:") {
				continue // the message above goes on: a key had a line end in it
			}
			var line int
			for _, r := range p[len("f.yaml:"):] {
				if r < '0' || r > '9' {
					break
				}
				line = line*10 + int(r-'0')
			}
			if line < 1 || line > lines {
				t.Errorf("line %d of %d: %s", line, lines, p)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte("name: a\nwait: 5m\nlabels: {a: b, c: \"${A}\"}\nitems:\n" + strings.Repeat("  - name: a\n    max_lag: 2000\n    tags: [a, b]\n", 20))
	file := strict.File{Path: "f.yaml", Lookup: func(string) (string, bool) { return "v", true }}
	for b.Loop() {
		if _, err := file.Parse(text, &conf{}, func(*setting.Faults) {}); err != nil {
			b.Fatal(err)
		}
	}
}
