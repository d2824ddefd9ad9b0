package broker

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// process is a Java program.
type process struct {
	cmd    *exec.Cmd
	log    string
	exit   chan struct{} // closed when it has exited
	parent io.Closer     // killed when closed
}

// start starts a class of the release with its output in a file.
func (k *Cluster) start(log, class string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: k.java(context.Background(), class, args...), log: log, exit: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.exit)
		_ = p.cmd.Wait() // wait reports an early exit with the log
	}()
	if err := p.killWithParent(); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// killWithParent makes the process end with this program, however that ends: a shell
// waits for the end of its standard input, which is then closed.
func (p *process) killWithParent() error {
	guard := exec.Command("sh", "-c", fmt.Sprintf("read _; kill -KILL %d", p.cmd.Process.Pid))
	stdin, err := guard.StdinPipe()
	if err != nil {
		return err
	}
	if err := guard.Start(); err != nil {
		return err
	}
	p.parent = stdin
	go func() {
		<-p.exit
		_ = guard.Process.Kill() // the id may belong to another process soon
		_ = guard.Wait()
	}()
	return nil
}

// java returns a command that runs a class of the release.
func (k *Cluster) java(ctx context.Context, class string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "java", append([]string{
		"-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", filepath.Join(k.jars, "*"), class}, args...)...)
	cmd.Dir = k.dir
	return cmd
}

// Tool runs a class of the release and returns its output.
func (k *Cluster) Tool(ctx context.Context, class string, args ...string) (string, error) {
	out, err := k.java(ctx, class, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", class, err, out)
	}
	return string(out), err
}

// wait waits until done returns true. It returns an error when the process exits or ctx
// ends before.
func (p *process) wait(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-p.exit:
			return fmt.Errorf("%s exited:\n%s", p.cmd.Args[len(p.cmd.Args)-1], p.logTail())
		case <-ctx.Done():
			return fmt.Errorf("%s: %w\n%s", p.cmd.Args[len(p.cmd.Args)-1], ctx.Err(), p.logTail())
		case <-tick.C:
		}
	}
	return nil
}

// logTail returns the last lines of the log.
func (p *process) logTail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

func (p *process) exited() bool {
	select {
	case <-p.exit:
		return true
	default:
		return false
	}
}

// kill kills the process and waits for its end. A nil process is none.
func (p *process) kill() {
	if p != nil {
		_ = p.cmd.Process.Kill() // an error means that it has exited
		<-p.exit
	}
}
