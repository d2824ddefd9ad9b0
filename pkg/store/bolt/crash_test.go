package bolt

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"tocsin/pkg/store"
)

// childEnv is set in a child process, which runs the same test of the same binary, to
// the path of its store.
const childEnv = "TOCSIN_BOLT_TEST_CHILD"

// newChild returns the command of a child process of this test.
func newChild(t *testing.T, path string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestKilledProcess kills a process during its commits, eight times: every
// acknowledged commit is in the file, and the one that was not acknowledged is there
// as a whole or not at all.
func TestKilledProcess(t *testing.T) {
	if path := os.Getenv(childEnv); path != "" {
		t.Fatal(commitForever(t.Context(), path))
	}
	path := newPath(t)
	acked := 0
	for round := range 8 {
		child := newChild(t, path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if acked, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(err)
			}
			if n == 5+3*round {
				child.Process.Kill() // the loop reads the rest of its output
			}
		}
		child.Wait()
		if child.ProcessState.Exited() {
			t.Fatalf("got %v, want a child that was killed", child.ProcessState)
		}
		count := countCommits(t, path)
		if count != acked && count != acked+1 {
			t.Fatalf("round %d: got %d commits, want the %d acknowledged or one more", round, count, acked)
		}
		acked = count
	}
}

// commitForever commits consecutive numbers, and prints each when its commit has
// returned.
func commitForever(ctx context.Context, path string) error {
	s, err := Open(ctx, path)
	if err != nil {
		return err
	}
	for {
		items, err := s.Get(ctx, "count/a", "count/b")
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(string(items[0].Value))
		value := []byte(strconv.Itoa(n + 1))
		err = s.Commit(ctx, noon,
			store.Change{Key: "count/a", Value: value, If: store.Unchanged(items[0])},
			store.Change{Key: fmt.Sprintf("log/%06d", n+1), Value: make([]byte, 3000), Due: noon},
			store.Change{Key: "count/b", Value: value, If: store.Unchanged(items[1])})
		if err != nil {
			return err
		}
		fmt.Println(n + 1)
	}
}

// countCommits returns the number of commits in the store. It fails the test if one of
// them is incomplete.
func countCommits(t *testing.T, path string) int {
	t.Helper()
	s := mustOpen(t, path)
	defer mustClose(t, s)
	counts, err := s.Get(t.Context(), "count/a", "count/b")
	if err != nil {
		t.Fatal(err)
	}
	if string(counts[0].Value) != string(counts[1].Value) {
		t.Fatalf("got %s and %s of one commit, want equal values", counts[0].Value, counts[1].Value)
	}
	count, err := strconv.Atoi(string(counts[0].Value))
	if err != nil {
		t.Fatal(err)
	}
	due, err := s.Due(t.Context(), "log", noon, 1<<20)
	if err != nil || len(due) != count {
		t.Fatalf("got %d entries in the log, %v, want %d", len(due), err, count)
	}
	for i, it := range due {
		if want := fmt.Sprintf("log/%06d", i+1); it.Key != want {
			t.Fatalf("got %q as entry %d, want %q", it.Key, i, want)
		}
	}
	return count
}
