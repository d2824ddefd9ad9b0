// Zip creates archives for deployment: DIR.zip from each folder DIR, with its
// files at the top level.
//
// Equal contents give equal bytes: files are sorted by name, and their time is the
// earliest of the format. Modes are 0755 for executables and 0644 for other files, because
// functions run as a user who does not own them.
package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: zip DIR...")
		os.Exit(2)
	}
	for _, dir := range os.Args[1:] {
		if err := pack(dir); err != nil {
			fmt.Fprintln(os.Stderr, "zip:", err)
			os.Exit(1)
		}
	}
}

// pack writes dir.zip. Subfolders are not supported.
func pack(dir string) error {
	dir = filepath.Clean(dir)
	files, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		if err := add(w, filepath.Join(dir, f.Name())); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(dir+".zip", out.Bytes(), 0o644)
}

func add(w *zip.Writer, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	h := &zip.FileHeader{
		Name:     info.Name(),
		Method:   zip.Deflate,
		Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	h.SetMode(0o644)
	if info.Mode()&0o111 != 0 {
		h.SetMode(0o755)
	}
	f, err := w.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return err
}
