package functions

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// project lays out the least that scripts/build works on, in a new directory:
// the echo function, and two binaries that do nothing.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	copyIn := func(to, from string) {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to = filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"go.mod", "go.sum", "scripts/build", "scripts/zip/main.go"} {
		copyIn(f, "../../"+f)
	}
	sources, err := filepath.Glob("../../pkg/faas/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatal("no sources", err)
	}
	for _, f := range sources {
		copyIn("pkg/faas/"+filepath.Base(f), f)
	}
	copyIn("functions/echo/main.go", echo+"/main.go")
	for path, text := range map[string]string{
		"cmd/tocsin/main.go":       "package main\n\nfunc main() {}\n",
		"cmd/tocsin-agent/main.go": "package main\n\nfunc main() {}\n",
		"tocsin.yaml":              "route: {receiver: ops}\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		// A mode that the zip must not pass on.
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func runBuild(t *testing.T, root string, env ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "scripts/build"))
	cmd.Dir = t.TempDir() // from anywhere
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestBuild(t *testing.T) {
	roots := []string{project(t), project(t)}
	for _, root := range roots {
		out, err := runBuild(t, root)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var files []string
		for line := range strings.Lines(out) {
			name, size, _ := strings.Cut(line, " ")
			if !strings.HasSuffix(size, " KiB\n") {
				t.Errorf("not a line of the table: %q", line)
			}
			files = append(files, name)
		}
		if want := []string{"dist/scf/echo/main", "dist/lambda/echo/bootstrap", "dist/lambda/echo.zip", "dist/scf/echo.zip", "dist/tocsin", "dist/tocsin-agent"}; !slices.Equal(files, want) {
			t.Errorf("built %q, want %q", files, want)
		}
	}

	for _, c := range []struct{ path, executable string }{
		{"dist/scf/echo.zip", "main"},
		{"dist/lambda/echo.zip", "bootstrap"},
	} {
		first, err := os.ReadFile(filepath.Join(roots[0], c.path))
		if err != nil {
			t.Fatal(err)
		}
		second, err := os.ReadFile(filepath.Join(roots[1], c.path))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Errorf("%s differs between two directories", c.path)
		}
		z, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
		if err != nil {
			t.Fatal(err)
		}
		modes := map[string]os.FileMode{}
		for _, f := range z.File {
			modes[f.Name] = f.Mode()
			if !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
				t.Errorf("%s: %s has time %v", c.path, f.Name, f.Modified)
			}
		}
		if len(modes) != 2 || modes[c.executable] != 0o755 || modes["tocsin.yaml"] != 0o644 {
			t.Errorf("%s holds %v", c.path, modes)
		}
		in, err := z.Open(c.executable)
		if err != nil {
			t.Fatal(err)
		}
		head := make([]byte, 20)
		if _, err := io.ReadFull(in, head); err != nil {
			t.Fatal(err)
		}
		// ELF header: e_machine is the 16 bits at 18; 62 is x86-64.
		if string(head[:4]) != "\x7fELF" || head[18] != 62 {
			t.Errorf("%s: %s is not for linux/amd64: % x", c.path, c.executable, head)
		}
	}
}

func TestBuildRefusesUnknownArchitecture(t *testing.T) {
	out, err := runBuild(t, project(t), "LAMBDA_ARCH=x86_64")
	if err == nil || out != "scripts/build: LAMBDA_ARCH is x86_64: write amd64 or arm64\n" {
		t.Errorf("%v, said %q", err, out)
	}
}
