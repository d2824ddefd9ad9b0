package agent

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// runMark is the environment variable that tells the processes of one run of a plugin
// from those of another.
const runMark = "TOCSIN_PLUGIN_RUN="

// maxSweeps bounds how often killOrphans looks again for processes that have lost their
// parent to it.
const maxSweeps = 100

// children are the processes that runs of plugins have started. A process that leaves
// its group by setsid, or whose parent ends, becomes a child of the agent, because that
// is a subreaper (prctl(2)).
var children = struct {
	sync.Mutex
	runs    int
	running map[int]bool // the plugins themselves, by process id
	init    sync.Once
}{running: map[int]bool{}}

// startMarked starts a plugin with the mark of its run, which it returns.
func startMarked(cmd *exec.Cmd) (mark string, err error) {
	children.init.Do(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }) // since Linux 3.4
	children.Lock()
	defer children.Unlock()
	children.runs++
	mark = runMark + strconv.Itoa(children.runs)
	cmd.Env = append(cmd.Env, mark)
	if err := cmd.Start(); err != nil {
		return mark, err
	}
	children.running[cmd.Process.Pid] = true
	return mark, nil
}

// killOrphans kills the processes that a run has left behind, after its plugin, which
// had the process id, has ended. A process that has removed the mark from its
// environment is killed at the end of any run.
func killOrphans(pid int, mark string) {
	children.Lock()
	delete(children.running, pid)
	children.Unlock()
	for range maxSweeps {
		if !killOrphansOnce(mark) {
			return
		}
		time.Sleep(time.Millisecond) // until they have ended, and theirs are children of the agent
	}
}

// killOrphansOnce reports whether there were any.
func killOrphansOnce(mark string) (found bool) {
	children.Lock()
	defer children.Unlock()
	for _, pid := range childProcesses() {
		if children.running[pid] || belongsToOther(pid, mark) {
			continue
		}
		found = true
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // or the next time
	}
	return found
}

// childProcesses returns the ids of the agent's child processes.
func childProcesses() (pids []int) {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, path := range lists {
		text, _ := os.ReadFile(path)
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// belongsToOther reports whether a process has the mark of another run.
func belongsToOther(pid int, mark string) bool {
	environ, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.HasPrefix(variable, []byte(runMark)) {
			return string(variable) != mark
		}
	}
	return false
}
