// Shim runs `tocsin serve` where Alertmanager's acceptance tests expect Alertmanager.
// With SHIM_REDIS set to the address of a redis-server, it replaces the store: each
// process gets a database of its own, or its peer's if it has a --cluster.peer.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

var (
	redis = os.Getenv("SHIM_REDIS") // host:port
	// state is a directory that the shims of one run share. It has a directory for
	// each database in use, and for each process a file named by its address, with the
	// number of its database.
	state = os.Getenv("SHIM_STATE")
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "shim:", err)
		os.Exit(1)
	}
}

func run() error {
	args := os.Args[1:]
	config, peer := value(args, "config.file"), value(args, "cluster.peer")
	reload := func() error { return nil }
	database := ""
	if redis != "" {
		var err error
		if database, err = choose(peer); err != nil {
			return err
		}
		shared := config + ".shared"
		reload = func() error {
			text, err := os.ReadFile(config)
			if err != nil {
				return err
			}
			return os.WriteFile(shared, fmt.Appendf(text, "\nstore: {url: \"redis://%s/%s\"}\n", redis, database), 0o600)
		}
		if err := reload(); err != nil {
			return err
		}
		args = append(args, "--config.file="+shared) // the last one wins
	}

	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(self), "tocsin"), append([]string{"serve"}, args...)...)
	cmd.Stdout = os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		for s := range signals {
			if s == syscall.SIGHUP {
				if err := reload(); err != nil {
					fmt.Fprintln(os.Stderr, "shim:", err)
				}
			}
			cmd.Process.Signal(s)
		}
	}()
	pass(stderr, database)
	err = cmd.Wait()
	if cmd.ProcessState.Exited() {
		os.Exit(cmd.ProcessState.ExitCode())
	}
	return err
}

// value returns the last value of a flag.
func value(args []string, name string) (v string) {
	for i, arg := range args {
		arg = strings.TrimLeft(arg, "-")
		if after, ok := strings.CutPrefix(arg, name+"="); ok {
			v = after
		} else if arg == name && i+1 < len(args) {
			v = args[i+1]
		}
	}
	return v
}

// choose returns the number of the peer's database, or of an unused one.
func choose(peer string) (string, error) {
	if peer != "" {
		b, err := os.ReadFile(filepath.Join(state, peer))
		return string(b), err
	}
	for n := 0; ; n++ {
		err := os.Mkdir(filepath.Join(state, "db"+strconv.Itoa(n)), 0o700)
		if err == nil || !os.IsExist(err) {
			return strconv.Itoa(n), err
		}
	}
}

var listening = regexp.MustCompile(`Listening on address=(\S+)`)

// pass copies the process's log to standard error. It writes the file of the process's
// address before the line with that address.
func pass(stderr io.Reader, database string) {
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		if m := listening.FindStringSubmatch(line); m != nil && database != "" {
			if err := os.WriteFile(filepath.Join(state, m[1]), []byte(database), 0o600); err != nil {
				fmt.Fprintln(os.Stderr, "shim:", err)
			}
		}
		fmt.Fprint(os.Stderr, line)
		if err != nil {
			return
		}
	}
}
