package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// startRedis starts a redis-server that writes every change to disk before it
// answers, as one that alerts are entrusted to should.
func (b *bench) startRedis() (stop func(), err error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := free.Addr().(*net.TCPAddr)
	free.Close()
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(addr.Port), "--dir", b.work, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b.redis = "redis://" + addr.String() + "/0"
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "eady to accept connections") {
			go io.Copy(io.Discard, out)
			return func() { cmd.Process.Kill(); cmd.Wait() }, nil
		}
	}
	return nil, fmt.Errorf("redis-server does not start: %w", cmd.Wait())
}
