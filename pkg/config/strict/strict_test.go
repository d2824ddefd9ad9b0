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

// conf has fields of every kind that the configurations of the rooms have.
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

// parse parses text into a conf and returns the problems as lines.
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
		t.Fatalf("got a %T, want Faults: %v", err, err)
	}
	for _, w := range warnings {
		if !w.Warning {
			t.Errorf("got %v among the warnings, want warnings only", w)
		}
		lines = append(lines, "warning "+w.String())
	}
	if err != nil {
		lines = append(lines, strings.Split(err.Error(), "\n")...)
	}
	return c, lines
}

// all lists the keys of conf.
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

func TestMissingAndNullKeepTheDefault(t *testing.T) {
	for _, text := range []string{"port: 1\n", "name:\n", "name: ~\nport: 1\n"} {
		if c, problems := parse(t, text, nil); c.Name != "default" || problems != nil {
			t.Errorf("%q: got name %q, %v, want the default", text, c.Name, problems)
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
		{"unknown key in a list", "items:\n  - name: a\n    max_lagg: 1\n", []string{"f.yaml:3: items[0].max_lagg: unknown key; did you mean max_lag?"}},
		{"unknown key without a near one", "items: [{name: a, colour: 1}]\n", []string{"f.yaml:1: items[0].colour: unknown key; allowed here: key, key_file, max_lag, name, tags"}},
		{"unexported and ignored fields are not keys", "faults: 1\nignored: 1\nnothing: 1\ncommon: 1\n", []string{
			"f.yaml:1: faults: unknown key; allowed here: " + all, "f.yaml:2: ignored: unknown key; allowed here: " + all,
			"f.yaml:3: nothing: unknown key; allowed here: " + all, "f.yaml:4: common: unknown key; allowed here: " + all}},
		{"unknown key that is explained", "elsewhere: {x: 1}\ntree:\n  elsewhere: 1\n", []string{
			"f.yaml:1: elsewhere: belongs elsewhere", "f.yaml:3: tree.elsewhere: unknown key; allowed here: name, sub"}},
		{"a misspelt key is not reported as missing", "items:\n  - nmae: a\n", []string{"f.yaml:2: items[0].nmae: unknown key; did you mean name?"}},
		{"duplicate key", "name: a\nport: 1\nname: b\n", []string{"f.yaml:3: name: is given twice; it is in line 1 already"}},
		{"duplicate key in a map", "labels:\n  a: 1\n  a: 2\n", []string{"f.yaml:3: labels.a: is given twice; it is in line 2 already"}},
		{"number", "port: many\nsize: -1\nratio: x\n", []string{
			`f.yaml:1: port: must be a whole number, not "many"`,
			`f.yaml:2: size: must be a whole number, not below 0, not "-1"`,
			`f.yaml:3: ratio: must be a number, not "x"`}},
		{"number out of range", "size: 256\n", []string{`f.yaml:1: size: must be a whole number, not below 0, not "256"`}},
		{"fraction", "port: 1.5\n", []string{`f.yaml:1: port: must be a whole number, not "1.5"`}},
		{"boolean", "on: 1\nmaybe: perhaps\n", []string{
			`f.yaml:1: on: must be true or false, not "1"`, `f.yaml:2: maybe: must be true or false, not "perhaps"`}},
		{"wrong kinds", "name: [a]\nlabels: x\nitems: {name: a}\ntree: [x]\nwait: {a: 1}\nport: []\n", []string{
			"f.yaml:1: name: must be text, not a list",
			`f.yaml:2: labels: must be "key: value" pairs, not a single value`,
			`f.yaml:3: items: must be a list, not "key: value" pairs: write each item on its own line after "- ", or all in [ ]`,
			`f.yaml:4: tree: must be "key: value" pairs, not a list`,
			`f.yaml:5: wait: must be text, not "key: value" pairs`,
			`f.yaml:6: port: must be a whole number, not a list`}},
		{"duration", "wait: 5 minutes\n", []string{`f.yaml:1: wait: "5 minutes" is not a duration: write it like 30s, 5m or 1h30m`}},
		{"regular expression", "match: a(\n", []string{"f.yaml:1: match: \"a(\" is not a regular expression: error parsing regexp: missing closing ): `a(`"}},
		{"a fault of Validate has its line", "items:\n  - name: a\n  -\n    max_lag: -1\n", []string{
			"f.yaml:4: items[1].max_lag: must not be below 0", "f.yaml:4: items[1].name: is missing"}},
		{"warnings do not fail", "items:\n  - name: http://a\n", []string{"warning f.yaml:2: items[0].name: is not encrypted"}},
		{"everything at once, in order of lines", "items:\n  - name: a\n    max_lag: -1\nport: x\nnmae: y\nwait: z\n", []string{
			"f.yaml:3: items[0].max_lag: must not be below 0",
			`f.yaml:4: port: must be a whole number, not "x"`,
			"f.yaml:5: nmae: unknown key; did you mean name?",
			`f.yaml:6: wait: "z" is not a duration: write it like 30s, 5m or 1h30m`}},
		{"a value that cannot be decoded is reported once", "items: [{name: [], max_lag: x}]\n", []string{
			`f.yaml:1: items[0].max_lag: must be a whole number, not "x"`, "f.yaml:1: items[0].name: must be text, not a list"}},
		{"keys that are not text", "? [a]\n: 1\n1: 2\n", []string{
			"f.yaml:1: ?: a key must be text, not a list",
			"f.yaml:3: 1: unknown key; allowed here: " + all}},
		{"tag", "name: !vault x\n", []string{"f.yaml:1: name: the tag !vault is not supported"}},
		{"merging a scalar", "items:\n  - <<: 5\n    name: a\n", []string{"f.yaml:2: items[0].<<: takes a mapping or a list of mappings, not a single value"}},

		{"empty", "", []string{"f.yaml:1: the file is empty"}},
		{"only a comment", "# nothing\n\n", []string{"f.yaml:1: the file is empty"}},
		{"only document markers", "---\n...\n", []string{"f.yaml:1: the file is empty"}},
		{"null", "~\n", []string{"f.yaml:1: the file is empty"}},
		{"a list at the top", "# c\n- a\n", []string{`f.yaml:2: the file must be "key: value" at its top, not a list`}},
		{"text at the top", "name:a\n", []string{`f.yaml:1: the file must be "key: value" at its top, not a single value`}},
		{"two documents", "name: a\n---\nname: b\n", []string{"f.yaml:2: a second document begins here: put everything into one, without a line ---"}},
		{"not UTF-8", "name: a\nport: \xb5\n", []string{"f.yaml:2: the file is not UTF-8 text: save it as UTF-8"}},
		{"control character", "name: a\n\nport: \x01\n", []string{"f.yaml:3: the control character U+0001 is not allowed"}},

		{"tab", "items:\n\t- name: a\n", []string{"f.yaml:2: a tab cannot indent: use spaces"}},
		{"unclosed bracket", "items: [a\nname: b\n", []string{"f.yaml:2: the bracket that opens in line 1 is neither closed nor followed by a comma"}},
		{"unclosed quote", "port: 1\nname: \"b\nsize: 2\n", []string{"f.yaml:2: the quote that opens here is not closed"}},
		{"indentation", "items:\n  - name: a\n tree: {}\n", []string{"f.yaml:3: does not fit what begins in line 1: check the indentation and the quotes"}},
		{"colon in a value", "name: a: b\n", []string{`f.yaml:1: a ":" is not allowed here: check the indentation, or put a value that has ": " in it in quotes`}},
		{"no colon", "name: a\nport\n", []string{`f.yaml:2: neither "key: value" nor "- item": is a ":" or the space after it missing?`}},
		{"wide colon", "name: a\nport：1\n", []string{`f.yaml:2: neither "key: value" nor "- item": is a ":" or the space after it missing?; YAML wants ":" and a space, not the wide "："`}},
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

func TestMissingValueHasTheLineOfItsParent(t *testing.T) {
	c := &conf{faults: []setting.Fault{
		{Path: []any{"tree", "sub", 0, "name"}, Message: "1"},
		{Path: []any{"tree", "sub", 7, "name"}, Message: "2"},
		{Path: []any{"items"}, Message: "3"},
		{Path: nil, Message: "4"},
	}}
	_, err := strict.File{Path: "f"}.Parse([]byte("# c\n\nname: a\ntree:\n  sub:\n    - sub: []\n"), c, c.Validate)
	want := "f:3: 4\nf:3: items: 3\nf:5: tree.sub[7].name: 2\nf:6: tree.sub[0].name: 1"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestLimits(t *testing.T) {
	bomb := "tree:\n  sub:\n    - &t0 {name: x}\n"
	for i := range 30 {
		bomb += fmt.Sprintf("    - &t%d {sub: [*t%d, *t%d, *t%d]}\n", i+1, i, i, i)
	}
	tooMuch := "nested too deeply, or expanded too much by aliases (*name): an alias must not contain itself, nor many others"
	tests := map[string]struct{ text, want string }{
		"aliases that expand":      {bomb, tooMuch},
		"an alias in itself":       {"tree: &t\n  sub: [*t]\n", tooMuch},
		"an alias in itself, wide": {"tree: &t\n  sub: [*t, *t, *t, *t]\n", tooMuch},
		"a merge of itself":        {"tree: &t\n  <<: *t\n", tooMuch},
		"a merge that repeats":     {"tree: &x {<<: &y {sub: [{<<: *y}]}}\n", tooMuch},
		"merges that expand":       {"tree: &m {sub: [{<<: [" + strings.Repeat("*m, ", 2000) + "]}]}\n", tooMuch},
		"nested in brackets":       {"name: " + strings.Repeat("[", 20000) + "\n", "exceeded max depth"},
		"nested in lines":          {strings.Repeat("- ", 20000) + "\n", "exceeded max depth"},
		"a large file":             {"name: " + strings.Repeat("x", strict.MaxSize) + "\n", "larger than 1048576 bytes"},
		"variables with much text": {"items:\n" + strings.Repeat("  - name: ${BIG}\n", 100), "the variables of this file expand to more than"},
	}
	big := strings.Repeat("x", 64<<10)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, problems := parse(t, tt.text, map[string]string{"BIG": big})
			if len(problems) == 0 || !strings.Contains(problems[0], tt.want) {
				t.Errorf("got %.300q, want %q in the first", problems, tt.want)
			}
		})
	}
	if _, err := strict.ReadFile(filepath.Join(t.TempDir(), "gone.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: got %v, want os.ErrNotExist", err)
	}
	if _, err := strict.ReadFile(t.TempDir()); err == nil {
		t.Error("directory: got no error, want one")
	}
}

func TestLargeFileWithoutAliasesIsWithinLimits(t *testing.T) {
	c, problems := parse(t, "items:\n"+strings.Repeat("- name: a\n", 100_000), nil)
	if problems != nil || len(c.Items) != 100_000 {
		t.Errorf("got %d items, %v, want 100,000", len(c.Items), problems)
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
				continue // a line of the message before, of a key with a newline
			}
			var line int
			for _, r := range p[len("f.yaml:"):] {
				if r < '0' || r > '9' {
					break
				}
				line = line*10 + int(r-'0')
			}
			if line < 1 || line > lines {
				t.Errorf("got line %d of %d: %s", line, lines, p)
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
