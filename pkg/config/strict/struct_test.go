package strict_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/pkg/config/strict"
	"tocsin/pkg/setting"
)

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
		c := &conf{}
		_, err := strict.File{Path: filepath.Join(dir, "c.yaml"), Lookup: func(n string) (string, bool) { return dir, n == "DIR" }}.Parse([]byte(text), c, c.Validate)
		if err != nil {
			return c, strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
		}
		return c, ""
	}
	for _, text := range []string{"secret_file: password\n", "secret_file: ${DIR}/password\n", "secret_file: ./password\n"} {
		if c, err := load(text); err != "" || c.Secret != "  pass word" {
			t.Errorf("%s: got %q, %s, want the content of the file", text, string(c.Secret), err)
		}
	}
	if c, err := load("items: [{name: a, key_file: password}]\n"); err != "" || c.Items[0].Key != "  pass word" {
		t.Errorf("in a list: got %q, %s, want the content of the file", string(c.Items[0].Key), err)
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
		t.Run(text, func(t *testing.T) {
			if _, got := load(text); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestFaultOfSecretFromFileHasTheLineOfTheKey(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &conf{faults: []setting.Fault{{Path: []any{"secret"}, Message: "too short"}}}
	_, err := strict.File{Path: filepath.Join(dir, "c.yaml")}.Parse([]byte("name: a\n\nsecret_file: p\n"), c, c.Validate)
	if err == nil || !strings.HasSuffix(err.Error(), "c.yaml:3: secret: too short") {
		t.Errorf("got %v, want c.yaml:3: secret: too short", err)
	}
}
