// Zip packs folders for deployment: each DIR becomes DIR.zip, with the folder's
// files at the top.
//
// Equal contents give equal bytes. Times are the format's first moment, the
// order is by name, and modes are 0755 for what is executable and 0644 for the
// rest, because the functions run as a user who owns none of it.
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

// pack writes dir.zip. Folders have no folders below them here.
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
