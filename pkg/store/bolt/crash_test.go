package bolt

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"tocsin/pkg/store/storetest"
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
		s := mustOpen(t, path)
		count := storetest.CountCommits(t, s)
		mustClose(t, s)
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
		n, err := storetest.CommitNext(ctx, s)
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
}
