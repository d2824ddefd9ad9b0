package floors

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "tocsin"

// TestFloors checks the module itself.
func TestFloors(t *testing.T) {
	imports, err := read(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if len(imports) == 0 {
		t.Fatal("no imports found")
	}
	for _, fault := range Check(imports) {
		t.Error(fault)
	}
}

// read returns the imports of every Go file below root that is not a test, for
// whatever system, cloud or other build tag it is.
func read(root string) ([]Import, error) {
	var imports []Import
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && skip(name, d.Name()):
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
		for _, spec := range file.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if own, found := strings.CutPrefix(to, module+"/"); found {
				imports = append(imports, Import{filepath.ToSlash(dir), own})
			}
		}
		return nil
	})
	return imports, err
}

// skip tells whether the go command would not look into a directory of a module.
func skip(name, base string) bool {
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
	if line, _, _ := strings.Cut(string(mod), "\n"); strings.TrimSpace(line) != "module "+module {
		t.Errorf("go.mod begins with %q: the constant module is wrong", line)
	}
}

func TestRead(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"pkg/lag/lag.go":                "package lag\nimport (\n\t\"fmt\"\n\ta \"tocsin/pkg/alert\"\n\t_ `tocsin/pkg/store/bolt`\n)",
		"pkg/lag/plan9.go":              "//go:build plan9 && never\n\npackage lag\n\nimport \"tocsin/pkg/app\"",
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
	got, err := read(root)
	if err != nil {
		t.Fatal(err)
	}
	want := map[Import]bool{
		{"functions/lag", "pkg/app"}:  true,
		{"pkg/lag", "pkg/alert"}:      true,
		{"pkg/lag", "pkg/store/bolt"}: true,
		{"pkg/lag", "pkg/app"}:        true,
	}
	for _, i := range got {
		if !want[i] {
			t.Errorf("unexpected %v", i)
		}
		delete(want, i)
	}
	for i := range want {
		t.Errorf("not found: %v", i)
	}
}

