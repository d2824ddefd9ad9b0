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

// newProject creates a minimal project for scripts/build: the echo function,
// and two commands that do nothing.
func newProject(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write := func(to string, content []byte, mode os.FileMode) {
		to = filepath.Join(root, to)
		must(t, os.MkdirAll(filepath.Dir(to), 0o755))
		must(t, os.WriteFile(to, content, mode))
	}
	copyFile := func(to, from string) {
		b, err := os.ReadFile(from)
		must(t, err)
		write(to, b, 0o755)
	}
	for _, f := range []string{"go.mod", "go.sum", "scripts/build", "scripts/zip/main.go"} {
		copyFile(f, "../../"+f)
	}
	sources, err := filepath.Glob("../../pkg/faas/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("got %d sources, error %v; want some", len(sources), err)
	}
	for _, f := range sources {
		copyFile("pkg/faas/"+filepath.Base(f), f)
	}
	copyFile("functions/echo/main.go", echo+"/main.go")
	for path, text := range map[string]string{
		"cmd/tocsin/main.go":       "package main\n\nfunc main() {}\n",
		"cmd/tocsin-agent/main.go": "package main\n\nfunc main() {}\n",
		"tocsin.yaml":              "route: {receiver: ops}\n",
	} {
		write(path, []byte(text), 0o600) // in the archive it must be 0644
	}
	return root
}

func runBuild(t *testing.T, root string, env ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "scripts/build"))
	cmd.Dir = t.TempDir() // it must work in any directory
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestBuild(t *testing.T) {
	roots := []string{newProject(t), newProject(t)}
	for _, root := range roots {
		out, err := runBuild(t, root)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var files []string
		for line := range strings.Lines(out) {
			name, size, _ := strings.Cut(line, " ")
			if !strings.HasSuffix(size, " KiB\n") {
				t.Errorf("output: got line %q, want a path and a size in KiB", line)
			}
			files = append(files, name)
		}
		if want := []string{"dist/scf/echo/main", "dist/lambda/echo/bootstrap", "dist/lambda/echo.zip", "dist/scf/echo.zip", "dist/tocsin", "dist/tocsin-agent"}; !slices.Equal(files, want) {
			t.Errorf("got files %q, want %q", files, want)
		}
	}

	for _, c := range []struct{ path, executable string }{
		{"dist/scf/echo.zip", "main"},
		{"dist/lambda/echo.zip", "bootstrap"},
	} {
		t.Run(c.path, func(t *testing.T) { checkArchive(t, roots, c.path, c.executable) })
	}
}

// checkArchive checks that the archive at path is the same in both projects, and contains
// the executable and tocsin.yaml.
func checkArchive(t *testing.T, roots []string, path, executable string) {
	t.Helper()
	first, err := os.ReadFile(filepath.Join(roots[0], path))
	must(t, err)
	second, err := os.ReadFile(filepath.Join(roots[1], path))
	must(t, err)
	if !bytes.Equal(first, second) {
		t.Error("got different bytes from two directories, want the same")
	}
	z, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	must(t, err)
	modes := map[string]os.FileMode{}
	for _, f := range z.File {
		modes[f.Name] = f.Mode()
		if !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("time of %s: got %v, want 1980-01-01", f.Name, f.Modified)
		}
	}
	if len(modes) != 2 || modes[executable] != 0o755 || modes["tocsin.yaml"] != 0o644 {
		t.Errorf("got files %v, want %s and tocsin.yaml", modes, executable)
	}
	in, err := z.Open(executable)
	must(t, err)
	header := make([]byte, 20)
	_, err = io.ReadFull(in, header)
	must(t, err)
	// In the ELF header, e_machine is the 16 bits at 18; 62 is x86-64.
	if string(header[:4]) != "\x7fELF" || header[18] != 62 {
		t.Errorf("%s: got header % x, want ELF for amd64", executable, header)
	}
}

func TestBuildRejectsUnknownArchitecture(t *testing.T) {
	out, err := runBuild(t, newProject(t), "LAMBDA_ARCH=x86_64")
	if err == nil || out != "scripts/build: LAMBDA_ARCH is x86_64: write amd64 or arm64\n" {
		t.Errorf("got error %v, output %q; want one about LAMBDA_ARCH", err, out)
	}
}
