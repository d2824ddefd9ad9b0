package agent

import (
	"fmt"
	"os"
	"syscall"
)

// lockDir takes dir for this process. The lock ends with the file, or with the
// process, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the state directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another agent uses %s: stop it, or give this one a directory of its own with --state", dir)
	}
	return f, nil
}