// TestCheck proves that the checker finds what it is there for.
func TestCheck(t *testing.T) {
	for _, test := range []struct{ from, to, fault string }{
		{"pkg/notify", "pkg/alert", ""},
		{"pkg/notify", "pkg/render", ""},
		{"pkg/notify/slack", "pkg/render", ""},
		{"pkg/notify/slack", "pkg/notify", ""},
		{"pkg/notify/slack", "pkg/notify/chat", ""},
		{"pkg/notify/slack/blocks", "pkg/notify/slack", ""},
		{"pkg/notify/wecom", "pkg/notify/chat", ""},
		{"pkg/notify/sms", "pkg/tencent", ""},
		{"pkg/notify/sms", "pkg/notify/phone", ""},
		{"pkg/notify/wecomapp", "pkg/notify/wecom", ""},
		{"pkg/notify/phone", "pkg/render", ""},
		{"pkg/intake", "pkg/render", ""},
		{"pkg/dispatch", "pkg/notify", ""},
		{"pkg/dispatch", "pkg/lag", ""},
		{"pkg/dispatch", "pkg/outbox", ""},
		{"pkg/outbox", "pkg/notify", ""},
		{"pkg/route", "pkg/render", ""},
		{"pkg/inhibit", "pkg/matcher", ""},
		{"pkg/lag/ckafka", "pkg/lag", ""},
		{"pkg/lag", "pkg/lag/kafka", ""},
		{"pkg/store/backend", "pkg/store/bolt", ""},
		{"pkg/config", "pkg/notify/wecom", ""},
		{"pkg/app", "pkg/config", ""},
		{"functions/lag", "pkg/app", ""},
		{"cmd/tocsin", "pkg/localcloud/kafka", ""},
		{"cmd/tocsin/dev", "pkg/localcloud", ""},
		{"pkg/localcloud/kafka", "pkg/localcloud", ""},
		{"test/scenario", "pkg/localcloud", ""},
		{"test/scenario", "functions/lag", ""},

		{"pkg/alert", "pkg/notify", "upward, from floor 0 to floor 2"},
		{"pkg/store/bolt", "pkg/app", "upward"},
		{"pkg/notify", "pkg/notify/wecom", "upward"},
		{"pkg/notify", "pkg/notify/chat", "upward"},
		{"pkg/notify/chat", "pkg/notify/wecom", "upward"},
		{"pkg/notify/chat", "pkg/notify/slack", "upward"},
		{"pkg/notify/phone", "pkg/notify/sms", "upward"},
		{"pkg/notify/notifytest", "pkg/notify", ""},
		{"pkg/notify/notifytest", "pkg/localcloud/fault", ""},
		{"pkg/notify/slack", "pkg/notify/notifytest", "only tests"},
		{"pkg/app", "pkg/notify/notifytest", "only tests"},
		{"pkg/notify/wecom", "pkg/notify/wecomapp", "upward"},
		{"pkg/render", "pkg/notify", "upward"},
		{"pkg/render", "pkg/notify/wecom", "upward"},
		{"pkg/render", "pkg/intake", "upward"},
		{"pkg/intake", "pkg/api", "upward"},
		{"pkg/api", "pkg/config", "upward, from floor 7 to floor 8"},
		{"pkg/config", "pkg/app", "upward"},
		{"pkg/app", "cmd/tocsin", "upward"},
		{"pkg/app", "test/floors", "only tests"},
		{"cmd/tocsin", "test/floors", "only tests"},
		{"pkg/notify/wecomapp", "pkg/notify/dingtalk", "no other channel"},
		{"pkg/host", "pkg/host/agent", "no part of functions"},
		{"pkg/app", "pkg/host/agent", "no part of functions"},
		{"cmd/tocsin", "pkg/host/agent", ""},
		{"cmd/tocsin-agent", "pkg/host/agent", ""},
		{"pkg/notify/wecomapp", "pkg/notify/wecomappx", "no other channel"},
		{"pkg/notify/slack", "pkg/dispatch", "nothing of dispatch"},
		{"pkg/notify/slack/blocks", "pkg/dispatch/outbox", "nothing of dispatch"},
		{"pkg/notify/slack", "pkg/outbox", "upward"},
		{"pkg/outbox", "pkg/dispatch", "upward"},
		{"pkg/outbox", "pkg/route", "nothing of routing"},
		{"pkg/outbox", "pkg/silence", "nothing of routing"},
		{"pkg/silence", "pkg/inhibit", "nothing of each other"},
		{"pkg/route", "pkg/outbox", "nothing of each other"},
		{"pkg/faas", "pkg/alert", "nothing of alerts"},
		{"pkg/app", "pkg/localcloud", "only cmd/tocsin"},
		{"functions/lag", "pkg/localcloud/kafka", "only cmd/tocsin"},
		{"cmd/tocsinx", "pkg/localcloud", "only cmd/tocsin"},
		{"pkg/setting", "pkg/localcloud", "only cmd/tocsin"},
		{"pkg/localcloud", "pkg/alert", "shares nothing"},
		{"pkg/localcloud/smtp", "pkg/setting", "shares nothing"},
		{"pkg/new", "pkg/alert", "give it a floor"},
		{"pkg/app", "pkg/new/deep", "give it a floor"},
		{"pkg/app", "pkg/alertx", "give it a floor"},
		{".", "pkg/app", "give it a floor"},
	} {
		faults := strings.Join(Check([]Import{{"pkg/app", "pkg/alert"}, {test.from, test.to}}), "\n")
		switch {
		case test.fault == "" && faults != "":
			t.Errorf("a good import is refused: %s", faults)
		case !strings.Contains(faults, test.fault) || test.fault != "" && !strings.HasPrefix(faults, test.from+" imports "+test.to):
			t.Errorf("%s imports %s: %q, want %q in it", test.from, test.to, faults, test.fault)
		}
	}
}
