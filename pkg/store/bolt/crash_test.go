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

// childEnv holds the path of a store in a child process: the same test, run by
// this same binary, that is to be killed or starved.
const childEnv = "TOCSIN_BOLT_TEST_CHILD"

func child(t *testing.T, path string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestKill kills a process in the middle of its commits, again and again: all
// that it told of is there, and of the one commit that it did not tell of, all
// or nothing.
func TestKill(t *testing.T) {
	if path := os.Getenv(childEnv); path != "" {
		t.Fatal(commitForever(t.Context(), path))
	}
	path := newPath(t)
	acked := 0
	for round := range 8 {
		child := child(t, path)
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
				child.Process.Kill() // SIGKILL; what it still wrote is read to the end
			}
		}
		child.Wait()
		if child.ProcessState.Exited() {
			t.Fatalf("the child exited by itself: %v", child.ProcessState)
		}
		count := verify(t, path)
		if count != acked && count != acked+1 {
			t.Fatalf("round %d: %d commits are there, %d were acknowledged", round, count, acked)
		}
		acked = count
	}
}

// commitForever numbers its commits and prints each number when the commit has
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

// verify returns the number of commits in the store, each of which must be whole.
func verify(t *testing.T, path string) int {
	t.Helper()
	s := mustOpen(t, path)
	defer mustClose(t, s)
	counts, err := s.Get(t.Context(), "count/a", "count/b")
	if err != nil {
		t.Fatal(err)
	}
	if string(counts[0].Value) != string(counts[1].Value) {
		t.Fatalf("half a commit: %s and %s", counts[0].Value, counts[1].Value)
	}
	count, err := strconv.Atoi(string(counts[0].Value))
	if err != nil {
		t.Fatal(err)
	}
	due, err := s.Due(t.Context(), "log", noon, 1<<20)
	if err != nil || len(due) != count {
		t.Fatalf("%d entries in the log, want %d, %v", len(due), count, err)
	}
	for i, it := range due {
		if want := fmt.Sprintf("log/%06d", i+1); it.Key != want {
			t.Fatalf("entry %d is %q, want %q", i, it.Key, want)
		}
	}
	return count
}
