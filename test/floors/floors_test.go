package floors

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "tocsin"

// TestFloors checks the imports of the module.
func TestFloors(t *testing.T) {
	packages, err := readPackages(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) == 0 {
		t.Fatal("got no packages, want those of the module")
	}
	for _, violation := range Check(packages) {
		t.Errorf("got %s, want no violation", violation)
	}
}

// TestTable checks that the rules are consistent, and that each is for a
// package.
func TestTable(t *testing.T) {
	packages, err := readPackages(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for n, f := range floors {
		for _, r := range f.rooms {
			if seen[r.name] {
				t.Errorf("room %s: got two rules, want one", r.name)
			}
			seen[r.name] = true
			if !slices.ContainsFunc(slices.Collect(maps.Keys(packages)), func(pkg string) bool { return matches(r.name, pkg) }) {
				t.Errorf("room %s: got no package, want one", r.name)
			}
			for name := range strings.FieldsSeq(r.imports) {
				if name == "*" || name == r.name {
					continue
				}
				// A folder has rooms on several floors: Check compares those.
				lower := slices.ContainsFunc(floors[n+1:], func(f floor) bool {
					return slices.ContainsFunc(f.rooms, func(r room) bool { return r.name == name })
				})
				if !lower {
					t.Errorf("room %s may import %s: got a room that is not on a lower floor, want one that is", r.name, name)
				}
			}
		}
	}
}

// readPackages returns the imports of every package below root, from all files
// but tests, for any operating system and build tags.
func readPackages(root string) (map[string][]Import, error) {
	packages := map[string][]Import{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && isIgnored(name, d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(dir)
		imports := packages[pkg]
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			path, own := strings.CutPrefix(path, module+"/")
			if i := (Import{path, own}); !slices.Contains(imports, i) {
				imports = append(imports, i)
			}
		}
		packages[pkg] = imports
		return nil
	})
	return packages, err
}

// isIgnored reports whether the go command ignores a directory of the module.
func isIgnored(name, base string) bool {
	if base[0] == '.' || base[0] == '_' || base == "testdata" || base == "vendor" {
		return true
	}
	_, err := os.Stat(filepath.Join(name, "go.mod"))
	return !errors.Is(err, fs.ErrNotExist)
}

func TestModuleName(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(mod), "\n")
	if got, want := strings.TrimSpace(first), "module "+module; got != want {
		t.Errorf("go.mod: got %q, want %q: update the constant module", got, want)
	}
}

