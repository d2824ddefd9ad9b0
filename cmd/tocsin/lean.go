//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
)

// gcPercent keeps the agent's heap small, at the price of collecting garbage four
// times as often: every few seconds, which costs next to nothing.
const gcPercent = 25

// goLean gives back the memory that only the start of the program needed. tocsin
// is one program for many purposes, and touches much of its code to start; what
// the agent needs of it is mapped again, from the page cache, when it is used
// next. It is worth about 5 MB, and nothing is lost where it does not work.
func goLean() {
	debug.SetGCPercent(gcPercent)
	debug.FreeOSMemory()
	_ = unmapProgram()
}

// unmapProgram drops the pages of the program's own file. It leaves alone what
// can be written, and what was once (relocated or patched code), as that is in no
// file.
func unmapProgram() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close()
	var first, last uintptr // of the mapping whose lines these are
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		var from, to uintptr
		var access string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); n == 3 {
			first, last = from, to
			if access[1] == 'w' || !strings.HasSuffix(line, " "+exe) {
				last = first
			}
			continue
		}
		if rest, found := strings.CutPrefix(line, "Anonymous:"); found && strings.TrimSpace(rest) == "0 kB" && last > first {
			if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, first, last-first, syscall.MADV_DONTNEED); errno != 0 {
				return errno
			}
		}
	}
	return nil
}
