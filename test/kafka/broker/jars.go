package broker

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Releases of Apache Kafka.
const (
	V4 = "4.4.0"
	V3 = "3.9.2"
	V2 = "2.8.2" // with ZooKeeper
)

// Versions are all releases, newest first.
var Versions = []string{V4, V3, V2}

// minJava is the oldest Java that runs every release.
const minJava = 17

// files are the Maven project of a release's jars, and for each release their SHA-256
// sums in the format of sha256sum.
//
//go:embed pom.xml *.sum
var files embed.FS

// UnavailableError is the error of a release that this machine cannot run or download.
type UnavailableError struct{ Reason string }

func (e *UnavailableError) Error() string { return e.Reason }

// Jars returns the folder with the jars of a release, in the user's cache. Maven
// downloads them when they are not there; its settings decide from which repository.
// Their checksums must be the known ones. An error is an *UnavailableError if the
// machine lacks Java, Maven or the repository.
func Jars(ctx context.Context, version string) (string, error) {
	if err := checkJava(ctx); err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "tocsin", "kafka", version)
	if err := verify(dir, version); !errors.Is(err, os.ErrNotExist) {
		return dir, err
	}
	if err := download(ctx, dir, version); err != nil {
		return "", err
	}
	return dir, verify(dir, version)
}

// checkJava checks that there is a Java that runs the brokers.
func checkJava(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "java", "--version").Output()
	if err != nil {
		return &UnavailableError{fmt.Sprintf("needs Java %d or newer (apt-get install default-jre-headless)", minJava)}
	}
	fields := strings.Fields(string(out)) // openjdk 17.0.15 2025-04-15 …
	if len(fields) > 1 {
		major, _, _ := strings.Cut(fields[1], ".")
		if n, err := strconv.Atoi(major); err == nil && n < minJava {
			return &UnavailableError{fmt.Sprintf("needs Java %d or newer, not %d", minJava, n)}
		}
	}
	return nil
}

// verify checks that dir has the jars of a release and no others.
func verify(dir, version string) error {
	sums, err := files.ReadFile(version + ".sum")
	if err != nil {
		return err
	}
	want := map[string]string{}
	for line := range strings.Lines(string(sums)) {
		if fields := strings.Fields(line); len(fields) == 2 {
			want[fields[1]] = fields[0]
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		sum, err := checksum(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if sum != want[e.Name()] {
			return fmt.Errorf("%s in %s: got the SHA-256 sum %s, want %q: delete the folder to download it again", e.Name(), dir, sum, want[e.Name()])
		}
		delete(want, e.Name())
	}
	for name := range want {
		return fmt.Errorf("%s: %s is missing: delete the folder to download it again", dir, name)
	}
	return nil
}

func checksum(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// download downloads the jars of a release into dir, which does not exist. A download
// that was interrupted leaves no dir.
func download(ctx context.Context, dir, version string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return &UnavailableError{"needs Maven to download the jars (apt-get install maven)"}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), version+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	pom, err := files.ReadFile("pom.xml")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(temp, "pom.xml"), pom, 0o644); err != nil {
		return err
	}
	jars := filepath.Join(temp, "jars")
	cmd := exec.CommandContext(ctx, mvn, "--quiet", "--batch-mode", "--strict-checksums", "-f", temp,
		"-Dkafka.version="+version, "dependency:copy-dependencies", "-DoutputDirectory="+jars)
	if out, err := cmd.CombinedOutput(); err != nil {
		return &UnavailableError{fmt.Sprintf("the jars could not be downloaded: %v: %s", err, firstError(string(out)))}
	}
	if err := os.Rename(jars, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// firstError returns the first error in Maven's output.
func firstError(out string) string {
	for line := range strings.Lines(out) {
		if _, text, ok := strings.Cut(line, "[ERROR] "); ok && strings.TrimSpace(text) != "" {
			return strings.TrimSpace(text)
		}
	}
	return strings.TrimSpace(out)
}