func TestReadPackages(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"pkg/lag/lag.go":                "package lag\nimport (\n\t\"fmt\"\n\ta \"tocsin/pkg/alert\"\n\t_ `tocsin/pkg/store/bolt`\n)",
		"pkg/lag/plan9.go":              "//go:build plan9 && never\n\npackage lag\n\nimport (\n\t\"fmt\"\n\t\"tocsin/pkg/app\"\n)",
		"pkg/lag/lag_test.go":           "package lag\nimport \"tocsin/cmd/tocsin\"",
		"pkg/lag/testdata/x.go":         "package x\nimport \"tocsin/cmd/tocsin\"",
		"_old/x.go":                     "package x\nimport \"tocsin/cmd/tocsin\"",
		".cache/x.go":                   "package x\nimport \"tocsin/cmd/tocsin\"",
		"test/other/go.mod":             "module other",
		"test/other/deep/x.go":          "package x\nimport \"tocsin/cmd/tocsin\"",
		"cmd/tocsin/main.go":            "package main\nimport \"tocsinx/pkg/alert\"",
		"functions/lag/main.go":         "package main\nimport \"tocsin/pkg/app\"",
		"functions/lag/not-go.go.txt":   "import \"tocsin/pkg/alert\"",
		"pkg/host/agent/linux/agent.go": "package linux",
	} {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readPackages(root)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]Import{
		"cmd/tocsin":           {{"tocsinx/pkg/alert", false}},
		"functions/lag":        {{"pkg/app", true}},
		"pkg/lag":              {{"fmt", false}, {"pkg/alert", true}, {"pkg/store/bolt", true}, {"pkg/app", true}},
		"pkg/host/agent/linux": nil,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{ // want is part of the violation; "" if it is allowed
		{"functions/lag", "pkg/app", ""},
		{"functions/new", "pkg/app", ""},
		{"cmd/tocsin", "pkg/localcloud/kafka", ""},
		{"pkg/app", "pkg/config", ""},
		{"pkg/config", "pkg/notify/slack", ""},
		{"pkg/config", "pkg/notify/new", ""},
		{"pkg/api", "pkg/dispatch", ""},
		{"pkg/lag/ckafka", "pkg/lag", ""},
		{"pkg/dispatch", "pkg/outbox", ""},
		{"pkg/outbox", "pkg/notify", ""},
		{"pkg/notify/new", "pkg/notify/chat", ""},
		{"pkg/notify/wecomapp", "pkg/notify/wecom", ""},
		{"pkg/store/backend", "pkg/store/bolt", ""},
		{"pkg/localcloud/kafka", "pkg/localcloud/tencentcloud", ""},
		{"test/bench", "pkg/localcloud", ""},
		{"test/new", "functions/lag", ""},

		{"pkg/alert", "pkg/notify", "allows none"},
		{"pkg/store/bolt", "pkg/app", "allows store"},
		{"pkg/render", "pkg/notify", "allows chart"},
		{"pkg/notify", "pkg/notify/slack", "allows render"},
		{"pkg/intake", "pkg/api", "allows alert"},
		{"pkg/api", "pkg/config", "allows dispatch"},
		{"pkg/config", "pkg/app", "allows api"},
		{"pkg/dispatch", "pkg/lag", "allows outbox"},
		{"pkg/app", "test/floors", "allows config"},
		{"pkg/app", "cmd/tocsin", "allows config"},
		{"functions/lag", "pkg/dispatch", "allows app"},
		{"functions/lag", "pkg/localcloud/kafka", "allows app"},
		// A channel knows no other channel and nothing of the outbox.
		{"pkg/notify/slack", "pkg/notify/dingtalk", "allows notify/chat"},
		{"pkg/notify/new", "pkg/notify/slack", "allows notify/chat"},
		{"pkg/notify/slack", "pkg/notify/wecom", "allows notify/chat"},
		{"pkg/notify/wecomapp", "pkg/notify/wecomrobot", "allows notify/wecom"},
		{"pkg/notify/slack", "pkg/outbox", "allows notify/chat"},
		{"pkg/notify/slack", "pkg/dispatch", "allows notify/chat"},
		// The outbox knows nothing of routing; route, silence and inhibit know
		// nothing of each other.
		{"pkg/outbox", "pkg/route", "allows notify"},
		{"pkg/outbox", "pkg/silence", "allows notify"},
		{"pkg/outbox", "pkg/dispatch", "allows notify"},
		{"pkg/silence", "pkg/inhibit", "allows matcher"},
		{"pkg/route", "pkg/outbox", "allows matcher"},
		{"pkg/intake", "net/http", "excluded by the rule of intake"},
		{"pkg/faas", "pkg/alert", "allows none"},
		// The agent and functions have nothing in common.
		{"cmd/tocsin-agent", "pkg/app", "allows host/agent"},
		{"pkg/host", "pkg/host/agent", "allows store"},
		{"pkg/app", "pkg/host/agent", "allows config"},
		// The local cloud shares nothing with the product, except with tests.
		{"pkg/localcloud/smtp", "pkg/setting", "allows localcloud/*"},
		{"pkg/localcloud", "pkg/alert", "allows localcloud/*"},
		{"pkg/app", "pkg/localcloud", "allows config"},
		{"pkg/localcloud/kafka", "pkg/localcloud", "allows localcloud/*"},
		// A folder in a rule does not include rooms on higher floors.
		{"pkg/config", "pkg/notify/notifytest", "not on a lower floor"},

		{"pkg/new", "pkg/alert", "pkg/new has no rule"},
		{"pkg/host/agent/linux", "pkg/setting/base", "pkg/host/agent/linux has no rule"},
		{"pkg/alertx", "pkg/alert", "pkg/alertx has no rule"},
		{".", "pkg/app", ". has no rule"},
		{"pkg/app", "pkg/new", "it has no rule"},
	} {
		t.Run(c.from+" imports "+c.to, func(t *testing.T) {
			i := Import{c.to, !strings.HasPrefix(c.to, "net/")}
			got := strings.Join(Check(map[string][]Import{c.from: {i}, "pkg/humanize": {{"fmt", false}}}), "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
