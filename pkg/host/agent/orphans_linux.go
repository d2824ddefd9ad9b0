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

// runMark begins the environment variable that distinguishes the processes of one run of
// a plugin from those of another.
const runMark = "TOCSIN_PLUGIN_RUN="

// maxKillRounds bounds the rounds of killOrphans. Each finds the children of the processes
// that the one before has killed, because they are children of the agent now.
const maxKillRounds = 100

// runs are the runs of plugins. A process that one of them has started becomes a child of
// the agent when its parent ends, because the agent is a subreaper (prctl(2)).
var runs = struct {
	sync.Mutex
	count   int
	plugins map[int]bool // process ids of the plugins that are running
	init    sync.Once
}{plugins: map[int]bool{}}

// startMarked starts a plugin with the mark of its run, which it returns.
func startMarked(cmd *exec.Cmd) (mark string, err error) {
	runs.init.Do(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }) // since Linux 3.4
	runs.Lock()
	defer runs.Unlock()
	runs.count++
	mark = runMark + strconv.Itoa(runs.count)
	cmd.Env = append(cmd.Env, mark)
	if err := cmd.Start(); err != nil {
		return mark, err
	}
	runs.plugins[cmd.Process.Pid] = true
	return mark, nil
}

// killOrphans kills the processes that a run has left behind. pid is the process id that
// its plugin had, which has ended. A process that has removed the mark from its
// environment is killed at the end of any run.
func killOrphans(pid int, mark string) {
	runs.Lock()
	delete(runs.plugins, pid)
	runs.Unlock()
	for range maxKillRounds {
		if !killOrphansOnce(mark) {
			return
		}
		time.Sleep(time.Millisecond) // until the killed ones have ended
	}
}

// killOrphansOnce kills the children of the agent, except for plugins and processes with
// the mark of another run, and reports whether there were any.
func killOrphansOnce(mark string) (found bool) {
	runs.Lock()
	defer runs.Unlock()
	for _, pid := range childProcesses() {
		if runs.plugins[pid] || belongsToOther(pid, mark) {
			continue
		}
		found = true
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // if it has not ended yet, in the next round
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
