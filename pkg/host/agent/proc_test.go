package agent

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestProcesses(t *testing.T) {
	proc := newFakeProc(t, map[string]string{
		"1/stat":    "1 (init) S 0 1 1",
		"20/stat":   "20 (a (b) R c) Z 1 20 20", // a name that resembles a state
		"300/stat":  "300 (busy) R 1 300 300",
		"301/stat":  "301 (busy) R 1 300 300",
		"302/comm":  "the process ended in the meantime",
		"303/stat":  "303 (cut",
		"self/stat": "300 (busy) R 1 300 300",
		"sys/x":     "",
	})
	if got, want := collectBuiltin(t, "processes", proc), (processesData{4, 2, 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestProcessesOfThisMachine(t *testing.T) {
	child := exec.Command("true")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	wantGone(t, child.Process.Pid) // a zombie, as its parent does not wait for it
	got := collectBuiltin(t, "processes", "/proc").(processesData)
	files, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	wantNear(t, "processes", float64(got.Total), float64(len(files)), 30)
	if got.Zombies < 1 {
		t.Errorf("got %+v, want a zombie", got)
	}
	_ = child.Wait()
}

// The tables of IPv4 and IPv6, with the states of the kernel's tcp_states.h.
func TestTCP(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	line := func(i int, state string) string {
		return fmt.Sprintf("%4d: 0100007F:0CEA 00000000:0000 %s 00000000:00000000 00:00000000 00000000   112        0 21 1 0000000000000000 100 0 0 10 0\n", i, state)
	}
	files := map[string]string{"net/tcp": head + line(0, "0A") + line(1, "01") + line(2, "01") + line(10000, "06") + line(4, "02"), "net/tcp6": head + line(0, "08") + line(1, "0A")}
	if got, want := collectBuiltin(t, "tcp", newFakeProc(t, files)), (tcpData{2, 1, 1, 2, 7}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	delete(files, "net/tcp6")
	if got, want := collectBuiltin(t, "tcp", newFakeProc(t, files)), (tcpData{2, 1, 0, 1, 5}); got != want {
		t.Errorf("without IPv6: got %+v, want %+v", got, want)
	}
}

// The connections that this test opens are counted.
func TestTCPOfThisMachine(t *testing.T) {
	before := collectBuiltin(t, "tcp", "/proc").(tcpData)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const many = 200
	for range many {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	after := collectBuiltin(t, "tcp", "/proc").(tcpData)
	wantNear(t, "established", float64(after.Established-before.Established), 2*many, many)
	counts := map[string]int{}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if fields := strings.Fields(lines.Text()); fields[3] != "st" {
				counts[fields[3]]++
			}
		}
	}
	wantNear(t, "established by the table", float64(after.Established), float64(counts["01"]), 50)
	wantNear(t, "listening by the table", float64(after.Listen), float64(counts["0A"]), 5)
}
